"""Uploads as doors bring them: a DICOM file, a gzip of one, or a ZIP archive of many.

Source: reference chapter 1, section 2.
"""

import asyncio
from collections.abc import Coroutine, Iterator

from orthanc_fast.errors import BadFileFormat, InexistentTag
from orthanc_fast.model import Caller
from orthanc_fast.services.ingest.contract import IngestRequest, Stored
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.services.ingest.unpack import Bounds, gunzip, is_zip, members
from orthanc_fast.storage.arriving import ArrivingBody as ArrivingBody
from orthanc_fast.storage.arriving import Body as Body
from orthanc_fast.storage.contract import Content as Content
from orthanc_fast.storage.contract import Spool as Spool
from orthanc_fast.storage.contract import Storage
from orthanc_fast.storage.upload_memory import Share as Share
from orthanc_fast.storage.upload_memory import UploadMemory

# Members of an archive that wait for the disk together, hence in memory at the same time.
MAX_PENDING_MEMBERS = 16
MAX_PENDING_BYTES = 32 << 20

_HEAD = 4


class Uploads:
    """Takes uploads apart, in threads, and gives what is in them to the ingest."""

    def __init__(
        self, ingest: Ingest, storage: Storage, bounds: Bounds, memory: UploadMemory
    ) -> None:
        self._ingest = ingest
        self._storage = storage
        self._bounds = bounds
        self._memory = memory

    def share(self) -> Share:
        """For the bodies of one upload, to be released with the last of them."""
        return Share(self._memory)

    def arriving(self, memory: int, share: Share) -> ArrivingBody:
        """For a body whose size is not known: above so many bytes it goes through a spool."""
        return ArrivingBody(memory, self._storage.new_spool, share)

    async def gather(self, name: str, size: int, chunk: Body) -> Body | None:
        """See `Storage.gather`."""
        return await asyncio.to_thread(self._storage.gather, name, size, chunk)

    async def store(
        self, caller: Caller, body: Body, gzipped: bool = False
    ) -> Stored | list[Stored]:
        """What became of the file, or of each file of an archive. A spool belongs to this method.

        Raises as `Ingest.store`, `gunzip` and `members` do.
        """
        share = self.share()
        try:
            head = body[:_HEAD] if isinstance(body, bytes) else body.read(0, _HEAD)
            if is_zip(head):
                return await self._archive(caller, body, share)
            if gzipped:
                packed = body
                content = await asyncio.to_thread(
                    gunzip, packed, self._bounds, self._storage.new_spool, share
                )
            else:
                content = body
            return await self._one(caller, content)
        finally:
            share.release()
            if isinstance(body, Spool):  # to unlink gigabytes takes seconds
                await asyncio.to_thread(body.drop)

    def _one(self, caller: Caller, content: Body) -> Coroutine[None, None, Stored]:
        return self._ingest.store(IngestRequest(caller=caller, data=content))

    async def _archive(self, caller: Caller, archive: Body, share: Share) -> list[Stored]:
        """Stores the members in order; those that are no DICOM files or no instances are left
        out."""
        contents = members(archive, self._bounds, self._storage.new_spool, share)
        done: list[Stored] = []
        pending: list[asyncio.Task[Stored]] = []
        waiting = 0
        try:
            while (content := await asyncio.to_thread(_next, contents)) is not None:
                pending.append(asyncio.create_task(self._one(caller, content)))
                waiting += len(content) if isinstance(content, bytes) else 0
                if len(pending) >= MAX_PENDING_MEMBERS or waiting >= MAX_PENDING_BYTES:
                    await _settle(pending, done)
                    share.release()
                    waiting = 0
        finally:
            await _settle(pending, done)
            await asyncio.to_thread(contents.close)
        return done


def _next(contents: Iterator[Body]) -> Body | None:
    return next(contents, None)


async def _settle(pending: list[asyncio.Task[Stored]], done: list[Stored]) -> None:
    """Waits for all, keeps the answers in order, then raises the first error that counts."""
    results = await asyncio.gather(*pending, return_exceptions=True)
    pending.clear()
    for result in results:
        if isinstance(result, Stored):
            done.append(result)
        elif not isinstance(result, BadFileFormat | InexistentTag):
            raise result
