"""The file of one instance: the bytes, the tags as JSON, the header, the content cursor.

Source: reference chapter 2, sections 1, 3 and 8.1.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

from orthanc_fast.config import Settings
from orthanc_fast.dicom import tag_json
from orthanc_fast.dicom.attributes import Dataset, read_attributes
from orthanc_fast.dicom.content import content
from orthanc_fast.dicom.data_set_models import data_set_json, data_set_xml
from orthanc_fast.dicom.part10 import Buffer, DicomFile, opened_at_once
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Level, Resource
from orthanc_fast.numerals import BLANKS, unsigned
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    DICOM,
    JSON,
    NOT_FOUND,
    OCTETS,
    PATHSEND_FROM,
    HeaderField,
    Response,
    disposition,
    json_response,
)
from orthanc_fast.rest.router import Reply, Router
from orthanc_fast.rest.tag_arguments import tag_format, unlimited_tags
from orthanc_fast.rest.uri import boolean
from orthanc_fast.rights import Right
from orthanc_fast.services.attachments.reading import dicom_attachment

T = TypeVar("T")

# Files of up to so many bytes are read in the event loop itself.
AT_ONCE = 1 << 20


class Model(NamedTuple):
    """A form of a data set beside the DICOM file."""

    kind: HeaderField
    write: Callable[[Dataset], bytes]


_MODELS: Final[dict[bytes | None, Model]] = {
    b"application/dicom+json": Model((b"content-type", b"application/dicom+json"), data_set_json),
    b"application/dicom+xml": Model((b"content-type", b"application/dicom+xml"), data_set_xml),
}

TAG_ARGUMENTS = "simplify short whole ignore-length"


def add_routes(router: Router, settings: Settings) -> None:
    router.add(
        "GET",
        "/instances/{}/file",
        get_file,
        arguments="filename transcode lossy-quality",
        answer="application/dicom",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/tags",
        get_tags,
        arguments=TAG_ARGUMENTS,
        answer=dict[str, Any],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/simplified-tags",
        get_simplified_tags,
        arguments="whole ignore-length",
        answer=dict[str, Any],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/header",
        get_header,
        arguments="simplify short",
        answer=dict[str, Any],
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/content/{*}",
        get_content,
        answer="application/octet-stream",
        only=True,
        needs=Right.BROWSE,
        limited=True,
    )


def _instance(request: Request) -> Awaitable[Resource]:
    services = request.services
    return services.reads.run(
        services.resources.require, request.caller, Level.INSTANCE, public_id(request)
    )


async def get_file(request: Request) -> Response:
    """The DICOM file; `filename` replaces the name that is proposed to the client, `transcode` the
    transfer syntax, and `lossy-quality` goes with it. With the header `Accept` being exactly
    `application/dicom+json` or `application/dicom+xml` the data set comes in that form."""
    instance = await _instance(request)
    model = _MODELS.get(request.header(b"accept"))
    if model is not None:
        return await _data_set_model(request, instance, model)
    arguments = request.arguments
    headers = disposition(arguments.get("filename", f"{request.params[0]}.dcm"))
    attachment = dicom_attachment(instance)
    services = request.services
    if "transcode" in arguments:
        quality = _lossy_quality(arguments, services.settings)
        made = await services.transcoder.stored(attachment, arguments["transcode"], quality)
        return Response(made.data, DICOM, headers=headers)
    if attachment.compressed or attachment.size < PATHSEND_FROM:
        return Response(await services.contents.content(attachment), DICOM, headers=headers)
    path = services.attachments.sendable(attachment)
    if path is None:
        return Response(await services.contents.content(attachment), DICOM, headers=headers)
    return Response(kind=DICOM, headers=headers, path=path, length=attachment.size)


async def _data_set_model(request: Request, instance: Resource, model: Model) -> Response:
    services = request.services
    data = await services.contents.content(dicom_attachment(instance))
    default_character_set = services.default_character_set()

    def body() -> bytes:
        return model.write(read_attributes(data, services.dictionary, default_character_set))

    return Response(await asyncio.to_thread(body), model.kind)


def _lossy_quality(arguments: dict[str, str], settings: Settings) -> int:
    """Of `lossy-quality`; empty means 1, encoders take what is above 100 as 100."""
    text = arguments.get("lossy-quality")
    if text is None:
        return settings.dicom_lossy_transcoding_quality
    quality = unsigned((text or "1").strip(BLANKS))
    if quality is None:
        raise ParameterOutOfRange(f"lossy-quality is a number from 1 to 100, not {text[:64]!r}")
    return min(max(quality, 1), 100)


def get_tags(request: Request) -> Reply:
    """All tags of the file: Full, unless `simplify` or `short` is asked for."""
    return _tags(request, tag_format(request))


def get_simplified_tags(request: Request) -> Reply:
    """All tags of the file by name."""
    return _tags(request, "simplify")


def _tags(request: Request, form: Format) -> Reply:
    services = request.services
    instance = services.resources.require(request.caller, Level.INSTANCE, public_id(request))
    whole = boolean(request.arguments, "whole")
    ignore_length = unlimited_tags(request)
    default_character_set = services.default_character_set()

    def body(file: Buffer | DicomFile, is_head: bool) -> bytes:
        return tag_json.tags_json(
            file,
            form,
            services.dictionary,
            default_character_set,
            whole,
            ignore_length,
            is_head,
        )

    async def later() -> Response:
        if whole:
            data, is_head = await services.contents.content(dicom_attachment(instance)), False
        else:
            data, is_head = await services.contents.head(instance)
        return Response(await _worked(data, lambda file: body(file, is_head)), JSON)

    found = None if whole else services.contents.head_at_once(instance)
    file = None if found is None else opened_at_once(found[0])
    if found is None or file is None:
        return later()
    return Response(body(file, found[1]), JSON)


async def _worked(data: bytes, work: Callable[[Buffer | DicomFile], T]) -> T:
    """What `work` makes of a file: in a thread if that is large, or may become so."""
    file = opened_at_once(data) if len(data) <= AT_ONCE else None
    return await asyncio.to_thread(work, data) if file is None else work(file)


async def get_header(request: Request) -> Response:
    """The file meta information."""
    instance = await _instance(request)
    services = request.services
    form = tag_format(request)
    data, _ = await services.contents.head(instance)
    return Response(tag_json.header_json(data, form, services.dictionary), JSON)


async def get_content(request: Request) -> Response:
    """One step at a time through the file: tags, items, raw values, blocks of pixel data."""
    instance = await _instance(request)
    services = request.services
    data = await services.contents.content(dicom_attachment(instance))
    path, dictionary = request.params[1:], services.dictionary
    found = await _worked(data, lambda file: content(file, path, dictionary))
    if found is None:
        return NOT_FOUND
    return Response(found, OCTETS) if isinstance(found, bytes) else json_response(found)
