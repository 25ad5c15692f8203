"""What happens before a worker runs: open the store, recover what a crash left, check the
versions."""

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.encoding import KNOWN_SYNTAXES
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import OrthancError, ParameterOutOfRange
from orthanc_fast.index.index import Index
from orthanc_fast.index.transaction import Transaction
from orthanc_fast.index.view import View
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Level
from orthanc_fast.services.find.options import find_options
from orthanc_fast.services.recycling import recycle_at_start
from orthanc_fast.services.session import forget_session
from orthanc_fast.services.terms import terms
from orthanc_fast.storage.area import StorageArea

INDEX_FOLDER = "orthanc-fast.lmdb"
SUPERVISOR_SLOT = "supervisor"

_DECODER_ORDERS = ("After", "Before", "Disabled")


def open_index(settings: Settings) -> Index:
    """Raises StorageFault or IncompatibleDatabase with a text for the administrator."""
    folder = settings.index_directory / INDEX_FOLDER
    return Index(folder, terms, settings.index_map_size_gb << 30)


def open_storage(settings: Settings, slot: str) -> StorageArea:
    """Raises StorageFault if the folder cannot be written."""
    return StorageArea(settings.storage_directory, slot, settings.sync_storage_area)


def open_dictionary(settings: Settings) -> Dictionary:
    """What the configuration makes known of tags. Raises OrthancError for what it cannot take."""
    try:
        external = [path.read_text("latin-1") for path in settings.external_dictionaries]
    except OSError as error:
        raise OrthancError(f"ExternalDictionaries: {error}", code=13) from error
    return Dictionary(settings.dictionary, settings.load_private_dictionary, external)


def prepare(settings: Settings) -> None:
    """Runs once, before any worker: afterwards no file is without index entry and none half
    there."""
    # Refuses what is wrong.
    main_tags = MainTags(open_dictionary(settings), settings.extra_main_dicom_tags)
    for ignored in main_tags.ignored:
        text = f"ExtraMainDicomTags: {ignored} is a main tag already, or computed: ignored"
        logger.warning(Category.GENERIC, text)
    find_options(settings.raw)  # likewise
    if settings.ingest_transcoding not in (*KNOWN_SYNTAXES, ""):
        raise ParameterOutOfRange(
            f"IngestTranscoding: unknown transfer syntax {settings.ingest_transcoding!r}"
        )
    order = settings.raw.get("BuiltinDecoderTranscoderOrder", _DECODER_ORDERS[0])
    if order not in _DECODER_ORDERS:
        raise ParameterOutOfRange(
            f"BuiltinDecoderTranscoderOrder is one of {', '.join(_DECODER_ORDERS)}, not {order!r}"
        )
    storage = open_storage(settings, SUPERVISOR_SLOT)
    index = open_index(settings)
    try:
        index.clear_stale_readers()
        _recover(index, storage, None)
        forget_session(index)
        recycle_at_start(settings, index)
        with index.view() as view:
            doomed = view.doomed()
        if doomed:
            storage.remove(doomed)

            def forget(transaction: Transaction) -> None:
                transaction.forget_doomed(doomed)

            index.write(forget)
            logger.info(Category.GENERIC, f"Removed {len(doomed)} files of deleted resources")
    finally:
        index.close()


def recover_slot(settings: Settings, slot: str) -> None:
    """Runs after the worker of this slot died and before its successor starts."""
    storage = open_storage(settings, SUPERVISOR_SLOT)
    index = open_index(settings)
    try:
        index.clear_stale_readers()
        _recover(index, storage, slot)
    finally:
        index.close()


def _recover(index: Index, storage: StorageArea, slot: str | None) -> None:
    with index.view() as view:
        published, unlinked = storage.recover(lambda owner, uuid: _belongs(view, owner, uuid), slot)
    if published or unlinked:
        logger.info(
            Category.GENERIC,
            f"Recovered {published} files that were stored and removed {unlinked} that were not",
        )


def _belongs(view: View, owner: bytes, uuid: str) -> bool:
    resource = view.resource(Level.INSTANCE, owner) or view.resource_of_any_level(owner)
    return resource is not None and any(
        attachment.uuid == uuid for attachment in resource.attachments.values()
    )
