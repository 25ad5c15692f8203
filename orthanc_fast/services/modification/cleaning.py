"""Texts without what identifies the patient, the staff and the site.

Source: DICOM PS3.15 section E.3.5 (Clean Descriptors Option).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Final

from orthanc_fast.dicom.text import CharacterSet, decode, encode
from orthanc_fast.services.modification.identifying import Category

# What is shorter says nothing: it would be found everywhere.
_SHORTEST_NAME: Final = 2
_SHORTEST_IDENTIFIER: Final = 3
# Of longer ones the beginning is looked for: files may have names of 64 KB.
_LONGEST: Final = 256
# From so many characters on a value is looked for inside words, too.
_INSIDE_WORDS: Final = 5

NOT_NAMES: Final = frozenset(
    [
        *("dr", "md", "mr", "mrs", "ms", "miss", "prof", "phd", "jr", "sr", "ii", "iii", "iv"),
        *("von", "van", "de", "der", "den", "la", "le", "di", "da", "del", "el", "al", "bin"),
        *("and", "of", "the", "und", "et"),
    ]
)
_BETWEEN_NAMES: Final = re.compile(r"[\s,;.()/_-]+")
_GAP: Final = r"[\W_]*"
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_TRANSCRIBED: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"}
)
_CONTROLS: Final = re.compile("[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_BLANKS: Final = re.compile(r"(?<=[ ]) +|^ +")


def too_short(category: Category, value: str) -> bool:
    """Whether a value, or all parts of a name, are too short to be looked for."""
    return not list(_patterns(category, value))


class Cleaner:
    """Takes values out of texts, in any case, with other punctuation, without their accents."""

    def __init__(self, values: Iterable[tuple[Category, str]]) -> None:
        found = {pattern for value in values for pattern in _patterns(*value)}
        ordered = sorted(found, key=lambda pattern: (-len(pattern), pattern))
        self._pattern = re.compile("|".join(ordered), re.IGNORECASE) if ordered else None

    def cleaned(self, raw: bytes, character_set: CharacterSet) -> bytes:
        """A value of even length: as it is where it says nothing, without its secrets, or, where
        they stand among binary data or cannot be cut out, empty."""
        text = decode(raw, character_set)
        if self._pattern is None or self._pattern.search(text) is None:
            return raw
        if _CONTROLS.search(text.rstrip(" \0")):
            return b""
        result = self.text(text)
        found = encode(result, character_set)
        if decode(found, character_set) != result:
            return b""
        return found + b" " * (len(found) % 2)

    def text(self, text: str) -> str:
        """What is left of a text; what comes together by a cut is looked at again."""
        while self._pattern is not None:
            cut = self._pattern.sub("", text)
            if cut == text:
                break
            text = _BLANKS.sub("", cut)
        return text


def _patterns(category: Category, value: str) -> Iterator[str]:
    for each in _spellings(value[:_LONGEST]):
        if category is Category.NAME:
            yield from _of_name(each)
        elif category is Category.IDENTIFIER:
            yield from _of_identifier(each)
        elif category is Category.PHRASE:
            yield from _of_phrase(each)
        else:
            yield from _of_date(each)


def _of_name(value: str) -> Iterator[str]:
    for group in value.split("="):
        components = [part.strip() for part in group.split("^") if part.strip()]
        words = [word for part in components for word in _BETWEEN_NAMES.split(part)]
        for part in {*components, *words}:
            if len(part) >= _SHORTEST_NAME and part.casefold().strip(".") not in NOT_NAMES:
                yield _word(part)
        for pair in permutations(components[:2], 2):  # as one word, too
            if sum(map(len, pair)) > _SHORTEST_NAME:
                yield _GAP.join(map(_flexible, pair))


def _of_identifier(value: str) -> Iterator[str]:
    plain = re.sub(r"[\W_]", "", value)
    for each in {plain, plain.lstrip("0")}:
        if len(each) >= _INSIDE_WORDS:
            yield r"[\s./_-]?".join(map(re.escape, each))
    if len(plain) >= _SHORTEST_IDENTIFIER:
        yield _word(value)


def _of_phrase(value: str) -> Iterator[str]:
    for part in {value, *re.split(r"[,;\r\n]+", value)}:
        if len(part.strip()) >= _SHORTEST_IDENTIFIER:
            yield _word(part.strip())


def _of_date(value: str) -> Iterator[str]:
    digits = value.replace(".", "").replace("-", "")
    if re.fullmatch(r"\d{8}", digits) is None:
        return
    year, month, day = digits[:4], digits[4:6], digits[6:]
    number = int(month) - 1
    name = _MONTHS[number] if 0 <= number < len(_MONTHS) else "-"
    month_name = f"{name[:3]}(?:{name[3:]})?" if name[3:] else name
    y = rf"(?:{year}|{year[2:]})"
    m, d = f"0?{int(month)}", f"0?{int(day)}"
    gap = r"[\s./,_-]+"
    yield rf"(?<!\d){year}[\W_]?{month}[\W_]?{day}(?!\d)"
    for parts in ((d, m, y), (m, d, y), (year, m, d)):
        yield r"(?<!\d)" + gap.join(parts) + r"(?!\d)"
    yield rf"(?<!\d){day}{month}{year}(?!\d)"
    yield rf"(?<!\d){month}{day}{year}(?!\d)"
    yield rf"(?<!\d){d}(?:st|nd|rd|th)?[\s./,_-]*{month_name}[\s./,_-]*{y}(?!\d)"
    yield rf"{month_name}[\s./,_-]*{d}(?:st|nd|rd|th)?[\s./,_-]*{y}(?!\d)"


def _word(value: str) -> str:
    """Short ones of letters, or of digits, only as a whole."""
    pattern = _flexible(value)
    if len(value) >= _INSIDE_WORDS or not value.isascii():
        return pattern
    return rf"(?<![^\W_]){pattern}(?![^\W_])"


def _flexible(value: str) -> str:
    """With any blanks and punctuation between its words."""
    return r"[\W_]+".join(map(re.escape, re.split(r"[\W_]+", value.strip()))) or re.escape(value)


def _spellings(value: str) -> set[str]:
    """As it is, and as machines without its letters write it."""
    folded = value.casefold()  # of one letter in upper case there may be two
    plain = {_without_accents(value), _without_accents(folded)}
    return {value, folded, folded.translate(_TRANSCRIBED), *plain}


def _without_accents(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part))
