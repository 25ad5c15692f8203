"""How the value of a query is compared with a stored one. Source: reference chapter 1, section 9.

Two comparisons must both succeed. The first is that of Orthanc's index: identifiers in their normal
form, others with the case of ASCII letters ignored. The second compares the values themselves, in
upper case with accents kept. Terms in the index hold both the folded and the true value, so that
both are decided there.
"""

import re
from collections.abc import Callable, Sequence

from orthanc_fast._ext.wildcards import Pattern, counts
from orthanc_fast.dicom.identifiers import normalise
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.contract import Search
from orthanc_fast.index.packed import union
from orthanc_fast.index.terms import HEAD_SIZE, MAX_KEY, Kind, fold, value_of

# Identifiers are compared in their normal form.
IDENTIFIERS = frozenset(
    {
        0x00100020,  # PatientID
        0x00100010,  # PatientName
        0x00100030,  # PatientBirthDate
        0x0020000D,  # StudyInstanceUID
        0x00080050,  # AccessionNumber
        0x00081030,  # StudyDescription
        0x00080020,  # StudyDate
        0x0020000E,  # SeriesInstanceUID
        0x00080018,  # SOPInstanceUID
    }
)

RANGE_VRS = frozenset({"DA", "DT", "TM"})
WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})

# Compiling one takes a tenth of a millisecond, while nothing else goes on.
MAX_WILDCARDS = 256
# Which part of the resources must have a key of its own for keys and resources to be read together.
_OWN_KEYS = 0.5
_SHOWN = 40  # characters of a pattern in an error

_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}

# In folded values, joined by line feeds, whatever may make the two comparisons differ: characters
# that the normal form changes, spaces at an end.
_DEVIANT = re.compile(rb"[\x01-\x09\x0b-\x1f\x7f-\xff%_]|[\n\0] | [\n\0]")
# A value of a key without these.
_PLAIN_KEY = re.compile(rb"(?! )(?:[ -$&-^`-~]|(?<! )\0(?! ))*(?<! )\Z").match


def ascii_lower(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def are_plain(values: Sequence[bytes]) -> bool:
    """Whether both comparisons see the same in these folded values, when case does not count."""
    joined = b"\n".join([b"", *values, b""])
    return joined.count(b"\n") == len(values) + 1 and not _DEVIANT.search(joined)


def _same(text: str) -> str:
    return text


class Matcher:
    """One condition on a value. `indexed` is the first comparison, `exact` the second."""

    walks = False  # whether finding its keys takes a walk over many
    _plain = False  # whether both comparisons see the same in a candidate that is plain
    finds_absent = False  # whether what has no such value matches; then no key finds it

    def __init__(self, identifier: bool, case_sensitive: bool) -> None:
        self.identifier = identifier
        self.case_sensitive = case_sensitive
        self._first: Callable[[str], str] = (
            normalise if identifier else _same if case_sensitive else ascii_lower
        )
        self._second: Callable[[str], str] = _same if case_sensitive else fold

    def indexed(self, value: str) -> bool:
        raise NotImplementedError

    def exact(self, value: str) -> bool:
        raise NotImplementedError

    def matches(self, value: str) -> bool:
        return self.exact(value) and self.indexed(value)

    def keys(self, search: Search, kind: Kind, level: int, number: int) -> "Keys":
        """The keys of the index under which the matching values lie."""
        found = self._candidates(search, kind, level, number)
        longest = max(map(len, found), default=0)
        if longest < MAX_KEY and self._all_match(found):
            return Keys(found, [])
        sure, cut = [], []
        for key in found:
            if len(key) >= MAX_KEY:
                cut.append(key)
            elif (self._plain and _PLAIN_KEY(key, HEAD_SIZE)) or self.matches(value_of(key) or ""):
                sure.append(key)
        return Keys(sure, cut)

    def members(
        self, search: Search, kind: Kind, level: int, number: int
    ) -> tuple[bytes, list[bytes]] | None:
        """The set of the resources whose value matches, and the keys of values that were cut, where
        that takes less than `keys` and the sets under them; else None."""
        return None

    def _candidates(self, search: Search, kind: Kind, level: int, number: int) -> list[bytes]:
        raise NotImplementedError

    def _all_match(self, found: list[bytes]) -> bool:
        """Whether no candidate needs a closer look."""
        return False


class Keys:
    """Keys of matching values, and those of values that were cut: their records decide."""

    __slots__ = ("cut", "sure")

    def __init__(self, sure: list[bytes], cut: list[bytes]) -> None:
        self.sure = sure
        self.cut = cut

    @property
    def all(self) -> list[bytes]:
        return self.sure + self.cut


class Equality(Matcher):
    def __init__(self, value: str, identifier: bool, case_sensitive: bool) -> None:
        super().__init__(identifier, case_sensitive)
        self.value = value
        self._wanted = self._first(value), self._second(value)

    def indexed(self, value: str) -> bool:
        return self._first(value) == self._wanted[0]

    def exact(self, value: str) -> bool:
        return self._second(value) == self._wanted[1]

    def _candidates(self, search: Search, kind: Kind, level: int, number: int) -> list[bytes]:
        return search.equal(kind, level, number, self.value)


class OneOf(Matcher):
    """A list: one of its items is the value; in the second comparison, one of the value's items."""

    def __init__(self, values: list[str], identifier: bool, case_sensitive: bool) -> None:
        super().__init__(identifier, case_sensitive)
        self.values = values
        self._firsts = {self._first(value) for value in values}
        self._seconds = {self._second(value) for value in values}

    def indexed(self, value: str) -> bool:
        return self._first(value) in self._firsts

    def exact(self, value: str) -> bool:
        return any(self._second(item) in self._seconds for item in value.split("\\"))

    def _candidates(self, search: Search, kind: Kind, level: int, number: int) -> list[bytes]:
        folded = {fold(value): value for value in self.values}
        return [
            key for value in folded.values() for key in search.equal(kind, level, number, value)
        ]


class Range(Matcher):
    """Bounds are compared as texts and belong to the range; an empty one is no bound."""

    walks = True

    def __init__(self, low: str, high: str, identifier: bool, case_sensitive: bool) -> None:
        super().__init__(identifier, case_sensitive)
        self.low, self.high = low, high
        self._firsts = self._first(low), self._first(high)
        self._seconds = self._second(low), self._second(high)
        self._folded = fold(low).encode("utf-8", "replace"), fold(high).encode("utf-8", "replace")
        self._plain = not case_sensitive and are_plain(self._folded)

    def indexed(self, value: str) -> bool:
        return _within(self._first(value), *self._firsts)

    def exact(self, value: str) -> bool:
        return _within(self._second(value), *self._seconds)

    def _candidates(self, search: Search, kind: Kind, level: int, number: int) -> list[bytes]:
        low, high = self._folded
        if self.case_sensitive and (low + high).upper() != (low + high).lower():
            return search.between(kind, level, number)  # lower case has another order
        return search.between(kind, level, number, low, high or None)

    def _all_match(self, found: list[bytes]) -> bool:
        return self._plain and are_plain([key[HEAD_SIZE:] for key in found])


def _within(value: str, low: str, high: str) -> bool:
    return (not low or low <= value) and (not high or value <= high)


class Wildcard(Matcher):
    """`*` is any run of characters, `?` any one; the pattern covers the whole value."""

    walks = True

    def __init__(self, pattern: str, identifier: bool, case_sensitive: bool) -> None:
        super().__init__(identifier, case_sensitive)
        if pattern.count("*") + pattern.count("?") > MAX_WILDCARDS:
            raise ParameterOutOfRange(
                f"A pattern has {MAX_WILDCARDS} wildcards at most, not {pattern[:_SHOWN]!r}..."
            )
        self.pattern = pattern
        folded = fold(pattern)
        # One expression for each of the two comparisons (see Matcher), whose values differ in case
        # and accents; a compiled pattern for the keys of the index.
        self._first_match = re.compile(wildcard_expression(self._first(pattern)), re.S).fullmatch
        self._second_match = re.compile(wildcard_expression(self._second(pattern)), re.S).fullmatch
        prefix = re.split(r"[*?]", folded, maxsplit=1)[0].encode("utf-8", "replace")
        # The greatest UTF-8 text with this prefix lies below the prefix followed by FF.
        self._bounds = prefix, prefix + b"\xff" if prefix else None
        pieces = [_key_piece(piece) for piece in re.split(r"\*+", folded)]
        self._pattern = Pattern(pieces, HEAD_SIZE)
        self._everything = not pattern.strip("*")
        self._plain = not case_sensitive and are_plain([folded.encode("utf-8", "replace")])
        # What the normal form takes from a value is none of these letters, so that what it leaves
        # matches too; `?` may stand for what it takes.
        self._certain = self._plain and "?" not in pattern and " " not in pattern

    def indexed(self, value: str) -> bool:
        return self._first_match(self._first(value)) is not None

    def exact(self, value: str) -> bool:
        return self._second_match(self._second(value)) is not None

    def members(
        self, search: Search, kind: Kind, level: int, number: int
    ) -> tuple[bytes, list[bytes]] | None:
        if not self._certain:
            return None
        found: list[bytes] = []
        cut: list[bytes] = []
        for rows in search.rows(kind, level, number, *self._bounds):
            if not found:
                amount, keys = counts(rows)
                if keys < amount * _OWN_KEYS:
                    return None  # many resources have the same value: their sets are read faster
            found.append(self._pattern.members(rows, MAX_KEY, cut))
        return union(found), list(dict.fromkeys(cut))

    def _candidates(self, search: Search, kind: Kind, level: int, number: int) -> list[bytes]:
        found = search.between(kind, level, number, *self._bounds)
        if self._everything:
            return found
        return self._pattern.matching(found, MAX_KEY)

    def _all_match(self, found: list[bytes]) -> bool:
        if self._everything or self._certain:
            return True
        return self._plain and are_plain([key[HEAD_SIZE:] for key in found])


def _key_piece(piece: str) -> bytes:
    """What stands between two stars, for keys; folded texts have no zero."""
    return piece.replace("?", "\0").encode("utf-8", "replace")


def wildcard_expression(pattern: str) -> str:
    """For a whole value, whatever characters it has.

    What lies between two stars is taken where it comes first and never looked for again (atomic
    groups): a pattern of many stars costs the length of the value, not a power of it.
    """
    first, *others = (
        "".join("." if c == "?" else re.escape(c) for c in piece)
        for piece in re.split(r"\*+", pattern)
    )
    if not others:
        return first
    middle = "".join(f"(?>.*?{piece})" for piece in others[:-1])
    return f"{first}{middle}.*{others[-1]}"


def matcher(
    text: str,
    vr: str,
    identifier: bool,
    case_sensitive: bool,
    name: str,
) -> Matcher | None:
    """What the text of a query means for a tag of this VR; None for no condition.

    Raises ParameterOutOfRange for wildcards where the VR has none; `name` says of what.
    """
    if not text:
        return None
    if vr in RANGE_VRS and "-" in text:
        low, _, high = text.partition("-")
        return Range(low, high, identifier, case_sensitive) if low or high else None
    if "\\" in text:
        return OneOf(text.split("\\"), identifier, case_sensitive)
    if "*" in text or "?" in text:
        if vr not in WILDCARD_VRS:
            raise ParameterOutOfRange(f"Wildcards are not allowed on tag {name}")
        return Wildcard(text, identifier, case_sensitive)
    return Equality(text, identifier, case_sensitive)


def is_universal(matcher: Matcher) -> bool:
    """Whether the pattern is a single `*`: what any value matches."""
    return isinstance(matcher, Wildcard) and matcher.pattern == "*"


def text_matcher(text: str, case_sensitive: bool) -> Matcher | None:
    """What the text of a query means for metadata; None for no condition."""
    return matcher(text, "LO", False, case_sensitive, "")
