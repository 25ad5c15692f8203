"""The files of an instance anew, in the form and the transfer syntax in which they would be stored
now. Source: reference chapter 1, section 5.3 (`ReconstructFiles`)."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.part10 import Buffer
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Caller, Level, Outcome, Resource
from orthanc_fast.registries import (
    DICOM_ATTACHMENT,
    PIXEL_DATA_OFFSET,
    PIXEL_DATA_VR,
    TRANSFER_SYNTAX,
)
from orthanc_fast.registries import UNTIL_PIXEL_DATA_ATTACHMENT as UNTIL_PIXEL_DATA
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.attachments.reading import Contents, dicom_attachment, opened
from orthanc_fast.services.ingest.files import Filed, from_memory
from orthanc_fast.services.retention.recycling import Quota, quota_of
from orthanc_fast.services.store.content_check import check_content
from orthanc_fast.services.store.file_effects import FilesWrite
from orthanc_fast.services.store.frame_maps import packed_layout
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

Recode = Callable[[Buffer], bytes | None]
"""A DICOM file as it would be stored now, of the same image; None where it stays as it is."""

_OF_THE_FILE: Final = (TRANSFER_SYNTAX, PIXEL_DATA_OFFSET, PIXEL_DATA_VR)


class Described(msgspec.Struct, frozen=True):
    """What the index keeps of a file: its metadata, and where its pixels lie."""

    metadata: dict[int, str]
    image: bytes


class Renewal:
    """Gives instances new files; of one process."""

    def __init__(
        self,
        settings: Settings,
        reads: Reads,
        writes: Writes,
        contents: Contents,
        main_tags: MainTags,
        dictionary: Dictionary,
        encoding: Callable[[], str],
        recode: Recode | None,
    ) -> None:
        """`encoding` gives the default character set, `recode` the files in the transfer syntax in
        force; None: each keeps its own."""
        self._compressed = settings.storage_compression
        self._quota = quota_of(settings)
        self._read = reads
        self._write = writes
        self._contents = contents
        self._storage = contents.storage
        self._parts = ContentParts(contents.storage)
        self._main_tags = main_tags
        self._dictionary = dictionary
        self._encoding = encoding
        self._recode = recode

    async def run(self, caller: Caller, public: bytes, only_other: bool = False) -> None:
        """Replaces the files of an instance in one transaction, so that whatever happens it has
        either the old ones or the new ones. `only_other`: nothing is done where they would be
        stored in the same way. An instance that is gone is left alone.

        Raises UnknownResource where it has no DICOM file, FullStorage, and what reading the old
        ones raises.
        """
        while True:
            instance = await self._read.run(self._instance, caller, public)
            if instance is None:
                return
            write = await asyncio.to_thread(self._prepared, instance, only_other)
            if write is None or await self._write(caller, write):
                return  # else somebody has replaced them meanwhile

    def _instance(self, caller: Caller, public: bytes) -> Resource | None:
        return self._read(caller, lambda view: view.resource(Level.INSTANCE, public))

    def _prepared(self, instance: Resource, only_other: bool) -> "_Renew | None":
        old = dicom_attachment(instance)
        recoded = None
        if self._recode is not None:
            content = opened(self._storage, old)
            check_content(old, content)
            recoded = self._recode(content)
        if recoded is not None:
            return self._recoded(instance, recoded)
        return None if only_other and self._is_in_form(instance) else self._copied(instance)

    def _is_in_form(self, instance: Resource) -> bool:
        has_head = UNTIL_PIXEL_DATA in instance.attachments
        wants_head = self._compressed and PIXEL_DATA_OFFSET in instance.metadata
        is_compressed = dicom_attachment(instance).compressed
        return is_compressed == self._compressed and has_head == wants_head

    def _recoded(self, instance: Resource, data: bytes) -> "_Renew":
        header = read_header(data, self._main_tags, self._dictionary, self._encoding())
        values = (header.transfer_syntax, header.pixel_data_offset, header.pixel_data_vr)
        metadata = {
            number: str(value)
            for number, value in zip(_OF_THE_FILE, values, strict=True)
            if value is not None
        }
        described = Described(metadata, packed_layout(header.pixels))
        file = from_memory(self._storage, instance.public, data, self._compressed)
        head = None
        if header.pixel_data_offset is not None:
            head = memoryview(data)[: header.pixel_data_offset]
        return self._renew(instance, file, head, described)

    def _copied(self, instance: Resource) -> "_Renew":
        """The same content: in parts, however large it is."""
        old = dicom_attachment(instance)
        head: Buffer | None = None
        if self._compressed:
            found, is_head = self._contents.head_now(instance)
            offset = instance.metadata.get(PIXEL_DATA_OFFSET)
            if offset is not None:
                head = found if is_head else found[: int(offset)]
        spool = self._parts.rewritten(old, self._compressed)
        new = msgspec.structs.replace(
            old,
            uuid=str(uuid4()),
            stored_size=spool.size,
            compressed=self._compressed,
            stored_md5=None,
        )
        file = new, self._storage.new_file(instance.public, new.uuid, spool)
        return self._renew(instance, file, head, None)

    def _renew(
        self, instance: Resource, file: Filed, head: Buffer | None, described: Described | None
    ) -> "_Renew":
        filed = {DICOM_ATTACHMENT: file}
        if self._compressed and head is not None:
            try:
                filed[UNTIL_PIXEL_DATA] = from_memory(self._storage, instance.public, head, True)
            except BaseException:
                file[1].drop()
                raise
        return _Renew(instance, filed, described, self._quota)


class _Renew(FilesWrite):
    """Results in whether it was done: not if the file is another one by then."""

    is_quick = False

    def __init__(
        self,
        instance: Resource,
        filed: dict[int, Filed],
        described: Described | None,
        quota: Quota,
    ) -> None:
        super().__init__([file for _, file in filed.values()])
        self._public = instance.public
        self._old = dicom_attachment(instance).uuid
        self._new = {kind: attachment for kind, (attachment, _) in filed.items()}
        self._described = described
        self._quota = quota

    def apply(self, transaction: Transaction) -> Outcome:
        instance = transaction.resource(Level.INSTANCE, self._public)
        old = None if instance is None else instance.attachments.get(DICOM_ATTACHMENT)
        if instance is None or old is None or old.uuid != self._old:
            return Outcome()
        done = Outcome(stored=True)
        if UNTIL_PIXEL_DATA in instance.attachments:
            done.doomed += transaction.remove_attachment(instance, UNTIL_PIXEL_DATA).doomed
        for kind, new in self._new.items():
            replaced = instance.attachments.get(kind)
            done.doomed += self._quota.room_for_attachment(transaction, instance, new, replaced)
            done.doomed += transaction.put_attachment(instance, kind, new).doomed
            new.revision = 0
        if self._described is not None:
            for number, text in self._described.metadata.items():
                transaction.set_builtin_metadata(instance, number, text)
            transaction.set_image(instance, self._described.image)
        return done

    def finish(self, outcome: Outcome) -> bool:
        return outcome.stored
