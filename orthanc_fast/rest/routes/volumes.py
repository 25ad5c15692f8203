"""Frames, instances, series and studies as arrays of numbers.

Source: reference chapter 2, sections 6 and 7; what is beyond Orthanc's: docs/volumes.md.
"""

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Level
from orthanc_fast.numerals import unsigned
from orthanc_fast.rest.byte_range import byte_range
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import OCTETS, HeaderField, Response, json_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rest.uri import boolean
from orthanc_fast.rights import Right
from orthanc_fast.services.volumes.geometry import Geometry
from orthanc_fast.services.volumes.places import Selection
from orthanc_fast.services.volumes.plan import TARGETS, Numbers
from orthanc_fast.services.volumes.volumes import ArrayBody, Wanted

ZIP = (b"content-type", b"application/zip")
GZIP = (b"content-type", b"application/gzip")
RANGES = (b"accept-ranges", b"bytes")

NUMBERS = "rescale dtype window-center window-width"


def add_routes(router: Router, settings: Settings) -> None:
    numpy = f"compress {NUMBERS}"
    router.add(
        "GET",
        "/series/{}/ordered-slices",
        get_ordered_slices,
        answer=SlicesAnswer,
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/series/{}/geometry",
        get_geometry,
        arguments="slices",
        answer=Geometry,
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/frames/{}/numpy",
        get_frame_numpy,
        arguments=numpy,
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/instances/{}/numpy",
        get_instance_numpy,
        arguments=f"{numpy} frames",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/series/{}/numpy",
        get_series_numpy,
        arguments=f"{numpy} slices",
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/studies/{}/numpy",
        get_study_numpy,
        arguments=NUMBERS,
        needs=Right.BROWSE,
        limited=True,
    )
    router.add(
        "GET",
        "/series/{}/nifti",
        get_nifti,
        arguments=f"{numpy} slices",
        needs=Right.BROWSE,
        limited=True,
    )


class SlicesAnswer(msgspec.Struct, gc=False):
    """The files in order, one path for each frame, and both in short."""

    Dicom: list[str]
    Slices: list[str]
    SlicesShort: list[tuple[str, int, int]]
    Type: str


def get_ordered_slices(request: Request) -> Response:
    """GET /series/{id}/ordered-slices"""
    slices = request.services.volumes.ordered_slices(request.caller, public_id(request))
    rows = [(to_text(instance.public), count) for instance, count in slices.rows]
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
    volumes = request.services.volumes
    return json_response(await volumes.geometry(request.caller, public_id(request), slices))


# Arrays


async def get_frame_numpy(request: Request) -> Response:
    """GET /instances/{id}/frames/{n}/numpy: (rows, columns, channels)."""
    wanted, frame = _wanted(request), _frame(request)
    volumes = request.services.volumes
    return await _numpy(
        request, await volumes.frame(request.caller, public_id(request), frame, wanted), wanted
    )


async def get_instance_numpy(request: Request) -> Response:
    """GET /instances/{id}/numpy: (frames, rows, columns, channels)."""
    wanted, volumes = _wanted(request, "frames"), request.services.volumes
    return await _numpy(
        request, await volumes.instance(request.caller, public_id(request), wanted), wanted
    )


async def get_series_numpy(request: Request) -> Response:
    """GET /series/{id}/numpy: (slices, rows, columns, channels)."""
    wanted, volumes = _wanted(request, "slices"), request.services.volumes
    return await _numpy(
        request, await volumes.series(request.caller, public_id(request), wanted), wanted
    )


async def get_study_numpy(request: Request) -> Response:
    """GET /studies/{id}/numpy: a .npz of all series that are volumes; X-Volume-Skipped names the
    others."""
    volumes = request.services.volumes
    body = await volumes.study(request.caller, public_id(request), _numbers(request))
    names = ",".join(to_text(series.public) for series in body.skipped).encode()
    headers = ((b"x-volume-skipped", names),) if names else ()
    return await while_present(request, body.stream, ZIP, headers, body.length)


async def get_nifti(request: Request) -> Response:
    """GET /series/{id}/nifti: NIfTI-1, gzipped with `compress`."""
    wanted, volumes = _wanted(request, "slices"), request.services.volumes
    body = await volumes.nifti(request.caller, public_id(request), wanted)
    name = b'filename="%s.nii%s"' % (request.params[0].encode(), b".gz" if wanted.packed else b"")
    headers = ((b"content-disposition", name),)
    if wanted.packed:
        return await while_present(request, body.gzipped(), GZIP, headers)
    return await while_present(request, body.whole(), OCTETS, headers, body.length)


# What the arguments say


def _wanted(request: Request, selection: str = "") -> Wanted:
    """Raises ParameterOutOfRange."""
    if not request.arguments:
        return Wanted()
    return Wanted(
        _numbers(request),
        _selection(request, selection) if selection else None,
        boolean(request.arguments, "compress"),
    )


def _frame(request: Request) -> int:
    """Raises UnknownResource before ParameterOutOfRange."""
    number = unsigned(request.params[1])
    if number is None:
        request.services.resources.require(request.caller, Level.INSTANCE, public_id(request))
        found = request.params[1][:64]
        raise ParameterOutOfRange(
            f'Expected an unsigned integer for the "frame" argument, found: {found}'
        )
    return number


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


def _geometry_headers(place: Geometry | None) -> tuple[HeaderField, ...]:
    if place is None:
        return ()
    rows = (
        (b"x-volume-origin", place.Origin),
        (b"x-volume-spacing", place.Spacing),
        (b"x-volume-direction", [value for row in place.Direction for value in row]),
    )
    return tuple((name, ",".join(f"{v:.9g}" for v in values).encode()) for name, values in rows)


async def _numpy(request: Request, body: ArrayBody, wanted: Wanted) -> Response:
    headers = _geometry_headers(body.place)
    if wanted.packed:
        return await while_present(request, body.zipped(), OCTETS, headers)
    tag = b'"%s"' % body.tag.encode()
    headers = (*headers, RANGES, (b"etag", tag))
    asked = request.header(b"range")
    if asked is None:
        whole = body.at_once()
        if whole is not None:
            return Response(whole, OCTETS, headers=headers)
        return await while_present(request, body.whole(), OCTETS, headers, body.length)
    is_current = request.header(b"if-range") in (None, tag)
    part = byte_range(asked, body.length) if is_current else None
    if part is None:
        return await while_present(request, body.whole(), OCTETS, headers, body.length)
    first, stop = part
    headers = (*headers, (b"content-range", b"bytes %d-%d/%d" % (first, stop - 1, body.length)))
    stream = body.part(first, stop)
    return await while_present(request, stream, OCTETS, headers, stop - first, status=206)
