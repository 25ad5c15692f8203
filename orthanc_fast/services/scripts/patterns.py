"""The regular expressions of scripts, matched against what clients send.

Those of Perl as Orthanc has them: a dot matches the end of a line too, there are classes such as
`[[:alpha:]]`, and letters are those of ASCII. One that takes too long is given up, as there: the
module `re` would keep the whole process busy, for years with `(a|aa)+` and a path of some hundred
characters.
"""

from typing import TYPE_CHECKING, Any, Final, Protocol

from orthanc_fast.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 0.1  # seconds that one match may take, looked at now and then
_SPECIAL: Final = frozenset(r".^$*+?{}[]\|()#")
_REPEATED: Final = frozenset("*?{")  # the character before it need not be there


class PatternError(Exception):
    """No regular expression; the text says why and where."""


class Match(Protocol):
    """What was matched."""

    string: str

    def groups(self) -> "Sequence[str | None]": ...


class Pattern:
    """A regular expression."""

    def __init__(self, pattern: str) -> None:
        """Raises PatternError."""
        import regex  # large, and needed where scripts have routes only

        try:
            self._compiled: Any = regex.compile(pattern, regex.DOTALL | regex.ASCII)
        except regex.error as error:
            raise PatternError(str(error)) from error

    def fullmatch(self, text: str) -> Match | None:
        """None where it does not match the whole text. Raises BadRequest where this takes too
        long."""
        try:
            found: Match | None = self._compiled.fullmatch(text, timeout=LONGEST)
        except TimeoutError as error:
            raise BadRequest(
                "It takes too long to match this path with the regular expression of a script"
            ) from error
        return found


def compiled(pattern: str) -> Pattern:
    """Raises PatternError."""
    return Pattern(pattern)


def literal_beginning(pattern: str) -> str:
    """What all that matches begins with."""
    if "|" in pattern or "(?" in pattern:  # alternatives; letters of any case, for one
        return ""
    end = next((at for at, letter in enumerate(pattern) if letter in _SPECIAL), len(pattern))
    if end < len(pattern) and pattern[end] in _REPEATED:
        end -= 1
    return pattern[: max(end, 0)]
