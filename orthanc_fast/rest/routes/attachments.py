"""/{level}/{id}/attachments. Source: reference chapter 1, sections 1.12, 1.13 and 6.2."""

from collections.abc import Awaitable, Callable

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadRange, OrthancError, UnknownResource
from orthanc_fast.model import Attachment, Level
from orthanc_fast.registries import DICOM_AS_JSON_ATTACHMENT, is_user_number
from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    OCTETS,
    PATHSEND_FROM,
    PLAIN_JSON,
    HeaderField,
    Response,
    disposition,
    empty_response,
    json_response,
    text_response,
)
from orthanc_fast.rest.revisions import (
    etag,
    failed,
    if_match,
    if_match_of_deletion,
    not_modified,
)
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rest.streaming import begun
from orthanc_fast.rights import Right
from orthanc_fast.services.attachments.changes import Located, version_of
from orthanc_fast.services.browse.describe import PLURALS

FORBIDDEN = 403

OPERATIONS = (
    "compress",
    "compressed-data",
    "compressed-md5",
    "compressed-size",
    "data",
    "info",
    "is-compressed",
    "md5",
    "size",
    "uncompress",
    "verify-md5",
)
OF_MD5 = frozenset({"compressed-md5", "md5", "verify-md5"})


class AttachmentInfo(msgspec.Struct, gc=False):
    """Sizes in bytes; the MD5s are empty where they are not kept."""

    CompressedMD5: str
    CompressedSize: int
    ContentType: int
    UncompressedMD5: str
    UncompressedSize: int
    Uuid: str


def add_routes(router: Router, settings: Settings) -> None:
    for level, plural in PLURALS.items():
        if level == Level.PATIENT and not settings.patient_level_enabled:
            continue
        path = f"/{plural}/{{}}/attachments"
        one = f"{path}/{{}}"
        router.add(
            "GET",
            path,
            _list(level),
            arguments="full",
            answer=list[str],
            needs=Right.BROWSE,
            limited=True,
        )
        for name, answer in READS.items():
            handler = _read(level, answer, needs_file=name in NEEDS_FILE)
            arguments = "filename" if name.endswith("/data") else ""
            router.add(
                "GET",
                f"{one}{name}",
                handler,
                arguments=arguments,
                needs=Right.BROWSE,
                limited=True,
            )
        router.add(
            "POST", f"{one}/verify-md5", verify_md5, answer=dict, needs=Right.BROWSE, limited=True
        )
        if not settings.read_only:
            router.add(
                "PUT",
                one,
                put_attachment,
                body="application/octet-stream",
                answer=dict,
                needs=Right.MODIFY,
            )
            router.add(
                "DELETE",
                one,
                delete_attachment,
                answer="text/plain",
                needs=Right.MODIFY,
            )
            router.add(
                "POST",
                f"{one}/compress",
                compress,
                answer=dict,
                needs=Right.MODIFY,
            )
            router.add(
                "POST",
                f"{one}/uncompress",
                uncompress,
                answer=dict,
                needs=Right.MODIFY,
            )


def _list(level: Level) -> Handler:
    def get_attachments(request: Request) -> Response:
        """The names of the attachments of a resource; `full` adds their numbers."""
        attachments = request.services.attachments
        kinds = attachments.kinds(request.caller, level, public_id(request))
        names = attachments.types
        if "full" in request.arguments:
            return json_response({names.name(kind): kind for kind in kinds})
        return json_response([names.name(kind) for kind in kinds])

    return get_attachments


def _kind(request: Request) -> int:
    """The number of the attachment in the path. Raises InexistentItem, BadParameterType."""
    return request.services.attachments.types.number(request.params[1])


# Reading

Read = Callable[[Request, Located], Awaitable[Response]]


def _read(level: Level, answer: Read, needs_file: bool) -> Handler:
    async def get_of_attachment(request: Request) -> Response:
        attachments, kind = request.services.attachments, _kind(request)
        found = await request.services.reads.run(
            attachments.require, request.caller, public_id(request), kind
        )
        if found.owner.level != level:
            raise UnknownResource  # only what changes attachments does not look at the level
        try:
            version = await attachments.version(request.caller, found)
        except OrthancError:
            if needs_file:
                raise
            version = version_of(found.attachment)  # a lost file has a size all the same
        known = not_modified(request, version)
        if known is not None:
            return known
        try:
            response = await answer(request, found)
        except OrthancError as error:
            return failed(request, error, version)
        response.headers = (*response.headers, etag(version))
        return response

    get_of_attachment.__doc__ = answer.__doc__
    return get_of_attachment


async def _operations(request: Request, found: Located) -> Response:
    """What can be asked of an attachment."""
    without = frozenset() if request.services.settings.store_md5 else OF_MD5
    return json_response([name for name in OPERATIONS if name not in without])


async def _data(request: Request, found: Located) -> Response:
    """The uncompressed content, or the part of it that `Range` asks for; `filename` replaces the
    name that is proposed to the client."""
    attachments, attachment = request.services.attachments, found.attachment
    part = request.header(b"range")
    if part is not None:
        first, stop = _range(part, attachment.size)
        parts = attachments.parts.excerpt(attachment, first, stop - first)
        response = Response(stream=await begun(parts), length=stop - first)
        return _partial(response, first, attachment.size)
    headers = _disposition(request, attachment)
    kind = (b"content-type", attachments.types.mime(found.kind).encode())
    if attachment.size < PATHSEND_FROM:
        content = await attachments.small_content(attachment)
        return Response(content, kind, headers=headers)
    await attachments.verify(attachment)
    path = None if attachment.compressed else attachments.sendable(attachment)
    if path is None:
        stream = await begun(attachments.parts.content(attachment))
        return Response(kind=kind, headers=headers, stream=stream, length=attachment.size)
    return Response(kind=kind, headers=headers, path=path, length=attachment.size)


async def _compressed_data(request: Request, found: Located) -> Response:
    """The bytes as they are stored, or the part of them that `Range` asks for."""
    attachment = found.attachment
    if not attachment.compressed:
        return await _data(request, found)
    parts, size = request.services.attachments.parts, attachment.stored_size
    part = request.header(b"range")
    first, stop = (0, size) if part is None else _range(part, size)
    stream = await begun(parts.stored(attachment, first, stop - first))
    response = Response(kind=OCTETS, stream=stream, length=stop - first)
    return response if part is None else _partial(response, first, size)


def _range(header: bytes, size: int) -> tuple[int, int]:
    """As `byte_range`, but what it cannot read is refused, as by Orthanc. Raises BadRange."""
    found = byte_range(header, size)
    if found is None:
        raise BadRange(f"only one range of bytes can be answered, not {header.decode('latin-1')!r}")
    return found


def _partial(response: Response, first: int, total: int) -> Response:
    assert response.length is not None
    last = first + response.length - 1
    response.status = 206
    response.kind = OCTETS
    response.headers = ((b"content-range", b"bytes %d-%d/%d" % (first, last, total)),)
    return response


def _disposition(request: Request, attachment: Attachment) -> tuple[HeaderField, ...]:
    return disposition(request.arguments.get("filename", attachment.uuid))


async def _size(request: Request, found: Located) -> Response:
    """Bytes of the content."""
    return text_response(str(found.attachment.size))


async def _compressed_size(request: Request, found: Located) -> Response:
    """Bytes on the disk."""
    return text_response(str(found.attachment.stored_size))


async def _md5(request: Request, found: Located) -> Response:
    """The MD5 of the content."""
    return _checksum(found.attachment.md5)


async def _compressed_md5(request: Request, found: Located) -> Response:
    """The MD5 of what is on the disk."""
    return _checksum(found.attachment.stored_md5)


def _checksum(md5: str | None) -> Response:
    return empty_response(404) if md5 is None else text_response(md5)


async def _is_compressed(request: Request, found: Located) -> Response:
    """1 or 0."""
    return text_response("1" if found.attachment.compressed else "0")


async def _info(request: Request, found: Located) -> Response:
    """All about the attachment."""
    attachment = found.attachment
    return json_response(
        AttachmentInfo(
            CompressedMD5=attachment.stored_md5 or "",
            CompressedSize=attachment.stored_size,
            ContentType=found.kind,
            UncompressedMD5=attachment.md5 or "",
            UncompressedSize=attachment.size,
            Uuid=attachment.uuid,
        )
    )


READS: dict[str, Read] = {
    "": _operations,
    "/data": _data,
    "/compressed-data": _compressed_data,
    "/size": _size,
    "/compressed-size": _compressed_size,
    "/md5": _md5,
    "/compressed-md5": _compressed_md5,
    "/is-compressed": _is_compressed,
    "/info": _info,
}
NEEDS_FILE = frozenset({"/data", "/compressed-data", "/md5", "/compressed-md5", "/info"})


# Changing


async def verify_md5(request: Request) -> Response:
    """`{}` if the file holds what was stored, else an error."""
    services, kind = request.services, _kind(request)
    found = await services.reads.run(
        services.attachments.find, request.caller, public_id(request), kind
    )
    if found is None or not services.settings.store_md5:
        return empty_response(400)
    await services.attachments.verify(found.attachment)
    return Response(b"{}", PLAIN_JSON)


async def compress(request: Request) -> Response:
    """Stores the content anew, compressed, unless it is so already."""
    return await _set_compressed(request, True)


async def uncompress(request: Request) -> Response:
    """Stores the content anew, uncompressed, unless it is so already."""
    return await _set_compressed(request, False)


async def _set_compressed(request: Request, compressed: bool) -> Response:
    services, kind = request.services, _kind(request)
    found = await services.reads.run(
        services.attachments.require, request.caller, public_id(request), kind
    )
    await services.attachments.set_compressed(request.caller, found, compressed)
    return Response(b"{}", PLAIN_JSON)


async def put_attachment(request: Request) -> Response:
    """Adds or replaces an attachment of the user's; the level of the path does not matter."""
    attachments = request.services.attachments
    kind = attachments.types.number(request.params[1])
    if not is_user_number(kind):
        return empty_response(FORBIDDEN)
    expected = if_match(request)
    version = await attachments.put(
        request.caller, public_id(request), kind, await request.upload(), expected
    )
    return Response(b"{}", PLAIN_JSON, headers=(etag(version),))


async def delete_attachment(request: Request) -> Response:
    """Removes an attachment of the user's."""
    attachments = request.services.attachments
    kind = attachments.types.number(request.params[1])
    if not is_user_number(kind) and kind != DICOM_AS_JSON_ATTACHMENT:
        return empty_response(FORBIDDEN)
    expected = if_match_of_deletion(request)
    await attachments.delete(request.caller, public_id(request), kind, expected)
    return text_response()
