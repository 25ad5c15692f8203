"""What one file of the storage area is, told from its content alone."""

from struct import Struct

import msgspec
import xxhash

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import identify
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import SERVER, Attachment, Header, NewInstance
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.attachments.parts import STEP, ContentParts
from orthanc_fast.services.ingest.records import new_instance
from orthanc_fast.services.store.opening import open_dictionary
from orthanc_fast.storage.compression import uncompress, uncompress_parts
from orthanc_fast.storage.contract import Content, Storage

SECOND = 10**9  # nanoseconds

_SIZE = Struct("<Q")
_ZLIB = 0x78  # the first byte of a zlib stream with the usual window
_IN_MEMORY = 64 << 20  # bytes that are uncompressed in memory; more goes through a spool


class Examined(msgspec.Struct, array_like=True, gc=False):
    """One file. `new` is the instance with this file as its DICOM file, None where it is none:
    then `why` says why. `offset`: where its pixel data begin, as far as that is known."""

    uuid: str
    written: int  # nanoseconds since the epoch
    new: NewInstance | None = None
    offset: int | None = None
    why: str = ""


class Examiner:
    """Reads files as the ingest does, with the settings of the server."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._storage = storage
        self._dictionary = open_dictionary(settings)
        self._main_tags = MainTags(self._dictionary, settings.extra_main_dicom_tags)
        self._encoding = settings.default_encoding

    def examine(self, uuid: str, written: int) -> Examined:
        """Never raises for what a file holds, or because it cannot be read."""
        found = Examined(uuid, written)
        try:
            with self._storage.open(uuid) as handle:
                stored = handle.buffer()
                self._recognise(found, stored)
        except (OrthancError, OSError) as error:
            found.why = f"cannot be read: {error}"
        return found

    def _recognise(self, found: Examined, stored: Content) -> None:
        if not len(stored):
            found.why = "is empty"
            return
        try:
            self._take(found, stored, stored, False)
            return
        except OrthancError as error:
            found.why = str(error)
        if not looks_compressed(stored):
            return
        try:
            if _SIZE.unpack_from(stored)[0] <= _IN_MEMORY:
                self._take(found, uncompress(memoryview(stored)), stored, True)
                return
            view = memoryview(stored)
            parts = (bytes(view[at : at + STEP]) for at in range(0, len(view), STEP))
            with self._storage.new_spool() as spool:
                for part in uncompress_parts(parts, STEP):
                    spool.write(part)
                spool.flush()
                self._take(found, spool.buffer(), stored, True)
        except OrthancError as error:
            found.why = f"compressed: {error}"

    def _take(self, found: Examined, content: Content, stored: Content, compressed: bool) -> None:
        header: Header = read_header(content, self._main_tags, self._dictionary, self._encoding)
        new = new_instance(
            header,
            identify(header),
            self._main_tags.signatures,
            SERVER,
            "Never",
            found.written // SECOND,
        )
        digest = xxhash.xxh3_128_digest(content)
        new.attachments[DICOM_ATTACHMENT] = Attachment(
            found.uuid, len(content), len(stored), compressed, digest
        )
        found.new, found.offset, found.why = new, header.pixel_data_offset, ""


def looks_compressed(stored: Content) -> bool:
    """Whether it may be an attachment as Orthanc compresses it: its size in 8 bytes, then a zlib
    stream."""
    return (
        len(stored) > _SIZE.size + 2
        and stored[8] == _ZLIB
        and (stored[8] << 8 | stored[9]) % 31 == 0
    )


def is_head_of(storage: Storage, head: Attachment, whole: Attachment) -> bool:
    """Whether the content of one file is how that of another one begins. Raises OrthancError where
    one cannot be read."""
    beginning = xxhash.xxh3_128()
    for part in ContentParts(storage).excerpt(whole, 0, head.size):
        beginning.update(part)
    return beginning.digest() == head.digest
