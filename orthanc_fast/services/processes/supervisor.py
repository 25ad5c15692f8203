"""What the supervisor does around the workers: the store is opened, and what a crash left is
recovered."""

import time
from pathlib import Path

from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.errors import (
    BadFileFormat,
    IncompatibleDatabase,
    OrthancError,
    ParameterOutOfRange,
)
from orthanc_fast.index.contract import Index
from orthanc_fast.log import Category, logger
from orthanc_fast.runtime.lmdb import LmdbRuntime
from orthanc_fast.services.exchange.client_tls import UnusableCertificate, client_context
from orthanc_fast.services.exchange.dicom_tls import check_files, tls_options
from orthanc_fast.services.find.options import find_options
from orthanc_fast.services.jobs.outputs import outputs_folder
from orthanc_fast.services.jobs.saved import SavedJobs
from orthanc_fast.services.moving.departure import LEFT, refuse_stale_index
from orthanc_fast.services.peers.peer import parse_peer, parse_server
from orthanc_fast.services.retention.recovery import recover, remove_doomed
from orthanc_fast.services.retention.recycling import recycle_at_start
from orthanc_fast.services.routing.records import begin_server
from orthanc_fast.services.scripts.progress import forget_scripts
from orthanc_fast.services.store.adopted import warn_of_a_second_server
from orthanc_fast.services.store.foreign import has_index, refuse_foreign_store
from orthanc_fast.services.store.opening import (
    INDEX_FOLDER,
    REBUILDING_FOLDER,
    RESTORING_FOLDER,
    RUNTIME_FOLDER,
    SUPERVISOR_SLOT,
    open_dictionary,
    open_index,
    open_storage,
)
from orthanc_fast.services.store.privacy import close_to_others
from orthanc_fast.storage.files.area import INCOMING
from orthanc_fast.transfer_syntaxes import SYNTAXES

PATIENCE = 10.0  # seconds; workers end within that

_DECODER_ORDERS = ("After", "Before", "Disabled")


class GuardedStore:
    """Index and storage as the process that watches over the workers holds them."""

    def __init__(self, settings: Settings) -> None:
        """Before any worker runs: afterwards no file is without index entry and none half there.
        Raises OrthancError."""
        _check_settings(settings)
        folder = settings.index_directory / INDEX_FOLDER
        refuse_foreign_store(settings, folder)
        if not has_index(folder):
            _refuse_unfinished(settings)
            _set_aside_incoming(settings.storage_directory)
        close_to_others(settings, (folder, outputs_folder(settings)))
        self._storage = open_storage(settings, SUPERVISOR_SLOT)
        self._index = self._open_alone(settings)
        try:
            refuse_stale_index(self._index)
            if self._index.was_alone:
                recover(self._index, self._storage)
            else:
                logger.warning(
                    Category.GENERIC,
                    "Another program uses the index: what a crash may have left is not removed",
                )
            if self._index.read(lambda view: view.property(LEFT)) is None:
                warn_of_a_second_server(settings, self._index)
            self._check_routing(settings)
            recycle_at_start(settings, self._index)
            if settings.scripting is None:
                forget_scripts(self._index)
            remove_doomed(self._index, self._storage)
            self._runtime = LmdbRuntime.begin(folder / RUNTIME_FOLDER, self._index.was_alone)
            self._jobs = SavedJobs(settings, self._index, self._runtime)
            self._jobs.bring_back()
        except BaseException:
            self._index.close()
            raise

    def _open_alone(self, settings: Settings) -> Index:
        """Waits a while for the workers of a supervisor that was killed: what they are about to
        store must not be taken for what a crash left."""
        end = time.monotonic() + PATIENCE
        while True:
            index = open_index(settings, self._storage)
            if index.was_alone or time.monotonic() > end:
                return index
            index.close()
            time.sleep(0.1)

    def _check_routing(self, settings: Settings) -> None:
        if settings.routing is None or settings.read_only:
            begin_server(self._index, None)
            return
        # What rules may ask for is a large part of the program: only who has some loads it.
        from orthanc_fast.services.processes.routing import check_routing
        from orthanc_fast.services.routing.added import ADDED, beginnings

        check_routing(settings, self._index, self._storage)
        added = self._index.read(lambda view: view.property(ADDED))
        begin_server(self._index, beginnings(settings.routing, added))

    def recover_slot(self, slot: str) -> None:
        """Runs after the worker of this slot died and before its successor starts."""
        recover(self._index, self._storage, slot)
        self._runtime.clear_stale_readers()
        self._jobs.recover_slot(slot)

    def close(self) -> None:
        """After all workers."""
        self._runtime.close()
        self._index.close()


def _refuse_unfinished(settings: Settings) -> None:
    """An empty index would take the place of one that is being made. Raises
    IncompatibleDatabase."""
    for name, command in ((REBUILDING_FOLDER, "rebuild"), (RESTORING_FOLDER, "restore")):
        unfinished = settings.index_directory / name
        if unfinished.exists():
            raise IncompatibleDatabase(
                f"the index is not complete: call orthanc-fast {command} again, which goes on, or "
                "remove the folder",
                private=unfinished,
            )


def _set_aside_incoming(storage: Path) -> None:
    """A new index knows nothing of what lies in `incoming`: it may have been acknowledged by one
    that is lost, so it is not for the recovery to remove."""
    incoming = storage / INCOMING
    if any(path.is_file() for path in incoming.glob("*/*")):
        aside = storage / f"{INCOMING}-{time.strftime('%Y%m%dT%H%M%S')}"
        incoming.rename(aside)
        logger.warning(
            Category.GENERIC,
            f"There is no index for {storage}: files of an earlier one were set aside in {aside}",
        )


def _check_settings(settings: Settings) -> None:
    """Refuses what is wrong."""
    main_tags = MainTags(open_dictionary(settings), settings.extra_main_dicom_tags)
    for ignored in main_tags.ignored:
        text = f"ExtraMainDicomTags: {ignored} is a main tag already, or computed: ignored"
        logger.warning(Category.GENERIC, text)
    find_options(settings.raw)  # likewise
    check_files(tls_options(Values(settings.raw)))
    if settings.ingest_transcoding not in (*SYNTAXES, ""):
        raise ParameterOutOfRange(
            f"IngestTranscoding: unknown transfer syntax {settings.ingest_transcoding!r}"
        )
    order = settings.raw.get("BuiltinDecoderTranscoderOrder", _DECODER_ORDERS[0])
    if order not in _DECODER_ORDERS:
        raise ParameterOutOfRange(
            f"BuiltinDecoderTranscoderOrder is one of {', '.join(_DECODER_ORDERS)}, not {order!r}"
        )
    _check_peers(settings)


def _check_peers(settings: Settings) -> None:
    """And warns of what will fail when it is used."""
    if not settings.raw.get("OrthancPeersInDatabase"):
        for name, value in (settings.raw.get("OrthancPeers") or {}).items():
            try:
                peer = parse_peer(name, value)
            except OrthancError as error:
                raise BadFileFormat(f"OrthancPeers: {name}: {error.details}") from error
            if peer.pkcs11:
                text = f"OrthancPeers: {name}: Pkcs11: this server cannot use smart cards"
                logger.warning(Category.GENERIC, text)
    if not settings.dicom_web.servers_in_database:
        for name, value in settings.dicom_web.servers.items():
            try:
                parse_server(value)
            except OrthancError as error:
                raise BadFileFormat(f"DicomWeb.Servers: {name}: {error.details}") from error
    if settings.https_ca_certificates is None:
        return
    try:
        client_context(settings)
    except UnusableCertificate as error:
        text = f"HttpsCACertificates: no server will be trusted: {error}"
        logger.warning(Category.GENERIC, text)
