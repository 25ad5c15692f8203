"""Answers in parts that are made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from threading import Event

from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.rest.body import Disconnected
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response

Bytes = bytes | bytearray


async def begun(parts: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """The stream of the parts, each made in a thread since that waits for the disk or takes a
    while. The first one is made here: what it raises can still become an answer."""
    first = await asyncio.to_thread(next, parts, b"")
    return _stream(first, parts)


async def _stream(first: bytes, parts: Iterator[bytes]) -> AsyncGenerator[bytes]:
    part = first
    while part:
        yield part
        part = await asyncio.to_thread(next, parts, b"")


@contextmanager
def presence(request: Request) -> Iterator[Callable[[], bool]]:
    """Whether the client has gone since this was entered, for other threads to ask; its body has
    been read. Raises Disconnected at the end if it has: nobody wants what was made."""
    over = Event()

    def ended(task: "asyncio.Future[None]") -> None:
        if not task.cancelled():
            over.set()

    gone = asyncio.ensure_future(request.gone())
    gone.add_done_callback(ended)
    try:
        yield over.is_set
    finally:
        gone.cancel()
    if over.is_set():
        raise Disconnected


async def while_present(
    request: Request,
    stream: AsyncGenerator[Bytes],
    kind: HeaderField | None,
    headers: tuple[HeaderField, ...] = (),
    length: int | None = None,
    status: int = 200,
    when_gone: Callable[[], None] | None = None,
) -> Response:
    """The answer that a stream makes, once its first bytes are there: what fails until then is a
    proper error. The stream ends when its client leaves; `when_gone` is called then, also while a
    chunk of it is still being made."""
    first = await anext(stream, b"")
    watched = _watched(request, first, stream, when_gone)
    return Response(kind=kind, status=status, headers=headers, stream=watched, length=length)


async def _watched(
    request: Request,
    first: Bytes,
    rest: AsyncGenerator[Bytes],
    when_gone: Callable[[], None] | None,
) -> AsyncGenerator[Bytes]:
    """A stream for as long as its client is there: `send` does not tell that it has gone. What
    fails in its middle aborts the connection, so that the client knows."""
    gone = asyncio.ensure_future(request.gone())
    if when_gone is not None:
        gone.add_done_callback(lambda _: when_gone())
    try:
        async with aclosing(rest):
            yield first
            async for chunk in rest:
                if gone.done():
                    return
                yield chunk
    except OrthancError as error:
        logger.error(Category.HTTP, f"GET {request.path}: aborted: {error}")
        raise
    finally:
        gone.cancel()
