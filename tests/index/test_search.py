"""Terms and the search over them against plain sets; the migration from the first layout."""

import random
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import lmdb
import pytest
from hypothesis import given
from support.instances import PATIENT_ID, SERIES_UID, SOP_UID, new_instance, public, terms
from support.snapshots import reading

from orthanc_fast._ext.idsets import intersect, sort, subtract
from orthanc_fast.errors import IncompatibleDatabase
from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.packed import unpack
from orthanc_fast.index.terms import MAX_KEY, Kind, fold, term_key, value_of
from orthanc_fast.model import Level
from orthanc_fast.registries import LAST_UPDATE

# Few different bytes, so that there are duplicates and long common beginnings.
members = st.lists(
    st.binary(min_size=20, max_size=20)
    | st.sampled_from("ab").map(lambda letter: letter.encode() * 20),
    max_size=40,
)


def terms_in(index: LmdbIndex) -> int:
    """The number of all terms of all resources."""
    with index._env.lmdb.begin() as txn:
        return int(txn.stat(index._env.value)["entries"])


def packed(some: set[bytes]) -> bytes:
    return b"".join(sorted(some))


@given(members, members)
def test_sets(a: list[bytes], b: list[bytes]) -> None:
    left, right = set(a), set(b)
    assert sort(b"".join(a)) == packed(left)
    assert sort(b"".join(b"12345678" + each for each in a), 28, 8) == packed(left)
    assert intersect(packed(left), packed(right)) == packed(left & right)
    assert subtract(packed(left), packed(right)) == packed(left - right)


def test_sets_refuse_other_lengths() -> None:
    for wrong in (b"x" * 19, b"x" * 21):
        with pytest.raises(ValueError, match="multiple"):
            sort(wrong)
        with pytest.raises(ValueError, match="multiple"):
            intersect(wrong, b"")
        with pytest.raises(ValueError, match="multiple"):
            subtract(b"", wrong)


@given(st.text(max_size=300))
def test_a_key_holds_folded_and_true_value(value: str) -> None:
    key = term_key(Kind.TAG, 1, 0x00100010, value)
    assert len(key) <= MAX_KEY
    if len(key) < MAX_KEY:
        assert value_of(key) == value
    assert fold(fold(value)) == fold(value)
    assert [c for c in fold(value) if c.isascii()] == [
        c.upper() if c != "\0" else "\x01" for c in value if c.isascii()
    ]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LmdbIndex]:
    opened = filled(tmp_path / "index")
    yield opened
    opened.close()


def filled(folder: Path) -> LmdbIndex:
    opened = LmdbIndex(folder, terms, 1 << 24)
    rng = random.Random(7)
    paths = {"".join(rng.choices("abc", k=4)) for _ in range(60)}

    def fill(transaction: Transaction) -> None:
        for path in sorted(paths):
            transaction.store_instance(new_instance(path))

    opened.write(fill)
    return opened


def test_along_the_hierarchy(index: LmdbIndex) -> None:
    with reading(index) as view:
        search = view.search
        studies = view.listing_packed(Level.STUDY)
        assert list(unpack(studies)) == view.listing(Level.STUDY)
        assert search.descend(studies, Level.STUDY, Level.INSTANCE) == view.listing_packed(
            Level.INSTANCE
        )
        assert search.ascend(view.listing_packed(Level.SERIES), Level.SERIES) == studies
        one = view.resource(Level.PATIENT, public("a"))
        assert one is not None
        below = search.descend(public("a"), Level.PATIENT, Level.INSTANCE)
        assert list(unpack(below)) == view.descendants(one, Level.INSTANCE)


def found(index: LmdbIndex, kind: Kind, level: Level, number: int, value: str) -> list[bytes]:
    with reading(index) as view:
        search = view.search
        keys = search.equal(kind, level, number, value)
        assert search.count(keys) == len(search.members(keys)) // 20
        return list(unpack(search.members(keys)))


def test_walking_a_field_from_both_ends(index: LmdbIndex) -> None:
    def more(transaction: Transaction) -> None:
        for number, path in enumerate(("xaaa", "yaaa", "zaaa")):
            transaction.store_instance(new_instance(path, now=100 + number))

    index.write(more)
    with reading(index) as view:
        search = view.search
        fields = [
            (kind, level, number)
            for kind in Kind
            for level in Level
            for number in (0, LAST_UPDATE, PATIENT_ID, SERIES_UID, SOP_UID, 0xFFFFFFFF)
        ]
        sizes = set()
        for field in fields:
            keys = search.between(*field)
            assert list(search.walk(*field, descending=False)) == keys
            assert list(search.walk(*field, descending=True)) == keys[::-1]
            groups = [keys[at : at + 2] for at in range(0, len(keys), 2)]
            assert list(search.sets(groups)) == [search.members(group) for group in groups]
            sizes.add(len(keys))
        assert sizes >= {0, 4}


def test_editing_moves_terms(index: LmdbIndex) -> None:
    with reading(index) as view:
        series = view.listing(Level.SERIES)[0]

    def label(transaction: Transaction) -> None:
        resource = transaction.resource(Level.SERIES, series)
        assert resource is not None
        transaction.add_label(resource, "Urgent")

    index.write(label)
    assert found(index, Kind.LABEL, Level.SERIES, 0, "urgent") == [series]
    index.write(lambda transaction: transaction.delete(Level.SERIES, series, 5))
    assert found(index, Kind.LABEL, Level.SERIES, 0, "urgent") == []


def test_terms_of_children_follow_the_last_one(index: LmdbIndex) -> None:
    """A study is found by the last letter of its series' paths."""
    index.write(lambda transaction: transaction.store_instance(new_instance("zzaa")))
    index.write(lambda transaction: transaction.store_instance(new_instance("zzba")))
    for letter in "ab":
        assert public("zz") in found(index, Kind.OF_CHILD, Level.STUDY, SERIES_UID, letter)
    index.write(lambda transaction: transaction.delete(Level.SERIES, public("zza"), 5))
    assert public("zz") not in found(index, Kind.OF_CHILD, Level.STUDY, SERIES_UID, "a")
    assert public("zz") in found(index, Kind.OF_CHILD, Level.STUDY, SERIES_UID, "b")
    index.write(lambda transaction: transaction.delete(Level.PATIENT, public("z"), 5))
    assert public("zz") not in found(index, Kind.OF_CHILD, Level.STUDY, SERIES_UID, "b")


def test_nothing_is_left_when_all_is_deleted(index: LmdbIndex) -> None:
    with reading(index) as view:
        patients = view.listing(Level.PATIENT)

    def delete(transaction: Transaction) -> None:
        for patient in patients:
            transaction.delete(Level.PATIENT, patient, 5)

    index.write(delete)
    assert terms_in(index) == 0


def test_migration_from_the_first_layout(tmp_path: Path) -> None:
    index = filled(tmp_path / "index")
    with reading(index) as view:
        search = view.search
        expected = [
            search.between(kind, level, 0, b"", b"\xff") for kind in Kind for level in Level
        ]
        before = terms_in(index)
    index.close()
    with lmdb.open(str(tmp_path / "index"), max_dbs=20) as env, env.begin(write=True) as txn:
        txn.put(b"schema", b"1", db=env.open_db(b"global", txn=txn))
        txn.put(b"old", b"", db=env.open_db(b"term", txn=txn))
        txn.drop(env.open_db(b"value", txn=txn))
    again = LmdbIndex(tmp_path / "index", terms, 1 << 24)
    with reading(again) as view:
        search = view.search
        found = [search.between(kind, level, 0, b"", b"\xff") for kind in Kind for level in Level]
        assert found == expected
        assert terms_in(again) == before
    again.close()


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    index = filled(tmp_path / "index")
    index.close()
    with lmdb.open(str(tmp_path / "index"), max_dbs=20) as env, env.begin(write=True) as txn:
        txn.put(b"schema", b"99", db=env.open_db(b"global", txn=txn))
    with pytest.raises(IncompatibleDatabase, match="newer program"):
        LmdbIndex(tmp_path / "index", terms, 1 << 24)
