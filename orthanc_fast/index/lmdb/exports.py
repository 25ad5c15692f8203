"""The log of what was sent to other servers; its entries outlive the resources."""

from collections.abc import Iterator

import lmdb
import msgspec

from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.records import encoder
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.model import Export

Buffer = bytes | memoryview
_decoder = msgspec.msgpack.Decoder(Export)


def log_export(transaction: Transaction, export: Export) -> int:
    """Appends an entry and returns its sequence number."""
    sequence = transaction.totals.next_export
    transaction.totals.next_export += 1
    database = transaction.environment().export
    transaction.transaction().put(
        keys.pack_id(sequence), encoder.encode(export), db=database, append=True
    )
    return sequence


def clear_exports(transaction: Transaction) -> None:
    """Removes all entries; sequence numbers go on."""
    transaction.transaction().drop(transaction.environment().export, delete=False)


def exports(view: View, since: int, limit: int) -> tuple[list[tuple[int, Export]], bool]:
    """Up to `limit` entries after the sequence number `since`, and whether these are all."""
    found: list[tuple[int, Export]] = []
    cursor = _cursor(view)
    if cursor.set_range(keys.pack_id(max(since, 0) + 1)):
        for entry in _entries(cursor.iternext()):
            if len(found) == limit:
                return found, False
            found.append(entry)
    return found, True


def last_export(view: View) -> tuple[int, Export] | None:
    """The newest entry."""
    cursor = _cursor(view)
    return next(_entries(iter([cursor.item()]))) if cursor.last() else None


def _cursor(view: View) -> lmdb.Cursor:
    return view.transaction().cursor(db=view.environment().export)


def _entries(rows: Iterator[tuple[Buffer, Buffer]]) -> Iterator[tuple[int, Export]]:
    for key, value in rows:
        yield keys.unpack_id(key), _decoder.decode(value)
