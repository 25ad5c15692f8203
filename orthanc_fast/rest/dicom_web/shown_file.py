"""Answers that show one file: their validators, and what is sent as it is stored, videos and
documents.

Source: PS3.18, sections 8.7.3.3 and 8.7.4; reference chapter 5, section 7.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import xxhash

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Resource
from orthanc_fast.registries import TRANSFER_SYNTAX
from orthanc_fast.rest.dicom_web.content_ranges import asked_part, not_modified, validators
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response
from orthanc_fast.rest.streaming import begun, while_present
from orthanc_fast.services.attachments.documents import pdf
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.transfer_syntaxes import SYNTAXES

_PDF: Final = (b"content-type", b"application/pdf")
# A thumbnail is good for some minutes without asking.
_THUMBNAIL_CACHING: Final = (b"cache-control", b"private, max-age=300")
_PIECE: Final = 1 << 20


def file_validators(
    request: Request, instance: Resource, what: str, is_thumbnail: bool = False
) -> tuple[HeaderField, ...]:
    """Those of an answer that depends on the file, on what is made of it and on the arguments."""
    digest = xxhash.xxh3_128()
    for part in (dicom_attachment(instance).uuid, what, str(is_thumbnail)):
        digest.update(part.encode() + b"\0")
    digest.update(request.query)
    tag, caching, *others = validators(digest.hexdigest())
    return tag, _THUMBNAIL_CACHING if is_thumbnail else caching, *others


async def document(request: Request, instance: Resource) -> Response:
    """The document in an Encapsulated PDF, or a range of it. Raises ParameterOutOfRange where there
    is none."""
    headers = file_validators(request, instance, "pdf")
    known = not_modified(request, headers)
    if known is not None:
        return known
    services = request.services
    found = await pdf(services.contents, services.dictionary, instance)
    if found is None:
        raise ParameterOutOfRange("the instance has no PDF document in it")
    part = asked_part(request, len(found), headers)
    return Response(found[part.first : part.stop], _PDF, part.status, part.headers)


def video_type(instance: Resource) -> str:
    """The media type of a video."""
    syntax = SYNTAXES.get(instance.metadata.get(TRANSFER_SYNTAX, ""))
    return "video/mpeg" if syntax is not None and syntax.group == "Mpeg2" else "video/mp4"


async def video(request: Request, instance: Resource, kind: str) -> Response:
    """The bitstream of a video, or a range of it, as the type that the client wants."""
    headers = file_validators(request, instance, "video")
    known = not_modified(request, headers)
    if known is not None:
        return known
    pieces = await request.services.pictures.stream(instance)
    part = asked_part(request, sum(map(len, pieces)), headers)
    stream = await begun(_within(pieces, part.first, part.stop))
    length, own = part.stop - part.first, (b"content-type", kind.encode())
    return await while_present(request, stream, own, part.headers, length, part.status)


def _within(pieces: Sequence[memoryview], first: int, stop: int) -> Iterator[bytes]:
    """The bytes from `first` to `stop` of what the pieces make together."""
    for piece in pieces:
        end = min(stop, len(piece))
        for start in range(first, end, _PIECE):
            yield bytes(piece[start : min(start + _PIECE, end)])
        first, stop = max(first - len(piece), 0), stop - len(piece)
        if stop <= 0:
            return
