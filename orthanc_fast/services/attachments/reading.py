"""Reading stored files for answers: from the page cache at once, from the disk in a thread."""

import asyncio

from orthanc_fast.errors import CorruptedFile, ParameterOutOfRange, UnknownResource
from orthanc_fast.model import Attachment, Resource, SendablePath
from orthanc_fast.registries import DICOM_ATTACHMENT, PIXEL_DATA_OFFSET, UNTIL_PIXEL_DATA_ATTACHMENT
from orthanc_fast.storage.compression import uncompress
from orthanc_fast.storage.contract import BEYOND_END, Content, Handle, Storage

# Bytes that an event loop copies itself where they are in memory, in about a millisecond.
AT_ONCE = 4 << 20


class Contents:
    """The contents of attachments, uncompressed whatever their stored form."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    async def content(self, attachment: Attachment) -> bytes:
        """The whole content. Raises OrthancError 2006 if the file is missing, CorruptedFile."""
        data = await self.stored(attachment)
        if not attachment.compressed:
            return data
        return await asyncio.to_thread(uncompress, data)

    async def stored(self, attachment: Attachment) -> bytes:
        """The bytes as they lie in the storage area."""
        return await self._read(attachment.uuid, attachment.stored_size)

    def sendable(self, attachment: Attachment) -> SendablePath | None:
        """Where the bytes lie as they are stored, for a door that can send a file by itself; None
        where this storage has none such. Raises OrthancError 2006 if the file is missing."""
        return self.storage.sendable(attachment.uuid)

    async def head(self, instance: Resource) -> tuple[bytes, bool]:
        """The DICOM file up to its pixel data, and True; or the whole file, and False, where it is
        not known where the pixel data begin."""
        attachment = dicom_attachment(instance)
        offset = instance.metadata.get(PIXEL_DATA_OFFSET)
        if offset is None:
            return await self.content(attachment), False
        if attachment.compressed:
            head = instance.attachments.get(UNTIL_PIXEL_DATA_ATTACHMENT)
            return await self.content(head or attachment), head is not None
        return await self._read(attachment.uuid, int(offset)), True

    def head_now(self, instance: Resource) -> tuple[bytes, bool]:
        """As `head`, for a thread that may wait for the disk."""
        attachment = dicom_attachment(instance)
        offset = instance.metadata.get(PIXEL_DATA_OFFSET)
        if offset is None:
            return self.content_now(attachment), False
        if attachment.compressed:
            head = instance.attachments.get(UNTIL_PIXEL_DATA_ATTACHMENT)
            return self.content_now(head or attachment), head is not None
        return self._read_now(attachment.uuid, int(offset)), True

    def head_at_once(self, instance: Resource) -> tuple[bytes, bool] | None:
        """As `head`, without waiting for anything; None where that must be waited for."""
        attachment = dicom_attachment(instance)
        offset = instance.metadata.get(PIXEL_DATA_OFFSET)
        size = attachment.size if offset is None else int(offset)
        if attachment.compressed or size > AT_ONCE:
            return None
        data = self._cached(attachment.uuid, size)
        return None if data is None else (data, offset is not None)

    def content_now(self, attachment: Attachment) -> bytes:
        """As `content`, for a thread that may wait for the disk."""
        data = self._read_now(attachment.uuid, attachment.stored_size)
        return uncompress(data) if attachment.compressed else data

    def _read_now(self, uuid: str, size: int) -> bytes:
        data = self.storage.read(uuid, 0, size)
        if len(data) < size:
            raise ParameterOutOfRange(BEYOND_END)
        return data

    async def _read(self, uuid: str, size: int) -> bytes:
        data = self._cached(uuid, size) if size <= AT_ONCE else None
        if data is None:
            data = await asyncio.to_thread(self._read_now, uuid, size)
        return data

    def _cached(self, uuid: str, size: int) -> bytes | None:
        """None where the disk must be waited for."""
        handle = self.storage.open(uuid)
        try:
            data = handle.read_now(0, size)
        finally:
            handle.close()
        return None if data is None or len(data) < size else data


def dicom_attachment(instance: Resource) -> Attachment:
    """The DICOM file of an instance. Raises UnknownResource where only the index has it."""
    attachment = instance.attachments.get(DICOM_ATTACHMENT)
    if attachment is None:
        raise UnknownResource("this server keeps no DICOM file for the instance")
    return attachment


def opened(storage: Storage, attachment: Attachment) -> Content:
    """The uncompressed content for a thread that works on all of it: without a copy where it is
    stored uncompressed. Raises OrthancError 2006 if the file is missing, CorruptedFile."""
    with storage.open(attachment.uuid) as handle:
        return content_of(handle, attachment)


def content_of(handle: Handle, attachment: Attachment) -> Content:
    """As `opened`, for who has a handle of it already."""
    if attachment.compressed:
        return uncompress(handle.read(0, attachment.stored_size))
    data = handle.buffer()
    require_all(data, attachment.size)
    return data


def require_all(data: Content, size: int) -> None:
    """A file that ends between two elements would pass for a smaller data set. Raises
    CorruptedFile."""
    if len(data) < size:
        raise CorruptedFile("a file is shorter than the index knows: it is damaged")
