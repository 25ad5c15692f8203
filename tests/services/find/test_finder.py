"""Searching in two phases: what the index tells, then what only files have."""

import itertools
from collections.abc import Callable
from typing import Any, Literal

import pytest
from support.small_store import SmallStore
from support.watched_reads import WatchedReads

from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.find import order_values, parts
from orthanc_fast.services.find.facts import FileElement, FileReader
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.query import FindQuery, OrderKey

ROWS, SOP_UID, SERIES_UID = 0x00280010, 0x00080018, 0x0020000E
NOTE = 1024  # a metadata of the user


class WatchedFiles(FileReader):
    """Notes for each file how many snapshots are open while it is read, and how many were so
    far."""

    def __init__(self, tags: InstanceTags, reads: WatchedReads) -> None:
        super().__init__(tags)
        self._reads = reads
        self.open: list[int] = []
        self.opened: list[int] = []
        self.before_each: Callable[[], object] = lambda: None

    def read(self, instance: Resource, tags: frozenset[int]) -> dict[int, FileElement]:
        self.before_each()
        self.open.append(self._reads.open)
        self.opened.append(self._reads.opened)
        return super().read(instance, tags)


class Place:
    """A finder with watched reads and files."""

    def __init__(self, store: SmallStore) -> None:
        self.store = store
        self.reads = WatchedReads(store.reads)
        contents = Contents(store.storage)
        tags = InstanceTags(store.reads, contents, store.dictionary, lambda: "Latin1")
        self.finder = Finder(self.reads, tags, store.dictionary, store.main_tags, FindOptions())
        self.files = WatchedFiles(tags, self.reads)
        self.finder.files = self.files

    def query(self, level: Level, conditions: dict[int, str], **more: Any) -> FindQuery:
        made = [self.finder.tags.condition(tag, text, False) for tag, text in conditions.items()]
        return FindQuery(level=level, conditions=[each for each in made if each], **more)


@pytest.fixture
def place(small_store: SmallStore, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(parts, "READ_AT_ONCE", 3)
    return Place(small_store)


def rows_of(place: Place, caller: Caller, instance: bytes) -> str:
    record = place.store.resource(Level.INSTANCE, instance)
    assert record is not None
    text = FileReader.read(place.files, record, frozenset({ROWS}))[ROWS].text
    place.files.open.clear()
    place.files.opened.clear()
    assert text is not None
    return text


def test_no_snapshot_is_open_while_files_are_tested(place: Place, caller: Caller) -> None:
    instances = sorted(place.store.add(1, 1, 1, number)[3] for number in range(1, 9))
    rows = rows_of(place, caller, instances[0])
    found = place.finder.find(caller, place.query(Level.INSTANCE, {ROWS: rows}))
    assert list(unpack(found.packed)) == instances
    assert found.total == 8
    assert place.files.open == [0] * 8
    none = place.finder.find(caller, place.query(Level.INSTANCE, {ROWS: rows + "1"}))
    assert none.packed == b""
    assert place.files.open == [0] * 16
    at_once = place.store.run(place.finder.found(caller, place.query(Level.INSTANCE, {ROWS: rows})))
    assert at_once == found


def test_a_page_reads_no_more_than_it_needs(place: Place, caller: Caller) -> None:
    instances = sorted(place.store.add(1, 1, 1, number)[3] for number in range(1, 21))
    rows = rows_of(place, caller, instances[0])
    before = place.reads.opened
    query = place.query(Level.INSTANCE, {ROWS: rows}, since=2, limit=3)
    found = place.finder.find(caller, query)
    assert list(unpack(found.packed)) == instances[2:5]
    assert len(place.files.open) == 5
    # Of the query, and of two parts: their identifiers and their records.
    assert place.reads.opened - before == 1 + 2 + 2


def test_parts_are_in_the_order_asked_for(place: Place, caller: Caller) -> None:
    by_number = {number: place.store.add(1, 1, 1, number)[3] for number in range(1, 9)}
    rows = rows_of(place, caller, by_number[1])
    for descending in (False, True):
        order = [OrderKey("tag", SOP_UID, "text", descending)]
        query = place.query(Level.INSTANCE, {ROWS: rows}, order=order)
        found = place.finder.find(caller, query)
        wanted = [by_number[number] for number in sorted(by_number, reverse=descending)]
        assert list(unpack(found.packed)) == wanted
    assert set(place.files.open) == {0}


def note(place: Place, texts: dict[bytes, str]) -> None:
    """Gives instances a metadata."""

    def write(transaction: Transaction) -> None:
        for public, text in texts.items():
            instance = transaction.resource(Level.INSTANCE, public)
            assert instance is not None
            transaction.set_metadata(instance, NOTE, text.encode())

    place.store.index.write(write)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("source", "number"), [("tag", SOP_UID), ("tag", SERIES_UID), ("metadata", NOTE)]
)
def test_what_is_there_all_the_time_is_found_once(
    place: Place,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    descending: bool,
    source: Literal["tag", "metadata"],
    number: int,
) -> None:
    """However the store changes while files are tested; each change moves one instance."""
    monkeypatch.setattr(order_values, "_AT_ONCE", 3)
    stay = {place.store.add(1, 1, series, number)[3] for series in (1, 2) for number in range(6)}
    rows = rows_of(place, caller, next(iter(stay)))
    note(place, dict(zip(sorted(stay), itertools.cycle("abcd"))))
    changes = itertools.count(10)

    def change() -> None:
        turn = next(changes)

        note(place, {sorted(stay)[7 * turn % len(stay)]: "abcd"[turn % 4]})
        place.store.index.write(lambda txn: txn.delete(Level.INSTANCE, passing.pop(), 1))
        passing.append(place.store.add(1, 1, 1, turn)[3])

    passing = [place.store.add(1, 1, 2, 9)[3]]
    place.files.before_each = change
    order = [OrderKey(source, number, "text", descending)]
    found = place.finder.find(caller, place.query(Level.INSTANCE, {ROWS: rows}, order=order))
    members = list(unpack(found.packed))
    assert len(members) == len(set(members))
    assert stay <= set(members)
    assert set(place.files.open) == {0}


def test_the_order_is_the_same_in_parts(
    place: Place, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what only files hold and of what the index holds; ties in order of creation."""
    monkeypatch.setattr(order_values, "_AT_ONCE", 2)
    numbers = (5, 3, 8, 1, 9, 2, 7)
    added = [place.store.add(1, 1, number % 3, number)[3] for number in numbers]
    by_series = sorted(added, key=lambda each: numbers[added.index(each)] % 3)
    conditions: list[dict[int, str]] = [{}, {ROWS: rows_of(place, caller, added[0])}]
    for key, wanted in ((OrderKey("tag", SERIES_UID), by_series), (OrderKey("tag", ROWS), added)):
        for condition in conditions:
            query = place.query(Level.INSTANCE, condition, order=[key])
            assert list(unpack(place.finder.find(caller, query).packed)) == wanted
            query = place.query(Level.INSTANCE, condition, order=[key], since=2, limit=3)
            assert list(unpack(place.finder.find(caller, query).packed)) == wanted[2:5]


def test_the_index_tests_first(place: Place, caller: Caller) -> None:
    by_number = {number: place.store.add(1, 1, 1, number)[3] for number in range(1, 9)}
    rows = rows_of(place, caller, by_number[1])
    fifth = place.store.resource(Level.INSTANCE, by_number[5])
    assert fifth is not None
    query = place.query(Level.INSTANCE, {SOP_UID: fifth.tags[SOP_UID], ROWS: rows})
    found = place.finder.find(caller, query)
    assert list(unpack(found.packed)) == [by_number[5]]
    assert len(place.files.open) == 1


def test_the_first_instance_stands_for_its_study(place: Place, caller: Caller) -> None:
    studies = {place.store.add(1, number, 1, 1)[1] for number in range(1, 6)}
    first = {place.store.add(2, 1, 1, number)[3] for number in (7, 3)}
    rows = rows_of(place, caller, next(iter(first)))
    found = place.finder.find(caller, place.query(Level.STUDY, {ROWS: rows}))
    assert len(list(unpack(found.packed))) == 6
    assert studies < set(unpack(found.packed))
    assert place.files.open == [0] * 6  # one file for each study


def test_what_is_deleted_meanwhile_is_left_out(place: Place, caller: Caller) -> None:
    instances = sorted(place.store.add(1, 1, 1, number)[3] for number in range(1, 9))
    rows = rows_of(place, caller, instances[0])
    gone = instances[-1]

    def delete_once() -> None:
        place.files.before_each = lambda: None
        place.store.index.write(lambda txn: txn.delete(Level.INSTANCE, gone, 1))

    place.files.before_each = delete_once
    for order in ([], [OrderKey("tag", SERIES_UID)]):
        query = place.query(Level.INSTANCE, {ROWS: rows}, order=order)
        found = place.finder.find(caller, query)
        assert set(unpack(found.packed)) == set(instances) - {gone}
