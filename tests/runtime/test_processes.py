"""The runtime between processes: others are woken soon, and nobody's death harms the rest."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from support.small_disk import small_disk

from orthanc_fast.errors import FullStorage, StorageFault
from orthanc_fast.runtime import bell as bell_module
from orthanc_fast.runtime.bell import Bell
from orthanc_fast.runtime.contract import Transaction
from orthanc_fast.runtime.lmdb import LmdbRuntime

GUARD = 60.0  # seconds after which a test that hangs is ended
_SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runtime"


@pytest.fixture
def runtime(folder: Path) -> Iterator[LmdbRuntime]:
    found = LmdbRuntime(folder)
    yield found
    found.close()


def _answer(folder: Path, to_parent: Connection) -> None:
    """Another process: sets `pong` to whatever `ping` becomes."""
    runtime = LmdbRuntime(folder)
    to_parent.send(None)
    last = None
    while last != b"end":
        heard = runtime.bell.heard("ping")
        ping = runtime.get("ping")
        if ping is None or ping == last:
            runtime.bell.wait("ping", heard, 10)
            continue
        last = ping
        runtime.write(partial(_set, "pong", last))


def _set(name: str, value: bytes, transaction: Transaction) -> None:
    transaction.set(name, value)


def test_other_processes_are_woken(folder: Path, runtime: LmdbRuntime) -> None:
    ours, theirs = _SPAWN.Pipe()
    other = _SPAWN.Process(target=_answer, args=(folder, theirs))
    other.start()
    ours.recv()
    end = time.monotonic() + GUARD
    for number in range(101):
        value = b"end" if number == 100 else b"%d" % number
        runtime.write(partial(_set, "ping", value))
        while True:
            heard = runtime.bell.heard("pong")
            if runtime.get("pong") == value:
                break
            runtime.bell.wait("pong", heard, 10)
        assert time.monotonic() < end, "each one waits until it looks again by itself"
        time.sleep(0.001)  # so that the other one sleeps again
    other.join(10)
    assert other.exitcode == 0


def _die_within_a_transaction(folder: Path, to_parent: Connection) -> None:
    runtime = LmdbRuntime(folder)

    def work(transaction: Transaction) -> None:
        for number in range(1000):
            transaction.set(f"half/{number}", bytes(1000))
        to_parent.send(None)
        time.sleep(60)

    runtime.write(work)


def test_a_writer_that_is_killed_leaves_nothing_and_stops_nobody(
    folder: Path, runtime: LmdbRuntime
) -> None:
    runtime.write(lambda txn: txn.set("kept", b"1"))
    for _ in range(3):
        ours, theirs = _SPAWN.Pipe()
        other = _SPAWN.Process(target=_die_within_a_transaction, args=(folder, theirs))
        other.start()
        ours.recv()
        assert other.pid is not None
        written = threading.Thread(
            target=runtime.write, args=(lambda txn: txn.set("after", b"1"),), daemon=True
        )
        written.start()
        written.join(0.1)
        assert written.is_alive()  # one writer at a time
        os.kill(other.pid, signal.SIGKILL)
        other.join()
        written.join(5)
        assert not written.is_alive()
        assert runtime.read(lambda snapshot: snapshot.below("")) == [
            ("after", b"1"),
            ("kept", b"1"),
        ]
        runtime.write(lambda txn: txn.delete("after"))


def test_a_ring_that_was_lost_delays_and_no_more(runtime: LmdbRuntime) -> None:
    """The writer was killed between its change and its ring: nobody waits longer than a second
    without looking again."""
    arguments = ("a", runtime.bell.heard("a"), 3600)
    waiting = threading.Thread(target=runtime.bell.wait, args=arguments, daemon=True)
    waiting.start()
    waiting.join(GUARD)
    assert not waiting.is_alive()


def test_hundreds_of_threads_wait_for_one_topic(
    runtime: LmdbRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell_module, "RECHECK", 3600.0)
    woken = []

    def wait() -> None:
        while True:
            heard = runtime.bell.heard("a")
            if runtime.get("a"):
                woken.append(True)
                return
            runtime.bell.wait("a", heard, 3600)

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(300)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert woken == []
    runtime.write(lambda txn: txn.set("a", b"1"))
    for thread in threads:
        thread.join(GUARD)
    assert len(woken) == 300


def test_closing_ends_all_waiting_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell_module, "RECHECK", 3600.0)
    bell = Bell(None)
    threads = [
        threading.Thread(target=bell.wait, args=(f"{number}", 0, 3600), daemon=True)
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    bell.close()
    threads.append(threading.Thread(target=bell.wait, args=("a", 0, 3600), daemon=True))
    threads[-1].start()
    for thread in threads:
        thread.join(GUARD)
    assert not any(thread.is_alive() for thread in threads)


def set_many(transaction: Transaction) -> None:
    for number in range(1000):
        transaction.set(f"{number}", bytes(100))


def test_a_start_forgets_everything(folder: Path) -> None:
    left = LmdbRuntime.begin(folder, is_alone=True)  # there was nothing yet
    left.write(set_many)
    left.close()
    fresh = LmdbRuntime.begin(folder, is_alone=True)
    assert fresh.read(lambda snapshot: snapshot.below("")) == []
    fresh.close()


def test_a_start_beside_another_server_empties_what_both_use(
    folder: Path, runtime: LmdbRuntime
) -> None:
    runtime.write(set_many)
    heard = runtime.bell.heard("7")
    other = _SPAWN.Process(target=LmdbRuntime.begin, args=(folder, False))
    other.start()
    other.join()
    assert other.exitcode == 0
    assert runtime.read(lambda snapshot: snapshot.below("")) == []
    assert runtime.bell.heard("7") != heard


def _use_a_full_disk(disk: Path) -> None:
    runtime = LmdbRuntime.begin(disk / "a", is_alone=True)
    runtime.write(lambda txn: txn.set("kept", b"1"))
    with pytest.raises((FullStorage, StorageFault)):  # LMDB takes a short write for a fault
        runtime.write(lambda txn: txn.set("large", bytes(2 << 20)))
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    with pytest.raises(FullStorage):
        Bell(disk / "bell")
    with pytest.raises((FullStorage, StorageFault)):
        LmdbRuntime(disk / "b")
    runtime.bell.ring("kept")
    assert runtime.get("kept") == b"1"


def test_a_full_disk_is_an_error_and_no_sudden_end(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        process = _SPAWN.Process(target=_use_a_full_disk, args=(disk,))
        process.start()
        process.join()
    assert process.exitcode == 0


def test_what_a_power_cut_left_of_it_does_no_harm(folder: Path) -> None:
    """Never synced, so any page may hold anything: a start that is alone looks at none of it."""
    left = LmdbRuntime(folder)
    left.write(lambda txn: txn.set("a", bytes(100_000)))
    left.close()
    data = folder / "data.mdb"
    data.write_bytes(b"\xff" * data.stat().st_size)
    fresh = LmdbRuntime.begin(folder, is_alone=True)
    assert fresh.read(lambda snapshot: snapshot.below("")) == []
    fresh.close()


def test_more_readers_than_there_is_room_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the runtime, as that of a write is."""
    monkeypatch.setattr("orthanc_fast.runtime.lmdb.MAX_READERS", 1)
    monkeypatch.setattr("orthanc_fast.runtime.lmdb.LOCK_SIZE", 1)  # LMDB makes of it what it needs
    runtime = LmdbRuntime(folder)
    runtime.write(lambda txn: txn.set("a", b"1"))
    errors: list[Exception] = []

    reads: tuple[Callable[[], object], ...] = (
        lambda: runtime.get("a"),
        lambda: runtime.read(lambda values: None),
    )

    def another() -> None:
        for read in reads:
            try:
                read()
            except Exception as error:
                errors.append(error)

    def hold(values: object) -> None:
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()

    runtime.read(hold)
    assert [type(error) for error in errors] == [StorageFault, StorageFault]
    assert runtime.get("a") == b"1"
    runtime.close()
