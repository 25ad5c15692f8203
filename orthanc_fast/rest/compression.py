"""Compressed answers for clients that accept them. Source: reference chapter 1, section 1.9."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from isal import isal_zlib

from orthanc_fast.rest.response import Response

MINIMUM = 2048
# Of isal: JSON becomes as small as with zlib's level 1, at a tenth of its CPU time or less.
LEVEL = 1
# What is compressed in the event loop itself, in about a millisecond.
QUICK = 1 << 20
EVENTS = b"text/event-stream"  # must not wait in a buffer
# Codings in the order of preference, with the window bits by which deflate knows their frames.
WINDOWS = {b"gzip": 31, b"deflate": 15}

_COMPRESSIBLE = (
    b"application/json",
    b"application/xml",
    b"application/dicom+json",
    b"application/dicom+xml",
    b"application/javascript",
    b"application/pdf",
    b"application/wasm",
    b"image/x-portable-arbitrarymap",
    b"text/",
)


def agreed(response: Response, accept_encoding: bytes) -> bytes | None:
    """The coding for `compress`, None if the answer is to be sent as it is: too small, of a type
    that does not shrink, or the client does not want it."""
    if response.kind is None or not response.kind[1].startswith(_COMPRESSIBLE):
        return None
    if response.kind[1].startswith(EVENTS):
        return None
    size = response.length if response.stream is not None else len(response.body)
    if size is not None and size < MINIMUM:
        return None
    tokens = {token.strip() for token in accept_encoding.split(b",")}
    return next((coding for coding in WINDOWS if coding in tokens), None)


async def compress(response: Response, coding: bytes) -> None:
    """Compresses the body or the stream in place."""
    window = WINDOWS[coding]
    if response.stream is not None:
        compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, window)
        response.stream = _compressed(response.stream, compressor)
        response.length = None
    else:
        body = response.body
        if len(body) > QUICK:
            body = await asyncio.to_thread(isal_zlib.compress, body, LEVEL, window)
        else:
            body = isal_zlib.compress(body, LEVEL, window)
        response.body = body
        response.length = len(body)
    response.headers = (*response.headers, (b"content-encoding", coding))


async def _compressed(
    stream: AsyncGenerator[bytes | bytearray] | AsyncGenerator[bytes],
    compressor: "isal_zlib.Compress",
) -> AsyncGenerator[bytes]:
    async with aclosing(stream):
        async for chunk in stream:
            if len(chunk) > QUICK:
                part = await asyncio.to_thread(compressor.compress, chunk)
            else:
                part = compressor.compress(chunk)
            if part:
                yield part
    yield compressor.flush()
