"""WADO-RS: the frames of an instance.

Source: PS3.18, section 10.4.1.1.3; reference chapter 5, section 5.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.media_types import accepted, chosen
from orthanc_fast.numerals import MAX_INT32, MIN_INT32
from orthanc_fast.rest.dicom_web.addresses import base_of
from orthanc_fast.rest.dicom_web.content_ranges import (
    asked_part,
    conditional,
    not_modified,
    validators,
)
from orthanc_fast.rest.dicom_web.frame_types import OFFERED, Sent, sent_as
from orthanc_fast.rest.multipart_related import MultipartWriter
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import PATHSEND_FROM, HeaderField, Response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rights import Right
from orthanc_fast.services.dicom_web.file_steps import Range, cut
from orthanc_fast.services.dicom_web.frame_parts import FrameImage

_DIGITS: Final = frozenset("0123456789")


class Asked(NamedTuple):
    """Frames of an image, by their index, and how they are sent."""

    image: FrameImage
    indices: Sequence[int]
    sent: Sent


def add_routes(router: Router, settings: Settings) -> None:
    if not settings.dicom_web.enable:
        return
    frames = f"{settings.dicom_web.root}studies/{{}}/series/{{}}/instances/{{}}/frames"
    for path in (f"{frames}/{{}}", frames):
        router.add(
            "GET",
            path,
            get_frames,
            arguments="accept",
            answer="multipart/related",
            needs=Right.BROWSE,
            limited=True,
        )


@conditional
async def get_frames(request: Request) -> Response:
    """Frames by their numbers, with commas, in the order in which they are asked for; without
    numbers all of them. Multipart/related, or of one frame the bytes by themselves
    (`application/octet-stream`, `image/jpeg` and other media types of images). The parameter
    `transfer-syntax` of `Accept` is `*` for frames as they are stored; without it they come
    uncompressed, or in the default of the media type."""
    uids, numbers = request.params[:3], request.params[3:]
    indices: Sequence[int] | None = _indices(numbers[0]) if numbers else None
    services = request.services
    targets = services.dicom_web.targets
    instance = (await services.reads.run(targets.require, request.caller, uids))[0]
    image = await services.dicom_web.frames.image(instance)
    count = image.info.number_of_frames
    if indices is None:
        # No more than the file has room for: a small one may announce 2^31 of them.
        indices = range(services.pixels.frame_count(instance))
    ranges = accepted(request.header(b"accept"), request.arguments.get("accept"))
    sent = chosen(ranges, lambda each: sent_as(each, image, len(indices)), OFFERED)
    beyond = next((index for index in indices if index >= count), None) if numbers else None
    if beyond is not None:
        raise ParameterOutOfRange(
            f"There is no frame {beyond + 1}: the instance has {count}, numbered from 1"
        )
    asked = Asked(image, indices, sent)
    return await (_one(request, asked) if len(indices) == 1 else _several(request, asked))


def _indices(text: str) -> list[int]:
    """Raises BadFileFormat for what is no list of numbers, ParameterOutOfRange for numbers below
    1."""
    found = []
    for each in text.split(","):
        digits = each.removeprefix("-")
        if not digits or not _DIGITS.issuperset(digits) or len(digits) > 20:
            raise BadFileFormat(f"Frames are numbers with commas, not {text[:64]!r}")
        number = int(each)
        if not MIN_INT32 <= number <= MAX_INT32:
            raise BadFileFormat(f"There are no frames with the number {each}")
        if number < 1:
            raise ParameterOutOfRange(f"Invalid frame number (must be > 0): {number}")
        found.append(number - 1)
    return found


def _location(request: Request) -> str:
    """The address of the frames, to which a number is added."""
    study, series, instance = request.params[:3]
    base = base_of(request, request.services.settings.dicom_web)
    return f"{base}studies/{study}/series/{series}/instances/{instance}/frames/"


async def _one(request: Request, asked: Asked) -> Response:
    """One frame: of known length, and with a validator."""
    image, (index,), sent = asked
    frames = request.services.dicom_web.frames
    headers = _validators(asked)
    known = not_modified(request, headers)
    if known is not None:
        return known
    ranges = await frames.ranges(image, index, sent.syntax)
    data = b""
    if ranges is None:
        data = await frames.made(image, index, sent.syntax)
        size = len(data)
    else:
        size = sum(end - begin for begin, end in ranges)
        if size > PATHSEND_FROM:
            return await _large(request, asked, ranges, size)
    if not sent.is_multipart:
        if ranges is not None:
            data = await frames.read(image, ranges)
        part = asked_part(request, size, headers)
        kind = (b"content-type", sent.type.encode())
        return Response(data[part.first : part.stop], kind, part.status, part.headers)
    writer = MultipartWriter()
    head = writer.head(sent.type, size, f"{_location(request)}{index + 1}")
    if ranges is None:
        data = b"".join((head, data, writer.end()))
    else:
        data = await frames.read(image, ranges, head, writer.end())
    return Response(data, writer.kind(sent.type), headers=headers)


async def _large(request: Request, asked: Asked, ranges: list[Range], size: int) -> Response:
    """One frame that is sent piece by piece."""
    image, (index,), sent = asked
    frames = request.services.dicom_web.frames
    headers = _validators(asked)
    if not sent.is_multipart:
        part = asked_part(request, size, headers)
        stream = frames.pieces(image, cut(ranges, part.first, part.stop))
        kind = (b"content-type", sent.type.encode())
        length = part.stop - part.first
        return await while_present(request, stream, kind, part.headers, length, part.status)
    writer = MultipartWriter()
    head = writer.head(sent.type, size, f"{_location(request)}{index + 1}")
    length = len(head) + size + len(writer.end())
    parts = frames.stream(image, [index], sent.syntax, lambda *_: head)
    return await while_present(
        request, writer.closed(parts), writer.kind(sent.type), headers, length
    )


async def _several(request: Request, asked: Asked) -> Response:
    image, indices, sent = asked
    writer = MultipartWriter()
    location = _location(request)

    def head(index: int, length: int) -> bytes:
        return writer.head(sent.type, length, f"{location}{index + 1}")

    parts = request.services.dicom_web.frames.stream(image, indices, sent.syntax, head)
    return await while_present(request, writer.closed(parts), writer.kind(sent.type))


def _validators(asked: Asked) -> tuple[HeaderField, ...]:
    """Of one frame."""
    image, (index,), sent = asked
    return validators(f"{image.file.fingerprint}-{index}-{sent.syntax}", sent.is_multipart)
