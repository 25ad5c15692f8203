"""Key-value stores and queues on each kind of index."""

import asyncio
from pathlib import Path

import pytest
from support.small_store import SmallStore

from orthanc_fast.errors import ParameterOutOfRange, UnknownResource
from orthanc_fast.model import Caller
from orthanc_fast.services.key_values.queues import Queues
from orthanc_fast.services.key_values.queues import read_all as all_queued
from orthanc_fast.services.key_values.stores import PAGE, KeyValueStores, named
from orthanc_fast.services.key_values.stores import read_all as all_values


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def stores(small_store: SmallStore) -> KeyValueStores:
    return KeyValueStores(small_store.reads, small_store.writes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queues(small_store: SmallStore, clock: Clock) -> Queues:
    return Queues(small_store.reads, small_store.writes, clock)


def test_values(small_store: SmallStore, stores: KeyValueStores, caller: Caller) -> None:
    run = small_store.run
    assert stores.get(caller, "s", "k") is None
    run(stores.put(caller, "s", "k", b"\0\xff"))
    run(stores.put(caller, "s", "k", b"new"))
    run(stores.put(caller, "other", "k", b"other"))
    assert stores.get(caller, "s", "k") == b"new"
    assert stores.get(caller, "other", "k") == b"other"
    with pytest.raises(ParameterOutOfRange):
        run(stores.put(caller, "s", "k", b""))
    for _ in range(2):  # what is not there can be removed
        run(stores.delete(caller, "s", "k"))
    assert stores.get(caller, "s", "k") is None
    assert list(stores.walk(caller, "s")) == []
    assert list(stores.walk(caller, "other")) == [("k", b"other")]


def test_keys_of_any_length(
    small_store: SmallStore, stores: KeyValueStores, caller: Caller
) -> None:
    keys = ["", "é", "a" * 380, "a" * 381, "a" * 382, "é" * 5000, "é" * 5001, "a/b", "a\0b"]
    for key in keys:
        small_store.run(stores.put(caller, "s" * 1000, key, key.encode() + b"!"))
    for key in keys:
        assert stores.get(caller, "s" * 1000, key) == key.encode() + b"!"
    assert sorted(stores.walk(caller, "s" * 1000)) == sorted((k, k.encode() + b"!") for k in keys)


def test_a_walk_over_several_pages(
    small_store: SmallStore, stores: KeyValueStores, caller: Caller
) -> None:
    keys = [f"{number:05}" for number in range(2 * PAGE)]

    async def fill() -> None:
        await asyncio.gather(*(stores.put(caller, "s", key, b"x") for key in reversed(keys)))

    small_store.run(fill())
    assert [key for key, _ in stores.walk(caller, "s")] == keys


def test_a_queue_has_two_ends(small_store: SmallStore, queues: Queues, caller: Caller) -> None:
    run = small_store.run
    assert queues.size(caller, "q") == 0
    assert run(queues.take(caller, "q", False)) is None
    for value in (b"1", b"2", b"3"):
        run(queues.put(caller, "q", value))
    run(queues.put(caller, "p", b"p"))
    assert queues.size(caller, "q") == 3
    assert run(queues.take(caller, "q", False)) == b"1"
    assert run(queues.take(caller, "q", True)) == b"3"
    assert run(queues.take(caller, "q", True)) == b"2"
    assert run(queues.take(caller, "q", True)) is None
    assert (queues.size(caller, "q"), queues.size(caller, "p")) == (0, 1)
    with pytest.raises(ParameterOutOfRange):
        run(queues.put(caller, "q", b""))


def test_reserved_values(
    small_store: SmallStore, queues: Queues, clock: Clock, caller: Caller
) -> None:
    run = small_store.run
    for value in (b"1", b"2"):
        run(queues.put(caller, "q", value))
    first = run(queues.reserve(caller, "q", False, 10))
    assert first is not None
    assert first.value == b"1"
    assert queues.size(caller, "q") == 2
    assert run(queues.take(caller, "q", False)) == b"2"
    assert run(queues.take(caller, "q", False)) is None
    clock.now += 10  # nobody has acknowledged it: it is there again, with its number
    assert run(queues.reserve(caller, "q", True, 10)) == first
    run(queues.acknowledge(caller, "q", first.number))
    assert queues.size(caller, "q") == 0
    clock.now += 10
    assert run(queues.take(caller, "q", False)) is None
    for number in (first.number, -1, 77):
        with pytest.raises(UnknownResource):
            run(queues.acknowledge(caller, "q", number))
    with pytest.raises(ParameterOutOfRange):
        run(queues.reserve(caller, "q", True, 0))


def test_behind_many_reserved_ones(small_store: SmallStore, queues: Queues, caller: Caller) -> None:
    async def work() -> set[bytes]:
        for number in range(200):
            await queues.put(caller, "q", b"%d" % number)
        waiting = (queues.reserve(caller, "q", False, 60) for _ in range(201))
        found = await asyncio.gather(*waiting)
        return {each.value for each in found if each is not None}

    assert small_store.run(work()) == {b"%d" % number for number in range(200)}


def test_both_are_there_after_a_restart(tmp_path: Path, caller: Caller) -> None:
    store = SmallStore(tmp_path, "lmdb")
    store.run(KeyValueStores(store.reads, store.writes).put(caller, "s", "k", b"v"))
    store.run(Queues(store.reads, store.writes).put(caller, "q", b"1"))
    store.close()
    store = SmallStore(tmp_path, "lmdb")
    assert KeyValueStores(store.reads, store.writes).get(caller, "s", "k") == b"v"
    assert store.run(Queues(store.reads, store.writes).take(caller, "q", False)) == b"1"
    store.close()


def test_all_that_is_stored(
    small_store: SmallStore, stores: KeyValueStores, queues: Queues, caller: Caller
) -> None:
    """With the names of stores and queues; None where an earlier version has not kept them."""
    run = small_store.run
    values = {("s", "a"): b"1", ("s", "b/c"): b"2", ("other" * 99, "é" * 999): b"3"}
    for (store, key), value in values.items():
        run(stores.put(caller, store, key, value))
    waiting = [("q", b"first"), ("long" * 99, b"x"), ("q", b"second")]
    for queue, value in waiting:
        run(queues.put(caller, queue, value))
    run(queues.reserve(caller, "q", False, 60))
    found = small_store.index.read(lambda view: list(all_values(view)))
    assert {(store, key): value for store, key, value in found} == values
    queued = small_store.index.read(lambda view: list(all_queued(view)))
    assert sorted(queued, key=lambda each: each[0] or "") == [
        *(each for each in waiting if each[0] != "q"),
        *(each for each in waiting if each[0] == "q"),
    ]
    small_store.index.write(lambda transaction: transaction.set_property(named("s")[0], None))
    found = small_store.index.read(lambda view: list(all_values(view)))
    assert [value for store, _, value in found if store is None] == [b"1", b"2"]
