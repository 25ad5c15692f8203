"""The arguments with which a picture is asked for: viewport, window, quality.

Source: PS3.18, section 8.3.5.1; reference chapter 5, section 7.
"""

from typing import Final

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.imaging.picture import DEFAULT_QUALITY
from orthanc_fast.imaging.viewport import Part, Viewport, rounded
from orthanc_fast.imaging.voi import Function, Window
from orthanc_fast.numerals import decimal, unsigned
from orthanc_fast.rest.response import HeaderField

# What would have to be drawn, or told, that is not. A client may go on without it, but is warned.
_LEFT_OUT: Final = ("annotation", "iccprofile", "presentationUID", "presentationSeriesUID")
_SHOWN: Final = 100  # characters of an argument in an error
_FUNCTIONS: Final[dict[str, Function]] = {
    "linear": "LINEAR",
    "linear-exact": "LINEAR_EXACT",
    "sigmoid": "SIGMOID",
}


def viewport(text: str | None) -> Viewport | None:
    """`columns,rows[,left,top,width,height]`, each of which may be empty. Raises
    ParameterOutOfRange."""
    if text is None:
        return None
    members = text.split(",")
    if len(members) not in (2, 6):
        raise ParameterOutOfRange(
            f"viewport has 2 or 6 numbers with commas between them, not {text[:_SHOWN]!r}"
        )
    columns, rows = (_size(member, text) for member in members[:2])
    left, top, width, height = [_number(member, text) for member in members[2:]] or [None] * 4
    return Viewport(
        columns,
        rows,
        Part(
            rounded(left or 0),
            rounded(top or 0),
            None if width is None else rounded(width),
            None if height is None else rounded(height),
        ),
        is_mirrored=width is not None and width < 0,
        is_upside_down=height is not None and height < 0,
    )


def _size(member: str, text: str) -> int | None:
    if not member:
        return None
    size = unsigned(member)
    if not size:
        raise ParameterOutOfRange(
            f"width and height of a viewport are numbers above 0, as in 256,256, "
            f"not {text[:_SHOWN]!r}"
        )
    return size


def _number(member: str, text: str) -> float | None:
    if not member:
        return None
    number = decimal(member)
    if number is None:
        raise ParameterOutOfRange(
            f"the region of a viewport has decimal numbers, not {text[:_SHOWN]!r}"
        )
    return number


def window(text: str | None) -> Window | None:
    """`center,width,function`. Raises ParameterOutOfRange."""
    if text is None:
        return None
    members = text.split(",")
    if len(members) != 3:
        raise ParameterOutOfRange(
            f"window has 3 members, as in 40,400,linear, not {text[:_SHOWN]!r}"
        )
    center, width = decimal(members[0]), decimal(members[1])
    if center is None or width is None:
        raise ParameterOutOfRange(
            f"center and width of a window are numbers, not {text[:_SHOWN]!r}"
        )
    function = _FUNCTIONS.get(members[2])
    if function is None:
        raise ParameterOutOfRange(
            f"the function of a window is {', '.join(_FUNCTIONS)}, not {members[2][:_SHOWN]!r}"
        )
    return Window(center, width, function)


def quality(text: str | None) -> int:
    """Of JPEG, from 1 to 100. Raises ParameterOutOfRange."""
    if text is None:
        return DEFAULT_QUALITY
    number = unsigned(text, 100)
    if not number:
        raise ParameterOutOfRange(f"quality is a number from 1 to 100, not {text[:_SHOWN]!r}")
    return number


def warnings(arguments: dict[str, str]) -> tuple[HeaderField, ...]:
    """The header that names the arguments which have no effect."""
    names = [name for name in _LEFT_OUT if arguments.get(name, "no") != "no"]
    if not names:
        return ()
    return ((b"warning", f'299 - "Not applied: {", ".join(names)}"'.encode()),)
