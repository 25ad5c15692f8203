"""`orthanc-fast rebuild`: a new index from the stored files alone.

Files are examined by a process for each core, in the order in which they were written, so that the
newer one of two is seen last and patients come into the order of recycling. This process enters
them, some at a time, into an index that lies beside the place of the real one, and is moved there
when it is complete: no server opens half an index. How far it has come is in that index, so that a
repeated call goes on. No file is changed, moved or removed, but those in `incoming`, which were
stored and not yet put in their place.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from orthanc_fast.config import Settings
from orthanc_fast.errors import IncompatibleDatabase, StorageFault
from orthanc_fast.index.contract import Index, Transaction
from orthanc_fast.model import Level
from orthanc_fast.services.store.foreign import has_index, has_orthanc_index
from orthanc_fast.services.store.opening import (
    INDEX_FOLDER,
    REBUILDING_FOLDER,
    SUPERVISOR_SLOT,
    open_index,
    open_storage,
)
from orthanc_fast.services.upkeep.entering import Entering, Finding
from orthanc_fast.services.upkeep.examining import Examined, Examiner
from orthanc_fast.storage.contract import Storage

AT_ONCE: Final = 250  # files that are examined together, and entered in one transaction
STABLE_AT_ONCE: Final = 1000

_POSITION: Final = "rebuild/position"
_COUNTS: Final = "rebuild/counts"
_FOUND: Final = "rebuild/found/"
_DONE: Final = "rebuild/done"
_AHEAD: Final = 3  # parts that wait for each process, at most

_ENTRY: Final = np.dtype([("written", "<i8"), ("high", "<u8"), ("low", "<u8")])
Part = list[tuple[str, int]]


class Counts(msgspec.Struct, frozen=True):
    """What became of the files so far."""

    files: int = 0
    instances: int = 0
    heads: int = 0
    findings: int = 0


class Report(msgspec.Struct, frozen=True):
    """What a rebuild has made: `files` were looked at, `instances` have one as their DICOM file,
    `heads` are files of them that end before the pixel data. `findings` are all the others.
    `resumed_after`: files that an earlier call had entered."""

    files: int
    patients: int
    studies: int
    series: int
    instances: int
    heads: int
    published: int  # that lay in `incoming`
    findings: list[Finding]
    seconds: float
    resumed_after: int = 0

    @property
    def clean(self) -> bool:
        """Whether each file has its place."""
        return not self.findings


Progress = Callable[[int, int], None]


def run(
    settings: Settings, progress: Progress = lambda done, of: None, processes: int = 0
) -> Report:
    """Makes the index, or goes on. `progress` is told how many of how many files are done;
    `processes` examine (0: one for each core).

    Raises IncompatibleDatabase where there is an index, of this server or of an Orthanc,
    StorageFault where a server uses the folder.
    """
    refuse(settings)
    storage = open_storage(settings, SUPERVISOR_SLOT)
    index = open_index(settings, storage, REBUILDING_FOLDER)
    try:
        if not index.was_alone:
            raise StorageFault("another rebuild of this index is under way")
        processes = processes or os.cpu_count() or 1
        report = _Rebuild(settings, index, storage, progress, processes).run()
    finally:
        index.close()
    folder = settings.index_directory
    os.rename(folder / REBUILDING_FOLDER, folder / INDEX_FOLDER)
    _sync_folder(folder)
    return report


def refuse(settings: Settings) -> None:
    """Raises where nothing may be rebuilt."""
    folder = settings.index_directory / INDEX_FOLDER
    if has_index(folder):
        raise IncompatibleDatabase(
            "there is an index already: move it away first if it has to be made anew "
            "(orthanc-fast check says whether it is sound)",
            private=folder,
        )
    if has_orthanc_index(settings):
        raise IncompatibleDatabase(
            "there is the index of an Orthanc, which knows more than the files do: take it over "
            "(orthanc-fast adopt), or move it away first if it is beyond repair",
            private=settings.index_directory,
        )
    if not settings.storage_directory.is_dir():
        raise StorageFault("there is no storage directory", private=settings.storage_directory)
    pid = user_of(folder, settings.index_directory / "index")
    if pid is not None:
        raise StorageFault(
            f"the process {pid} still uses the index that was here: stop the server first",
            private=folder,
        )


def user_of(*paths: Path) -> int | None:
    """A process that has a file open below one of these paths, be it deleted; None where none can
    be seen."""
    wanted = tuple(os.path.realpath(path) for path in paths)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if any(link.startswith(wanted) for link in _links(folder)):
            return int(folder.parent.name)
    return None


def _links(folder: Path) -> Iterator[str]:
    """What the links in a folder lead to; none of what is not ours to see, or gone."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listdir(folder)
    for name in names:
        with contextlib.suppress(OSError):
            yield os.readlink(folder / name)


class _Rebuild:
    def __init__(
        self, settings: Settings, index: Index, storage: Storage, progress: Progress, processes: int
    ) -> None:
        self._settings = settings
        self._index = index
        self._storage = storage
        self._progress = progress
        self._processes = processes

    def run(self) -> Report:
        done: Report | None = self._property(_DONE, Report)
        if done is not None:
            return done
        began = time.monotonic()
        published = self._publish()
        entries = _listed(self._storage)
        counts = self._property(_COUNTS, Counts) or Counts()
        resumed, total = counts.files, len(entries)
        position = self._property(_POSITION, tuple[int, int, int])
        if position is not None:
            last = np.array([position], _ENTRY)[0]
            entries = entries[np.searchsorted(entries, last, side="right") :]
            total = resumed + len(entries)
        self._progress(resumed, total)
        with ProcessPoolExecutor(
            self._processes,
            mp_context=get_context("spawn"),
            initializer=_begin_examining,
            initargs=(self._settings,),
        ) as pool:
            for part in _examined(pool, entries, self._processes * _AHEAD):
                counts = self._index.write(partial(self._enter, part=part, counts=counts))
                self._progress(counts.files, total)
        while self._index.write(_settle):
            pass
        return self._finish(counts, published, time.monotonic() - began, resumed)

    def _publish(self) -> int:
        """Puts the DICOM files in `incoming` in their place: they may have been acknowledged."""
        examiner = Examiner(self._settings, self._storage)

        def belongs(owner: bytes, uuid: str) -> bool | None:
            new = examiner.examine(uuid, 0).new
            return True if new is not None and new.publics[Level.INSTANCE] == owner else None

        return self._storage.recover(belongs)[0]

    def _enter(self, transaction: Transaction, part: list[Examined], counts: Counts) -> Counts:
        entering = Entering(self._storage, transaction)
        for examined in part:
            entering.enter(examined)
        for number, finding in enumerate(entering.findings, counts.findings):
            _put(transaction, f"{_FOUND}{number:016x}", finding)
        last = part[-1]
        _put(transaction, _POSITION, (last.written, *_halves(last.uuid)))
        found = Counts(
            counts.files + len(part),
            counts.instances + entering.instances,
            counts.heads + entering.heads,
            counts.findings + len(entering.findings),
        )
        _put(transaction, _COUNTS, found)
        return found

    def _finish(self, counts: Counts, published: int, seconds: float, resumed: int) -> Report:
        """All that was kept meanwhile becomes the report, which stays in the index."""
        found = self._index.read(lambda view: view.properties(_FOUND))
        decode = msgspec.msgpack.Decoder(Finding).decode
        totals = self._index.read(lambda view: view.totals())
        report = Report(
            counts.files,
            totals.resources[Level.PATIENT],
            totals.resources[Level.STUDY],
            totals.resources[Level.SERIES],
            totals.resources[Level.INSTANCE],
            counts.heads,
            published,
            [decode(found[name]) for name in sorted(found)],
            round(seconds, 3),
            resumed,
        )

        def end(transaction: Transaction) -> None:
            for name in (*found, _POSITION, _COUNTS):
                transaction.set_property(name, None)
            _put(transaction, _DONE, report)

        self._index.write(end)
        return report

    def _property(self, name: str, kind: type[Any]) -> Any:
        value = self._index.read(lambda view: view.property(name))
        return None if value is None else msgspec.msgpack.decode(value, type=kind)


def _settle(transaction: Transaction) -> bool:
    """Nothing of what was stored long ago is news: all of it is stable before the server starts, so
    that nobody is told. Whether there may be more."""
    now = int(time.time())
    return len(transaction.stabilise(now + 1, now, STABLE_AT_ONCE)) == STABLE_AT_ONCE


def _put(transaction: Transaction, name: str, value: Any) -> None:
    transaction.set_property(name, msgspec.msgpack.encode(value))


def _halves(uuid: str) -> tuple[int, int]:
    digits = uuid.replace("-", "")
    return int(digits[:16], 16), int(digits[16:], 16)


def _uuid(high: int, low: int) -> str:
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _listed(storage: Storage) -> "np.ndarray[Any, np.dtype[np.void]]":
    """All files in the order in which they were written: 24 bytes of memory for each."""

    def entries() -> Iterator[tuple[int, int, int]]:
        for uuid in storage.listing():
            written = storage.written(uuid)
            if written is not None:
                yield (written, *_halves(uuid))

    found = np.fromiter(entries(), _ENTRY)
    found.sort(order=("written", "high", "low"))
    return found


def _examined(
    pool: ProcessPoolExecutor, entries: "np.ndarray[Any, np.dtype[np.void]]", ahead: int
) -> Iterator[list[Examined]]:
    """What the files are, part by part in their order; only so many parts are in memory."""
    waiting: deque[Future[bytes]] = deque()
    decode = msgspec.msgpack.Decoder(list[Examined]).decode
    for start in range(0, len(entries), AT_ONCE):
        part = entries[start : start + AT_ONCE].tolist()
        waiting.append(
            pool.submit(_examine, [(_uuid(high, low), written) for written, high, low in part])
        )
        if len(waiting) > ahead:
            yield decode(waiting.popleft().result())
    while waiting:
        yield decode(waiting.popleft().result())


# In the processes that examine

_examiner: Examiner


def _begin_examining(settings: Settings) -> None:
    global _examiner
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _examiner = Examiner(settings, open_storage(settings, SUPERVISOR_SLOT))


def _end_with(sentinel: int) -> None:
    """Ends this process with the one that started it, however that went."""
    from multiprocessing.connection import wait

    wait([sentinel])
    os._exit(1)


def _examine(part: Part) -> bytes:
    return msgspec.msgpack.encode([_examiner.examine(uuid, written) for uuid, written in part])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
