"""C-FINDs that have been carried out, with their answers: what `/queries` shows and retrieval
starts from. Source: reference chapter 4, section 5.6.

They lie in the runtime state, so that every process knows them: the answers encoded, `PAGE` of them
as one value, so that neither who writes nor who reads them has more than a page in memory. Of the
queries the one that nobody has used for longest is forgotten when there are more than
`QueryRetrieveSize`, or when all of them take more than `ALL` bytes.
"""

import itertools
import uuid
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import msgspec

from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.runtime.contract import Runtime, Snapshot, Transaction
from orthanc_fast.services.store.visibility import restricted

Answer = dict[int, str | None]
"""The elements of one answer by tag, as texts in Unicode; None for those that nobody knows, and
private ones."""

PAGE: Final = 100  # answers in one value of the runtime state
ALL: Final = 1 << 30  # bytes of the answers of all

_REMOVED_AT_ONCE: Final = 16  # pages

_ORDER: Final = "query-order"  # of use, the latest last
_encode = msgspec.msgpack.Encoder().encode
_decode_page = msgspec.msgpack.Decoder(list[Answer]).decode


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of whom. `modality` is a symbolic name; `tags` are those of the client, as
    texts; `timeout` is in seconds, None where the client has given none."""

    modality: str
    level: Level
    tags: dict[int, str]
    normalize: bool = True
    timeout: int | None = None


class Done(msgspec.Struct, frozen=True):
    """A query with its identifier and the number of its answers."""

    identifier: str
    query: Query
    count: int


class _Place(msgspec.Struct, array_like=True):
    identifier: str
    size: int  # bytes of its answers


_decode_done = msgspec.msgpack.Decoder(Done).decode
_decode_order = msgspec.msgpack.Decoder(list[_Place]).decode


class Queries:
    """The queries of this server, the same in all processes. `caller` is who asks for them."""

    def __init__(self, runtime: Runtime, size: int, slot: str) -> None:
        """`size` is how many are kept, `slot` the name of this process: what one of the same name
        has left unfinished is removed."""
        self._runtime = runtime
        self._size = size
        self._drafts = f"query-drafts/{slot}/"
        for name, _ in runtime.read(lambda snapshot: snapshot.below(self._drafts)):
            self._drop_draft(name.removeprefix(self._drafts))

    def identifiers(self, caller: Caller) -> list[str]:
        """All of them, sorted."""
        order = self._runtime.read(restricted(caller, lambda view: view.get(_ORDER)))
        return sorted(place.identifier for place in _places(order))

    def get(self, caller: Caller, identifier: str) -> Done:
        """The query of an identifier, which is the latest in use now. Raises UnknownResource."""
        places, head = self._runtime.read(restricted(caller, lambda view: _found(view, identifier)))
        if head is None:
            raise UnknownResource(f"No query with identifier: {identifier}")
        if places[-1].identifier != identifier:
            self._runtime.write(lambda transaction: _touch(transaction, identifier))
        return _decode_done(head)

    def delete(self, caller: Caller, identifier: str) -> None:
        """Forgets a query, if there is one. Blocks for as long as large answers take."""
        self._remove(
            self._runtime.write(restricted(caller, lambda each: self._forget(each, identifier)))
        )

    def answer(self, caller: Caller, done: Done, number: int) -> Answer:
        """One of the answers. Raises ParameterOutOfRange where there is none of that number,
        UnknownResource if the query has been forgotten meanwhile."""
        if not 0 <= number < done.count:
            raise ParameterOutOfRange(f"The query has {done.count} answers, from 0 on: {number}")
        return self._page(caller, done, number // PAGE)[number % PAGE]

    def answers(self, caller: Caller, done: Done) -> Iterator[list[Answer]]:
        """All answers, page by page. Raises UnknownResource if the query is forgotten
        meanwhile."""
        for number in range(-(-done.count // PAGE)):
            yield self._page(caller, done, number)

    def _page(self, caller: Caller, done: Done, number: int) -> list[Answer]:
        name = _page_name(done.identifier, number)
        page = self._runtime.read(restricted(caller, lambda view: view.get(name)))
        if page is None:
            raise UnknownResource(f"The query has been forgotten: {done.identifier}")
        return _decode_page(page)

    def add(self, caller: Caller, query: Query, answers: Iterable[Answer]) -> Done:
        """Keeps a query with its answers, which are taken as they come. If they raise nothing is
        kept."""
        identifier = str(uuid.uuid4())
        write = self._runtime.write
        write(restricted(caller, lambda transaction: transaction.set(self._draft(identifier), b"")))
        try:
            count, size = self._write_pages(identifier, answers)
            done = Done(identifier, query, count)
            displaced = write(lambda transaction: self._enter(transaction, done, size))
        except BaseException:
            self._drop_draft(identifier)
            raise
        self._remove(displaced)
        return done

    def _write_pages(self, identifier: str, answers: Iterable[Answer]) -> tuple[int, int]:
        """The number of the answers and their bytes."""
        count = size = 0
        arriving = iter(answers)
        for number in itertools.count():
            page = list(itertools.islice(arriving, PAGE))
            if not page:
                break
            encoded = _encode(page)
            count += len(page)
            size += len(encoded)
            self._runtime.write(partial(_set, name=_page_name(identifier, number), value=encoded))
        return count, size

    def _enter(self, transaction: Transaction, done: Done, size: int) -> list[str]:
        """The queries that are forgotten for this one."""
        transaction.delete(self._draft(done.identifier))
        transaction.set(_head(done.identifier), _encode(done))
        places = [*_places(transaction.get(_ORDER)), _Place(done.identifier, size)]
        total = sum(place.size for place in places)
        displaced = []
        while len(places) > self._size or (total > ALL and len(places) > 1):
            oldest = places.pop(0)
            total -= oldest.size
            displaced.append(oldest.identifier)
            self._hide(transaction, oldest.identifier)
        transaction.set(_ORDER, _encode(places))
        return displaced

    def _forget(self, transaction: Transaction, identifier: str) -> list[str]:
        """The query, if there is such a one."""
        places = _places(transaction.get(_ORDER))
        kept = [place for place in places if place.identifier != identifier]
        if len(kept) == len(places):
            return []
        transaction.set(_ORDER, _encode(kept))
        self._hide(transaction, identifier)
        return [identifier]

    def _hide(self, transaction: Transaction, identifier: str) -> None:
        """Nobody finds it any more; its answers are a draft's, which goes later."""
        transaction.delete(_head(identifier))
        transaction.set(self._draft(identifier), b"")

    def _remove(self, hidden: Iterable[str]) -> None:
        for identifier in hidden:
            self._drop_draft(identifier)

    def _draft(self, identifier: str) -> str:
        return self._drafts + identifier

    def _drop_draft(self, identifier: str) -> None:
        """Some pages at a time: all other writes of the runtime state wait meanwhile."""

        def work(transaction: Transaction) -> bool:
            for _ in range(_REMOVED_AT_ONCE):
                page = transaction.first_below(_pages(identifier))
                if page is None:
                    transaction.delete(self._draft(identifier))
                    return True
                transaction.delete(page[0])
            return False

        while not self._runtime.write(work):
            pass


def _set(transaction: Transaction, name: str, value: bytes) -> None:
    transaction.set(name, value)


def _head(identifier: str) -> str:
    return f"queries/{identifier}"


def _pages(identifier: str) -> str:
    return f"query-answers/{identifier}/"


def _page_name(identifier: str, number: int) -> str:
    return f"{_pages(identifier)}{number:08}"


def _places(order: bytes | None) -> list[_Place]:
    return [] if order is None else _decode_order(order)


def _found(view: Snapshot, identifier: str) -> tuple[list[_Place], bytes | None]:
    places = _places(view.get(_ORDER))
    if all(place.identifier != identifier for place in places):
        return places, None
    return places, view.get(_head(identifier))


def _touch(transaction: Transaction, identifier: str) -> None:
    """Makes a query the latest in use, if it is still there."""
    places = _places(transaction.get(_ORDER))
    places.sort(key=lambda place: place.identifier == identifier)
    transaction.set(_ORDER, _encode(places))
