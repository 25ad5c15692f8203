"""Answers that list resources: identifiers or shown resources, streamed where there are many."""

from collections.abc import AsyncGenerator

from orthanc_fast.dicom.identifiers import ids_json
from orthanc_fast.model import SHA1, Level
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import JSON, HeaderField, Response, encode_json
from orthanc_fast.rest.router import Reply
from orthanc_fast.services.find.content import Presentation

# More than this is sent in parts of this size, so that neither memory nor the time between two
# other requests follows the size of the answer.
SHOWN_AT_ONCE = 200
IDENTIFIERS_AT_ONCE = 50_000


def listing_response(
    request: Request,
    level: Level,
    packed: bytes,
    how: Presentation | None,
    total: int | None = None,
) -> Reply:
    """The resources of a packed list in its order: identifiers without `how`. `total` is how many
    there are on all pages, if that is known: a header of this server's own tells it."""
    headers = () if total is None else ((b"x-total-count", b"%d" % total),)
    size = len(packed) // SHA1
    if how is None:
        if size <= IDENTIFIERS_AT_ONCE:
            return Response(ids_json(packed), JSON, headers=headers)
        return Response(kind=JSON, headers=headers, stream=_identifiers(packed))
    if size > SHOWN_AT_ONCE:
        stream = _shown(request, level, packed, how)
        return Response(kind=JSON, headers=headers, stream=stream)
    if how.reads_files:
        return _shown_at_once(request, level, packed, how, headers)
    shown = request.services.presenter.show(request.caller, level, packed, how)
    return Response(encode_json(shown), JSON, headers=headers)


async def _shown_at_once(
    request: Request,
    level: Level,
    packed: bytes,
    how: Presentation,
    headers: tuple[HeaderField, ...],
) -> Response:
    shown = await request.services.presenter.shown(request.caller, level, packed, how)
    return Response(encode_json(shown), JSON, headers=headers)


async def _identifiers(packed: bytes) -> AsyncGenerator[bytes]:
    step = IDENTIFIERS_AT_ONCE * SHA1
    for start in range(0, len(packed), step):
        array = ids_json(memoryview(packed)[start : start + step])
        yield (b"," if start else b"[") + array[1:-1]
    yield b"]"


async def _shown(
    request: Request, level: Level, packed: bytes, how: Presentation
) -> AsyncGenerator[bytes]:
    """Each part from a snapshot of its own: a slow client must not keep an old one alive."""
    presenter, caller = request.services.presenter, request.caller
    step = SHOWN_AT_ONCE * SHA1
    begun = False
    yield b"["
    for start in range(0, len(packed), step):
        part = packed[start : start + step]
        array = encode_json(await presenter.shown(caller, level, part, how))
        if len(array) > 2:  # all of the part may have been deleted meanwhile
            yield (b"," if begun else b"") + array[1:-1]
            begun = True
    yield b"]"
