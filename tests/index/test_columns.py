"""Columns that are remembered: only as of the transaction that they were read in, and bounded."""

from functools import partial
from pathlib import Path

from support.instances import PATIENT_ID, new_instance, public, terms

from orthanc_fast._ext.wildcards import Pattern
from orthanc_fast.index.contract import Snapshot, Transaction
from orthanc_fast.index.lmdb.columns import Columns
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.packed import unpack
from orthanc_fast.index.terms import MAX_KEY, Kind
from orthanc_fast.model import Level, Outcome

FIRST, SECOND, THIRD = (b"a", b"b"), (b"b", b"c"), (b"c", b"d")


def test_what_was_read_in_another_transaction_is_not_given() -> None:
    columns = Columns()
    columns.put(5, FIRST, [b"rows"])
    assert columns.get(5, FIRST) == [b"rows"]
    assert columns.get(5, SECOND) is None
    assert columns.get(4, FIRST) is None
    assert columns.get(6, FIRST) is None
    columns.put(4, SECOND, [b"older"])
    assert columns.get(4, SECOND) is None
    assert columns.get(5, SECOND) is None
    columns.put(6, SECOND, [b"newer"])
    assert columns.get(6, SECOND) == [b"newer"]
    assert columns.get(6, FIRST) is None


def test_what_was_not_asked_for_longest_gives_way() -> None:
    columns = Columns(room=20)
    columns.put(1, FIRST, [b"x" * 10])
    columns.put(1, SECOND, [b"y" * 5, b"y" * 5])
    assert columns.get(1, FIRST)
    columns.put(1, THIRD, [b"z" * 8])
    assert columns.get(1, SECOND) is None
    assert columns.get(1, FIRST) == [b"x" * 10]
    assert columns.get(1, THIRD) == [b"z" * 8]
    columns.put(1, SECOND, [b"y" * 21])
    assert columns.get(1, SECOND) is None
    assert columns.get(1, THIRD)


def test_a_search_sees_what_was_written_meanwhile(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "index", terms, 1 << 26, sync=False)
    try:
        seen = []
        for path in ("aaaa", "baaa", "caaa"):
            index.write(partial(_store, path))
            seen += [index.read(_patients) for _ in range(3)]
        expected = [public("a"), public("b"), public("c")]
        assert seen == [expected[:1]] * 3 + [expected[:2]] * 3 + [expected] * 3
        index.write(lambda transaction: transaction.delete(Level.PATIENT, public("a"), now=1))
        assert index.read(_patients) == expected[1:]
    finally:
        index.close()


def _store(path: str, transaction: Transaction) -> Outcome:
    return transaction.store_instance(new_instance(path))


def _patients(view: Snapshot) -> list[bytes]:
    rows = b"".join(view.search.rows(Kind.TAG, Level.PATIENT, PATIENT_ID))
    pattern, cut = Pattern([b"", b""], 0), list[bytes]()
    return list(unpack(pattern.members(rows, MAX_KEY, cut)))
