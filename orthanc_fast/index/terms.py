"""Terms: the values under which resources can be found.

    (kind, level):1 number:4 folded value [0 value] => sha1:20 ...    (duplicates, sorted)

A value lies under its folded form, in which upper and lower case are one; the value itself follows
where it differs, so that every comparison, whatever its rules, is decided on the key alone. The
resources under a key are sorted as answers list them.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from struct import Struct

import lmdb

from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction
from orthanc_fast.index.lmdb.records import resource_decoder
from orthanc_fast.model import Level, Resource, timestamp
from orthanc_fast.registries import LAST_UPDATE

MAX_KEY = 511  # what LMDB takes; a longer value is cut, which `value_of` tells

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


def folded_of(key: bytes) -> bytes:
    """The folded value of a key."""
    return key[HEAD_SIZE:].partition(b"\0")[0]


def value_of(key: bytes) -> str | None:
    """The value of a key; None where it was cut, so that the record must be asked."""
    if len(key) >= MAX_KEY:
        return None
    folded, separator, value = key[HEAD_SIZE:].partition(b"\0")
    return (value if separator else folded).decode("utf-8", "replace")


class TermWriter:
    """Keeps the terms of resources in one transaction."""

    def __init__(self, env: Environment, txn: WriteTransaction, terms: Terms) -> None:
        self._db = env.value
        self._txn = txn
        self._terms = terms

    def keys(self, resource: Resource) -> set[tuple[bytes, bytes]]:
        """The (key, SHA-1) pairs of a resource. Those of kind OF_CHILD name its parent."""
        level = resource.level
        found = {
            (term_key(kind, level - 1, number, value), resource.parent_public)
            if kind == Kind.OF_CHILD
            else (term_key(kind, level, number, value), resource.public)
            for kind, number, value in self._terms(resource)
        }
        if level != Level.INSTANCE:
            found.add((_update_key(resource), resource.public))
        return found

    def add(self, resource: Resource) -> None:
        self._put(self.keys(resource))

    def remove(self, resource: Resource, siblings: Callable[[], Iterable[Resource]]) -> None:
        """Takes away the terms; what a sibling gives its parent too stays."""
        self._delete(self.keys(resource), resource, siblings)

    def change(
        self,
        before: set[tuple[bytes, bytes]],
        resource: Resource,
        siblings: Callable[[], Iterable[Resource]],
    ) -> None:
        """From the terms that the resource had to those that it has now."""
        after = self.keys(resource)
        self._delete(before - after, resource, siblings)
        self._put(after - before)

    def set_last_update(self, resource: Resource, now: int) -> None:
        """Changes `last_update` with its term."""
        if resource.last_update != now:
            self._txn.delete(_update_key(resource), resource.public, db=self._db)
            resource.last_update = now
            self._txn.put(_update_key(resource), resource.public, db=self._db)

    def _put(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        for key, public in pairs:
            self._txn.put(key, public, db=self._db)

    def _delete(
        self,
        pairs: Iterable[tuple[bytes, bytes]],
        resource: Resource,
        siblings: Callable[[], Iterable[Resource]],
    ) -> None:
        of_child = set()
        for key, public in pairs:
            if key[0] >> 4 == Kind.OF_CHILD:
                of_child.add((key, public))
            else:
                self._txn.delete(key, public, db=self._db)
        if of_child:
            for sibling in siblings():
                if sibling.id != resource.id:
                    of_child -= self.keys(sibling)
                    if not of_child:
                        return
        for key, public in of_child:
            self._txn.delete(key, public, db=self._db)


def _update_key(resource: Resource) -> bytes:
    return term_key(Kind.METADATA, resource.level, LAST_UPDATE, timestamp(resource.last_update))


def build_terms(env: Environment, txn: lmdb.Transaction, terms: Terms) -> None:
    """Writes the terms of all resources, for a migration."""
    writer = TermWriter(env, txn, terms)
    for record in txn.cursor(db=env.resource).iternext(keys=False, values=True):
        writer.add(resource_decoder.decode(record))
