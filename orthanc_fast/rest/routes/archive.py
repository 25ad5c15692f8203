"""Archives and media. Source: reference chapter 3, section 3.7; `compression` is this server's
own: docs/archives.md."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import (
    BadFileFormat,
    BadRequest,
    ParameterOutOfRange,
)
from orthanc_fast.model import Level
from orthanc_fast.numerals import BLANKS, unsigned
from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.job_submission import (
    DESCRIPTION,
    JobPath,
    boolean_field,
    integer_field,
    synchronous_field,
)
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NOT_FOUND,
    HeaderField,
    Response,
    disposition,
    json_response,
)
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rights import Right
from orthanc_fast.services.archive.archives import Planned, Wish
from orthanc_fast.services.archive.jobs import Ending, as_store_faults, progress, submission, write
from orthanc_fast.services.archive.tree import Root
from orthanc_fast.services.transcoding.transcode import check_syntax, quality_field

ZIP: HeaderField = (b"content-type", b"application/zip")
_ARGUMENTS: Final = "filename transcode lossy-quality"
RANGES: HeaderField = (b"accept-ranges", b"bytes")
_LEVELS: Final = {"patients": Level.PATIENT, "studies": Level.STUDY, "series": Level.SERIES}
_PART: Final = 1 << 20


def add_routes(router: Router, settings: Settings) -> None:
    for plural, level in _LEVELS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        for kind, handlers in _KINDS.items():
            get, post = handlers
            more = "compression" if kind == "archive" else "extended"
            arguments = f"{_ARGUMENTS} {more}"
            path = f"/{plural}/{{}}/{kind}"
            router.add(
                "GET",
                path,
                get,
                arguments=arguments,
                answer="application/zip",
                needs=Right.BROWSE,
                limited=True,
            )
            router.add(
                "POST",
                path,
                post,
                body=dict[str, Any],
                answer="application/zip",
                needs=Right.BROWSE,
                limited=True,
            )
    for name, (get, post) in _TOOLS.items():
        path, arguments = f"/tools/{name}", f"resources {_ARGUMENTS}"
        if name == "create-archive":
            arguments += " compression"
        router.add(
            "GET",
            path,
            get,
            arguments=arguments,
            answer="application/zip",
            needs=Right.BROWSE,
            limited=True,
        )
        router.add(
            "POST",
            path,
            post,
            body=list[str],
            answer="application/zip",
            needs=Right.BROWSE,
            limited=True,
        )


# One resource


async def get_archive(request: Request) -> Response:
    """A ZIP of a patient, a study or a series, made while it is sent. `filename` is proposed to the
    client, `transcode` the transfer syntax that all files get, `lossy-quality` goes with it. With
    `compression=0` files are stored as they are: the archive has a length, and ranges."""
    return await _get_one(request, is_media=False)


async def post_archive(request: Request) -> Response:
    """As GET, with the fields Filename, Transcode, LossyQuality and Utf8 (names of folders that are
    not ASCII), and those of jobs: with Asynchronous the answer is the path of the job whose output
    `archive` is the ZIP."""
    return await _post_one(request, is_media=False)


async def get_media(request: Request) -> Response:
    """As the archive, with a DICOMDIR and files named as CDs want it; `extended` adds the
    descriptions of series."""
    return await _get_one(request, is_media=True)


async def post_media(request: Request) -> Response:
    """As the archive, with a DICOMDIR; Extended adds the descriptions of series."""
    return await _post_one(request, is_media=True)


async def _get_one(request: Request, is_media: bool) -> Response:
    if request.is_head:
        return NOT_FOUND
    arguments = request.arguments
    wish = _wish_for_one(request, is_media, Root.STUDY)
    wish = msgspec.structs.replace(
        wish,
        is_extended=is_media and "extended" in arguments,
        filename=arguments.get("filename", wish.filename),
    )
    planned = await _planned(request, wish)  # an unknown resource is told before other mistakes
    return await _got(request, _transcoding(request, planned))


async def _post_one(request: Request, is_media: bool) -> Response:
    body = await _json(request, None)
    fields = body if isinstance(body, dict) else {}
    return await _posted(request, _wish_for_one(request, is_media, Root.SERIES), fields)


def _wish_for_one(request: Request, is_media: bool, root_of_series: Root) -> Wish:
    """The path says what; POST knows nothing of what a series belongs to."""
    level, text = _LEVELS[request.segments[0]], request.params[0]
    root = {Level.PATIENT: Root.PATIENT, Level.SERIES: root_of_series}.get(level, Root.STUDY)
    return Wish(
        resources=[text],
        level=level,
        root=root,
        filename=f"{text}.zip",
        is_media=is_media,
        lossy_quality=request.services.settings.dicom_lossy_transcoding_quality,
    )


# Several resources


async def get_create_archive(request: Request) -> Response:
    """A ZIP of the resources of any level whose identifiers `resources` lists, with commas. For the
    other arguments see the archive of a study."""
    return await _get_many(request, is_media=False)


async def post_create_archive(request: Request) -> Response:
    """As GET: the body is a list of identifiers, or an object with these as Resources and the
    fields that the archive of a study has."""
    return await _post_many(request, is_media=False)


async def get_create_media(request: Request) -> Response:
    """As create-archive, with a DICOMDIR."""
    return await _get_many(request, is_media=True)


async def post_create_media(request: Request) -> Response:
    """As create-archive, with a DICOMDIR; Extended adds the descriptions of series."""
    return await _post_many(request, is_media=True)


async def get_create_media_extended(request: Request) -> Response:
    """As create-media, with the descriptions of series."""
    return await _get_many(request, is_media=True, is_extended=True)


async def post_create_media_extended(request: Request) -> Response:
    """As create-media, where Extended is true unless the body says otherwise."""
    return await _post_many(request, is_media=True, is_extended=True)


async def _get_many(request: Request, is_media: bool, is_extended: bool = False) -> Response:
    if request.is_head:
        return NOT_FOUND
    listed = request.arguments.get("resources")
    if listed is None:
        raise BadRequest("Missing resources argument")
    wish = Wish(
        resources=sorted(set(listed.split(","))) if listed else [],
        filename=request.arguments.get("filename", "Archive.zip"),
        is_media=is_media,
        is_extended=is_extended,
        lossy_quality=request.services.settings.dicom_lossy_transcoding_quality,
    )
    return await _got(request, _transcoding(request, await _planned(request, wish)))


async def _post_many(request: Request, is_media: bool, is_extended: bool = False) -> Response:
    body = await _json(request, "Expected a list of resources to archive in the body")
    if not isinstance(body, (list, dict)):
        raise BadFileFormat
    wish = Wish(
        resources=[],
        is_media=is_media,
        is_extended=is_extended,
        lossy_quality=request.services.settings.dicom_lossy_transcoding_quality,
    )
    return await _posted(request, wish, body)


# What a request says


async def _json(request: Request, expected: str | None) -> Any:
    """The body. Raises BadFileFormat, with what was `expected`."""
    try:
        return await request.json()
    except BadRequest as error:
        raise BadFileFormat(expected) from error


async def _posted(request: Request, wish: Wish, body: dict[str, Any] | list[Any]) -> Response:
    """Fields are judged in the order in which Orthanc reads them."""
    settings = request.services.settings
    fields = body if isinstance(body, dict) else {}
    is_synchronous = synchronous_field(fields)
    priority = integer_field(fields, "Priority", 0)
    is_extended = boolean_field(fields, "Extended", wish.is_extended)
    transcode, quality = _transcode_fields(fields, wish.lossy_quality)
    utf8 = boolean_field(fields, "Utf8", settings.zip_use_utf8)
    filename, user_data = fields.get("Filename"), fields.get("UserData")
    wish = msgspec.structs.replace(
        wish,
        resources=wish.resources if wish.level is not None else _resources(body),
        filename=filename if isinstance(filename, str) else wish.filename,
        is_extended=is_extended,
        transcode=transcode,
        lossy_quality=quality,
        utf8=utf8,
    )
    is_stored = _is_stored(fields.get("Compression", 1))
    planned = await _planned(request, wish)
    if is_stored:
        if not is_synchronous:
            raise ParameterOutOfRange("An archive without compression is made while it is sent")
        return await _stored(request, planned)
    kept = msgspec.Raw(msgspec.json.encode(user_data)) if isinstance(user_data, str) else None
    if is_synchronous:
        return await _streamed(request, planned, priority, kept)
    job = await request.services.jobs.submit(
        request.caller, submission(planned, DESCRIPTION, priority, kept)
    )
    return json_response(JobPath(job, f"/jobs/{job}"))


def _transcode_fields(fields: dict[str, Any], quality: int) -> tuple[str | None, int]:
    """Raises BadFileFormat, ParameterOutOfRange, BadParameterType."""
    if "Transcode" not in fields:
        return None, quality
    syntax = fields["Transcode"]
    if not isinstance(syntax, str):
        raise BadFileFormat("String value expected in field: Transcode")
    check_syntax(syntax)
    return syntax, quality_field(fields, quality)


def _resources(body: dict[str, Any] | list[Any]) -> list[str]:
    """Raises BadFileFormat."""
    if isinstance(body, dict):
        if "Resources" not in body:
            raise BadFileFormat("Missing field Resources in the JSON body")
        body = body["Resources"]
    if not isinstance(body, list) or not all(isinstance(each, str) for each in body):
        raise BadFileFormat("Expected a list of strings (Orthanc identifiers)")
    return body


def _transcoding(request: Request, planned: Planned) -> Planned:
    """With what the arguments say of transcoding. Raises ParameterOutOfRange."""
    arguments = request.arguments
    if "transcode" not in arguments:
        return planned
    syntax, quality = arguments["transcode"], planned.wish.lossy_quality
    check_syntax(syntax)
    text = arguments.get("lossy-quality", str(quality)).strip(BLANKS)
    number = unsigned(text) if text else 1
    if number is None:
        raise ParameterOutOfRange(
            f'Expected a Unsigned Int for GET argument "lossy-quality", found: {text[:64]}'
        )
    wish = msgspec.structs.replace(planned.wish, transcode=syntax, lossy_quality=number)
    return msgspec.structs.replace(planned, wish=wish)


async def _planned(request: Request, wish: Wish) -> Planned:
    services = request.services
    return await services.reads.run(services.archives.plan, request.caller, wish)


async def _got(request: Request, planned: Planned) -> Response:
    level = request.arguments.get("compression", "1")
    if _is_stored(unsigned(level)):
        return await _stored(request, planned)
    return await _streamed(request, planned)


def _is_stored(level: object) -> bool:
    """Raises ParameterOutOfRange."""
    if level not in (0, 1) or isinstance(level, bool):
        raise ParameterOutOfRange("The compression of an archive is 0 (none) or 1")
    return level == 0


# Answers


async def _stored(request: Request, planned: Planned) -> Response:
    """An archive without compression: of known length, and any range of it."""
    if planned.wish.is_media or planned.wish.transcode is not None:
        raise ParameterOutOfRange("Media and transcoded files cannot be sent without compression")
    archive = await asyncio.to_thread(request.services.archives.stored, planned)
    tag = b'"%s"' % archive.tag.encode()
    headers = (*_disposition(planned.wish.filename), RANGES, (b"etag", tag))
    asked = request.header(b"range")
    part = None
    if asked is not None and request.header(b"if-range") in (None, tag):
        part = byte_range(asked, archive.length)
    if part is None:
        stream = archive.part(0, archive.length)
        return await while_present(request, stream, ZIP, headers, archive.length)
    first, stop = part
    range_header = (b"content-range", b"bytes %d-%d/%d" % (first, stop - 1, archive.length))
    return await while_present(
        request, archive.part(first, stop), ZIP, (*headers, range_header), stop - first, 206
    )


async def _streamed(
    request: Request,
    planned: Planned,
    priority: int = 0,
    user_data: msgspec.Raw | None = None,
) -> Response:
    """The archive, made here and now; its job is seen in /jobs all the same."""
    services = request.services
    run = services.jobs.begin_here(
        request.caller, submission(planned, DESCRIPTION, priority, user_data)
    )
    ending = Ending(run, planned)
    watch = progress(run, planned)
    headers = _disposition(planned.wish.filename)
    if services.settings.synchronous_zip_stream:
        stream = _ended(services.archives.stream(planned, watch), ending)
        return await while_present(request, stream, ZIP, headers)
    folder = services.settings.temporary_directory or services.settings.storage_directory
    try:
        with as_store_faults():
            file = await asyncio.to_thread(_nameless_file, folder)
            try:
                size = await write(services.archives, planned, file, watch)
            except BaseException:
                with suppress(OSError):  # of what it could not write
                    file.close()  # others may need the room at once
                raise
    except BaseException as error:
        if (told := ending.fail(error)) is not None:
            raise told from error
        raise
    ending.succeed(size)
    return await while_present(request, _file(file), ZIP, headers, size)


async def _ended(stream: AsyncGenerator[bytes], ending: Ending) -> AsyncGenerator[bytes]:
    """The same bytes; the job ends as they do."""
    size = 0
    try:
        async with aclosing(stream):
            async for chunk in stream:
                size += len(chunk)
                yield chunk
    except BaseException as error:
        if (told := ending.fail(error)) is not None:
            raise told from error
        raise
    ending.succeed(size)


def _nameless_file(folder: Path) -> BinaryIO:
    """Nothing is left of it, whoever is killed."""
    return tempfile.TemporaryFile("w+b", dir=folder)


async def _file(file: BinaryIO) -> AsyncGenerator[bytes]:
    """The bytes of an open file, which is closed then."""
    with file:
        await asyncio.to_thread(file.seek, 0)
        while part := await asyncio.to_thread(file.read, _PART):
            yield part


def _disposition(name: str) -> tuple[HeaderField, ...]:
    """Unlike elsewhere, also for an empty name."""
    return disposition(name) or ((b"content-disposition", b'filename=""'),)


_KINDS: Final[dict[str, tuple[Handler, Handler]]] = {
    "archive": (get_archive, post_archive),
    "media": (get_media, post_media),
}
_TOOLS: Final[dict[str, tuple[Handler, Handler]]] = {
    "create-archive": (get_create_archive, post_create_archive),
    "create-media": (get_create_media, post_create_media),
    "create-media-extended": (get_create_media_extended, post_create_media_extended),
}
