"""What makes writes of the index durable: each is on the disk in the journal before LMDB, which
itself never waits for the disk, is told to commit it. One write to the disk for a group, however
many files and databases it changes: `docs/decisions/0004-journal.md`.

A record holds the changes of one transaction and the bytes of its small files. From time to time a
checkpoint makes the index and the files durable themselves, and the ring is free again. Who opens
an index that was not closed, and is alone with it, goes back to the checkpoint and repeats the
records that follow.

One process, the owner, does the checkpoints: the first one that opens the index, or, once that is
gone, the first one that writes. The others write records.
"""

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import lmdb
import msgspec
import xxhash
from msgspec.structs import replace

from orthanc_fast._ext.redo import replay
from orthanc_fast.errors import StorageFault
from orthanc_fast.index.contract import Cargo, CargoKeeper
from orthanc_fast.index.lmdb import checkpoint
from orthanc_fast.index.lmdb.checkpoint import Checkpoint
from orthanc_fast.index.lmdb.disk import SyncFailed, create_as_owner, fault, sync_folder, write_all
from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.index.lmdb.locks import Place
from orthanc_fast.index.lmdb.ring import Ring, create
from orthanc_fast.index.lmdb.snapshot import LmdbSnapshot
from orthanc_fast.log import Category, logger

RING = "journal"
ASIDE = "journal-"

KEY = b"journal"  # of the state, in the database `global`

# Parts of the ring: a record of more than this goes to a file of its own; with so much in use the
# owner empties the ring; with so much more writers wait, so that there is always room for one.
LARGEST_RECORD = 8
CHECKPOINT_AT = 4
WAIT_AT = 2

POLL = 0.1  # seconds between two looks at the ring
PERIOD = 1.0  # seconds until what was written is durable without the journal
STALE_READERS = 100  # looks


class State(msgspec.Struct, array_like=True, frozen=True):
    """Of the journal; part of the index, so that it is what the last commit says. `owned`: an owner
    keeps the last checkpoint valid; without one nothing may be written. `failed`: the disk could
    not be synced, and nothing may be written either."""

    ring: bytes
    tail: int
    head: int
    owned: bool
    failed: bool = False


class Record(msgspec.Struct, array_like=True):
    """`aside` names the file that holds this record because of its size, with its checksum."""

    notes: bytes
    cargo: list[tuple[str, bytes]]
    aside: tuple[str, bytes] | None = None


_encode = msgspec.msgpack.Encoder().encode
_state = msgspec.msgpack.Decoder(State)
_record = msgspec.msgpack.Decoder(Record)


def go_back(folder: Path) -> bool:
    """Goes back to the last checkpoint unless the index was closed after it; returns whether. The
    records that follow it must be repeated then. For who is alone with the index, before it opens
    it. Raises StorageFault."""
    last = checkpoint.load(folder)
    if last is None or last.clean:
        return False
    checkpoint.go_back(folder, last)
    return True


def protect(env: Environment, keeper: CargoKeeper) -> None:
    """Makes the snapshot that `env.pin` keeps the one to go back to, before anything is written;
    for who is alone with the index. Raises StorageFault or FullStorage."""
    keeper.sync()
    env.lmdb.sync(True)
    checkpoint.save(env.folder, Checkpoint(False, checkpoint.read_metas(env.folder, env.page_size)))


class Journal:
    """The journal of one open index."""

    def __init__(
        self, env: Environment, place: Place, keeper: CargoKeeper, size: int, went_back: bool
    ) -> None:
        """`size` is that of the ring, in bytes, where it is made; `went_back` what `go_back`
        returned. What `env.pin` keeps must be what a checkpoint stands for, if `place` is alone.
        Raises StorageFault."""
        self._env = env
        self._place = place
        self._keeper = keeper
        self._pin: lmdb.Transaction | None = env.pin
        self._checkpoints = threading.Lock()
        self._stopping = threading.Event()
        self._failed = False
        self._thread: threading.Thread | None = None
        self._ring: Ring | None = None
        self._current = State(b"", 0, 0, False)  # of the transaction that is being written
        try:
            if place.is_alone:
                self._begin(size, went_back)
            else:
                self._release_pin()
        except BaseException:
            self._close_ring()
            raise

    # Start and end

    def _begin(self, size: int, went_back: bool) -> None:
        """Of who is alone with the index: from here on there is a valid checkpoint."""
        state = self._read()
        path = self._env.folder / RING
        if went_back and state is not None:
            if not path.exists():
                raise StorageFault(
                    "the journal is missing, and with it the last writes before the server ended: "
                    "put it back",
                    private=path,
                )
            self._repeat(state)
            self._checkpoint()
        if state is None or not path.exists() or path.stat().st_size != size:
            name = create(path, size)
            with self._env.lmdb.begin(write=True) as txn:
                self._put(txn, State(name, 0, 0, False))
        self._checkpoint()
        self._start()

    def _start(self) -> None:
        with self._checkpoints:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Of an owner: leaves an index that needs no journal."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        try:
            if self._place.is_owner:
                self._leave()
        except Exception as error:
            logger.error(Category.GENERIC, f"The journal stays for the next start: {error}")
        finally:
            self._release_pin()
            self._close_ring()

    def _leave(self) -> None:
        with self._env.lmdb.begin(write=True) as txn:
            state = self._state(txn)
            if self._failed or state.failed:
                return
            self._put(txn, replace(state, head=state.tail, owned=False))
        self._sync()
        self._save(Checkpoint(True, b""))
        self._remove_aside(state.tail)

    def _close_ring(self) -> None:
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()

    # Writing

    def is_ready(self, txn: lmdb.Transaction) -> bool:
        """Whether this transaction, just begun behind the gate, can be recorded. If not, abort it
        and call `make_ready`. Raises StorageFault after the disk has failed."""
        state = self._current = self._state(txn)
        self._refuse_after_failure(state)
        # An owner that is gone took the pin with it: nothing may be written before a checkpoint.
        if self._place.become_owner() and self._pin is None:
            return False
        if not state.owned:
            return False
        return state.tail - state.head < self._ring_of(state).size // WAIT_AT

    def _refuse_after_failure(self, state: State) -> None:
        if self._failed or state.failed:
            raise StorageFault(
                "the disk of the index has failed: nothing that was acknowledged is lost yet, but "
                "the server must be restarted on a sound disk",
                private=self._env.folder,
            )

    @property
    def is_protecting(self) -> bool:
        """Whether this process keeps the last checkpoint valid."""
        return self._place.is_owner and self._pin is not None

    def make_ready(self) -> bool:
        """Where this process has just become the owner, or there is no room in the ring, makes a
        checkpoint, behind the gate; returns False where another process has to, which takes a
        while."""
        if not self._place.become_owner():
            return False
        self._checkpoint()
        self._start()
        return True

    def append(self, txn: lmdb.Transaction, notes: bytes, cargo: Sequence[Cargo]) -> None:
        """Returns when what the transaction does is on the disk; it must be committed next. Raises
        FullStorage or StorageFault: then it must be aborted."""
        state = self._current
        ring = self._ring_of(state)
        payload = _encode((notes, cargo))
        if len(payload) > ring.size // LARGEST_RECORD:
            payload = _encode((b"", (), self._put_aside(state.tail, payload)))
        tail = ring.write(state.tail, payload)
        self._put(txn, replace(state, tail=tail))

    def _ring_of(self, state: State) -> Ring:
        if self._ring is None or self._ring.name != state.ring:
            self._close_ring()
            self._ring = Ring(self._env.folder / RING, state.ring)
        return self._ring

    def _put_aside(self, tail: int, payload: bytes) -> tuple[str, bytes]:
        path = self._env.folder / f"{ASIDE}{tail}-{uuid4().hex}"
        try:
            descriptor = create_as_owner(path, os.O_WRONLY)
            try:
                write_all(descriptor, payload, 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(path.parent)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise fault(error, path) from error
        return path.name, xxhash.xxh3_128_digest(payload)

    def _remove_aside(self, head: int) -> None:
        for path in self._env.folder.glob(f"{ASIDE}*-*"):
            tail = path.name.split("-")[1]
            if tail.isdecimal() and int(tail) < head:
                with contextlib.suppress(OSError):  # the next checkpoint tries again
                    path.unlink()

    # Checkpoints

    def checkpoint(self) -> None:
        """See `LmdbIndex.checkpoint`."""
        if self._place.is_owner:
            self._checkpoint()

    def _run(self) -> None:
        last = time.monotonic()
        looks = 0
        while not self._stopping.wait(POLL):
            try:
                looks += 1
                if looks % STALE_READERS == 0:
                    self._env.clear_stale_readers()
                if self._is_due(time.monotonic() - last):
                    self._checkpoint()
                    last = time.monotonic()
            except Exception as error:  # must not end the thread: it tries again
                logger.error(Category.GENERIC, f"The journal cannot be emptied: {error}")
                self._stopping.wait(PERIOD)

    def _is_due(self, seconds: float) -> bool:
        state = self._read()
        if state is None or self._failed or state.failed:
            return False
        used = state.tail - state.head
        size = (self._env.folder / RING).stat().st_size
        return used >= size // CHECKPOINT_AT or (used > 0 and seconds >= PERIOD)

    def _checkpoint(self) -> None:
        """Makes the index and the files as they are now durable, and gives the ring free up to
        here."""
        env = self._env
        with self._checkpoints:
            pin, metas, state = self._pinned()
            try:
                self._refuse_after_failure(state)
                self._sync()
                self._save(Checkpoint(False, metas))
            except BaseException:
                pin.abort()
                raise
            old, self._pin = self._pin, pin
            if old is not None:
                old.abort()
            with env.lmdb.begin(write=True) as txn:
                self._put(txn, replace(self._state(txn), head=state.tail, owned=True))
            self._remove_aside(state.tail)

    def _pinned(self) -> tuple[lmdb.Transaction, bytes, State]:
        """A reader of the present snapshot, its meta pages, and the state of the journal in it."""
        env = self._env
        txn = env.lmdb.begin(write=True)  # nobody commits meanwhile
        try:
            state = self._state(txn)
            metas = checkpoint.read_metas(env.folder, env.page_size)
            return env.lmdb.begin(), metas, state
        finally:
            txn.abort()

    def _sync(self) -> None:
        """Raises StorageFault where the disk fails. The system reports that once, and takes what it
        could not write for written: only the journal has it then, so nothing is tried again."""
        try:
            self._keeper.sync()
            self._env.lmdb.sync(True)
        except Exception as error:
            raise self._failure(error) from error

    def _save(self, point: Checkpoint) -> None:
        try:
            checkpoint.save(self._env.folder, point)
        except SyncFailed as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> StorageFault:
        """From here on no process writes, and no checkpoint is made."""
        self._failed = True
        with contextlib.suppress(lmdb.Error), self._env.lmdb.begin(write=True) as txn:
            self._put(txn, replace(self._state(txn), failed=True))
        return StorageFault(
            "the index or the files could not be synced", private=f"{self._env.folder}: {error}"
        )

    def _release_pin(self) -> None:
        if self._pin is not None:
            self._pin.abort()
            self._pin = None

    # After a power cut

    def _repeat(self, state: State) -> None:
        env = self._env
        doomed = env.numbers[env.doomed]
        cargo: dict[str, bytes] = {}
        forgotten: set[str] = set()
        count = 0
        for payload, tail in self._ring_of(state).read(state.tail):
            record = self._whole(_record.decode(payload))
            with env.lmdb.begin(write=True) as txn:
                removed = replay(record.notes, txn, env.databases, doomed)
                self._put(txn, replace(state, tail=tail))
            forgotten.update(key.decode() for key in removed)
            cargo.update(record.cargo)
            count += 1
        with LmdbSnapshot(env) as snapshot:
            self._keeper.restore(snapshot, cargo, forgotten)
        if count:
            logger.warning(
                Category.GENERIC, f"Repeated {count} writes: the server was not closed in order"
            )

    def _whole(self, record: Record) -> Record:
        if record.aside is None:
            return record
        name, checksum = record.aside
        path = self._env.folder / name
        try:
            payload = path.read_bytes()
        except OSError as error:
            raise fault(error, path) from error
        if xxhash.xxh3_128_digest(payload) != checksum:
            raise StorageFault("a part of the journal is damaged", private=path)
        return _record.decode(payload)

    # The state

    def _read(self) -> State | None:
        with self._env.lmdb.begin() as txn:
            found = txn.get(KEY, db=self._env.globals)
            return None if found is None else _state.decode(found)

    def _state(self, txn: lmdb.Transaction) -> State:
        found = txn.get(KEY, db=self._env.globals)
        if found is None:
            raise StorageFault("the index has lost its journal", private=self._env.folder)
        return _state.decode(found)

    def _put(self, txn: lmdb.Transaction, state: State) -> None:
        txn.put(KEY, _encode(state), db=self._env.globals)
