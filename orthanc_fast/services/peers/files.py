"""Stored DICOM files as bodies of requests to a peer: as they are, transcoded, or gzipped."""

import asyncio
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Final

from isal import igzip, isal_zlib

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Attachment
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.attachments.reading import AT_ONCE, Contents, opened
from orthanc_fast.services.peers.bodies import Body, BufferBody, PartsBody
from orthanc_fast.services.transcoding.transcode import transcode
from orthanc_fast.storage.contract import Storage

_LEVEL: Final = 1  # of isal
_GZIP: Final = 16 + zlib.MAX_WBITS


class SentFiles:
    """Makes the bodies; for one process."""

    def __init__(self, settings: Settings, storage: Storage, dictionary: Dictionary) -> None:
        self._settings = settings
        self._storage = storage
        self._dictionary = dictionary
        self._contents = Contents(storage)
        self._parts = ContentParts(storage)

    async def body(self, file: Attachment, syntax: str | None, is_gzipped: bool) -> Body:
        """A file in the transfer syntax where that is possible, else as it is. Raises OrthancError
        2006 if it is missing, CorruptedFile."""
        if syntax is not None:
            transcoded = await asyncio.to_thread(self._transcoded, file, syntax)
            if transcoded is not None:
                return await in_memory(transcoded, is_gzipped)
        if file.size <= AT_ONCE:
            return await in_memory(await self._contents.content(file), is_gzipped)
        parts = partial(self._parts.content, file)
        if is_gzipped:
            return PartsBody(lambda: _gzip(parts()), None)
        return PartsBody(parts, file.size)

    def _transcoded(self, file: Attachment, syntax: str) -> bytes | None:
        """None for what cannot be transcoded."""
        data = opened(self._storage, file)
        quality = self._settings.dicom_lossy_transcoding_quality
        try:
            return transcode(data, syntax, quality, self._dictionary).data
        except OrthancError as error:
            logger.info(Category.DICOM, f"An instance is sent without transcoding: {error}")
            return None


async def in_memory(data: bytes, is_gzipped: bool) -> Body:
    """The body of a file that is in memory."""
    if is_gzipped:
        data = await asyncio.to_thread(igzip.compress, data, _LEVEL)
    return BufferBody(data)


def _gzip(parts: Iterator[bytes]) -> Iterator[bytes]:
    stream = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _GZIP)
    for part in parts:
        if packed := stream.compress(part):
            yield packed
    yield stream.flush()
