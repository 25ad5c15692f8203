"""Frames, instances, series and studies as arrays of numbers.

Source: reference chapter 2, sections 6 and 7; what is beyond Orthanc's: docs/volumes.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

import msgspec
import xxhash

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import InexistentItem, OrthancError, ParameterOutOfRange
from orthanc_fast.imaging.nifti import nifti_header
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Level
from orthanc_fast.numerals import unsigned
from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.identifiers import require
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import OCTETS, Header, Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.uri import boolean
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.volumes import bodies
from orthanc_fast.services.volumes.geometry import Geometry, geometry
from orthanc_fast.services.volumes.places import Selection
from orthanc_fast.services.volumes.plan import TARGETS, Numbers, Volume
from orthanc_fast.services.volumes.slices import OrderedSlices, frame_count, order_slices
from orthanc_fast.services.volumes.zip_records import stored_length

ZIP = (b"content-type", b"application/zip")
GZIP = (b"content-type", b"application/gzip")
RANGES = (b"accept-ranges", b"bytes")

NUMBERS = "rescale dtype window-center window-width"

Planned = TypeVar("Planned")


def add_routes(router: Router, settings: Settings) -> None:
    numpy = f"compress {NUMBERS}"
    router.add("GET", "/series/{}/ordered-slices", get_ordered_slices, answer=SlicesAnswer)
    router.add("GET", "/series/{}/geometry", get_geometry, arguments="slices", answer=Geometry)
    router.add("GET", "/instances/{}/frames/{}/numpy", get_frame_numpy, arguments=numpy)
    router.add("GET", "/instances/{}/numpy", get_instance_numpy, arguments=f"{numpy} frames")
    router.add("GET", "/series/{}/numpy", get_series_numpy, arguments=f"{numpy} slices")
    router.add("GET", "/studies/{}/numpy", get_study_numpy, arguments=NUMBERS)
    router.add("GET", "/series/{}/nifti", get_nifti, arguments=f"{numpy} slices")


class SlicesAnswer(msgspec.Struct, gc=False):
    """The files in order, one path for each frame, and both in short."""

    Dicom: list[str]
    Slices: list[str]
    SlicesShort: list[tuple[str, int, int]]
    Type: str


async def get_ordered_slices(request: Request) -> Response:
    """GET /series/{id}/ordered-slices"""

    def ordered(view: View) -> OrderedSlices:
        return order_slices(view, require(view, Level.SERIES, request.params[0]))

    slices = await _in_thread(request, ordered)
    pixels = request.services.pixels
    rows = [(to_text(each.public), frame_count(each, pixels)) for each in slices.instances]
    answer = SlicesAnswer(
        Dicom=[f"/instances/{name}/file" for name, _ in rows],
        Slices=[f"/instances/{name}/frames/{n}" for name, count in rows for n in range(count)],
        SlicesShort=[(name, 0, count) for name, count in rows],
        Type=slices.kind,
    )
    return json_response(answer)


async def get_geometry(request: Request) -> Response:
    """GET /series/{id}/geometry: where the volume lies in the patient."""
    slices = _selection(request, "slices")

    def placed(view: View) -> Geometry:
        series = require(view, Level.SERIES, request.params[0])
        volume = request.services.volumes.series(view, series, Numbers(), slices)
        return geometry(volume, request.services.pixels)

    return json_response(await _in_thread(request, placed))


# Arrays


async def get_frame_numpy(request: Request) -> Response:
    """GET /instances/{id}/frames/{n}/numpy: (rows, columns, channels)."""
    numbers, packed = _numbers(request), boolean(request.arguments, "compress")
    text = request.params[1]
    with request.services.index.view() as view:
        instance = require(view, Level.INSTANCE, request.params[0])
        number = unsigned(text)
        if number is None:
            raise ParameterOutOfRange(
                f'Expected an unsigned integer for the "frame" argument, found: {text[:64]}'
            )
        volume = request.services.volumes.frame(view, instance, number, numbers)
    return await _array(request, volume, volume.header(is_frame=True), packed)


async def get_instance_numpy(request: Request) -> Response:
    """GET /instances/{id}/numpy: (frames, rows, columns, channels)."""
    numbers, packed = _numbers(request), boolean(request.arguments, "compress")
    frames = _selection(request, "frames")
    with request.services.index.view() as view:
        instance = require(view, Level.INSTANCE, request.params[0])
        volume = request.services.volumes.instance(view, instance, numbers, frames)
    return await _array(request, volume, volume.header(), packed)


async def get_series_numpy(request: Request) -> Response:
    """GET /series/{id}/numpy: (slices, rows, columns, channels)."""
    numbers, packed = _numbers(request), boolean(request.arguments, "compress")
    slices = _selection(request, "slices")

    def planned(view: View) -> tuple[Volume, Geometry | None]:
        series = require(view, Level.SERIES, request.params[0])
        volume = request.services.volumes.series(view, series, numbers, slices)
        try:
            return volume, geometry(volume, request.services.pixels, check=False)
        except InexistentItem:
            return volume, None

    volume, place = await _in_thread(request, planned)
    return await _array(request, volume, volume.header(), packed, _geometry_headers(place))


async def get_study_numpy(request: Request) -> Response:
    """GET /studies/{id}/numpy: a .npz of all series that are volumes; X-Volume-Skipped names the
    others."""
    numbers = _numbers(request)

    def planned(view: View) -> tuple[list[tuple[str, Volume]], list[str]]:
        study = require(view, Level.STUDY, request.params[0])
        volumes, refused = request.services.volumes.study(view, study, numbers)
        named = [(f"{to_text(series.public)}.npy", volume) for series, volume in volumes]
        return named, [to_text(series.public) for series, _ in refused]

    named, skipped = await _in_thread(request, planned)
    length = stored_length([(name, len(v.header()) + v.nbytes) for name, v in named])
    headers = ((b"x-volume-skipped", ",".join(skipped).encode()),) if skipped else ()
    return await _streamed(
        request, bodies.npz(request.services.volume_streams, named), ZIP, headers, length
    )


async def get_nifti(request: Request) -> Response:
    """GET /series/{id}/nifti: NIfTI-1, gzipped with `compress`."""
    numbers, packed = _numbers(request), boolean(request.arguments, "compress")
    slices = _selection(request, "slices")

    def planned(view: View) -> tuple[Volume, bytes]:
        series = require(view, Level.SERIES, request.params[0])
        volume = request.services.volumes.series(view, series, numbers, slices)
        place = geometry(volume, request.services.pixels)
        header = nifti_header(place.Size, volume.dtype, volume.info.is_color, place.affine)
        return volume, header

    volume, header = await _in_thread(request, planned)
    name = b'filename="%s.nii%s"' % (request.params[0].encode(), b".gz" if packed else b"")
    headers = ((b"content-disposition", name),)
    if packed:
        return await _streamed(
            request, bodies.gzipped(request.services.volume_streams, volume, header), GZIP, headers
        )
    stream = bodies.plain(
        request.services.volume_streams, volume, header, 0, len(header) + volume.nbytes
    )
    return await _streamed(request, stream, OCTETS, headers, len(header) + volume.nbytes)


# What the arguments say


def _numbers(request: Request) -> Numbers:
    """Raises ParameterOutOfRange."""
    arguments = request.arguments
    if not arguments:
        return Numbers()
    dtype = next((name for name in TARGETS if name == arguments.get("dtype")), None)
    if dtype is None and "dtype" in arguments:
        raise ParameterOutOfRange(f'"dtype" is one of {", ".join(TARGETS)}')
    return Numbers(
        boolean(arguments, "rescale", default=True),
        dtype,
        _float(arguments, "window-center"),
        _float(arguments, "window-width"),
    )


def _float(arguments: dict[str, str], name: str) -> float | None:
    text = arguments.get(name)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise ParameterOutOfRange(f'"{name}" must be a number, found: {text}') from None


def _selection(request: Request, name: str) -> Selection:
    """Numbers and `first:stop` as Python has them, separated by commas. Raises
    ParameterOutOfRange."""
    text = request.arguments.get(name)
    if text is None:
        return None
    try:
        return [_slice(part) for part in text.split(",")]
    except ValueError:
        raise ParameterOutOfRange(
            f'"{name}" is a number, a range such as 10:20, or several with commas, found: {text}'
        ) from None


def _slice(text: str) -> slice:
    first, colon, stop = text.partition(":")
    if not colon:
        number = int(first)
        return slice(number, number + 1 or None)
    return slice(int(first) if first else None, int(stop) if stop else None)


# Answers


async def _in_thread(request: Request, plan: Callable[[View], Planned]) -> Planned:
    def work() -> Planned:
        with request.services.index.view() as view:
            return plan(view)

    return await asyncio.to_thread(work)


def _geometry_headers(place: Geometry | None) -> tuple[Header, ...]:
    if place is None:
        return ()
    rows = (
        (b"x-volume-origin", place.Origin),
        (b"x-volume-spacing", place.Spacing),
        (b"x-volume-direction", [value for row in place.Direction for value in row]),
    )
    return tuple((name, ",".join(f"{v:.9g}" for v in values).encode()) for name, values in rows)


async def _array(
    request: Request,
    volume: Volume,
    header: bytes,
    packed: bool,
    headers: tuple[Header, ...] = (),
) -> Response:
    streams = request.services.volume_streams
    if packed:
        return await _streamed(request, bodies.zipped(streams, volume, header), OCTETS, headers)
    total = len(header) + volume.nbytes
    asked = request.header(b"range")
    headers = (*headers, RANGES, (b"etag", _etag(volume)))
    if asked is None:
        whole = streams.at_once(volume, header)
        if whole is not None:
            return Response(whole, OCTETS, headers=headers)
        stream = bodies.plain(streams, volume, header, 0, total)
        return await _streamed(request, stream, OCTETS, headers, total)
    return await _part(request, volume, header, asked, headers)


async def _part(
    request: Request, volume: Volume, header: bytes, asked: bytes, headers: tuple[Header, ...]
) -> Response:
    total = len(header) + volume.nbytes
    condition = request.header(b"if-range")
    if condition is not None and condition != _etag(volume):
        asked = b""
    part = byte_range(asked, total)
    status = 200
    first, stop = part or (0, total)
    if part is not None:
        status = 206
        headers = (*headers, (b"content-range", b"bytes %d-%d/%d" % (first, stop - 1, total)))
    stream = bodies.plain(request.services.volume_streams, volume, header, first, stop)
    return await _streamed(request, stream, OCTETS, headers, stop - first, status)


def _etag(volume: Volume) -> bytes:
    """Changes with the files and with what is asked of them."""
    digest = xxhash.xxh3_64()
    for source in volume.sources:
        digest.update(dicom_attachment(source.instance).uuid.encode())
    digest.update(repr((volume.numbers, volume.frames.identity)).encode())
    return b'"%s"' % digest.hexdigest().encode()


async def _streamed(
    request: Request,
    stream: AsyncGenerator[bodies.Bytes],
    kind: Header,
    headers: tuple[Header, ...],
    length: int | None = None,
    status: int = 200,
) -> Response:
    """The answer, once its first bytes are there: what fails until then is a proper error."""
    first = await anext(stream, b"")
    watched = _while_present(request, first, stream)
    return Response(kind=kind, status=status, headers=headers, stream=watched, length=length)


async def _while_present(
    request: Request, first: bodies.Bytes, rest: AsyncGenerator[bodies.Bytes]
) -> AsyncGenerator[bodies.Bytes]:
    """A stream for as long as its client is there: `send` does not tell that it has gone. What
    fails in its middle aborts the connection, so that the client knows."""
    gone = asyncio.ensure_future(request.gone())
    try:
        async with aclosing(rest):
            yield first
            async for chunk in rest:
                if gone.done():
                    return
                yield chunk
    except OrthancError as error:
        logger.error(Category.HTTP, f"GET {request.path}: aborted: {error}")
        raise
    finally:
        gone.cancel()
