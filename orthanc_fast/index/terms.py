"""Terms: the values under which resources can be found.

    (kind, level):1 number:4 folded value [0 value]

The keys of terms, and their order, are the same in every implementation of the index. A value lies
under its folded form, in which upper and lower case are one; the value itself follows where it
differs, so that every comparison, whatever its rules, is decided on the key alone. Under a key are
the identifiers of the resources that have the term, sorted as answers list them.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from struct import Struct

from orthanc_fast.model import Level, Resource

MAX_KEY = 511  # as many bytes as LMDB takes; a longer value is cut, which `value_of` tells

_HEAD = Struct(">BI")
HEAD_SIZE = _HEAD.size


class Kind(IntEnum):
    """What a term is about; the numbers are part of the index's key layout."""

    TAG = 0  # number: the tag
    LABEL = 1  # number: 0
    METADATA = 2  # number: that of the metadata
    OF_CHILD = 3  # the parent is found by this value of a child; number: the tag


Term = tuple[Kind, int, str]
Terms = Callable[[Resource], Iterable[Term]]
"""Gives the terms of a resource. It must depend on nothing but the resource's tags, labels and
metadata, since it also says what to take away when these change and at deletion."""


def fold(text: str) -> str:
    """The form in which values are compared without regard to case: upper case, one character for
    one, accents kept. No character becomes ASCII that was not."""
    if text.isascii():
        return text.upper().replace("\0", "\x01")
    return "".join(map(_fold_character, text)).replace("\0", "\x01")


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    upper = character.upper()
    if len(upper) != 1 or (upper.isascii() and not character.isascii()):
        return character
    return upper


def field_prefix(kind: Kind, level: int, number: int) -> bytes:
    """All terms of one kind, level and number begin with this."""
    return _HEAD.pack(kind << 4 | level, number)


def folded_key(kind: Kind, level: int, number: int, value: str) -> bytes:
    """The terms whose value folds to the same text begin with this, and end there or go on with
    0."""
    return (field_prefix(kind, level, number) + fold(value).encode("utf-8", "replace"))[:MAX_KEY]


def term_key(kind: Kind, level: int, number: int, value: str) -> bytes:
    folded = fold(value)
    key = field_prefix(kind, level, number) + folded.encode("utf-8", "replace")
    if folded != value:
        key += b"\0" + value.encode("utf-8", "replace")
    return key[:MAX_KEY]


def level_of(key: bytes) -> Level:
    """The level of the resources that have the term of a key."""
    return Level(key[0] & 15)


def folded_of(key: bytes) -> bytes:
    """The folded value of a key."""
    return key[HEAD_SIZE:].partition(b"\0")[0]


def value_of(key: bytes) -> str | None:
    """The value of a key; None where it was cut, so that the record must be asked."""
    if len(key) >= MAX_KEY:
        return None
    folded, separator, value = key[HEAD_SIZE:].partition(b"\0")
    return (value if separator else folded).decode("utf-8", "replace")


def successor(prefix: bytes) -> bytes:
    """The first key after all those that begin with `prefix`."""
    return (int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big")


def between_bounds(
    kind: Kind, level: int, number: int, low: bytes, high: bytes | None
) -> tuple[bytes, bytes]:
    """The first key, and the first one after the last, of those whose folded value begins at or
    after `low` and does not lie above `high` and what begins with it; None is no bound."""
    prefix = field_prefix(kind, level, number)
    # All that begins with the upper bound, the bound's other spellings included, lies below.
    return prefix + low, successor(prefix) if high is None else prefix + high + b"\1"
