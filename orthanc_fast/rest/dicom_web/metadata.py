"""Metadata: .../metadata of studies, series and instances, and the route that has them kept.

Source: PS3.18, section 10.4.1.1.2; reference chapter 5, section 4.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Final, Literal

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadRequest
from orthanc_fast.media_types import MediaRange, accepted, chosen
from orthanc_fast.rest.dicom_web.addresses import base_of
from orthanc_fast.rest.dicom_web.content_ranges import conditional, not_modified, validators
from orthanc_fast.rest.multipart_related import MultipartWriter
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rights import Right

Form = Literal["json", "xml"]

DICOM_JSON: Final[HeaderField] = (b"content-type", b"application/dicom+json")
DICOM_XML: Final = "application/dicom+xml"

_JSON_TYPES: Final = frozenset({"application/dicom+json", "application/json", "application/*"})
_XML_TYPES: Final = frozenset({DICOM_XML, "application/xml", "text/xml"})
_MULTIPART: Final = frozenset({"multipart/related", "multipart/*"})
_OFFERED: Final = 'application/dicom+json or multipart/related; type="application/dicom+xml"'

# Documents that are joined to one chunk, in bytes.
_TOGETHER: Final = 64 << 10


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.dicom_web.enable:
        return
    study = f"{settings.dicom_web.root}studies/{{}}"
    series = f"{study}/series/{{}}"
    for place in (study, series, f"{series}/instances/{{}}"):
        router.add(
            "GET",
            f"{place}/metadata",
            get_metadata,
            arguments="accept",
            answer="application/dicom+json",
            needs=Right.BROWSE,
            limited=True,
        )
    if not settings.read_only:
        router.add(
            "POST",
            "/studies/{}/update-dicomweb-cache",
            update_cache,
            answer=dict[str, str],
            needs=Right.MODIFY,
        )


@conditional
async def get_metadata(request: Request) -> Response:
    """The data sets of all instances of a study or series, or of one instance, with addresses
    instead of bulk data; as JSON, or as XML in parts."""
    form = _form(request)
    service = request.services.dicom_web.metadata
    wanted = await service.wanted(request.caller, request.params)
    base = base_of(request, service.options)
    # What is compressed on the way stays the same: weak. Each form has its own tag: no Vary.
    headers = validators(service.version(wanted, base, form), weak=True)[:2]
    known = not_modified(request, headers)
    if known is not None:
        return known
    if form == "json":
        stream = service.json(request.caller, wanted, base)
        return await while_present(request, stream, DICOM_JSON, headers)
    writer = MultipartWriter()
    documents = service.documents(request.caller, wanted, base)
    return await while_present(
        request, _multipart(writer, documents), writer.kind(DICOM_XML), headers
    )


def _form(request: Request) -> Form:
    """What the argument says goes before the header; among equals JSON comes first, whatever has
    more parameters."""
    argument = request.arguments.get("accept")
    ranges = accepted(None if argument else request.header(b"accept"), argument)
    ranges = tuple(sorted(ranges, key=lambda each: (-each.quality, _form_of(each) != "json")))
    return chosen(ranges, _form_of, _OFFERED)


def _form_of(wanted: MediaRange) -> Form | None:
    if wanted.type in _JSON_TYPES or wanted.type == "*/*":
        return "json"
    if wanted.type in _XML_TYPES:
        return "xml"
    is_xml = wanted.part_type in ("", DICOM_XML, "application/xml", "text/xml")
    return "xml" if wanted.type in _MULTIPART and is_xml else None


async def _multipart(writer: MultipartWriter, documents: Iterator[bytes]) -> AsyncGenerator[bytes]:
    while part := await asyncio.to_thread(_parts, writer, documents):
        yield part
    yield writer.end()


def _parts(writer: MultipartWriter, documents: Iterator[bytes]) -> bytes:
    made: list[bytes] = []
    size = 0
    for document in documents:
        made += (writer.head(DICOM_XML, len(document)), document)
        size += len(document)
        if size >= _TOGETHER:
            break
    return b"".join(made)


async def update_cache(request: Request) -> Response:
    """Makes the metadata of all series of a study, and keeps them, so that the next request is
    fast."""
    service = request.services.dicom_web.metadata
    if not service.cache.is_used:
        raise BadRequest("The cache is off: set EnableMetadataCache in the section DicomWeb")
    await asyncio.to_thread(service.renew, request.caller, public_id(request))
    return json_response({})
