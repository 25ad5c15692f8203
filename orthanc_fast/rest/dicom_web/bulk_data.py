"""Bulk data: .../instances/{}/bulk/{path}, as metadata name them.

Source: PS3.18, section 10.4.1.1.5; reference chapter 5, section 6.
"""

import asyncio
from typing import Final

from orthanc_fast.config import Settings
from orthanc_fast.errors import UnknownResource
from orthanc_fast.media_types import MediaRange, accepted, chosen, not_acceptable
from orthanc_fast.rest.dicom_web.content_ranges import (
    asked_part,
    conditional,
    not_modified,
    validators,
)
from orthanc_fast.rest.multipart_related import MultipartWriter
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import begun, while_present
from orthanc_fast.rights import Right
from orthanc_fast.services.dicom_web.bulk_data import Content, Value, chunks, version

OCTETS: Final = "application/octet-stream"

_MULTIPART: Final = frozenset({"*/*", "multipart/related", "multipart/*"})
_OFFERED: Final = f'multipart/related; type="{OCTETS}", or {OCTETS}'
_UIDS: Final = 3  # variable components of the path before that of the element


def add_routes(router: Router, settings: Settings) -> None:
    if settings.dicom_web.enable:
        instance = f"{settings.dicom_web.root}studies/{{}}/series/{{}}/instances/{{}}"
        router.add(
            "GET",
            f"{instance}/bulk/{{*}}",
            get_bulk_data,
            arguments="accept",
            answer=OCTETS,
            needs=Right.BROWSE,
            limited=True,
        )


@conditional
async def get_bulk_data(request: Request) -> Response:
    """The value of one element as it is stored, in little endian: in parts, of which compressed
    pixel data have one for their offset table and each fragment; or as it is, with `Range`."""
    service = request.services.dicom_web.bulk_values
    uids, path = request.params[:_UIDS], request.params[_UIDS:]
    if not path:
        raise UnknownResource("Name the element: .../bulk/tag, or .../bulk/sequence/1/tag")
    tags, numbers = service.steps(path)
    ranges = accepted(request.header(b"accept"), request.arguments.get("accept"))
    form = chosen(ranges, _form, _OFFERED)
    instance = await service.require(request.caller, uids)
    tag = version(instance, [*tags, *numbers], form)
    headers = validators(tag, weak=form == "parts")
    known = not_modified(request, headers)
    if known is not None:
        return known
    value = await asyncio.to_thread(service.value, instance, tags, numbers)
    if form == "parts":
        return await _in_parts(request, value, headers)
    whole = value.whole
    if whole is None or form not in (OCTETS, value.kind):
        raise not_acceptable(f'multipart/related; type="{OCTETS}"')
    return await _as_it_is(request, whole, form, headers)


def _form(wanted: MediaRange) -> str | None:
    """ "parts", or the type of the value itself."""
    if wanted.type in _MULTIPART:
        return "parts" if wanted.part_type in ("", OCTETS, "*/*", "application/*") else None
    if wanted.type in (OCTETS, "application/*"):
        return OCTETS
    return wanted.type if wanted.type == "application/pdf" else None


async def _in_parts(request: Request, value: Value, headers: tuple[HeaderField, ...]) -> Response:
    writer = MultipartWriter()
    pieces: list[Content] = []
    for part in value.parts:
        pieces += (writer.head(OCTETS, len(part)), part)
    pieces.append(writer.end())
    length = sum(map(len, pieces))
    stream = await begun(chunks(pieces))
    return await while_present(request, stream, writer.kind(OCTETS), headers, length)


async def _as_it_is(
    request: Request, whole: Content, kind: str, headers: tuple[HeaderField, ...]
) -> Response:
    if kind != OCTETS and whole[-1:] == b"\0":
        whole = whole[:-1]  # documents of odd lengths are padded
    part = asked_part(request, len(whole), headers)
    stream = await begun(chunks([whole[part.first : part.stop]]))
    length, content_type = part.stop - part.first, (b"content-type", kind.encode())
    return await while_present(request, stream, content_type, part.headers, length, part.status)
