"""Compressed answers for clients that accept them. Source: reference chapter 1, section 1.9."""

import gzip
import zlib

from orthanc_fast.rest.response import Response

MINIMUM = 2048
LEVEL = 1

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
    """Compresses the body in place, if it is large enough, of a fitting type and the client
    agrees."""
    if len(response.body) < MINIMUM or response.kind is None:
        return
    if not response.kind[1].startswith(_COMPRESSIBLE):
        return
    tokens = {token.strip() for token in accept_encoding.split(b",")}
    if b"gzip" in tokens:
        response.body = gzip.compress(response.body, LEVEL, mtime=0)
        coding = b"gzip"
    elif b"deflate" in tokens:
        response.body = zlib.compress(response.body, LEVEL)
        coding = b"deflate"
    else:
        return
    response.length = len(response.body)
    response.headers = (*response.headers, (b"content-encoding", coding))
