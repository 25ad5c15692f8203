"""Worklists in the index, as several processes see them."""

from collections.abc import Iterator
from pathlib import Path as FilePath

import pytest
from support.small_store import make_index
from support.worklists import file, worklist

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange, UnknownResource
from orthanc_fast.index.contract import Index
from orthanc_fast.services.find.matching import Equality, Matcher
from orthanc_fast.services.worklists import database as database_module
from orthanc_fast.services.worklists.database import Database
from orthanc_fast.services.worklists.entries import Path, Worklist, read_worklist
from orthanc_fast.services.worklists.housekeeping import delete_old

DICTIONARY = Dictionary({}, False)
PATIENT_ID = 0x00100020


class Clock:
    now = 1_000_000_000.0  # 2001-09-09 01:46:40

    def __call__(self) -> float:
        return self.now


class Process:
    """The worklists as one process knows them, and what it has read."""

    def __init__(self, index: Index, clock: Clock) -> None:
        self.read: list[str] = []
        self.shelf = Database(index, self._read, clock)

    def _read(self, identifier: str, data: bytes, created: str) -> Worklist:
        self.read.append(identifier)
        return read_worklist(identifier, data, DICTIONARY, "Utf8", created)

    @property
    def names(self) -> list[str]:
        return [each.id for each in self.shelf.all()]


@pytest.fixture(params=["memory", "lmdb"])
def index(request: pytest.FixtureRequest, tmp_path: FilePath) -> Iterator[Index]:
    found = make_index(request.param, tmp_path)
    yield found
    found.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_all_processes_see_the_same(index: Index, clock: Clock) -> None:
    one, other = Process(index, clock), Process(index, clock)
    assert one.names == other.names == []
    one.shelf.put("b", file(worklist(1)))
    other.shelf.put("a", file(worklist(2)))
    assert one.names == other.names == ["a", "b"]
    assert one.shelf.get("a").created == "20010909T014640"
    condition: dict[Path, Matcher] = {(PATIENT_ID,): Equality("P2", False, True)}
    assert [each.id for each in one.shelf.candidates(condition)] == ["a"]
    one.shelf.put("a", file(worklist(3)))
    assert other.shelf.candidates(condition) == []
    other.shelf.delete("b")
    assert one.names == other.names == ["a"]
    for ask in (one.shelf.get, one.shelf.delete):
        with pytest.raises(UnknownResource):
            ask("b")
    assert Process(index, clock).names == ["a"]


def test_only_what_is_new_is_read(index: Index, clock: Clock) -> None:
    one, other = Process(index, clock), Process(index, clock)
    for number in range(20):
        one.shelf.put(str(number), file(worklist(number)))
    assert len(other.names) == 20
    del other.read[:]
    one.shelf.put("7", file(worklist(100)))
    one.shelf.delete("8")
    assert len(other.names) == 19
    assert other.read == ["7"]
    assert len(other.names) == 19
    assert other.read == ["7"]


@pytest.mark.parametrize("changes", [4, 5, 6, 20])
def test_who_has_missed_many_changes_reads_all(
    index: Index, clock: Clock, changes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_REMEMBERED", 5)
    monkeypatch.setattr(database_module, "_PAGE", 3)
    one, other = Process(index, clock), Process(index, clock)
    for number in range(10):
        one.shelf.put(f"old {number}", file(worklist(number)))
    assert len(other.names) == 10
    for number in range(changes // 2):
        one.shelf.delete(f"old {number}")
    for number in range(changes - changes // 2):
        one.shelf.put(f"new {number}", file(worklist(number)))
    assert other.names == one.names == Process(index, clock).names


def test_old_ones_go(index: Index, clock: Clock) -> None:
    process = Process(index, clock)
    begin = clock.now
    process.shelf.put("a", file(worklist(1)))
    clock.now += 100
    process.shelf.put("b", file(worklist(2)))
    process.shelf.put("a", file(worklist(3)))  # stays as old as it is
    delete_old(process.shelf, begin)
    assert process.names == ["a", "b"]
    delete_old(process.shelf, begin + 50)
    assert process.names == ["b"]
    delete_old(process.shelf, begin + 101)
    assert process.names == []


def test_what_cannot_be_kept(index: Index, clock: Clock) -> None:
    process = Process(index, clock)
    with pytest.raises(BadFileFormat):
        process.shelf.put("a", b"no DICOM")
    for name in ("", "a/b", "ä" * 127):
        with pytest.raises(ParameterOutOfRange):
            process.shelf.put(name, file(worklist(1)))
    process.shelf.put("ä" * 126, file(worklist(1)))
    assert process.names == ["ä" * 126]
