"""Worklists in the index of this server. Source: reference chapter 7, section 7.2.

Each is a property of its own. One more says which have changed lately, so that every process reads
what is new to it and no more.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

import msgspec

from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Index, Snapshot, Transaction
from orthanc_fast.model import timestamp
from orthanc_fast.services.find.matching import Matcher
from orthanc_fast.services.worklists.entries import Entries, Path, Worklist, check_identifier

PREFIX: Final = "worklists/"
_RECENT: Final = "worklists"
_REMEMBERED: Final = 200  # changes
_PAGE: Final = 500  # worklists that are read in one snapshot

Reader = Callable[[str, bytes, str], Worklist]
"""Makes a worklist of its identifier, the bytes of its file, and when it was created."""


class _Kept(msgspec.Struct, array_like=True):
    """A worklist in the index; `created` is in seconds since the epoch."""

    created: int
    file: bytes


class _Recent(msgspec.Struct, array_like=True):
    """How many changes there were, and the identifiers of the last ones."""

    count: int = 0
    identifiers: list[str] = []


_encode = msgspec.msgpack.encode
_kept = msgspec.msgpack.Decoder(_Kept).decode
_recent = msgspec.msgpack.Decoder(_Recent).decode


class Database:
    """The worklists in the index. See `contract.Shelf`."""

    def __init__(self, index: Index, read: Reader, now: Callable[[], float] = time.time) -> None:
        """`now` gives seconds since the epoch."""
        self._index = index
        self._read = read
        self._now = now
        self._entries = Entries()
        self._seen = -1  # changes, that the entries know of
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Reads what there is, so that the first question does not wait for it."""
        with self._lock:
            self._refresh()

    def close(self) -> None:
        """Nothing is held."""

    def candidates(self, conditions: Mapping[Path, Matcher]) -> list[Worklist]:
        with self._lock:
            self._refresh()
            return self._entries.candidates(conditions)

    def all(self) -> list[Worklist]:
        with self._lock:
            self._refresh()
            return [each for _, each in self._entries.named()]

    def get(self, identifier: str) -> Worklist:
        with self._lock:
            self._refresh()
            found = self._entries.get(identifier)
        if found is None:
            raise UnknownResource
        return found

    def put(self, identifier: str, data: bytes) -> None:
        """One that is replaced stays as old as it is."""
        check_identifier(identifier)
        name, now = PREFIX + identifier, int(self._now())
        self._read(identifier, data, timestamp(now))  # what nobody can read is not kept

        def work(transaction: Transaction) -> None:
            old = transaction.property(name)
            created = now if old is None else _kept(old).created
            transaction.set_property(name, _encode(_Kept(created, data)))
            _note(transaction, identifier)

        self._index.write(work)

    def delete(self, identifier: str) -> None:
        name = PREFIX + identifier

        def work(transaction: Transaction) -> None:
            if transaction.property(name) is None:
                raise UnknownResource
            transaction.set_property(name, None)
            _note(transaction, identifier)

        self._index.write(work)

    def _refresh(self) -> None:
        recent = self._index.read(lambda view: _recent_of(view.property(_RECENT)))
        news = recent.count - self._seen
        if news == 0:
            return
        if self._seen >= 0 and 0 < news <= len(recent.identifiers):
            for identifier in dict.fromkeys(recent.identifiers[-news:]):
                self._take(identifier, self._index.read(partial(_property, identifier)))
        else:
            self._seen = -1  # if it fails, everything is read again
            self._entries.clear()
            for name, value in self._everything():
                self._take(name.removeprefix(PREFIX), value)
        # What has changed since is read once more with the next question.
        self._seen = recent.count

    def _everything(self) -> Iterator[tuple[str, bytes]]:
        after: str | None = None
        while True:

            def page(view: Snapshot, after: str | None = after) -> list[tuple[str, bytes]]:
                return view.some_properties(PREFIX, after, _PAGE)

            found = self._index.read(page)
            yield from found
            if len(found) < _PAGE:
                return
            after = found[-1][0]

    def _take(self, identifier: str, value: bytes | None) -> None:
        if value is None:
            self._entries.remove(identifier)
            return
        kept = _kept(value)
        worklist = self._read(identifier, kept.file, timestamp(kept.created))
        self._entries.put(identifier, worklist)


def _property(identifier: str, view: Snapshot) -> bytes | None:
    return view.property(PREFIX + identifier)


def _recent_of(value: bytes | None) -> _Recent:
    return _Recent() if value is None else _recent(value)


def _note(transaction: Transaction, identifier: str) -> None:
    recent = _recent_of(transaction.property(_RECENT))
    identifiers = [*recent.identifiers, identifier][-_REMEMBERED:]
    transaction.set_property(_RECENT, _encode(_Recent(recent.count + 1, identifiers)))
