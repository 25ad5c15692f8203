"""Compressed answers for clients that accept them. Source: reference chapter 1, section 1.9."""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from orthanc_fast.rest.response import Response

MINIMUM = 2048
LEVEL = 1
EVENTS = b"text/event-stream"  # must not wait in a buffer
# Codings in the order of preference, with the window bits by which zlib knows their frames.
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


def compress(response: Response, accept_encoding: bytes) -> None:
    """Compresses the body or the stream in place, if it is large enough, of a fitting type and the
    client agrees."""
    if response.kind is None or not response.kind[1].startswith(_COMPRESSIBLE):
        return
    if response.kind[1].startswith(EVENTS):
        return
    size = response.length if response.stream is not None else len(response.body)
    if size is not None and size < MINIMUM:
        return
    tokens = {token.strip() for token in accept_encoding.split(b",")}
    coding = next((coding for coding in WINDOWS if coding in tokens), None)
    if coding is None:
        return
    compressor = zlib.compressobj(LEVEL, wbits=WINDOWS[coding])
    if response.stream is not None:
        response.stream = _compressed(response.stream, compressor)
        response.length = None
    else:
        response.body = compressor.compress(response.body) + compressor.flush()
        response.length = len(response.body)
    response.headers = (*response.headers, (b"content-encoding", coding))


async def _compressed(
    stream: AsyncGenerator[bytes | bytearray] | AsyncGenerator[bytes], compressor: "zlib._Compress"
) -> AsyncGenerator[bytes]:
    async with aclosing(stream):
        async for chunk in stream:
            part = compressor.compress(chunk)
            if part:
                yield part
    yield compressor.flush()
