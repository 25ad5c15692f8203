"""Key-value stores: texts to bytes, durable in the index, shared by all scripts.

Source: reference chapter 7, section 3.
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Final

import msgspec

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

PREFIX: Final = "key-values/"
NAMES: Final = "key-value-stores/"
PAGE: Final = 100  # entries that an iteration reads at a time

# The index takes names of some 500 bytes; of longer keys the beginning and a digest are in the
# name, and the key itself stands with the value.
_LONGEST_KEY: Final = 380
_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(tuple[str, bytes]).decode


class KeyValueStores:
    """The stores of the server by name. A store exists while something is in it."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        self._read = reads
        self._write = writes

    def get(self, caller: Caller, store: str, key: str) -> bytes | None:
        """What is stored under a key, or None."""
        name = _name(store, key)
        found = self._read(caller, lambda view: view.property(name))
        return None if found is None else _decode(found)[1]

    async def put(self, caller: Caller, store: str, key: str, value: bytes) -> None:
        """Stores a value under a key, in place of what was there. Raises ParameterOutOfRange for
        an empty one, as Orthanc does."""
        if not value:
            raise ParameterOutOfRange("a key-value store takes no empty values")
        await self._write(caller, _Put(_name(store, key), _encode((key, value)), named(store)))

    async def delete(self, caller: Caller, store: str, key: str) -> None:
        """Removes a key, which need not be there."""
        await self._write(caller, _Put(_name(store, key), None))

    def walk(self, caller: Caller, store: str) -> Iterator[tuple[str, bytes]]:
        """Keys and values by key. Read page by page: what changes meanwhile is seen or not."""
        prefix = _prefix(store)
        after: str | None = None
        while True:
            page = self._read(caller, partial(_page, prefix=prefix, after=after))
            yield from (_decode(value) for _, value in page)
            if len(page) < PAGE:
                return
            after = page[-1][0]


def stored(store: str, key: str, value: bytes) -> tuple[str, bytes]:
    """The property of the index that holds a value: for a new index, beside that of `named`."""
    return _name(store, key), _encode((key, value))


def named(store: str) -> tuple[str, bytes]:
    """The property of the index that holds the name of a store, of which those of its values have
    a digest only."""
    return NAMES + digest(store), store.encode()


def read_all(view: Snapshot) -> Iterator[tuple[str | None, str, bytes]]:
    """All that is stored: store, key and value each; None for a store whose name was not kept."""
    after: str | None = None
    while page := view.some_properties(PREFIX, after, PAGE):
        for name, value in page:
            store = view.property(NAMES + name.removeprefix(PREFIX).partition("/")[0])
            yield (None if store is None else store.decode(), *_decode(value))
        after = page[-1][0]


def _page(view: Snapshot, prefix: str, after: str | None) -> list[tuple[str, bytes]]:
    return view.some_properties(prefix, after, PAGE)


class _Put(Write[None]):
    def __init__(
        self, name: str, value: bytes | None, store: tuple[str, bytes] | None = None
    ) -> None:
        self._name = name
        self._value = value
        self._store = store

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(self._name, self._value)
        if self._store is not None and transaction.property(self._store[0]) is None:
            transaction.set_property(*self._store)


def _prefix(store: str) -> str:
    return f"{PREFIX}{digest(store)}/"


def _name(store: str, key: str) -> str:
    encoded = key.encode()
    if len(encoded) > _LONGEST_KEY:
        begin = encoded[:_LONGEST_KEY].decode(errors="ignore")
        key = f"{begin}\0{hashlib.sha256(encoded).hexdigest()}"
    return _prefix(store) + key


def digest(name: str) -> str:
    """Stands for a name of any length."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
