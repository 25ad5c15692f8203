"""DICOM files that come in the answers of other servers, on their way to the ingest: each is given
to it as soon as it is complete, so that no more than a few are held. Source: reference chapter 5,
section 11.2; PS3.18, section 10.4."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final

from orthanc_fast.errors import BadRequest, NetworkProtocol
from orthanc_fast.media_types import content_type
from orthanc_fast.model import Caller
from orthanc_fast.multipart import Event, HeaderField, RelatedParser
from orthanc_fast.services.dicom_web_client.calls import WebAnswer
from orthanc_fast.services.ingest.contract import IngestRequest, Share, Stored, UploadMemory
from orthanc_fast.services.ingest.ingest import Ingest
from orthanc_fast.storage.arriving import ArrivingBody, Body

_EPILOGUE: Final = 64 << 10  # bytes behind the closing boundary that are waited for
_STORED_AT_ONCE: Final = 16  # of one answer: those that wait for the disk are committed together
_DICOM: Final = "application/dicom"

StoredOne = Callable[[Stored, int], None]


class Receiver:
    """Where files go to; for one process. Those of more than `largest` bytes, or for which there is
    no memory, go through spools; none may have more than `bound` bytes, 0: any."""

    def __init__(self, ingest: Ingest, memory: UploadMemory, largest: int, bound: int) -> None:
        self._ingest = ingest
        self._memory = memory
        self._largest = largest
        self._bound = bound

    def arriving(self) -> "Arriving":
        """For the next file."""
        return Arriving(Share(self._memory), self._largest, self._bound, self._ingest)


class Arriving:
    """One file that comes."""

    def __init__(self, share: Share, largest: int, bound: int, ingest: Ingest) -> None:
        self._share = share
        self._bound = bound
        self._body = ArrivingBody(largest, ingest.new_spool, share)
        self._ingest = ingest

    @property
    def size(self) -> int:
        return self._body.size

    async def add(self, part: bytes | memoryview) -> None:
        """Raises FullStorage or StorageFault, NetworkProtocol for a file that is too large."""
        if self._bound and self._body.size + len(part) > self._bound:
            raise NetworkProtocol(
                f"The DICOMweb server sends a file of more than {self._bound >> 20} MB: see the "
                "option MaximumRequestBodySizeMB"
            )
        if not self._body.add_now(part):
            await asyncio.to_thread(self._body.add, part)

    async def store(self, caller: Caller) -> Stored:
        """Returns when it is durable. Raises as `Ingest.store`."""
        try:
            if self._body.waits:
                content = await asyncio.to_thread(self._body.finish)
            else:
                content = self._body.finish()
            promise = await asyncio.to_thread(self._submitted, content, caller)
            return await asyncio.wrap_future(promise)
        finally:
            self._share.release()

    def _submitted(self, content: Body, caller: Caller) -> "Future[Stored]":
        promise: Future[Stored] = Future()
        self._ingest.submit(IngestRequest(caller=caller, data=content), promise)
        return promise

    def discard(self) -> None:
        """Leaves nothing behind of what is not going to be stored."""
        self._body.discard()
        self._share.release()


class Received:
    """The files of one answer. `stored` is called with each, and its size."""

    def __init__(self, receiver: Receiver, caller: Caller, stored: StoredOne) -> None:
        self._receiver = receiver
        self._caller = caller
        self._stored = stored
        self._pending: dict[asyncio.Task[None], Arriving] = {}

    async def take(self, answer: WebAnswer) -> None:
        """Returns when all of them are durable. Raises what storing does, NetworkProtocol for an
        answer that is none of DICOM files, or breaks off."""
        try:
            kind = content_type(answer.content_type.encode("latin-1", "replace"))
            boundary = kind.parameters.get("boundary", "").encode("latin-1")
            if kind.type == _DICOM:  # a server may send one file as it is
                await self._single(answer)
            elif kind.type != "multipart/related" or kind.part_type not in ("", _DICOM):
                raise _no_dicom(answer.content_type)
            elif not boundary:
                raise NetworkProtocol("multipart/related: the boundary is missing")
            else:
                await self._parts(answer, RelatedParser(boundary))
            while self._pending:
                await self._settle()
        finally:
            for task in self._pending:
                task.cancel()
            await asyncio.gather(*self._pending, return_exceptions=True)
            for body in self._pending.values():
                body.discard()

    async def _single(self, answer: WebAnswer) -> None:
        body = self._receiver.arriving()
        try:
            async for chunk in answer.chunks():
                await body.add(chunk)
        except BaseException:
            body.discard()
            raise
        await self._store(body)

    async def _parts(self, answer: WebAnswer, parser: RelatedParser) -> None:
        body: Arriving | None = None
        behind = 0
        try:
            async for chunk in answer.chunks():
                if parser.has_ended:
                    behind += len(chunk)
                    if behind > _EPILOGUE:
                        break  # nothing more comes of it, and it may have no end
                for event in _events(parser, chunk):
                    if isinstance(event, list):
                        _check_dicom(event)
                        body = self._receiver.arriving()
                    elif body is not None and event is not None:
                        await body.add(event)
                    elif body is not None:
                        complete, body = body, None
                        await self._store(complete)
        finally:
            if body is not None:
                body.discard()
        _close(parser)

    async def _store(self, body: Arriving) -> None:
        while len(self._pending) >= _STORED_AT_ONCE:
            await self._settle()
        self._pending[asyncio.create_task(self._store_one(body))] = body

    async def _store_one(self, body: Arriving) -> None:
        size = body.size
        stored = await body.store(self._caller)
        self._stored(stored, size)

    async def _settle(self) -> None:
        done, _ = await asyncio.wait(self._pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del self._pending[task]
            task.result()


def _no_dicom(kind: str) -> NetworkProtocol:
    return NetworkProtocol(f"The DICOMweb server has not sent DICOM files, but {kind[:100]!r}")


def _check_dicom(headers: list[HeaderField]) -> None:
    """A part that does not say what it is counts as DICOM."""
    kind = next((value for name, value in headers if name == b"content-type"), None)
    if kind is not None and content_type(kind).type != _DICOM:
        raise _no_dicom(kind.decode("latin-1"))


# What is wrong with an answer is the other server's fault.


def _events(parser: RelatedParser, chunk: bytes) -> Iterator[Event]:
    try:
        yield from parser.feed(chunk)
    except BadRequest as error:
        raise NetworkProtocol(error.details) from error


def _close(parser: RelatedParser) -> None:
    try:
        parser.close()
    except BadRequest as error:
        raise NetworkProtocol(error.details) from error
