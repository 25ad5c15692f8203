"""The folders on each kind of index, and large ones."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import webdav
from support.small_store import USER, SmallStore

from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level
from orthanc_fast.services.browse.describe import Describer
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.webdav.name_memory import SECONDS, NameMemory
from orthanc_fast.services.webdav.names import PATIENTS, STUDIES, named
from orthanc_fast.services.webdav.nodes import Branch, Document, Item, Shelf, StoredFile
from orthanc_fast.services.webdav.tree import NOWHERE, Tree


def tree_of(store: SmallStore) -> Tree:
    return Tree(store.reads, Describer(store.dictionary))


def items(tree: Tree, path: list[str]) -> list[Item]:
    node = tree.find(USER, path)
    assert isinstance(node, Shelf | Branch)
    return [item for part in tree.items(USER, node) for item in part]


def everything(tree: Tree, path: list[str]) -> list[list[str]]:
    """The paths of all files below a folder, each of which is found again."""
    found = []
    for item in items(tree, path):
        inside = [*path, item.name]
        if item.kind is None:
            found += everything(tree, inside)
        else:
            assert isinstance(tree.find(USER, inside), StoredFile | Document)
            found.append(inside)
    return found


def test_each_tree_has_each_file_once(small_store: SmallStore) -> None:
    for data in webdav.difficult():
        small_store.put(data)
    # What cannot be read on an event loop is not: this runs in none.
    tree = tree_of(small_store)
    amount = len(webdav.difficult())
    for view in ("by-patients", "by-studies"):
        assert len(everything(tree, [view])) == amount
    uids = everything(tree, ["by-uids"])
    assert sum(path[-1].endswith(".dcm") for path in uids) == amount
    assert len({tuple(path) for path in uids}) == len(uids)


@pytest.mark.parametrize("view", ["by-patients", "by-studies", "by-uids"])
def test_each_caller_has_his_own_folders(small_store: SmallStore, view: str) -> None:
    """Also where what they see is as much."""
    tree = tree_of(small_store)
    studies = [small_store.add(number, number, 1, 1)[1] for number in (1, 2)]

    def names(caller: Caller) -> list[str]:
        node = tree.find(caller, [view])
        assert isinstance(node, Shelf)
        return [item.name for part in tree.items(caller, node) for item in part]

    every = [[name] for name in names(USER)]
    own = [names(msgspec.structs.replace(USER, study=study)) for study in studies]
    assert sorted(own) == sorted(every)


@pytest.mark.parametrize("uid", ["1.2/3", "..", ".", "1.2\\3", "1.2\x013"])
def test_uids_that_lead_elsewhere_are_left_out(small_store: SmallStore, uid: str) -> None:
    for number, name in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")):
        small_store.put(webdav.instance((number, 1, 1), **{name: uid}))
    tree = tree_of(small_store)
    names = {part for path in everything(tree, ["by-uids"]) for part in path}
    assert uid not in names
    assert f"{uid}.dcm" not in names
    assert tree.find(USER, ["by-uids", uid]) == NOWHERE
    assert len(everything(tree, ["by-patients"])) == 3


def test_a_large_folder_is_listed_in_parts(small_store: SmallStore) -> None:
    amount = 450
    for number in range(amount):
        small_store.add(number, number, 1, 1)
    tree = tree_of(small_store)
    node = tree.find(USER, ["by-patients"])
    assert isinstance(node, Shelf)
    assert not tree.is_small(node)
    parts = list(tree.items(USER, node))
    assert [len(part) for part in parts] == [200, 200, 50]
    names = [item.name for part in parts for item in part]
    assert names == sorted(names)
    assert len(everything(tree, ["by-patients", names[321]])) == 1
    assert tree.below(USER, node) == (Level.PATIENT, node.packed)
    assert len(node.packed) == amount * SHA1


def test_what_is_stored_and_deleted_is_seen_at_once(small_store: SmallStore) -> None:
    tree = tree_of(small_store)
    deletion = Deletion(small_store.writes)
    first = small_store.add(1, 1, 1, 1)
    for number in range(2, 6):
        for view, amount in (("by-patients", 1), ("by-uids", 1)):
            assert len(items(tree, [view])) == amount
        patient = small_store.add(number, number, 1, 1)[0]
        assert len(items(tree, ["by-patients"])) == 2
        small_store.run(deletion.delete(USER, Level.PATIENT, patient))
        small_store.add(1, 1, 1, number)
    small_store.run(deletion.delete(USER, Level.PATIENT, first[0]))
    for view in ("by-patients", "by-studies", "by-uids"):
        assert items(tree, [view]) == []


def test_names_take_little_memory() -> None:
    amount = 100_000
    pairs = [(f"PATIENT{number:08d} - Some^Body", bytes(SHA1)) for number in range(amount)]
    tracemalloc.start()
    try:
        names = named(iter(pairs))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(names) == amount
    assert kept < 100 * amount
    assert names.find(pairs[77_777][0]) == bytes(SHA1)
    assert names.find("PATIENT") is None


def test_names_that_are_the_same() -> None:
    given = ["X", "X (1)", "X", "Y", "X", "X (1)"]
    publics = [bytes([number]) * SHA1 for number in range(len(given))]
    names = named(zip(given, publics, strict=True))
    found = {names.name(number): names.public(number)[0] for number in range(len(names))}
    assert found == {"X": 0, "X (1)": 1, "X (2)": 2, "Y": 3, "X (3)": 4, "X (1) (1)": 5}


class Shop:
    """Texts by identifier, which are read, and those that have been."""

    def __init__(self) -> None:
        self.texts: dict[bytes, str] = {}
        self.read_ones: list[bytes] = []

    def read(self, packed: bytes) -> Iterator[tuple[str, bytes]]:
        for public in unpack(packed):
            self.read_ones.append(public)
            yield self.texts[public], public

    def packed(self) -> bytes:
        return b"".join(sorted(self.texts))


def test_names_are_remembered_while_the_same_is_there() -> None:
    now, shop = 0.0, Shop()
    shop.texts = {bytes([number]) * SHA1: "a" for number in range(10)}
    memory = NameMemory(lambda: now)
    for _ in range(3):
        memory.names(PATIENTS, shop.packed(), shop.read)
    assert len(shop.read_ones) == 10
    memory.names(STUDIES, shop.packed(), shop.read)
    assert len(shop.read_ones) == 20
    now = SECONDS + 1
    memory.names(PATIENTS, shop.packed(), shop.read)
    assert len(shop.read_ones) == 30


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 30)), max_size=6))
def test_of_a_changed_folder_what_is_new_is_read(steps: list[set[int]]) -> None:
    """The names are those that a whole reading gives."""
    shop, memory = Shop(), NameMemory(lambda: 0.0)
    shop.texts = {bytes([number]) * SHA1: "X" for number in range(100, 200)}
    memory.names(PATIENTS, shop.packed(), shop.read)
    for step in steps:
        known = set(shop.texts)
        for number in step:  # comes, or goes if it is there
            public = bytes([number]) * SHA1
            if shop.texts.pop(public, None) is None:
                shop.texts[public] = "XXY"[number % 3]
        shop.read_ones.clear()
        names = memory.names(PATIENTS, shop.packed(), shop.read)
        assert set(shop.read_ones) == set(shop.texts) - known
        whole = named((shop.texts[public], public) for public in sorted(shop.texts))
        assert list(names.pairs()) == list(whole.pairs())


def test_deleted_meanwhile(tmp_path: Path) -> None:
    store = SmallStore(tmp_path)
    try:
        store.add(1, 1, 1, 1)
        tree = tree_of(store)
        node = Shelf(Level.PATIENT, bytes(SHA1), PATIENTS)
        assert [part for part in tree.items(USER, node) if part] == []
    finally:
        store.close()
