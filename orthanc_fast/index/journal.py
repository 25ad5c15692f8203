"""What makes writes of the index durable: each is on the disk in the journal before LMDB, which
itself never waits for the disk, is told to commit it. One write to the disk for a group, however
many files and databases it changes: `docs/decisions/0004-journal.md`.

A record holds the changes of one transaction and the bytes of its small files. From time to time a
checkpoint makes the index and the files durable themselves, and the ring is free again. At a start
after a power cut the index goes back to the checkpoint and the records that follow are repeated.

One process, the owner, does the checkpoints: the first one that opens the index, or, once that is
gone, the first one that needs room. The others write records.
"""

import contextlib
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import lmdb
import msgspec
import xxhash

from orthanc_fast._ext.redo import replay
from orthanc_fast.errors import OrthancError, StorageFault
from orthanc_fast.index import checkpoint
from orthanc_fast.index.checkpoint import Checkpoint
from orthanc_fast.index.environment import Environment
from orthanc_fast.index.ring import Ring, create, fault, sync_folder
from orthanc_fast.log import Category, logger

RING = "journal"
OWNER = "owner.lock"
OPENING = "opening.lock"
ASIDE = "journal-"

KEY = b"journal"  # of the state, in the database `global`

# Parts of the ring: a record of more than this goes to a file of its own; with so much in use the
# owner empties the ring; with so much more writers wait, so that there is always room for one.
LARGEST_RECORD = 4
CHECKPOINT_AT = 4
WAIT_AT = 2

POLL = 0.1  # seconds between two looks at the ring
PERIOD = 1.0  # seconds until what was written is durable without the journal
WAIT = 60.0  # seconds that a writer waits for room
STALE_READERS = 100  # looks

# The bytes of files in one record.
FILE = tuple[str, bytes | bytearray | memoryview | mmap.mmap]


class State(msgspec.Struct, array_like=True, frozen=True):
    """Of the journal; part of the index, so that it is what the last commit says. `owned`: an owner
    keeps the last checkpoint valid; without one nothing may be written."""

    ring: bytes
    tail: int
    head: int
    owned: bool


class Record(msgspec.Struct, array_like=True):
    """`aside` names the file that holds this record because of its size, with its checksum."""

    notes: bytes
    files: list[tuple[str, bytes]]
    aside: tuple[str, bytes] | None = None


class Repeated(msgspec.Struct):
    """What the records that were repeated say about files: the bytes of those that were written,
    and the names of those that were unlinked."""

    files: dict[str, bytes] = {}
    removed: set[str] = set()


class StoredFiles(Protocol):
    """The files that the journal answers for until a checkpoint."""

    def sync(self) -> None:
        """Returns when all that was written so far is on the disk. Raises StorageFault."""

    def restore(self, env: Environment, repeated: Repeated) -> None:
        """Brings files to the state that the index, as it is now, asks for."""


class NoFiles:
    def sync(self) -> None:
        return

    def restore(self, env: Environment, repeated: Repeated) -> None:
        return


_encode = msgspec.msgpack.Encoder().encode
_state = msgspec.msgpack.Decoder(State)
_record = msgspec.msgpack.Decoder(Record)


@contextlib.contextmanager
def opening(folder: Path) -> Iterator[None]:
    """One process at a time opens the index."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / OPENING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Ownership:
    """Whether this process is the owner; it stays so until `release`, or its end."""

    def __init__(self, folder: Path) -> None:
        self.held = False
        self._fd = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take(self) -> bool:
        """Makes this process the owner if there is none."""
        if not self.held:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.held = True
        return self.held

    def release(self) -> None:
        self.held = False
        os.close(self._fd)


def go_back(folder: Path) -> bool:
    """Goes back to the last checkpoint if there was a power cut since; returns whether. The records
    that follow it must be repeated then. For the owner, before it opens the index. Raises
    StorageFault."""
    last = checkpoint.load(folder)
    if last is None or last.clean or last.boot == checkpoint.boot_id():
        return False
    checkpoint.go_back(folder, last)
    return True


def protect(env: Environment, files: StoredFiles) -> None:
    """Makes the snapshot that `env.pin` keeps the one to go back to, before anything is written."""
    files.sync()
    env.lmdb.sync(True)
    metas = checkpoint.read_metas(env.folder, env.page_size)
    checkpoint.save(env.folder, Checkpoint(checkpoint.boot_id() or "", False, metas))


class Journal:
    """The journal of one open index."""

    def __init__(
        self, env: Environment, owner: Ownership, files: StoredFiles, size: int, went_back: bool
    ) -> None:
        """`size` is that of the ring, in bytes, where it is made; `went_back` what `go_back`
        returned. The snapshot of `env.pin` is protected, if by an earlier checkpoint. Raises
        StorageFault."""
        self._env = env
        self._owner = owner
        self._files = files
        self._pin: lmdb.Transaction | None = env.pin
        self._checkpoints = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._ring: Ring | None = None
        self._current = State(b"", 0, 0, False)  # of the transaction that is being written
        if owner.held:
            self._begin(size, went_back)
        else:
            self._release_pin()

    # Start and end

    def _begin(self, size: int, went_back: bool) -> None:
        """Of an owner: from here on there is a valid checkpoint."""
        state = self._read()
        path = self._env.folder / RING
        if went_back and state is not None:
            if not path.exists():
                raise StorageFault(
                    f"{path} is missing, with the last writes before the power cut: put it back"
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
            if self._owner.held:
                self._leave()
        except (OrthancError, lmdb.Error) as error:
            logger.error(Category.GENERIC, f"The journal stays for the next start: {error}")
        finally:
            self._release_pin()
            self._owner.release()
            if self._ring is not None:
                self._ring.close()

    def _leave(self) -> None:
        with self._env.lmdb.begin(write=True) as txn:
            state = self._state(txn)
            self._put(txn, State(state.ring, state.tail, state.tail, False))
        self._sync()
        checkpoint.save(self._env.folder, Checkpoint(checkpoint.boot_id() or "", True, b""))
        self._remove_aside(state.tail)

    # Writing

    def is_ready(self, txn: lmdb.Transaction) -> bool:
        """Whether this transaction, just begun, can be recorded. If not, abort it and call
        `make_ready`."""
        state = self._current = self._state(txn)
        if not state.owned:
            return False
        ring = self._ring_of(state)
        return state.tail - state.head <= ring.size // WAIT_AT

    def make_ready(self) -> None:
        """Waits until the owner has made room; becomes the owner if there is none. Raises
        StorageFault after a minute."""
        end = time.monotonic() + WAIT
        while True:
            with self._env.lmdb.begin(write=True) as txn:
                if self.is_ready(txn):
                    return
            if self._owner.take():
                self._checkpoint()
                self._start()
            elif time.monotonic() > end:
                raise StorageFault(
                    f"the journal in {self._env.folder} is full and its owner does not empty it: "
                    "see the log of the server"
                )
            else:
                time.sleep(0.002)

    def append(self, txn: lmdb.Transaction, notes: bytes, files: Sequence[FILE]) -> None:
        """Returns when what the transaction does is on the disk; it must be committed next. Raises
        FullStorage or StorageFault: then it must be aborted."""
        state = self._current
        ring = self._ring_of(state)
        payload = _encode((notes, files))
        if len(payload) > ring.size // LARGEST_RECORD:
            payload = _encode((b"", (), self._put_aside(state.tail, payload)))
        tail = ring.write(state.tail, payload)
        self._put(txn, State(state.ring, tail, state.head, True))

    def _ring_of(self, state: State) -> Ring:
        if self._ring is None or self._ring.name != state.ring:
            if self._ring is not None:
                self._ring.close()
            self._ring = Ring(self._env.folder / RING, state.ring)
        return self._ring

    def _put_aside(self, tail: int, payload: bytes) -> tuple[str, bytes]:
        path = self._env.folder / f"{ASIDE}{tail}-{uuid4().hex}"
        try:
            with path.open("wb", buffering=0) as file:
                with memoryview(payload) as left:
                    done = 0
                    while done < len(left):
                        done += file.write(left[done:])
                os.fsync(file.fileno())
            sync_folder(path.parent)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise fault(error, path) from error
        return path.name, xxhash.xxh3_128_digest(payload)

    def _remove_aside(self, head: int) -> None:
        for path in self._env.folder.glob(f"{ASIDE}*"):
            if int(path.name.split("-")[1]) < head:
                path.unlink(missing_ok=True)

    # Checkpoints

    def checkpoint(self) -> None:
        """See `Index.checkpoint`."""
        if self._owner.held:
            self._checkpoint()

    def _run(self) -> None:
        last = time.monotonic()
        looks = 0
        while not self._stopping.wait(POLL):
            try:
                looks += 1
                if looks % STALE_READERS == 0:
                    self._env.clear_stale_readers()
                used = self._used()
                late = time.monotonic() - last >= PERIOD
                if used >= self._ring_size() // CHECKPOINT_AT or (used and late):
                    self._checkpoint()
                    last = time.monotonic()
            except (OrthancError, lmdb.Error) as error:
                logger.error(Category.GENERIC, f"The journal cannot be emptied: {error}")
                self._stopping.wait(PERIOD)

    def _used(self) -> int:
        state = self._read()
        return 0 if state is None else state.tail - state.head

    def _ring_size(self) -> int:
        return (self._env.folder / RING).stat().st_size

    def _checkpoint(self) -> None:
        """Makes the index and the files as they are now durable, and gives the ring free up to
        here."""
        env = self._env
        with self._checkpoints:
            txn = env.lmdb.begin(write=True)  # nobody commits meanwhile
            try:
                state = self._state(txn)
                pin = env.lmdb.begin()
                metas = checkpoint.read_metas(env.folder, env.page_size)
            finally:
                txn.abort()
            try:
                self._sync()
                point = Checkpoint(checkpoint.boot_id() or "", False, metas)
                checkpoint.save(env.folder, point)
            except BaseException:
                pin.abort()
                raise
            self._release_pin()
            self._pin = pin
            with env.lmdb.begin(write=True) as txn:
                now = self._state(txn)
                self._put(txn, State(now.ring, now.tail, state.tail, True))
            self._remove_aside(state.tail)

    def _sync(self) -> None:
        self._files.sync()
        self._env.lmdb.sync(True)

    def _release_pin(self) -> None:
        if self._pin is not None:
            self._pin.abort()
            self._pin = None

    # After a power cut

    def _repeat(self, state: State) -> None:
        env = self._env
        repeated = Repeated({}, set())
        ring = self._ring_of(state)
        count = 0
        for payload, tail in ring.read(state.tail):
            record = self._whole(_record.decode(payload))
            with env.lmdb.begin(write=True) as txn:
                repeated.removed.update(self._repeat_one(txn, record))
                self._put(txn, State(state.ring, tail, state.head, True))
            repeated.files.update(record.files)
            state = State(state.ring, tail, state.head, True)
            count += 1
        self._files.restore(env, repeated)
        if count:
            logger.warning(
                Category.GENERIC, f"Repeated {count} writes that preceded a power cut or a crash"
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
            raise StorageFault(f"{path} is damaged")
        return _record.decode(payload)

    def _repeat_one(self, txn: lmdb.Transaction, record: Record) -> set[str]:
        """Returns the files that were unlinked before it."""
        env = self._env
        before = _keys(txn, env) if record.notes else set()
        replay(record.notes, txn, env.databases)
        return before - _keys(txn, env)

    # The state

    def _read(self) -> State | None:
        with self._env.lmdb.begin() as txn:
            found = txn.get(KEY, db=self._env.globals)
            return None if found is None else _state.decode(found)

    def _state(self, txn: lmdb.Transaction) -> State:
        found = txn.get(KEY, db=self._env.globals)
        if found is None:
            raise StorageFault(f"the index in {self._env.folder} has lost its journal")
        return _state.decode(found)

    def _put(self, txn: lmdb.Transaction, state: State) -> None:
        txn.put(KEY, _encode(state), db=self._env.globals)


def _keys(txn: lmdb.Transaction, env: Environment) -> set[str]:
    """The files that are listed for unlinking."""
    with txn.cursor(db=env.doomed) as cursor:
        return {bytes(key).decode() for key in cursor.iternext(keys=True, values=False)}
