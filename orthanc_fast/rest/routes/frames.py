"""The frames of an instance: their list, their raw bytes, what can be asked of one, the PDF of an
encapsulated document. Source: reference chapter 2, section 4."""

from collections.abc import Awaitable, Iterator

from orthanc_fast.config import Settings
from orthanc_fast.model import Level, Resource
from orthanc_fast.numerals import integer
from orthanc_fast.registries import TRANSFER_SYNTAX
from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NOT_FOUND,
    OCTETS,
    HeaderField,
    Response,
    json_response,
)
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import begun
from orthanc_fast.rights import Right
from orthanc_fast.services.attachments.documents import pdf
from orthanc_fast.transfer_syntaxes import JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE

_GZIP = (b"content-type", b"application/gzip")
_PDF = (b"content-type", b"application/pdf")
_JPEG = (b"content-type", b"image/jpeg")
_JPEG_2000 = (b"content-type", b"image/jp2")

_RANGES = (b"accept-ranges", b"bytes")

_CODESTREAMS = {
    JPEG_BASELINE: _JPEG,
    JPEG_2000_LOSSLESS: _JPEG_2000,
    JPEG_2000: _JPEG_2000,
}

OPERATIONS = [
    "image-int16",
    "image-uint16",
    "image-uint8",
    "matlab",
    "numpy",
    "preview",
    "raw",
    "raw.gz",
    "rendered",
]

_NUMBERS = 1 << 32

_PART = 1 << 20  # bytes of a large frame sent at once


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/instances/{}/frames",
        list_frames,
        answer=list[int],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/frames/{}",
        list_operations,
        answer=list[str],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/frames/{}/raw",
        get_raw,
        answer="application/octet-stream",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/frames/{}/raw.gz",
        get_raw_gzip,
        answer="application/gzip",
        needs=Right.BROWSE,
        limited=True,
    )
    for path in ("/instances/{}/matlab", "/instances/{}/frames/{}/matlab"):
        router.add("GET", path, get_matlab, answer="text/plain", needs=Right.BROWSE, limited=True)
    router.add(
        "GET",
        "/instances/{}/pdf",
        get_pdf,
        answer="application/pdf",
        needs=Right.BROWSE,
        limited=True,
    )


def frame_number(text: str) -> int | None:
    """The number of a frame in a path, None where it is no number of 32 bits. As in Orthanc a sign
    is allowed, and negative numbers wrap around to ones that no image has."""
    number = integer(text)
    if number is None or not -_NUMBERS < number < _NUMBERS:
        return None
    return number % _NUMBERS


def frame_of(request: Request) -> int | None:
    """The frame that the path names; 0 for a path of an instance."""
    return frame_number(request.params[1]) if len(request.params) > 1 else 0


def _instance(request: Request) -> Awaitable[Resource]:
    services = request.services
    return services.reads.run(
        services.resources.require, request.caller, Level.INSTANCE, public_id(request)
    )


async def list_frames(request: Request) -> Response:
    """GET /instances/{id}/frames: their numbers; one for a video, and for what is no image."""
    instance = await _instance(request)
    return json_response(list(range(request.services.pixels.listed_frames(instance))))


async def list_operations(request: Request) -> Response:
    """GET /instances/{id}/frames/{n}: what can be asked of a frame, whether or not it exists."""
    return json_response(OPERATIONS)


async def get_raw(request: Request) -> Response:
    """GET /instances/{id}/frames/{n}/raw: native pixels in little endian, or the codestream; parts
    of it, so that browsers play a video from where somebody wants it."""
    instance = await _instance(request)
    frame = frame_of(request)
    if frame is None:
        return NOT_FOUND
    kind = _CODESTREAMS.get(instance.metadata.get(TRANSFER_SYNTAX, ""), OCTETS)
    raw = await request.services.pictures.raw(instance, frame)
    asked = request.header(b"range")
    part = None if asked is None else byte_range(asked, len(raw))
    status = 200
    headers: tuple[HeaderField, ...] = (_RANGES,)
    if part is not None:
        first, stop = part
        shown = b"bytes %d-%d/%d" % (first, stop - 1, len(raw))
        status, headers = 206, (_RANGES, (b"content-range", shown))
        raw = raw[first:stop]
    if isinstance(raw, bytes):
        return Response(raw, kind, status, headers)
    return Response(
        kind=kind, status=status, headers=headers, length=len(raw), stream=await begun(_parts(raw))
    )


def _parts(raw: memoryview) -> Iterator[bytes]:
    for start in range(0, len(raw), _PART):
        yield bytes(raw[start : start + _PART])


async def get_raw_gzip(request: Request) -> Response:
    """GET /instances/{id}/frames/{n}/raw.gz: the same, compressed."""
    instance = await _instance(request)
    frame = frame_of(request)
    if frame is None:
        return NOT_FOUND
    return Response(await request.services.pictures.raw_gzip(instance, frame), _GZIP)


async def get_matlab(request: Request) -> Response:
    """GET /instances/{id}[/frames/{n}]/matlab: the pixels as text for Matlab and Octave."""
    instance = await _instance(request)
    frame = frame_of(request)
    if frame is None:
        return NOT_FOUND
    body = await request.services.pictures.matlab(instance, frame)
    return Response(body, (b"content-type", b"text/plain"))


async def get_pdf(request: Request) -> Response:
    """GET /instances/{id}/pdf: the document of an Encapsulated PDF without its padding."""
    instance = await _instance(request)
    services = request.services
    document = await pdf(services.contents, services.dictionary, instance)
    return NOT_FOUND if document is None else Response(document, _PDF)
