"""The journal: what a power cut, at any moment, leaves of the index and brings back of it."""

import multiprocessing
import os
import random
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import lmdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from support.instances import new_instance, public, terms
from support.power_cut import Disk, contents
from support.snapshots import reading

from orthanc_fast._ext.redo import RecordedTransaction, replay
from orthanc_fast.errors import FullStorage, StorageFault
from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.lmdb import checkpoint, journal
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.index.lmdb.journal import Journal
from orthanc_fast.model import Level

MAP_SIZE = 1 << 26
RING = 1 << 18
LETTERS = "ab"


@pytest.fixture(autouse=True)
def no_checkpoints_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "POLL", 1000.0)


def opened(folder: Path, files: Disk | None = None, size: int = RING) -> LmdbIndex:
    return LmdbIndex(folder, terms, MAP_SIZE, keeper=files, journal_size=size)


def store(index: LmdbIndex, path: str, data: bytes = b"") -> None:
    files = [(f"slot/{path}", data)] if data else []
    index.write(
        lambda txn: txn.store_instance(new_instance(path, overwrite="Always")), lambda _: files
    )


def stored(index: LmdbIndex) -> int:
    with reading(index) as view:
        return view.totals().resources[Level.INSTANCE]


def everything(index: LmdbIndex) -> list[list[tuple[bytes, bytes]]]:
    return contents(index._env)


paths = st.text(alphabet=LETTERS, min_size=4, max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("store"), paths),
        st.tuples(st.just("delete"), paths),
        st.tuples(st.sampled_from(["checkpoint", "stabilise", "clear changes", "forget"])),
    ),
    max_size=40,
)


def perform(index: LmdbIndex, step: tuple[str, ...], number: int) -> None:
    """One write of the index that depends on nothing but what it holds."""
    work: Callable[[Transaction], object]
    match step:
        case ("store", path):
            # Some of them so large that records do not fit where the ring ends.
            store(index, path, bytes([number]) * (number * 1500))
            return
        case ("delete", path):
            level = Level(number % 4)
            work = lambda txn: txn.delete(level, public(path[: level + 1]), number)  # noqa: E731
        case ("checkpoint",):
            index.checkpoint()
            return
        case ("stabilise",):
            work = lambda txn: txn.stabilise(10, number, 100)  # noqa: E731
        case ("clear changes",):
            work = lambda txn: txn.clear_changes()  # noqa: E731
        case _:
            with reading(index) as view:
                doomed = view.doomed()
            work = lambda txn: txn.forget_doomed(doomed)  # noqa: E731
    index.write(work)


def worn(folder: Path, steps: list[tuple[str, ...]]) -> tuple[Disk, LmdbIndex]:
    """An open index after these steps, and the disk that noted its pages after each."""
    disk = Disk(folder)
    index = opened(folder, disk)
    for number, step in enumerate(steps, 1):
        perform(index, step, number)
        disk.note()
    return disk, index


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, seed=st.integers(0, 1 << 32))
def test_a_power_cut_loses_nothing(steps: list[tuple[str, ...]], seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        disk, index = worn(Path(folder, "index"), steps)
        expected = everything(index)
        for attempt in range(3):
            target = Path(folder, f"cut-{attempt}")
            disk.cut(target, chance)
            again = opened(target)
            assert everything(again) == expected
            store(again, "zzzz")
            again.close()
        index.close()


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps, seed=st.integers(0, 1 << 32))
def test_a_power_cut_while_one_is_recovered(steps: list[tuple[str, ...]], seed: int) -> None:
    """The records are repeated, and the power goes before the checkpoint that follows."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        disk, index = worn(Path(folder, "index"), steps)
        expected = everything(index)
        first = Disk(Path(folder, "first"))
        disk.cut(first.folder, chance)
        first.sync()

        def fail(self: Journal) -> None:
            first.note()
            raise StorageFault("the power is gone")

        with patch.context() as broken:
            broken.setattr(Journal, "_checkpoint", fail)
            with pytest.raises(StorageFault, match="the power is gone"):
                opened(first.folder, first)
        first.cut(Path(folder, "second"), chance)
        again = opened(Path(folder, "second"))
        assert everything(again) == expected
        again.close()
        index.close()


def test_files_come_back_with_their_records(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "index")
    index = opened(disk.folder, disk)
    store(index, "aaaa", b"before the checkpoint")
    index.checkpoint()
    store(index, "aaab", b"after it")
    store(index, "aaac", b"deleted")
    index.write(lambda txn: txn.delete(Level.INSTANCE, public("aaac"), 1))
    index.write(lambda txn: txn.forget_doomed(["aaac-1-100"]))
    disk.note()
    disk.cut(tmp_path / "cut", random.Random(1))
    other = Disk(tmp_path / "cut")
    opened(other.folder, other).close()
    assert other.restored == {"slot/aaab": b"after it", "slot/aaac": b"deleted"}
    assert other.removed == {"aaac-1-100"}
    index.close()


def test_a_record_that_was_cut_off_is_no_record(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    store(index, "aaaa")
    expected = everything(index)
    tail = tail_of(index)
    store(index, "aaab", b"x" * 10_000)
    ring = bytearray((tmp_path / "index" / journal.RING).read_bytes())
    disk = Disk(tmp_path / "index")
    for place in (tail, tail + 20, tail + 60, tail + 4096, tail + 9_000):
        target = tmp_path / f"cut-{place}"
        disk.sync()
        disk.cut(target, random.Random(1))
        damaged = bytearray(ring)
        damaged[place] ^= 1
        (target / journal.RING).write_bytes(damaged)
        again = opened(target)
        assert everything(again) == expected
        again.close()
    index.close()


def test_a_write_that_failed_at_the_end_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is on the disk, but the caller was told that it failed."""
    disk = Disk(tmp_path / "index")
    index = opened(disk.folder, disk)
    store(index, "aaaa")
    append = Journal.append
    calls = []

    def fail_once(self: Journal, *arguments: object) -> None:
        append(self, *arguments)  # type: ignore[arg-type]
        calls.append(arguments)
        if len(calls) == 1:
            raise FullStorage("no space left")

    monkeypatch.setattr(Journal, "append", fail_once)
    with pytest.raises(FullStorage):
        store(index, "aaab")
    assert len(calls) == 2, "another record has taken the place of the failed one"
    assert stored(index) == 1
    disk.note()
    disk.cut(tmp_path / "cut", random.Random(1))
    again = opened(tmp_path / "cut")
    assert stored(again) == 1
    again.close()
    index.close()


def test_a_large_record_has_a_file_of_its_own(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "index")
    index = opened(disk.folder, disk)
    store(index, "aaaa", bytes(RING))
    store(index, "aaab", b"small")
    disk.note()
    assert len(list(disk.folder.glob("journal-*"))) == 1
    disk.cut(tmp_path / "cut", random.Random(1))
    other = Disk(tmp_path / "cut")
    again = opened(other.folder, other)
    assert stored(again) == 2
    assert other.restored == {"slot/aaaa": bytes(RING), "slot/aaab": b"small"}
    again.close()
    assert list(other.folder.glob("journal-*")) == []
    index.checkpoint()
    assert list(disk.folder.glob("journal-*")) == []
    index.close()


def test_a_full_ring_is_emptied_by_whoever_needs_room(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    for number in range(100):  # four times what the ring holds
        store(index, f"aaa{number}", bytes(RING // 25))
    assert stored(index) == 100
    index.close()


def test_a_clean_end_leaves_nothing_to_go_back_to(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    store(index, "aaaa")
    index.close()
    last = checkpoint.load(tmp_path / "index")
    assert last is not None
    assert last.clean
    (tmp_path / "index" / journal.RING).unlink()  # so that repeating it would fail
    again = opened(tmp_path / "index")
    assert stored(again) == 1
    again.close()


def spawned(work: Callable[..., None], folder: Path) -> tuple[SpawnProcess, Connection]:
    """A process that runs `work(folder, pipe)`, and our end of the pipe."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=work, args=(folder, there))
    process.start()
    return process, here


def store_and_stay(folder: Path, pipe: Connection) -> None:
    index = opened(folder)
    store(index, "aaaa")
    pipe.send("stored")
    pipe.recv()


def test_an_end_by_force_loses_nothing(tmp_path: Path) -> None:
    process, pipe = spawned(store_and_stay, tmp_path / "index")
    assert pipe.recv() == "stored"
    process.kill()
    process.join(60)
    index = opened(tmp_path / "index")
    assert stored(index) == 1
    index.close()


def die_before_the_commit(folder: Path, pipe: Connection) -> None:
    index = opened(folder)
    pipe.send("open")
    pipe.recv()
    append = Journal.append

    def append_and_die(*arguments: Any) -> None:
        append(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Journal, "append", append_and_die)  # noqa: B010 - mypy refuses the assignment
    store(index, "dead", b"d" * 1000)


def test_a_record_without_a_commit_is_no_obstacle_where_the_ring_ends(tmp_path: Path) -> None:
    """It fitted before the end; the next one, of another process, does not."""
    disk = Disk(tmp_path / "index")
    index = opened(disk.folder, disk)
    process, pipe = spawned(die_before_the_commit, disk.folder)
    assert pipe.recv() == "open"
    number = 0
    while not 10_000 < RING - tail_of(index) % RING < 20_000:
        number += 1
        store(index, f"aaa{number}")
        index.checkpoint()
    pipe.send("go on")
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    store(index, "big", b"b" * 25_000)
    index.settle()
    store(index, "after")
    expected = everything(index)
    disk.note()
    disk.cut(tmp_path / "cut", random.Random(1))
    again = opened(tmp_path / "cut")
    assert everything(again) == expected
    again.close()
    index.close()


def tail_of(index: LmdbIndex) -> int:
    with index._env.lmdb.begin() as txn:
        found = txn.get(journal.KEY, db=index._env.globals)
    return msgspec.msgpack.decode(found or b"", type=journal.State).tail


def die_in_a_transaction(folder: Path, pipe: Connection) -> None:
    index = opened(folder)
    pipe.send("open")
    pipe.recv()
    index.write(lambda txn: os.kill(os.getpid(), signal.SIGKILL))


def test_whoever_writes_after_the_owner_was_killed_protects_the_index(tmp_path: Path) -> None:
    """Its pin goes when LMDB finds that another process has died within a transaction."""
    folder = tmp_path / "index"
    owner, to_owner = spawned(store_and_stay, folder)
    assert to_owner.recv() == "stored"
    victim, to_victim = spawned(die_in_a_transaction, folder)
    assert to_victim.recv() == "open"
    disk = Disk(folder)
    index = opened(folder, disk)
    owner.kill()
    owner.join(60)
    to_victim.send("go on")
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    for number in range(40):
        store(index, f"aab{number}")
        disk.note()
    expected = everything(index)
    for attempt in range(5):
        disk.cut(tmp_path / f"cut-{attempt}", random.Random(attempt))
        again = opened(tmp_path / f"cut-{attempt}")
        assert everything(again) == expected
        again.close()
    index.close()


def test_only_owners_free_the_readers_of_the_dead(tmp_path: Path) -> None:
    owner, to_owner = spawned(store_and_stay, tmp_path / "index")
    assert to_owner.recv() == "stored"
    index = opened(tmp_path / "index")
    owner.kill()
    owner.join(60)
    assert index.clear_dead_readers() == 0, "the pin of the last checkpoint is one of them"
    index.settle()
    assert index.clear_dead_readers() > 0
    index.close()


def test_an_index_that_was_not_closed_is_not_opened_without_its_journal(tmp_path: Path) -> None:
    owner, to_owner = spawned(store_and_stay, tmp_path / "index")
    assert to_owner.recv() == "stored"
    for _ in range(2):  # beside the owner, and after it
        with pytest.raises(StorageFault, match="was not closed"):
            LmdbIndex(tmp_path / "index", terms, MAP_SIZE, sync=False)
        owner.kill()
        owner.join(60)
    opened(tmp_path / "index").close()
    LmdbIndex(tmp_path / "index", terms, MAP_SIZE, sync=False).close()


class FailingDisk(Disk):
    fails = False

    def sync(self) -> None:
        super().sync()
        if self.fails:
            raise StorageFault("input/output error")


def test_after_a_failed_sync_nothing_is_believed(tmp_path: Path) -> None:
    """The system tells of an error once, and would call the next sync a success."""
    disk = FailingDisk(tmp_path / "index")
    index = opened(disk.folder, disk)
    store(index, "aaaa")
    disk.note()
    disk.cut(tmp_path / "cut", random.Random(1))
    disk.fails = True
    with pytest.raises(StorageFault, match="could not be synced"):
        index.checkpoint()
    disk.fails = False
    calls: list[Callable[[], object]] = [lambda: store(index, "aaab"), index.checkpoint]
    for again in calls:
        with pytest.raises(StorageFault, match="has failed"):
            again()
    assert stored(index) == 1, "one can still read"
    index.close()
    last = checkpoint.load(disk.folder)
    assert last is not None
    assert not last.clean, "the next start goes back and repeats"
    sound = opened(disk.folder)
    assert stored(sound) == 1
    store(sound, "aaab")
    sound.close()


def test_a_take_over_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, to_owner = spawned(store_and_stay, tmp_path / "index")
    assert to_owner.recv() == "stored"
    index = opened(tmp_path / "index")
    owner.kill()
    owner.join(60)
    with monkeypatch.context() as patch:

        def fail(folder: Path, page_size: int) -> bytes:
            raise StorageFault("too many open files")

        patch.setattr(checkpoint, "read_metas", fail)
        for _ in range(2):
            with pytest.raises(StorageFault, match="too many"):
                store(index, "aaab")
        assert index.clear_dead_readers() == 0, "nothing else protects the last checkpoint"
    store(index, "aaab")
    assert stored(index) == 2
    assert index.clear_dead_readers() > 0
    index.close()


def test_a_checkpoint_takes_no_space(tmp_path: Path) -> None:
    """It is what frees some on a full disk."""
    opened(tmp_path / "index").close()
    path = tmp_path / "index" / "checkpoint"
    size, inode = path.stat().st_size, path.stat().st_ino
    index = opened(tmp_path / "index")
    for number in range(5):
        store(index, f"aaa{number}")
        index.checkpoint()
    assert (path.stat().st_size, path.stat().st_ino) == (size, inode)
    index.close()


def test_the_older_checkpoint_counts_when_the_newer_was_cut_off(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, checkpoint.Checkpoint(True, b"one"))
    checkpoint.save(tmp_path, checkpoint.Checkpoint(False, b"two"))
    path = tmp_path / "checkpoint"
    data = bytearray(path.read_bytes())
    data[25] ^= 1  # number 2 is in the first slot
    path.write_bytes(data)
    assert checkpoint.load(tmp_path) == checkpoint.Checkpoint(True, b"one")


def write_when_told(folder: Path, pipe: Connection) -> None:
    index = opened(folder)
    pipe.send("open")
    pipe.recv()
    store(index, "aaab")
    pipe.send("written")
    pipe.recv()
    index.close()


def test_who_comes_after_the_owner_takes_over(tmp_path: Path) -> None:
    """A process that only took part goes on writing when the owner has gone in good order."""
    index = opened(tmp_path / "index")
    other, pipe = spawned(write_when_told, tmp_path / "index")
    assert pipe.recv() == "open"
    store(index, "aaaa")
    index.close()
    pipe.send("write")
    assert pipe.recv() == "written"
    last = checkpoint.load(tmp_path / "index")
    assert last is not None
    assert not last.clean, "the new owner has written its own"
    pipe.send("close")
    other.join(60)
    assert other.exitcode == 0
    last = checkpoint.load(tmp_path / "index")
    assert last is not None
    assert last.clean
    again = opened(tmp_path / "index")
    assert stored(again) == 2
    again.close()


def test_a_lost_ring_is_reported_after_a_power_cut(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "index")
    index = opened(disk.folder, disk)
    store(index, "aaaa")
    disk.note()
    disk.cut(tmp_path / "cut", random.Random(1))
    (tmp_path / "cut" / journal.RING).unlink()
    with pytest.raises(StorageFault, match="is missing"):
        opened(tmp_path / "cut")
    index.close()


def test_another_size_makes_another_ring(tmp_path: Path) -> None:
    index = opened(tmp_path / "index")
    store(index, "aaaa")
    index.close()
    index = opened(tmp_path / "index", size=2 * RING)
    assert (tmp_path / "index" / journal.RING).stat().st_size == 2 * RING
    store(index, "aaab")
    assert stored(index) == 2
    index.close()


def test_notes_repeat_what_was_done(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path), max_dbs=3) as env:
        plain, sorted_ = env.open_db(b"plain"), env.open_db(b"sorted", dupsort=True)
        databases = [plain, sorted_]
        with env.begin(write=True) as txn:
            recorded = RecordedTransaction(txn, {plain: 0, sorted_: 1})
            recorded.put(b"a", b"1", db=plain, append=True)
            recorded.put(b"b", b"", db=plain)
            recorded.put(b"k", b"x", db=sorted_)
            recorded.put(b"k", b"y", db=sorted_)
            assert recorded.get(b"a", db=plain) == b"1"
            assert recorded.delete(b"k", b"x", db=sorted_)
            assert not recorded.delete(b"c", db=plain)
            notes = recorded.notes()
            with pytest.raises(ValueError, match="never removed"):
                recorded.drop(plain, delete=True)
        with env.begin(write=True) as txn:
            txn.drop(plain, delete=False)
            txn.drop(sorted_, delete=False)
            replay(notes, txn, databases)
        with env.begin() as txn:
            assert list(txn.cursor(db=plain).iternext()) == [(b"a", b"1"), (b"b", b"")]
            assert list(txn.cursor(db=sorted_).iternext()) == [(b"k", b"y")]
        for end in range(1, len(notes)):
            with env.begin(write=True) as txn:
                whole = end in _ends(notes)
                if whole:
                    replay(notes[:end], txn, databases)
                else:
                    with pytest.raises(ValueError, match="cut off"):
                        replay(notes[:end], txn, databases)


def _ends(notes: bytes) -> set[int]:
    ends, at = set(), 0
    while at < len(notes):
        key, value = notes[at + 2 : at + 4], notes[at + 4 : at + 8]
        at += 8 + int.from_bytes(key, "little") + int.from_bytes(value, "little")
        ends.add(at)
    return ends
