"""Slices in order. Source: reference chapter 2, section 7."""

import asyncio

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.model import Level
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.routes.identifiers import require
from orthanc_fast.services.slices import OrderedSlices, frame_count, order_slices


def add_routes(router: Router, settings: Settings) -> None:
    router.add("GET", "/series/{}/ordered-slices", get_ordered_slices)


class SlicesAnswer(msgspec.Struct, gc=False):
    """The files in order, one path for each frame, and both in short."""

    Dicom: list[str]
    Slices: list[str]
    SlicesShort: list[tuple[str, int, int]]
    Type: str


async def get_ordered_slices(request: Request) -> Response:
    """GET /series/{id}/ordered-slices"""

    def ordered() -> OrderedSlices:
        with request.services.index.view() as view:
            return order_slices(view, require(view, Level.SERIES, request.params[0]))

    slices = await asyncio.to_thread(ordered)
    rows = [(to_text(each.public), frame_count(each)) for each in slices.instances]
    answer = SlicesAnswer(
        Dicom=[f"/instances/{name}/file" for name, _ in rows],
        Slices=[f"/instances/{name}/frames/{n}" for name, count in rows for n in range(count)],
        SlicesShort=[(name, 0, count) for name, count in rows],
        Type=slices.kind,
    )
    return json_response(answer)
