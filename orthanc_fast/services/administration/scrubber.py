"""Reads all stored files slowly, again and again, and compares them with their checksums: disks
forget, and nobody notices until a study is wanted. Nothing is deleted or repaired.

It runs in one process, the one that holds a lock on a file. Where it is lies in the index, so that
it goes on after a restart. Resources are read in the order of their identifiers, which tells
nothing of their age: what is stored meanwhile comes in this round or in the next one.
"""

import fcntl
import os
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Final

import msgspec

from orthanc_fast.config_scrubber import Scrubber as Options
from orthanc_fast.index.contract import Index, Snapshot, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Attachment, Level, Resource
from orthanc_fast.services.administration.damages import (
    DAMAGED,
    Damage,
    Note,
    attachments_of,
    damage_of,
    forget_gone,
    note,
)
from orthanc_fast.services.attachments.verifying import verify
from orthanc_fast.storage.contract import Storage

LOCK_FILE: Final = "scrubber.lock"
STATUS: Final = "scrubber"

SLOWEST: Final = 100_000  # bytes per second: a small store is not read byte by byte over a month
_PART: Final = 100  # resources that are read in one snapshot
_SAVING: Final = 10.0  # seconds after which the position is kept
_PATIENCE: Final = 1.0  # seconds between two looks at lock and clock
_DAY: Final = 86400.0
_LONGEST: Final = 5.0  # seconds of rest that may be owed: a slow disk is not made up for by haste
# Most files are those of instances: what else there is comes last.
_ORDER: Final = (Level.INSTANCE, Level.SERIES, Level.STUDY, Level.PATIENT)


class Round(msgspec.Struct):
    """One reading of all files. Instants are in seconds since the epoch, UTC; `ended` is 0 until
    then. `damaged` are the files that were found so in it."""

    started: int = 0
    ended: int = 0
    files: int = 0
    bytes: int = 0
    damaged: int = 0


class Status(msgspec.Struct):
    """Where the scrubber is: behind the resource `public` of the level at `place` in its order."""

    place: int = 0
    public: bytes = b""
    present: Round | None = None
    last: Round | None = None

    @property
    def progress(self) -> float:
        """The part of the present round that is done; identifiers are spread evenly."""
        if self.present is None:
            return 1.0
        return 1.0 if self.place else int.from_bytes(self.public[:6].ljust(6, b"\0"), "big") / 2**48


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Status).decode


def status_of(view: Snapshot) -> Status:
    """As it was kept last."""
    found = view.property(STATUS)
    return Status() if found is None else _decode(found)


class _Stopped(Exception):
    """In the middle of a file, which is read again."""


class Scrubber:
    """The work of one process; `run` returns when `stopping` is set."""

    def __init__(
        self,
        options: Options,
        index: Index,
        storage: Storage,
        folder: Path,
        stopping: Event,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`folder` is that of the index."""
        self._options = options
        self._index = index
        self._storage = storage
        self._lock = folder / LOCK_FILE
        self._stopping = stopping
        self._now = now
        self._status = Status()
        self._notes: list[Note] = []
        self._found: list[Damage] = []
        self._saved = 0.0
        self._rate = float(SLOWEST)
        self._due = 0.0  # on the monotonic clock: when the next part may be read

    def run(self) -> None:
        """Waits until this process is the one that does it."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):
                if self._stopping.wait(_PATIENCE):
                    return
            self._status = self._index.read(status_of)
            while not self._stopping.is_set():
                self.turn()
        finally:
            os.close(descriptor)

    def turn(self) -> None:
        """Waits a moment where nothing is to be done now, else reads some files."""
        status = self._status
        if not self._may_read():
            self._stopping.wait(_PATIENCE)
            return
        if status.present is None:
            status.present = Round(int(self._now()))
            status.place, status.public = 0, b""
        self._rate = self._index.read(self._rate_for)
        part = partial(_some, level=_ORDER[status.place], after=status.public)
        resources = self._index.read(part)
        try:
            for resource in resources:
                self._read(resource)
                status.public = resource.public
                if time.monotonic() - self._saved >= _SAVING:
                    self._save()
        except _Stopped:
            self._save()
            return
        if not resources:
            self._end_of_level()
        if self._notes or self._found or not resources:
            self._save()

    def _may_read(self) -> bool:
        now = self._now()
        local = time.localtime(now)
        if not self._options.allows(local.tm_wday, local.tm_hour):
            return False
        last = self._status.last
        if self._status.present is not None or last is None:
            return True
        return now >= last.started + self._options.days * _DAY

    def _rate_for(self, view: Snapshot) -> float:
        """Bytes per second: as configured, or such that a round takes its days."""
        if self._options.megabytes_per_second:
            return self._options.megabytes_per_second * 1e6
        seconds = self._options.days * _DAY * self._options.share
        return max(view.totals().disk_size / seconds, SLOWEST)

    def _read(self, resource: Resource) -> None:
        present = self._status.present
        assert present is not None
        for _, number, attachment in attachments_of([resource]):
            result = verify(self._storage, attachment, True, self._pace)
            present.files += 1
            present.bytes += attachment.stored_size
            if result.fault is None:
                assert result.checksums is not None
                self._notes.append(
                    Note(
                        resource.level,
                        resource.public,
                        number,
                        attachment.uuid,
                        result.checksums,
                        result.digest,
                    )
                )
                continue
            make = partial(
                damage_of,
                resource=resource,
                number=number,
                attachment=attachment,
                fault=result.fault,
                now=int(self._now()),
            )
            if self._index.read(partial(_has, resource=resource, attachment=attachment)):
                damage = self._index.read(make)
                present.damaged += 1
                self._found.append(damage)
                logger.error(
                    Category.GENERIC,
                    f"Scrubber: the file {damage.uuid} is damaged: {damage.explanation}: "
                    f"{damage.owner}",
                )

    def _pace(self, size: int) -> None:
        """Before each part: waits until the rate allows it."""
        now = time.monotonic()
        self._due = max(self._due, now - _LONGEST) + size / self._rate
        while self._due > time.monotonic():
            if self._stopping.wait(min(self._due - time.monotonic(), _PATIENCE)):
                break
        if self._stopping.is_set():
            raise _Stopped

    def _end_of_level(self) -> None:
        status = self._status
        assert status.present is not None
        status.place, status.public = status.place + 1, b""
        if status.place < len(_ORDER):
            return
        status.present.ended = int(self._now())
        status.last, status.present, status.place = status.present, None, 0
        self._index.write(_forget_gone)
        logger.info(
            Category.GENERIC,
            f"Scrubber: {status.last.files} files were read, {status.last.damaged} are damaged",
        )

    def _save(self) -> None:
        notes, found, status = self._notes, self._found, _encode(self._status)

        def save(transaction: Transaction) -> None:
            note(transaction, notes, found)
            transaction.set_property(STATUS, status)

        self._index.write(save)
        self._notes, self._found = [], []
        self._saved = time.monotonic()


def _forget_gone(transaction: Transaction) -> None:
    names = [name for name, _ in transaction.some_properties(DAMAGED, None, 10_000)]
    forget_gone(transaction, names)


def _some(view: Snapshot, level: Level, after: bytes) -> list[Resource]:
    publics = list(islice(view.search.scan(level, after), _PART))
    return [each for each in view.resources(level, publics) if each is not None]


def _has(view: Snapshot, resource: Resource, attachment: Attachment) -> bool:
    """Whether the resource still has this very file: what was deleted is no damage."""
    found = view.resource(resource.level, resource.public)
    return found is not None and any(
        each.uuid == attachment.uuid for each in found.attachments.values()
    )


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
