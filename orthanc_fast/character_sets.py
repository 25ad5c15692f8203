"""The names of character sets in configuration and REST. Source: reference chapter 1, section
11.2."""

from typing import Final

from orthanc_fast.errors import ParameterOutOfRange

CHARACTER_SETS: Final = (
    "Ascii",
    "Utf8",
    "Latin1",
    "Latin2",
    "Latin3",
    "Latin4",
    "Latin5",
    "Cyrillic",
    "Windows1251",
    "Arabic",
    "Greek",
    "Hebrew",
    "Thai",
    "Japanese",
    "Chinese",
    "Korean",
    "JapaneseKanji",
    "SimplifiedChinese",
)
_CANONICAL = {name.lower(): name for name in CHARACTER_SETS}


def canonical_character_set(name: str) -> str:
    """The spelling of an encoding's name, whatever its case. Raises ParameterOutOfRange."""
    found = _CANONICAL.get(name.lower())
    if found is None:
        raise ParameterOutOfRange(f"Unknown encoding: {name!r}; one of {', '.join(CHARACTER_SETS)}")
    return found
