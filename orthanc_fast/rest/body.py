"""The body of one request, taken from the HTTP server chunk by chunk, within the bounds of the
configuration. Source: reference chapter 1, section 1.7."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadRequest, OrthancError
from orthanc_fast.rest.response import BYTES_PER_SECOND, HeaderField, Response, empty_response
from orthanc_fast.services.ingest.uploads import ArrivingBody, Content, Spool

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Refused(Exception):
    """The rest of the request is not read: it is answered by a bare status, or as for an error."""

    def __init__(self, answer: Response | OrthancError) -> None:
        self.answer = answer
        super().__init__(str(answer.status if isinstance(answer, Response) else answer))


class Disconnected(Exception):
    """The client has gone before the request was complete."""


class _Patience:
    """Cancels a task that waits for too long; `ended` says that it has."""

    __slots__ = ("_task", "ended")

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self._task = task
        self.ended = False

    def ends(self) -> None:
        self.ended = True
        self._task.cancel()


class Body:
    """Every method raises Refused (413, 408) or Disconnected."""

    __slots__ = (
        "_announced",
        "_is_expected",
        "_is_given_up",
        "_limit",
        "_receive",
        "_received",
        "_settings",
        "_waited",
        "is_complete",
    )

    def __init__(self, receive: Receive, headers: list[HeaderField], settings: Settings) -> None:
        self._receive = receive
        self._settings = settings
        self._limit = settings.maximum_request_body_size_mb << 20
        self._received = 0
        self._waited = 0.0  # seconds
        self._is_given_up = False
        self._is_expected = False
        self.is_complete = False
        length: bytes | None = None
        is_chunked = False
        for key, value in headers:
            if key == b"content-length":
                length = value
            elif key == b"transfer-encoding":
                is_chunked = True
            elif key == b"expect":
                self._is_expected = True  # the client waits for our word before it sends
        # Chunks count where both are given.
        self._announced = None if is_chunked or length is None else int(length)
        if not is_chunked and not self._announced:
            self._announced = 0

    async def next(self) -> bytes:
        """The next chunk; may be empty."""
        if self._received == 0 and self._announced is not None:
            self.check_size(self._announced)
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        began = loop.time()
        patience = _Patience(task)  # at a third of what `asyncio.timeout` costs
        timer = loop.call_later(self._seconds(), patience.ends)
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if patience.ended and task.uncancel() == 0:
                self._is_given_up = True
                raise Refused(empty_response(408)) from None
            raise
        finally:
            timer.cancel()
        self._waited += loop.time() - began
        if message["type"] == "http.disconnect":
            self._is_given_up = True
            raise Disconnected
        chunk: bytes = message.get("body", b"")
        self._received += len(chunk)
        # Where all has come there is no need to wait for the word that it has: one hand-over
        # between the threads of the HTTP server less.
        if self._received == self._announced or not message.get("more_body", False):
            self.is_complete = True
        if self._announced is None:
            self.check_size(self._received)
        return chunk

    async def whole(self) -> bytes:
        """All of it in memory. Raises BadRequest (413) above MaximumJsonBodySizeMB."""
        self.check_memory(self._announced or 0)
        chunk = await self.next()
        if self.is_complete:
            return chunk
        chunks = [chunk]
        while not self.is_complete:
            chunks.append(await self.next())
            self.check_memory(self._received)
        return b"".join(chunks)

    async def spooled(self, arriving: Callable[[int], ArrivingBody]) -> bytes | Spool:
        """All of it, in a spool if it is larger than MaximumUploadMemoryMB, or there is no more
        memory for uploads; that belongs to the
        caller. Raises FullStorage or StorageFault."""
        chunk = await self.next()
        if self.is_complete:
            return chunk  # as the HTTP server has it in memory anyway
        memory = self._settings.maximum_upload_memory_mb << 20
        is_large = self._announced is not None and self._announced > memory
        body = arriving(0 if is_large else memory)
        try:
            await add(body, chunk)
            while not self.is_complete:
                await add(body, await self.next())
            return await finished(body)
        except BaseException:
            await discarded(body)
            raise

    @property
    def is_left(self) -> bool:
        """Whether there may be more of it to come."""
        return not self.is_complete and self._announced != 0

    async def drain(self) -> bool:
        """Takes what is left and forgets it: clients that send all before they read would not get
        the answer otherwise. Whether the connection can go on: it cannot where more is announced
        than may come, where the client waits for our word, or where it was too slow."""
        if self._is_given_up or (self._is_expected and not self._received):
            return False
        try:
            if self._announced is not None:
                self.check_size(self._announced)
            while not self.is_complete:
                await self.next()
        except (Refused, Disconnected):
            return False
        return True

    def check_size(self, size: int) -> None:
        """Refuses a body of more bytes than the configuration admits."""
        if self._limit and size > self._limit:
            self._is_given_up = True
            limit = self._settings.maximum_request_body_size_mb
            raise Refused(
                BadRequest(
                    f"A body has at most {limit} MB: send it in parts, or raise the option "
                    "MaximumRequestBodySizeMB",
                    http_status=413,
                )
            )

    def check_memory(self, size: int) -> None:
        """Refuses what is too large to be taken into memory. Raises BadRequest (413)."""
        limit = self._settings.maximum_json_body_size_mb
        if limit and size > limit << 20:
            raise BadRequest(
                f"A body that is no upload has at most {limit} MB: see the option "
                "MaximumJsonBodySizeMB",
                http_status=413,
            )

    def _seconds(self) -> float:
        """How long the next chunk may take."""
        seconds: float = self._settings.http_request_timeout
        total = self._settings.http_body_timeout
        if total and self._received:
            left = total + self._received / BYTES_PER_SECOND - self._waited
            seconds = min(seconds, max(0.0, left))
        return seconds


async def add(body: ArrivingBody, part: Content) -> None:
    """`ArrivingBody.add`, in a thread where that may wait for the disk."""
    if not body.add_now(part):
        await asyncio.to_thread(body.add, part)


async def finished(body: ArrivingBody) -> bytes | Spool:
    """`ArrivingBody.finish`, likewise."""
    return await asyncio.to_thread(body.finish) if body.waits else body.finish()


async def discarded(body: ArrivingBody) -> None:
    """`ArrivingBody.discard`, likewise: to unlink gigabytes takes seconds."""
    if body.waits:
        await asyncio.to_thread(body.discard)
