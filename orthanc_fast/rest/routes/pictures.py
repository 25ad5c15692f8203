"""Pictures of frames: /preview, /rendered, /image-uint8, /image-uint16, /image-int16, as PNG, JPEG
or PAM.

Every refusal has a status of its own and no body. Source: reference chapter 2, section 5.5.
"""

import math
import re
from collections.abc import Callable

from orthanc_fast.config import Settings
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.imaging.accept import BadQualityFactor, PictureFormat, negotiate
from orthanc_fast.imaging.picture import DEFAULT_QUALITY
from orthanc_fast.imaging.voi import Function
from orthanc_fast.model import Level
from orthanc_fast.numerals import BLANKS, unsigned
from orthanc_fast.rest.path_identifiers import public_id
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import NOT_FOUND, Response, empty_response
from orthanc_fast.rest.router import Router
from orthanc_fast.rest.routes.frames import frame_of
from orthanc_fast.rest.uri import FALSE, TRUE, boolean
from orthanc_fast.rights import Right
from orthanc_fast.services.pixels.pictures import (
    Draw,
    NoPicture,
    Rendering,
    draw_gray,
    draw_preview,
)

Arguments = dict[str, str]

_KINDS = {form: (b"content-type", form.value.encode()) for form in PictureFormat}
_UNSUPPORTED_PATH = "app/images/unsupported.png"
_REDIRECT = "returnUnsupportedImage"

_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf(inity)?|nan)", re.ASCII | re.I)

_FUNCTIONS: dict[str, Function | None] = {
    "standard": None,
    "linear": "LINEAR",
    "linear-exact": "LINEAR_EXACT",
    "sigmoid": "SIGMOID",
}

_COMMON = f"quality {_REDIRECT}"
_RENDERED = f"window-center window-width width height smooth voi {_COMMON}"


def add_routes(router: Router, settings: Settings) -> None:
    for base in ("/instances/{}", "/instances/{}/frames/{}"):
        for name, handler, arguments in (
            ("preview", get_preview, _COMMON),
            ("rendered", get_rendered, _RENDERED),
            ("image-uint8", get_uint8, _COMMON),
            ("image-uint16", get_uint16, _COMMON),
            ("image-int16", get_int16, _COMMON),
        ):
            path = f"{base}/{name}"
            router.add(
                "GET",
                path,
                handler,
                arguments=arguments,
                answer="image/png",
                needs=Right.BROWSE,
                limited=True,
            )


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


async def get_preview(request: Request) -> Response:
    """GET .../preview: the values of the frame stretched over 0..255, colour as it is."""
    return await _picture(request, lambda arguments: draw_preview)


async def get_rendered(request: Request) -> Response:
    """GET .../rendered: through the window of the file or of the arguments, in any size."""
    return await _picture(request, lambda arguments: _rendering(arguments).draw)


async def get_uint8(request: Request) -> Response:
    """GET .../image-uint8: the grey values, clipped to 0..255."""
    return await _picture(request, lambda arguments: draw_gray("u1"))


async def get_uint16(request: Request) -> Response:
    """GET .../image-uint16: the grey values, clipped to 0..65535."""
    return await _picture(request, lambda arguments: draw_gray("u2"), is_wide=True)


async def get_int16(request: Request) -> Response:
    """GET .../image-int16: the grey values, clipped to -32768..32767."""
    return await _picture(request, lambda arguments: draw_gray("i2"), is_wide=True)


async def _picture(
    request: Request, draw_for: Callable[[Arguments], Draw], is_wide: bool = False
) -> Response:
    services = request.services
    instance = await services.reads.run(
        services.resources.find, request.caller, Level.INSTANCE, public_id(request)
    )
    frame = frame_of(request)
    if instance is None or frame is None:
        return NOT_FOUND
    arguments, pictures = request.arguments, request.services.pictures
    try:
        draw = draw_for(arguments)
        quality = _quality(arguments)
        form = _form(request.header(b"accept"), is_wide)
        body = await pictures.picture(instance, frame, draw, form, quality)
    except NoPicture:
        return _refusal(415, request)
    except _Refused as refused:
        # What has no picture at all is told before what is wrong with the arguments.
        decodable = refused.status == 415 or await pictures.is_decodable(instance, frame)
        return _refusal(refused.status if decodable else 415, request)
    return Response(body, _KINDS[form])


def _refusal(status: int, request: Request) -> Response:
    if status == 415 and boolean(request.arguments, _REDIRECT):
        up = "../" * (len(request.segments) - 1)
        return empty_response(307, ((b"location", f"{up}{_UNSUPPORTED_PATH}".encode()),))
    return empty_response(status)


def _form(accept: bytes | None, is_wide: bool) -> PictureFormat:
    try:
        form = negotiate(accept)
    except BadQualityFactor:
        raise _Refused(415) from None
    if form is None or (is_wide and form is PictureFormat.JPEG):
        raise _Refused(404)
    return form


def _quality(arguments: Arguments) -> int:
    text = arguments.get("quality")
    if text is None:
        return DEFAULT_QUALITY
    quality = unsigned(text.strip(BLANKS), 100)
    if not quality:
        raise _Refused(415)
    return quality


def _rendering(arguments: Arguments) -> Rendering:
    if not arguments:
        return Rendering()
    voi = arguments.get("voi")
    if voi is not None and voi not in _FUNCTIONS:
        raise ParameterOutOfRange(f'"voi" is one of {", ".join(_FUNCTIONS)}; found: {voi}')
    return Rendering(
        center=_real(arguments, "window-center"),
        width=_real(arguments, "window-width"),
        columns=_cardinal(arguments, "width"),
        rows=_cardinal(arguments, "height"),
        smooth=_smooth(arguments),
        standard=voi is not None,
        function=None if voi is None else _FUNCTIONS[voi],
    )


def _real(arguments: Arguments, name: str) -> float | None:
    text = arguments.get(name)
    if text is None:
        return None
    text = text.strip(BLANKS)
    if not _REAL.fullmatch(text):
        raise _Refused(404)
    value = float(text)
    if math.isinf(value) and text[-1].isdigit():  # too large for a double
        raise _Refused(404)
    return value


def _cardinal(arguments: Arguments, name: str) -> int:
    text = arguments.get(name)
    if text is None:
        return 0
    number = unsigned(text)
    if number is None:
        raise _Refused(404)
    return number


def _smooth(arguments: Arguments) -> bool:
    text = arguments.get("smooth")
    text = None if text is None else text.strip(BLANKS)
    if text is not None and text not in TRUE and text not in FALSE:
        raise _Refused(415)
    return text in TRUE
