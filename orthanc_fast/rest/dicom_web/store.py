"""STOW-RS: instances come as the parts of one body, or alone.

Source: PS3.18, section 10.5; reference chapter 5, section 8.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from orthanc_fast.config import Settings
from orthanc_fast.dicom.attributes import Dataset
from orthanc_fast.dicom.data_set_models import data_set_json, data_set_xml
from orthanc_fast.errors import BadRequest, OrthancError
from orthanc_fast.media_types import MediaRange, accepted, content_type
from orthanc_fast.multipart import RelatedParser
from orthanc_fast.rest.dicom_web.addresses import base_of
from orthanc_fast.rest.dicom_web.store_parts import (
    DICOM,
    METADATA_JSON,
    METADATA_XML,
    InstanceParts,
    MetadataParts,
)
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response
from orthanc_fast.rest.router import Router
from orthanc_fast.rights import Right
from orthanc_fast.services.dicom_web.store_answer import store_answer
from orthanc_fast.services.dicom_web.storing import Storing

_JSON: Final = (b"content-type", b"application/dicom+json")
_XML: Final = (b"content-type", b"application/dicom+xml")
_IN_XML: Final = frozenset({"application/dicom+xml", "application/xml", "text/xml"})
_IN_JSON: Final = frozenset({"application/dicom+json", "application/json", "*/*", "application/*"})
_PART_TYPES: Final = frozenset({DICOM, METADATA_JSON, METADATA_XML})
_UNSUPPORTED: Final = 3000
_MANY: Final = 500  # instances whose answer takes some milliseconds to make


def add_routes(router: Router, settings: Settings) -> None:
    options = settings.dicom_web
    if not options.enable or settings.read_only:
        return
    for path in ("studies", "studies/{}"):
        router.add(
            "POST",
            options.root + path,
            post_studies,
            body=DICOM,
            answer="application/dicom+json",
            takes_forms=True,
            needs=Right.UPLOAD,
        )


async def post_studies(request: Request) -> Response:
    """Stores instances (STOW-RS): one alone, or the parts of multipart/related; with a study in
    the path only those of it."""
    kind = _kind(request)
    encode, answer_kind = _encoding(request)
    study = request.params[0] if request.params else None
    storing = request.services.dicom_web.storing(request.caller, study)
    fault = None
    try:
        try:
            await _read(request, kind, storing)
        except BadRequest as error:
            fault = error
        report = await storing.report()
    finally:
        # What came as a whole is stored, even if the client has gone.
        await storing.close()
    if fault is not None and not report.stored and not report.failed:
        raise fault
    character_set = request.services.default_character_set()
    base = base_of(request, request.services.settings.dicom_web)

    def document() -> bytes:
        return encode(store_answer(report, base, character_set))

    is_large = len(report.stored) + len(report.failed) > _MANY
    body = await asyncio.to_thread(document) if is_large else document()
    if fault is None:
        return Response(body, answer_kind, report.status)
    warning = f'299 - "{fault.details}"'.encode("latin-1", "replace")
    return Response(body, answer_kind, fault.http_status, ((b"warning", warning),))


async def _read(request: Request, kind: MediaRange, storing: Storing) -> None:
    """Raises as reading a body does, and BadRequest for one that is not well-formed."""
    if kind.type == DICOM:
        await storing.add(await request.upload(), request.services.uploads.share())
        return
    is_binary = kind.part_type == DICOM
    parts = (InstanceParts if is_binary else MetadataParts)(request, storing, kind.part_type)
    parser = RelatedParser(kind.parameters["boundary"].encode("latin-1"))
    is_empty = True  # which is a body without parts
    try:
        async for chunk in request.chunks():
            is_empty = is_empty and not chunk
            for event in parser.feed(chunk):
                if isinstance(event, bytes | memoryview):
                    await parts.add(event)
                elif event is not None:
                    parts.begin(event)
                else:
                    await parts.end()
        if not is_empty:
            parser.close()
        await parts.finish()
    finally:
        await parts.close()


def _kind(request: Request) -> MediaRange:
    """The media type of the body. Raises OrthancError (415)."""
    coding = request.header(b"content-encoding")
    if coding is not None and coding.strip().lower() not in (b"", b"identity"):
        raise OrthancError(
            "Bodies of STOW-RS cannot have a Content-Encoding: send the instances as they are",
            code=_UNSUPPORTED,
        )
    kind = content_type(request.header(b"content-type") or b"")
    is_multipart = kind.type == "multipart/related" and kind.part_type in _PART_TYPES
    if kind.type == DICOM or (is_multipart and kind.parameters.get("boundary")):
        return kind
    raise OrthancError(
        'Content-Type must be multipart/related; type="application/dicom"; boundary=..., the same '
        "with the type application/dicom+json or application/dicom+xml, or application/dicom",
        code=_UNSUPPORTED,
    )


def _encoding(request: Request) -> tuple[Callable[[Dataset], bytes], HeaderField]:
    """How the client wants the answer, and its media type: JSON where it accepts neither."""
    for each in accepted(request.header(b"accept")):
        if each.type in _IN_JSON:
            break
        if each.type in _IN_XML:
            return data_set_xml, _XML
    return data_set_json, _JSON
