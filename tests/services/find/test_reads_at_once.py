"""What is wanted of many resources is asked for together: calls grow with parts of them, not with
their number."""

from collections.abc import Callable
from functools import partial

import pytest
from support.small_store import SmallStore
from support.watched_reads import WatchedReads

from orthanc_fast.dicom.main_tags import MODALITIES_IN_STUDY, SOP_CLASSES_IN_STUDY
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import EXPECTED_NUMBER_OF_INSTANCES
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.browse.metadata_names import MetadataNames
from orthanc_fast.services.find import ordering, parts
from orthanc_fast.services.find.content import Presentation, Presenter, ResponseContent
from orthanc_fast.services.find.facts import FileReader
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import FindOptions
from orthanc_fast.services.find.query import Below, FindQuery, OrderKey
from orthanc_fast.services.find.requested import RequestedTags

PATIENT_NAME, STUDY_UID, ROWS = 0x00100010, 0x0020000D, 0x00280010
STUDY_TIME, BODY_PART, NUMBER_OF_FRAMES = 0x00080030, 0x00180015, 0x00280008
EVERYTHING = ~ResponseContent(0)


class Place:
    def __init__(self, store: SmallStore) -> None:
        self.store = store
        self.reads = WatchedReads(store.reads)
        contents = Contents(store.storage)
        tags = InstanceTags(store.reads, contents, store.dictionary, lambda: "Latin1")
        self.finder = Finder(self.reads, tags, store.dictionary, store.main_tags, FindOptions())
        self.presenter = Presenter(
            self.reads, Describer(store.dictionary), MetadataNames({}), FileReader(tags)
        )

    def listing(self, caller: Caller, level: Level) -> bytes:
        return self.store.reads(caller, lambda view: view.listing_packed(level))

    def calls(self, work: Callable[[], object]) -> int:
        self.reads.calls.clear()
        work()
        return self.reads.calls.total()


@pytest.fixture
def place(small_store: SmallStore) -> Place:
    return Place(small_store)


def add(place: Place, patients: range) -> None:
    """A study with two series of two instances for each."""
    for patient in patients:
        for series in (1, 2):
            for instance in (1, 2):
                publics = place.store.add(patient, 1, series, instance)
            expect_instances(place.store, publics[Level.SERIES])


def expect_instances(store: SmallStore, public: bytes) -> None:
    def expect(txn: Transaction) -> None:
        series = txn.resource(Level.SERIES, public)
        assert series is not None
        txn.set_builtin_metadata(series, EXPECTED_NUMBER_OF_INSTANCES, "2")

    store.index.write(expect)


def presentations(place: Place, level: Level) -> list[Presentation]:
    tags = [PATIENT_NAME, STUDY_UID, ROWS, MODALITIES_IN_STUDY]
    if level != Level.INSTANCE:  # of which it cannot be asked
        tags.append(SOP_CLASSES_IN_STUDY)
    requested = RequestedTags(tags, level, place.finder.tags, FindOptions())
    return [
        Presentation(),
        Presentation(metadata=True, requested=requested),
        Presentation(content=EVERYTHING, requested=requested),
    ]


@pytest.mark.parametrize("level", list(Level))
def test_showing(place: Place, caller: Caller, level: Level) -> None:
    add(place, range(1, 3))
    few = place.listing(caller, level)
    before = [
        place.calls(partial(place.presenter.show, caller, level, few, how))
        for how in presentations(place, level)
    ]
    add(place, range(3, 9))
    many = place.listing(caller, level)
    for how, calls in zip(presentations(place, level), before, strict=True):
        shown = place.presenter.show(caller, level, many, how)
        assert len(shown) == len(many) // 20
        assert place.calls(partial(place.presenter.show, caller, level, many, how)) == calls
        assert calls < 20


def test_showing_resources_of_any_level(place: Place, caller: Caller) -> None:
    add(place, range(1, 5))
    listings = [place.listing(caller, level) for level in Level]
    few = [packed[:20] for packed in listings]
    many = [packed[at : at + 20] for packed in listings for at in range(0, len(packed), 20)]
    how = Presentation(metadata=True)
    calls = place.calls(lambda: place.presenter.show_listed(caller, few, how))
    assert place.calls(lambda: place.presenter.show_listed(caller, many, how)) == calls


def test_status_of_series(place: Place, caller: Caller) -> None:
    add(place, range(1, 3))
    for how in (Presentation(), Presentation(content=ResponseContent.Status)):
        packed = place.listing(caller, Level.SERIES)
        shown = place.presenter.show(caller, Level.SERIES, packed, how)
        statuses = [each["Status"] if isinstance(each, dict) else each.Status for each in shown]
        one_by_one = [
            place.presenter.show(caller, Level.SERIES, packed[at : at + 20], how)
            for at in range(0, len(packed), 20)
        ]
        assert [shown] == [[each for one in one_by_one for each in one]]
        assert len(set(statuses)) == 1
        assert statuses[0] != "Unknown"


@pytest.mark.parametrize(
    ("level", "tag", "text"),
    [
        (Level.INSTANCE, PATIENT_NAME, "*"),
        (Level.INSTANCE, STUDY_TIME, "000000-"),
        (Level.SERIES, STUDY_TIME, "000000-"),
        (Level.STUDY, BODY_PART, "nothing"),
        (Level.SERIES, NUMBER_OF_FRAMES, "nothing"),
        (Level.STUDY, SOP_CLASSES_IN_STUDY, "nothing"),
    ],
)
def test_tests_on_records(
    place: Place,
    caller: Caller,
    level: Level,
    tag: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "READ_AT_ONCE", 1000)

    def find() -> None:
        condition = place.finder.tags.condition(tag, text, False)
        assert condition is not None
        query = FindQuery(level=level, conditions=[condition], below=Below.COUNTED)
        place.finder.find(caller, query)

    add(place, range(1, 3))
    calls = place.calls(find)
    add(place, range(3, 9))
    assert place.calls(find) == calls


@pytest.mark.parametrize("loaded", [0, 500])
def test_order(place: Place, caller: Caller, loaded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_LOADED", loaded)

    def find() -> None:
        order = [OrderKey("tag", STUDY_TIME), OrderKey("tag", PATIENT_NAME)]
        found = place.finder.find(caller, FindQuery(level=Level.INSTANCE, order=order))
        assert len(found.packed) == len(place.listing(caller, Level.INSTANCE))

    add(place, range(1, 3))
    calls = place.calls(find)
    add(place, range(3, 9))
    assert place.calls(find) == calls
