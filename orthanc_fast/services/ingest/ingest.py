"""The one way into the store: every door gives its DICOM files here.

A file is read once by the compiled reader, written and synced together with those that arrive at
the same time, entered into the index in their common transaction, and only then acknowledged.
"""

import mmap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from uuid import uuid4

import msgspec
import xxhash

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.identifiers import identify
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.errors import BadFileFormat, FullStorage
from orthanc_fast.index.lmdb.commit import Promise
from orthanc_fast.index.lmdb.index import Index
from orthanc_fast.index.lmdb.transaction import MakeRoom, Transaction
from orthanc_fast.index.lmdb.writer import Writer
from orthanc_fast.model import (
    Attachment,
    Header,
    Level,
    NewInstance,
    Outcome,
    PixelLayout,
    timestamp,
)
from orthanc_fast.registries import (
    CALLED_AET,
    DICOM_ATTACHMENT,
    HTTP_USERNAME,
    INDEX_IN_SERIES,
    MAIN_DICOM_SEQUENCES,
    ORIGIN,
    PIXEL_DATA_OFFSET,
    PIXEL_DATA_VR,
    RECEPTION_DATE,
    REMOTE_AET,
    REMOTE_IP,
    SOP_CLASS_UID,
    TRANSFER_SYNTAX,
    UNTIL_PIXEL_DATA_ATTACHMENT,
)
from orthanc_fast.registries import EXPECTED_NUMBER_OF_INSTANCES as EXPECTED_IN_SERIES
from orthanc_fast.services.ingest.expected_instances import expected_instances
from orthanc_fast.services.retention.recycling import quota_of
from orthanc_fast.services.store.write_with_files import FilesWrite
from orthanc_fast.storage.compression import compress
from orthanc_fast.storage.files.area import Content, Pending, StorageArea

INSUFFICIENT_STORAGE = 507  # the HTTP status of a full store, where instances are stored

Status = Literal["Success", "AlreadyStored"]

_encode_layout = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder().encode


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where an instance comes from; becomes its metadata (reference chapter 1, section 6.1)."""

    kind: Literal["RestApi", "DicomProtocol", "WebDav", "Lua", "Plugins", "Unknown"]
    remote_ip: str | None = None
    remote_aet: str = ""
    called_aet: str | None = None
    http_username: str | None = None


class Stored(msgspec.Struct, frozen=True, gc=False):
    """The answer to one upload: what became of it and the 20-byte identifiers, patient first."""

    status: Status
    publics: tuple[bytes, bytes, bytes, bytes]
    sop_class: str | None = None
    sop_uid: str = ""


class Upload(msgspec.Struct, frozen=True, gc=False):
    """The bytes of one DICOM file: in memory, or in a file that `StorageArea.new_partial` named."""

    data: bytes | bytearray | memoryview | None = None
    partial: Path | None = None

    @property
    def content(self) -> bytes | bytearray | memoryview | Path | None:
        """The bytes, or where they are."""
        return self.data if self.partial is None else self.partial

    def replaced(self, data: bytes | None) -> "Upload":
        """With other bytes, after which a partial file is gone; itself if there are none."""
        if data is None:
            return self
        if self.partial is not None:
            self.partial.unlink(missing_ok=True)
        return Upload(data=data)


class Ingest:
    """Accepts files; one per process. Its methods may be called from any thread."""

    def __init__(
        self,
        settings: Settings,
        index: Index,
        storage: StorageArea,
        writer: Writer,
        main_tags: MainTags,
        dictionary: Dictionary,
        default_encoding: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._index = index
        self._storage = storage
        self._writer = writer
        self._main_tags = main_tags
        self._dictionary = dictionary
        self._patient, self._study, self._series, self._instance = main_tags.signatures
        quota = quota_of(settings)
        self._make_room = quota.room_for_instance if quota.is_limited else None
        self._default_encoding = default_encoding

    def submit(self, upload: Upload, origin: Origin, promise: Promise) -> None:
        """Takes one DICOM file; `promise` gets a `Stored` once it would survive a power cut.

        Raises at once what the reader refuses: BadFileFormat, InexistentTag, BadParameterType. The
        promise may get FullStorage or StorageFault. A partial file belongs to the ingest from
        here on.
        """
        if upload.partial is None:
            if not upload.data:
                raise BadFileFormat("Received an empty DICOM file")
            self._submit(upload.data, None, origin, promise)
            return
        try:
            with upload.partial.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            self._submit(mapped, upload.partial, origin, promise)
        except BaseException:
            upload.partial.unlink(missing_ok=True)
            raise

    def _submit(
        self,
        data: Content,
        partial: Path | None,
        origin: Origin,
        promise: Promise,
    ) -> None:
        encoding = self._default_encoding()
        header = read_header(data, self._main_tags, self._dictionary, encoding)
        publics = identify(header)
        stored = Stored("Success", publics, header.sop_class, header.sop_uid)
        if self._settings.overwrite_instances == "Never":
            with self._index.view() as view:
                known = view.exists(Level.INSTANCE, publics[Level.INSTANCE])
            if known:
                if partial is not None:
                    partial.unlink(missing_ok=True)
                promise.set_result(msgspec.structs.replace(stored, status="AlreadyStored"))
                return
        new = self._new_instance(header, publics, origin)
        files = self._files(new, header, data, partial)
        self._writer.submit(StoreWrite(new, files, stored, self._make_room), promise)

    def _new_instance(
        self, header: Header, publics: tuple[bytes, bytes, bytes, bytes], origin: Origin
    ) -> NewInstance:
        now = int(time.time())
        expected = expected_instances(header.main_tags[Level.SERIES])
        series: dict[int, str] = {REMOTE_AET: origin.remote_aet}
        if expected is not None:
            series[EXPECTED_IN_SERIES] = str(expected)
        metadata: tuple[dict[int, str], ...] = (
            {},
            {},
            series,
            _instance_metadata(header, origin, now),
        )
        for level, sequences in enumerate(header.main_sequences):
            if sequences:
                metadata[level][MAIN_DICOM_SEQUENCES] = sequences_metadata(sequences)
        return NewInstance(
            publics=publics,
            tags=header.main_tags,
            metadata=(metadata[0], metadata[1], metadata[2], metadata[3]),
            signatures=(self._patient, self._study, self._series, self._instance),
            attachments={},
            image=b"" if header.pixels is None else _encode_layout(header.pixels),
            received=now,
            overwrite=self._settings.overwrite_instances,
            series_index=header.index_in_series,
            expected_in_series=expected,
        )

    def _files(
        self, new: NewInstance, header: Header, data: Content, partial: Path | None
    ) -> list[Pending]:
        """The files to be written, with their attachments entered into `new`."""
        if not self._settings.store_dicom:
            if partial is not None:
                partial.unlink(missing_ok=True)
            return []
        files = [self._file(DICOM_ATTACHMENT, new, data, partial)]
        if self._settings.storage_compression and header.pixel_data_offset is not None:
            head = memoryview(data)[: header.pixel_data_offset]
            files.append(self._file(UNTIL_PIXEL_DATA_ATTACHMENT, new, head, None))
        return files

    def _file(self, kind: int, new: NewInstance, data: Content, partial: Path | None) -> Pending:
        compressed = self._settings.storage_compression
        stored: Content | None = compress(memoryview(data)) if compressed else data
        if partial is not None:
            if compressed:
                partial.unlink(missing_ok=True)
                partial = None
            else:
                stored = None  # it lies on the disk already
        attachment = Attachment(
            uuid=str(uuid4()),
            size=len(data),
            stored_size=len(data) if stored is None else len(stored),
            compressed=compressed,
            digest=xxhash.xxh3_128_digest(data),
        )
        new.attachments[kind] = attachment
        owner = new.publics[Level.INSTANCE]
        return self._storage.new_file(owner, attachment.uuid, stored, partial)


class StoreWrite(FilesWrite):
    """Enters one instance into the index."""

    __slots__ = ("_make_room", "_new", "_stored")

    def __init__(
        self, new: NewInstance, files: list[Pending], stored: Stored, make_room: MakeRoom | None
    ) -> None:
        super().__init__(files)
        self._new = new
        self._stored = stored
        self._make_room = make_room

    @property
    def is_quick(self) -> bool:
        """Not where it may have to delete patients to make room."""
        return self._make_room is None and super().is_quick

    def apply(self, transaction: Transaction) -> Outcome:
        return transaction.store_instance(self._new, self._make_room)

    def finish(self, outcome: Outcome) -> Stored:
        if outcome.stored:
            return self._stored
        if outcome.refused:
            raise FullStorage(http_status=INSUFFICIENT_STORAGE)
        return msgspec.structs.replace(self._stored, status="AlreadyStored")


def _instance_metadata(header: Header, origin: Origin, now: int) -> dict[int, str]:
    found: dict[int, str] = {}
    if header.index_in_series is not None:
        found[INDEX_IN_SERIES] = header.index_in_series
    found[RECEPTION_DATE] = timestamp(now)
    found[REMOTE_AET] = origin.remote_aet
    found[ORIGIN] = origin.kind
    if header.transfer_syntax is not None:
        found[TRANSFER_SYNTAX] = header.transfer_syntax
    if header.sop_class is not None:
        found[SOP_CLASS_UID] = header.sop_class
    if origin.remote_ip is not None:
        found[REMOTE_IP] = origin.remote_ip
    if origin.called_aet is not None:
        found[CALLED_AET] = origin.called_aet
    if origin.http_username is not None:
        found[HTTP_USERNAME] = origin.http_username
    if header.pixel_data_offset is not None:
        found[PIXEL_DATA_OFFSET] = str(header.pixel_data_offset)
    if header.pixel_data_vr is not None:
        found[PIXEL_DATA_VR] = header.pixel_data_vr
    return found


def sequences_metadata(sequences: dict[int, bytes]) -> str:
    """MainDicomSequences: reference chapter 1, section 5.2."""
    members = {
        f"{tag >> 16:04x},{tag & 0xFFFF:04x}": msgspec.Raw(value)
        for tag, value in sorted(sequences.items())
    }
    return _encode_json({"Sequences": members, "Version": 1}).decode()


def layout_decoder() -> msgspec.msgpack.Decoder[PixelLayout]:
    """Reads the frame map back: what `View.image` gives for an instance."""
    return msgspec.msgpack.Decoder(PixelLayout)
