"""Results page by page: nothing ahead of the reader, no snapshot between pages, the same results
as a search."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from support import generated
from support.small_store import SmallStore
from support.watched_reads import WatchedReads

from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level, NewInstance, Resource
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.find import pages as pages_module
from orthanc_fast.services.find.facts import Facts
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.pages import Pages
from orthanc_fast.services.find.query import Below, FindQuery

PATIENT_ID, STUDY_DATE, DESCRIPTION = 0x00100020, 0x00080020, 0x00081030
MODALITY = 0x00080060


class Place:
    def __init__(self, store: SmallStore) -> None:
        self.store = store
        self.reads = WatchedReads(store.reads)
        contents = Contents(store.storage)
        tags = InstanceTags(store.reads, contents, store.dictionary, lambda: "Latin1")
        self.finder = Finder(self.reads, tags, store.dictionary, store.main_tags, FindOptions())
        self.pages = Pages(self.reads, self.finder)

    def query(
        self, conditions: dict[int, str], level: Level = Level.STUDY, **more: Any
    ) -> FindQuery:
        made = [self.finder.tags.condition(tag, text, True) for tag, text in conditions.items()]
        found = [each for each in made if each is not None]
        return FindQuery(level=Level.STUDY, conditions=found, below=Below.SOME_CHILD, **more)

    def fill(self, amount: int) -> None:
        """Studies of one instance each, in the index only."""

        def write(transaction: Transaction) -> None:
            for number in range(amount):
                transaction.store_instance(instance(number))

        self.store.index.write(write)


def instance(number: int) -> NewInstance:
    publics = [level.to_bytes(1, "big") + number.to_bytes(SHA1 - 1, "big") for level in range(4)]
    return NewInstance(
        publics=(publics[0], publics[1], publics[2], publics[3]),
        tags=(
            {PATIENT_ID: f"P{number}"},
            {STUDY_DATE: f"2024{number % 12 + 1:02d}01", 0x0020000D: f"1.2.{number}"},
            {MODALITY: "CT" if number % 3 else "MR"},
            {0x00080018: f"1.2.{number}.1"},
        ),
        metadata=({}, {}, {}, {}),
        signatures=("p", "s", "e", "i"),
        attachments={},
        image=b"",
        received=number,
    )


@pytest.fixture
def place(small_store: SmallStore) -> Place:
    return Place(small_store)


def publics(_: Facts, resources: list[Resource]) -> list[bytes]:
    return [each.public for each in resources]


def test_pages_grow_and_nothing_is_read_ahead(place: Place, caller: Caller) -> None:
    place.fill(100)
    place.reads.calls.clear()
    sizes = []
    pages = place.pages.pages(caller, place.query({}), publics)
    assert place.reads.opened == 0
    for page in pages:
        sizes.append(len(page))
        assert place.reads.open == 0
        assert place.reads.calls["resources"] == len(sizes)
    assert sizes == [10, 20, 40, 30]


@pytest.mark.parametrize("conditions", [{}, {PATIENT_ID: "P*"}])
def test_pages_of_few(place: Place, caller: Caller, conditions: dict[int, str]) -> None:
    place.fill(30)
    found = list(place.pages.pages(caller, place.query(conditions), publics, most=3))
    assert max(map(len, found)) == 3
    assert len({each for page in found for each in page}) == 30


@pytest.mark.parametrize("glanced_at", [1, 70])
@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {PATIENT_ID: "*"},
        {PATIENT_ID: "P1*"},
        {PATIENT_ID: "P5?"},
        {PATIENT_ID: "nobody*"},
        {STUDY_DATE: "20240201-20240401"},
        {STUDY_DATE: "20240201-20240401", PATIENT_ID: "*7"},
        {MODALITY: "MR"},
        {MODALITY: "M*"},
        {MODALITY: "*"},
        {DESCRIPTION: "*"},
        {PATIENT_ID: "P77"},
    ],
)
def test_the_results_of_a_search(
    place: Place,
    caller: Caller,
    conditions: dict[int, str],
    glanced_at: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each once and in order, however much is tested before the index is asked."""
    monkeypatch.setattr(pages_module, "_GLANCED_AT", glanced_at)
    place.fill(150)
    expected = list(unpack(place.finder.find(caller, place.query(conditions)).packed))
    pages = place.pages.pages(caller, place.query(conditions), publics)
    assert [public for page in pages for public in page] == expected
    for limit in (1, 10, 11, 149, 150, 1000):
        pages = place.pages.pages(caller, place.query(conditions, limit=limit), publics)
        assert [public for page in pages for public in page] == expected[:limit]


def test_what_is_deleted_meanwhile_is_left_out(place: Place, caller: Caller) -> None:
    place.fill(100)
    pages = place.pages.pages(caller, place.query({PATIENT_ID: "P*"}), publics)
    seen = next(pages)

    def delete(transaction: Transaction) -> None:
        transaction.delete(Level.STUDY, instance(50).publics[1], now=0)

    place.store.index.write(delete)
    seen += [public for page in pages for public in page]
    assert seen == [instance(number).publics[1] for number in range(100) if number != 50]


def test_files_are_read_without_a_snapshot(place: Place, caller: Caller) -> None:
    for number in range(1, 4):
        place.store.put(generated.small().number(number, number, number, number))
    opened: list[int] = []

    def show(facts: Facts, resources: list[Resource]) -> list[bytes]:
        facts.after.append(lambda: opened.append(place.reads.open))
        return publics(facts, resources)

    rows = place.query({0x00280010: "64\\128\\512\\256\\32\\16\\8"})
    found = [public for page in place.pages.pages(caller, rows, show) for public in page]
    assert opened == [0]
    assert len(found) in (0, 3), "all of them have as many rows"


def test_memory_does_not_follow_the_number_of_results(
    small_store: SmallStore, caller: Caller
) -> None:
    """But for 20 bytes of each candidate where the index has found them."""
    place = Place(small_store)
    place.fill(4000)

    def peak(limit: int, conditions: dict[int, str]) -> int:
        tracemalloc.start()
        for page in place.pages.pages(caller, place.query(conditions, limit=limit), shown):
            assert page
        _, found = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return found

    shown: Callable[[Facts, list[Resource]], list[bytes]] = lambda _, part: [  # noqa: E731
        bytes(1000) for _ in part
    ]
    for conditions in ({}, {MODALITY: "CT"}):
        peak(4000, conditions)
        few, many = peak(1000, conditions), peak(4000, conditions)
        assert many < few + 3000 * 4 * SHA1
