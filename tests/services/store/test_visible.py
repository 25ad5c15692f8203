"""A caller who sees some studies only: whatever he asks of the index, the answer is that of all,
without what is not his."""

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from support.small_store import USER, SmallStore

from orthanc_fast.errors import ForbiddenAccess
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.index.terms import Kind, value_of
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.browse.labels import Labels
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.store.visible import Sets, SetsOfCallers, VisibleSnapshot

LABELS = ("a", "A", "b", "aa")
FIELDS = (
    *((Kind.TAG, Level.PATIENT, 0x00100020), (Kind.TAG, Level.STUDY, 0x0020000D)),
    *((Kind.TAG, Level.SERIES, 0x0020000E), (Kind.TAG, Level.INSTANCE, 0x00080018)),
    *((Kind.TAG, Level.STUDY, 0x00080020), (Kind.TAG, Level.PATIENT, 0x00100010)),
    *((Kind.LABEL, Level.STUDY, 0), (Kind.LABEL, Level.PATIENT, 0), (Kind.LABEL, Level.SERIES, 0)),
)


def guest(*labels: str, study: bytes | None = None) -> Caller:
    return Caller(
        origin="RestApi", user="guest", labels=frozenset(labels) if labels else None, study=study
    )


@pytest.fixture
def filled(small_store: SmallStore) -> SmallStore:
    """Patients of some studies each, whose labels are drawn; other levels have labels too."""
    draw = random.Random(7)
    labels = Labels(small_store.reads, small_store.writes)
    for patient in range(4):
        for study in range(draw.randint(1, 3)):
            for series in range(draw.randint(1, 2)):
                for instance in range(draw.randint(1, 3)):
                    number = 10 * patient + study
                    publics = small_store.add(
                        patient, number, 10 * number + series, 100 * number + 10 * series + instance
                    )
            for label in draw.sample(LABELS, draw.randint(0, 2)):
                small_store.run(labels.add(USER, Level.STUDY, publics[1], label))
            small_store.run(labels.add(USER, Level.SERIES, publics[2], draw.choice(LABELS)))
        small_store.run(labels.add(USER, Level.PATIENT, publics[0], draw.choice(LABELS)))
    return small_store


def callers(store: SmallStore) -> Iterator[Caller]:
    yield from (guest("a"), guest("A"), guest("b", "aa"), guest("none"), guest(*LABELS))
    for study in store.reads(USER, lambda view: view.listing(Level.STUDY)):
        yield guest(study=study)
        yield guest("a", study=study)
    yield guest(study=b"x" * 20)


def seen_of(view: Snapshot, caller: Caller) -> dict[Level, list[bytes]]:
    """By the definition: a study by its labels, all else by its study."""
    studies = [
        each
        for each in (view.resource(Level.STUDY, public) for public in view.listing(Level.STUDY))
        if each is not None
        and (caller.labels is None or set(each.labels) & caller.labels)
        and caller.study in (None, each.public)
    ]
    found: dict[Level, list[bytes]] = {
        Level.PATIENT: sorted({each.parent_public for each in studies})
    }
    for level in (Level.STUDY, Level.SERIES, Level.INSTANCE):
        found[level] = sorted(
            public for each in studies for public in view.descendants(each, level)
        )
    return found


def compare(full: Snapshot, caller: Caller) -> None:
    seen = seen_of(full, caller)
    view = VisibleSnapshot(full, caller, Sets(full.version))
    search = view.search
    every = {level: full.listing(level) for level in Level}
    for level in Level:
        of_level = set(seen[level])
        assert view.listing(level) == seen[level]
        assert view.listing(level, 1, 2) == seen[level][1:3]
        assert list(search.scan(level)) == seen[level]
        for public in every[level]:
            record, known = view.resource(level, public), full.resource(level, public)
            assert (record is not None) == (public in of_level) == view.exists(level, public)
            assert list(search.scan(level, public)) == [
                each for each in seen[level] if each > public
            ]
            for to in Level:
                if to >= level and known is not None:
                    below = set(full.descendants(known, to)) & set(seen[to])
                    expected = sorted(below) if record is not None else []
                    assert list(unpack(search.descend(public, level, to))) == expected
            if record is None or known is None:
                continue
            assert (
                view.children(record)
                == [each for each in full.children(known) if each in set(seen[Level(level + 1)])]
                if level < Level.INSTANCE
                else True
            )
            assert [each.public for each in view.ancestors(record)] == [
                each.public for each in full.ancestors(known)
            ]
            if level != Level.PATIENT:
                assert record == known
        if level > Level.PATIENT:
            above = search.ascend(b"".join(every[level]), level)
            assert list(unpack(above)) == seen[Level(level - 1)]
        packed = b"".join(reversed(every[level]))
        assert view.by_creation(level, packed) == b"".join(
            each for each in unpack(full.by_creation(level, packed)) if each in of_level
        )
    assert view.totals().resources == [len(seen[level]) for level in Level]
    compare_patients(full, view, seen)
    compare_terms(full, view, seen)
    compare_changes(full, view, seen)


def compare_patients(full: Snapshot, view: Snapshot, seen: dict[Level, list[bytes]]) -> None:
    """The sums of a patient are those of what is seen of him."""
    for public in seen[Level.PATIENT]:
        patient = view.resource(Level.PATIENT, public)
        assert patient is not None
        studies = [view.resource(Level.STUDY, each) for each in view.children(patient)]
        assert patient.counts == [
            len(view.descendants(patient, level)) for level in list(Level)[1:]
        ]
        assert patient.dicom_disk_size == sum(each.dicom_disk_size for each in studies if each)
        assert patient.disk_size == sum(each.disk_size for each in studies if each)
        shown = full.resource(Level.PATIENT, public)
        assert shown is not None
        assert patient.tags == shown.tags


def compare_terms(full: Snapshot, view: Snapshot, seen: dict[Level, list[bytes]]) -> None:
    for kind, level, number in FIELDS:
        keys = full.search.between(kind, level, number)
        members = {
            key: sorted(set(unpack(full.search.members([key]))) & set(seen[level])) for key in keys
        }
        left = [key for key in keys if members[key]]
        search = view.search
        assert search.between(kind, level, number) == left
        assert list(search.walk(kind, level, number, False)) == left
        assert list(search.walk(kind, level, number, True)) == left[::-1]
        for key in keys:
            assert list(unpack(search.members([key]))) == members[key]
            assert search.count([key]) == len(members[key])
            value = value_of(key)
            assert value is not None
            equal = full.search.equal(kind, level, number, value)
            assert search.equal(kind, level, number, value) == [k for k in equal if members[k]]
        groups = [[key] for key in keys] + [keys, []]
        within = b"".join(full.listing(level)[::2])
        for given in (None, within):
            found = [list(unpack(each)) for each in search.sets(groups, given)]
            allowed = set(unpack(within)) if given is not None else set(full.listing(level))
            assert found == [
                sorted({each for key in group for each in members[key]} & allowed)
                for group in groups
            ]
        assert list(search.sets([[], []])) == [b"", b""]
    used = {
        label
        for level in Level
        for public in seen[level]
        for label in getattr(full.resource(level, public), "labels", ())
    }
    assert view.labels_in_use() == sorted(used)


def compare_changes(full: Snapshot, view: Snapshot, seen: dict[Level, list[bytes]]) -> None:
    every = full.changes(0, -1, 10_000).changes
    mine = [row for row in every if row[1].public in set(seen[Level(row[1].level)])]
    assert view.changes(0, -1, 10_000).changes == mine
    for since, to, limit in ((0, -1, 3), (5, 40, 4), (0, 30, 3), (0, 30, 100), (7, -1, 1)):
        page = view.changes(since, to, limit)
        expected = [row for row in mine if row[0] > since and (to < 0 or row[0] <= to)]
        backwards = to >= 0 and since <= 0
        assert page.changes == (expected[-limit:] if backwards else expected[:limit])
        assert page.done == (len(expected) <= limit)
    newest = view.last_change()
    assert newest == (mine[-1] if mine else None)


def test_what_is_seen_is_all_without_the_rest(filled: SmallStore) -> None:
    for caller in callers(filled):
        filled.index.read(partial(compare, caller=caller))


def test_what_is_of_the_server_is_refused(filled: SmallStore) -> None:
    asked: tuple[Any, ...] = (
        lambda view: view.created_after(0, 10),
        lambda view: view.property("x"),
        lambda view: view.properties(""),
        lambda view: view.some_properties("", None, 1),
        lambda view: view.first_unstable(),
        lambda view: view.doomed(),
        lambda view: view.exports(0, 10),
        lambda view: view.last_export(),
    )
    for each in asked:
        with pytest.raises(ForbiddenAccess):
            filled.reads(guest("a"), each)


def test_only_what_is_seen_is_deleted(filled: SmallStore) -> None:
    caller = guest("a")
    deletion = Deletion(filled.writes)
    before = filled.index.read(lambda full: seen_of(full, caller))
    every = filled.reads(USER, lambda view: {level: view.listing(level) for level in Level})
    for level in Level:
        for public in every[level]:
            if level == Level.PATIENT or public not in before[level]:
                assert not filled.run(deletion.delete(caller, level, public)).found
    filled.run(deletion.delete_listed(caller, [(None, each) for each in every[Level.INSTANCE]]))
    left = filled.reads(USER, lambda view: view.listing(Level.INSTANCE))
    assert left == [each for each in every[Level.INSTANCE] if each not in before[Level.INSTANCE]]
    assert before[Level.INSTANCE]


def test_sets_are_those_of_the_moment(filled: SmallStore) -> None:
    """What is kept of a caller is never that of an earlier state, nor of another caller."""
    labels = Labels(filled.reads, filled.writes)
    studies = filled.reads(USER, lambda view: view.listing(Level.STUDY))
    first, second = guest("fresh"), guest("other")
    expected: list[bytes] = []
    for study in studies:
        filled.run(labels.add(USER, Level.STUDY, study, "fresh"))
        expected = sorted([*expected, study])
        for _ in range(2):
            assert filled.reads(first, lambda view: view.listing(Level.STUDY)) == expected
            assert filled.reads(second, lambda view: view.listing(Level.STUDY)) == []
            totals = filled.reads(first, lambda view: view.totals())
            assert totals.resources[Level.STUDY] == len(expected)
    filled.run(labels.remove(USER, Level.STUDY, studies[0], "fresh"))
    assert filled.reads(first, lambda view: view.listing(Level.STUDY)) == expected[1:]


def test_few_callers_are_kept() -> None:
    sets = SetsOfCallers()
    first = sets.of(guest("a"), 7)
    assert sets.of(guest("a"), 7) is first
    assert sets.of(guest("a"), 8) is not first
    assert sets.of(guest("a"), None) is not sets.of(guest("a"), None)
    kept = sets.of(guest("a"), 8)
    for number in range(10):
        assert sets.of(guest(f"l{number}"), 8).shown == {}
    assert sets.of(guest("a"), 8) is not kept
