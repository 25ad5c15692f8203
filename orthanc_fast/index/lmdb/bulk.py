"""A new index in LMDB that is filled at once: see `Builder` of the contract."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import lmdb
import msgspec

from orthanc_fast.index.contract import Builder, Packer
from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.disk import fault, sync_folder
from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.index.lmdb.faults import translated
from orthanc_fast.index.lmdb.records import encoder
from orthanc_fast.index.rules.terms import term_keys
from orthanc_fast.index.terms import Terms
from orthanc_fast.model import Change, Export, Level, Resource, Totals

# Terms that are sorted together: so many lie next to each other when they are written.
_SORTED: Final = 200_000
_COMMITTED: Final = 50_000  # rows of a transaction; what it has changed is in memory

Rows = Iterable[tuple[bytes, bytes]]


class _Packed(msgspec.Struct, array_like=True, gc=False):
    """Rows of the databases of resources and of terms."""

    rows: list[tuple[bytes, bytes]]
    terms: list[tuple[bytes, bytes]]


_decode = msgspec.msgpack.Decoder(_Packed).decode


class LmdbPacker(Packer):
    """See `Packer`; touches no file."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def pack(self, part: Sequence[Resource]) -> bytes:
        pack, encode, terms = keys.pack_id, encoder.encode, self._terms
        found: list[tuple[bytes, bytes]] = []
        for each in part:
            found += term_keys(terms, each)
        return encode(_Packed([(pack(each.id), encode(each)) for each in part], found))


class LmdbBuilder(Builder):
    """In a folder of its own. LMDB does not wait for the disk until all is there."""

    def __init__(self, folder: Path, map_size: int) -> None:
        """Raises StorageFault or FullStorage if the folder cannot be used."""
        with translated(folder):
            self._env = Environment(folder, map_size, sync=False)
        self._env.pin.abort()
        self._txn: lmdb.Transaction | None = None
        self._uncommitted = 0
        self._waiting: list[tuple[bytes, bytes]] = []

    def add_signatures(self, texts: Sequence[str]) -> None:
        rows = [(keys.signature_key(at), text.encode()) for at, text in enumerate(texts, 1)]
        self._put(self._env.signature, rows, len(rows))

    def add_resources(self, packed: bytes) -> None:
        part = _decode(packed)
        self._append(self._env.resource, part.rows, part.rows)
        self._waiting += part.terms
        if len(self._waiting) > _SORTED:
            self._put_terms()

    def _put_terms(self) -> None:
        waiting = self._waiting
        waiting.sort()
        for start in range(0, len(waiting), _COMMITTED):
            rows = waiting[start : start + _COMMITTED]
            self._put(self._env.value, rows, len(rows))
        waiting.clear()

    def add_identifiers(self, part: Sequence[tuple[Level, bytes, int]]) -> None:
        key, pack = keys.public_key, keys.pack_id
        rows = ((key(level, public), pack(number)) for level, public, number in part)
        self._append(self._env.public, rows, part)

    def add_children(self, part: Sequence[tuple[int, bytes]]) -> None:
        pack = keys.pack_id
        self._append(self._env.child, ((pack(parent), child) for parent, child in part), part)

    def add_changes(self, part: Sequence[tuple[int, Change]]) -> None:
        self._add_log(self._env.change, part)

    def add_changes_of(self, part: Sequence[tuple[int, int]]) -> None:
        pack = keys.pack_id
        rows = ((pack(resource), pack(sequence)) for resource, sequence in part)
        self._append(self._env.change_of, rows, part)

    def add_exports(self, part: Sequence[tuple[int, Export]]) -> None:
        self._add_log(self._env.export, part)

    def _add_log(self, database: Any, part: Sequence[tuple[int, Change | Export]]) -> None:
        pack, encode = keys.pack_id, encoder.encode
        self._append(database, ((pack(number), encode(each)) for number, each in part), part)

    def add_recycling(self, part: Sequence[tuple[int, int]]) -> None:
        pack = keys.pack_id
        rows = ((pack(position), pack(patient)) for position, patient in part)
        self._append(self._env.recycling, rows, part)

    def set_property(self, name: str, value: bytes) -> None:
        self._put(self._env.globals, [(keys.property_key(name), value)], 1)

    def finish(self, totals: Totals) -> None:
        self._put_terms()
        self._put(self._env.globals, [(keys.TOTALS, encoder.encode(totals))], 1)
        with translated(self._env.folder):
            self._commit()
            self._env.lmdb.sync(True)
        self._env.close()
        try:
            sync_folder(self._env.folder)
        except OSError as error:
            raise fault(error, self._env.folder) from error

    def abandon(self) -> None:
        if self._txn is not None:
            self._txn.abort()
        self._env.close()

    # Rows of a database

    def _append(self, database: Any, rows: Rows, part: Sequence[Any]) -> None:
        """Rows that follow on all that are there."""
        self._put(database, rows, len(part), append=True)

    def _put(self, database: Any, rows: Rows, count: int, append: bool = False) -> None:
        with translated(self._env.folder):
            if self._txn is None:
                self._txn = self._env.lmdb.begin(write=True)
            self._txn.cursor(db=database).putmulti(rows, dupdata=True, append=append)
            self._uncommitted += count
            if self._uncommitted > _COMMITTED:
                self._commit()

    def _commit(self) -> None:
        if self._txn is not None:
            transaction, self._txn = self._txn, None
            transaction.commit()
        self._uncommitted = 0
