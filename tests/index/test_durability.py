"""The strategies of durability side by side: without a journal LMDB is on its own, and an index may
change from one to the other."""

import multiprocessing
import os
import random
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from support.instances import new_instance, public, terms
from support.power_cut import DATA, PAGE, contents

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.lmdb import durability, journal
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import Level

MAP_SIZE = 1 << 26
METAS = 2  # pages


def opened(folder: Path, journal_size: int) -> LmdbIndex:
    return LmdbIndex(folder, terms, MAP_SIZE, journal_size=journal_size)


def store(index: LmdbIndex, path: str) -> None:
    index.write(lambda txn: txn.store_instance(new_instance(path, overwrite="Always")))


def instances(index: LmdbIndex) -> list[bytes]:
    return index.read(lambda view: view.listing(Level.INSTANCE))


def store_and_die(folder: Path, journal_size: int, count: int, pipe: Connection) -> None:
    """Acknowledges each write, and dies in the middle of the one after the last."""
    index = opened(folder, journal_size)
    for number in range(count):
        path = f"a{number % 3}b{number}"
        store(index, path)
        pipe.send(path)

    def die(transaction: Transaction) -> None:
        transaction.store_instance(new_instance("zzzz"))
        os.kill(os.getpid(), signal.SIGKILL)

    index.write(die)


def killed(folder: Path, journal_size: int, count: int) -> list[bytes]:
    """What a process that was killed had acknowledged."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=store_and_die, args=(folder, journal_size, count, there))
    process.start()
    found = [public(here.recv()) for _ in range(count)]
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    return sorted(found)


@pytest.mark.parametrize("before", [0, 1 << 18])
@pytest.mark.parametrize("after", [0, 1 << 18])
def test_a_kill_loses_nothing_and_the_strategy_may_change(
    tmp_path: Path, before: int, after: int
) -> None:
    acknowledged = killed(tmp_path / "index", before, 12)
    index = opened(tmp_path / "index", after)
    assert index.carries_cargo == bool(after)
    assert instances(index) == acknowledged
    store(index, "zzzz")
    index.close()
    again = opened(tmp_path / "index", before)
    assert instances(again) == sorted([*acknowledged, public("zzzz")])
    again.close()


@pytest.mark.parametrize("seed", range(20))
def test_a_power_cut_without_a_journal(tmp_path: Path, seed: int) -> None:
    """Of the commit that was under way, any of its pages may be on the disk, but not yet the one
    that makes it valid."""
    chance = random.Random(seed)
    folder = tmp_path / "index"
    index = opened(folder, 0)
    for number in range(chance.randrange(1, 30)):
        store(index, f"a{chance.choice('abc')}b{number}")
        if chance.random() < 0.2:
            index.write(lambda txn: txn.delete(Level.STUDY, public("aa"), 5))
    expected = contents(index._env)
    before = (folder / DATA).read_bytes()
    store(index, "zzzz")
    after = (folder / DATA).read_bytes()
    index.close()
    pages = [
        before[start : start + PAGE]
        if start < METAS * PAGE or chance.random() < 0.5
        else after[start : start + PAGE]
        for start in range(0, len(after), PAGE)
    ]
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / DATA).write_bytes(b"".join(page.ljust(PAGE, b"\0") for page in pages))
    again = opened(cut, 0)
    assert contents(again._env) == expected
    store(again, "zzzz")
    again.close()


def test_all_processes_have_the_same_strategy(tmp_path: Path) -> None:
    plain = opened(tmp_path / "plain", 0)
    store(plain, "aaaa")
    with pytest.raises(StorageFault, match="without a journal"):
        opened(tmp_path / "plain", 1 << 18)
    plain.close()
    journaled = opened(tmp_path / "journaled", 1 << 18)
    with pytest.raises(StorageFault, match="was not closed"):
        opened(tmp_path / "journaled", 0)
    journaled.close()


def test_a_journal_that_is_gone_is_missed(tmp_path: Path) -> None:
    """What it had of the last writes is nowhere else."""
    killed(tmp_path / "index", 1 << 18, 3)
    (tmp_path / "index" / journal.RING).unlink()
    with pytest.raises(StorageFault, match="journal is missing"):
        opened(tmp_path / "index", 0)


def test_without_a_journal_there_is_none(tmp_path: Path) -> None:
    index = opened(tmp_path / "index", 0)
    store(index, "aaaa")
    assert isinstance(index._durability, durability.ByLmdb)
    assert not (tmp_path / "index" / journal.RING).exists()
    index.close()


def open_and_tell(folder: Path, pipe: Connection) -> None:
    """Tells when it has opened the index; closes it when it is told to, or has nothing to wait
    for."""
    pipe.send("begins")
    index = opened(folder, 1 << 20)
    pipe.send("is open")
    pipe.recv()
    index.close()
    pipe.send("is closed")


def test_others_are_kept_out(tmp_path: Path) -> None:
    """Whoever has the index open is seen, whoever comes later waits."""
    index = opened(tmp_path / "index", 1 << 20)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    for is_first in (True, False):
        if not is_first:
            assert index.keep_others_out()
        process = context.Process(target=open_and_tell, args=(tmp_path / "index", there))
        process.start()
        assert here.recv() == "begins"
        if is_first:
            assert here.recv() == "is open"
            assert not index.keep_others_out()
        else:
            store(index, "aaaa")
            assert not here.poll(0.2)
            index.close()
            assert here.recv() == "is open"
        here.send("close")
        assert here.recv() == "is closed"
        process.join(60)
