"""Answers that list resources: identifiers or shown resources, streamed where there are many."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from orthanc_fast.dicom.identifiers import ids_json
from orthanc_fast.index.lmdb.search import unpack
from orthanc_fast.index.terms import SHA1
from orthanc_fast.model import Level
from orthanc_fast.rest.response import JSON, Response, encode_json
from orthanc_fast.services.find.content import Presentation
from orthanc_fast.services.services import Services

# More than this is sent in parts of this size, so that neither memory nor the time between two
# other requests follows the size of the answer.
SHOWN_AT_ONCE = 200
IDENTIFIERS_AT_ONCE = 50_000


async def listing_response(
    services: Services,
    level: Level,
    packed: bytes,
    how: Presentation | None,
    total: int | None = None,
) -> Response:
    """The resources of a packed list in its order: identifiers without `how`. `total` is how many
    there are on all pages, if that is known: a header of this server's own tells it."""
    response = await _response(services, level, packed, how)
    if total is not None:
        response.headers = (*response.headers, (b"x-total-count", b"%d" % total))
    return response


async def _response(
    services: Services, level: Level, packed: bytes, how: Presentation | None
) -> Response:
    size = len(packed) // SHA1
    if how is None:
        if size <= IDENTIFIERS_AT_ONCE:
            return Response(ids_json(packed), JSON)
        return Response(kind=JSON, stream=_identifiers(packed))
    if size <= SHOWN_AT_ONCE:
        return Response(encode_json(await show(services, level, packed, how)), JSON)
    return Response(kind=JSON, stream=_shown(services, level, packed, how))


async def show(services: Services, level: Level, packed: bytes, how: Presentation) -> list[Any]:
    """The resources of one part; in a thread if files have to be read."""
    if how.requested is not None and how.requested.reads_files:
        return await asyncio.to_thread(_show, services, level, packed, how)
    return _show(services, level, packed, how)


def _show(services: Services, level: Level, packed: bytes, how: Presentation) -> list[Any]:
    with services.index.view() as view:
        return services.presenter.show(view, level, unpack(packed), how)


async def _identifiers(packed: bytes) -> AsyncGenerator[bytes]:
    step = IDENTIFIERS_AT_ONCE * SHA1
    for start in range(0, len(packed), step):
        array = ids_json(memoryview(packed)[start : start + step])
        yield (b"," if start else b"[") + array[1:-1]
    yield b"]"


async def _shown(
    services: Services, level: Level, packed: bytes, how: Presentation
) -> AsyncGenerator[bytes]:
    """Each part from a snapshot of its own: a slow client must not keep an old one alive."""
    step = SHOWN_AT_ONCE * SHA1
    begun = False
    yield b"["
    for start in range(0, len(packed), step):
        array = encode_json(await show(services, level, packed[start : start + step], how))
        if len(array) > 2:  # all of the part may have been deleted meanwhile
            yield (b"," if begun else b"") + array[1:-1]
            begun = True
    yield b"]"
