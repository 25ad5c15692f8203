"""Worklists as files of a folder, which others may write as well: `*.wl`. Source: reference chapter
4, section 3.7; chapter 7, section 7.2.

What is known of the files is in memory. Each question first looks at what the kernel says has
changed, so that a file that is there is found, and a file that has not changed is not read again.
"""

import os
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from select import poll
from typing import Final

from orthanc_fast.errors import (
    BadFileFormat,
    StorageFault,
    UnknownResource,
)
from orthanc_fast.log import Category, logger
from orthanc_fast.services.find.matching import Matcher
from orthanc_fast.services.worklists.entries import (
    SUFFIX,
    Entries,
    Worklist,
    check_identifier,
)
from orthanc_fast.services.worklists.entries import Path as Tags
from orthanc_fast.services.worklists.watch import Watch

LARGEST: Final = 16 << 20  # bytes of a file; a worklist has a few thousand
_PERIOD: Final = 1.0  # seconds between two looks for a folder that was not there
_GATHERING: Final = 0.05  # seconds in which more changes may come before the first is looked at
_YOUNG: Final = 2.0  # seconds after a change in which a file may still be changing
_LISTING: Final = 60.0  # seconds after which the whole folder is looked at anyway

Reader = Callable[[str, bytes, str], Worklist]
"""Makes a worklist of its identifier, the bytes of its file, and the character set of a file that
names none. Raises BadFileFormat."""

Identity = tuple[int, int, int]  # what changes when a file does
_UNKNOWN: Final[Identity] = (0, 0, 0)


class Complaints:
    """Names a file that cannot be read once, until it can be read or is gone. `claim` says whether
    the name is new to all processes, `forget` that it may be named again."""

    def __init__(self, claim: Callable[[str], bool], forget: Callable[[str], None]) -> None:
        self._claim = claim
        self._forget = forget
        self._named: set[str] = set()

    def broken(self, path: Path, reason: str) -> None:
        if path.name in self._named:
            return
        self._named.add(path.name)
        if self._claim(path.name):
            logger.error(
                Category.PLUGINS, f"The worklist {path} cannot be read and is left out: {reason}"
            )

    def fine(self, name: str) -> None:
        if name in self._named:
            self._named.discard(name)
            self._forget(name)


class Folder:
    """The worklists of a folder, which need not exist. See `contract.Shelf`."""

    def __init__(
        self,
        folder: Path,
        read: Reader,
        complaints: Complaints,
        character_set: Callable[[], str],
    ) -> None:
        """`character_set` is the server's own, which may change."""
        self._folder = folder
        self._character_set = character_set
        self._assumed = ""  # what it was when the files were read
        self._read = read
        self._complaints = complaints
        self._entries = Entries()
        self._known: dict[str, Identity] = {}  # of every file that was looked at, by name
        self._links: set[str] = set()  # of whose targets the kernel tells nothing
        self._unfinished: set[str] = set()  # that may be read a moment later
        self._listed = 0.0
        self._trouble = ""  # that was named
        self._watch: Watch | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._follower: threading.Thread | None = None

    def follow(self) -> None:
        """Reads what changes when it does, in a thread, so that no question waits for it."""
        self._follower = threading.Thread(target=self._run, name="worklists", daemon=True)
        self._follower.start()

    def close(self) -> None:
        self._stopping.set()
        if self._follower is not None:
            self._follower.join()
        with self._lock:
            self._stop_watching()

    def candidates(self, conditions: Mapping[Tags, Matcher]) -> list[Worklist]:
        with self._lock:
            self._refresh()
            return self._entries.candidates(conditions)

    def all(self) -> list[Worklist]:
        with self._lock:
            self._refresh()
            return sorted((each for _, each in self._entries.named()), key=lambda each: each.id)

    def get(self, identifier: str) -> Worklist:
        with self._lock:
            self._refresh()
            found = self._entries.get(self._name(identifier))
        if found is None:
            raise UnknownResource
        return found

    def put(self, identifier: str, data: bytes) -> None:
        check_identifier(identifier)
        with self._lock:
            self._refresh()
            name = self._name(identifier)
        new = self._folder / f".{uuid.uuid4()}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(new, data)
            os.replace(new, self._folder / name)
            _sync(self._folder)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise StorageFault("the worklist cannot be written", private=error) from error

    def delete(self, identifier: str) -> None:
        with self._lock:
            self._refresh()
            name = self._name(identifier)
            if self._entries.get(name) is None:
                raise UnknownResource
        try:
            (self._folder / name).unlink()
            _sync(self._folder)
        except FileNotFoundError as error:
            raise UnknownResource from error
        except OSError as error:
            raise StorageFault("the worklist cannot be deleted", private=error) from error

    def _name(self, identifier: str) -> str:
        """The name of the file: one that others wrote may end in upper case."""
        name = identifier + SUFFIX
        if self._entries.get(name) is None:
            alike = (each for each in self._entries.names() if each[: -len(SUFFIX)] == identifier)
            return next(alike, name)
        return name

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._lock:
                    self._refresh()
                    watch = self._watch
                if watch is None:
                    self._stopping.wait(_PERIOD)
                    continue
                waiting = poll()
                waiting.register(watch.fileno())
                if waiting.poll(int(_PERIOD * 1000)):
                    self._stopping.wait(_GATHERING)
            except Exception as error:  # must not end the thread: questions look themselves
                logger.error(Category.PLUGINS, f"The folder of the worklists: {error!r}")
                self._stopping.wait(_PERIOD)

    def _refresh(self) -> None:
        """Looks at what has changed; at everything where the kernel does not say what."""
        if self._assumed != self._character_set():
            self._assumed = self._character_set()
            self._stop_watching()
            self._known.update(dict.fromkeys(self._known, _UNKNOWN))
        names = None if self._watch is None else self._watch.changed()
        if names is None:
            self._watch_anew()
        is_due = time.monotonic() - self._listed > _LISTING
        looked: set[str] = set()
        if names is None or is_due or self._watch is None or not self._watch.tells_all:
            looked = self._list()
        if names is not None:
            again = (names | self._links | self._unfinished) - looked
            self._look({name for name in again if _is_worklist(name)})

    def _watch_anew(self) -> None:
        """Where nothing can be watched, the folder is listed each time."""
        self._stop_watching()
        try:
            self._watch = Watch(self._folder)
        except FileNotFoundError:
            self._trouble = ""  # it may come
        except OSError as error:
            if self._trouble != str(error):
                self._trouble = str(error)
                logger.warning(
                    Category.PLUGINS, f"The folder of the worklists cannot be watched: {error}"
                )

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _list(self) -> set[str]:
        """Looks at files that are other ones than they were; these."""
        self._listed = time.monotonic()
        try:
            names = {name for name in os.listdir(self._folder) if _is_worklist(name)}
        except OSError:  # there is no folder, or none that may be read
            names = set()
        for name in self._known.keys() - names:
            self._gone(name)
        changed = {name for name in names if self._has_changed(name)}
        self._look(changed)
        return changed

    def _has_changed(self, name: str) -> bool:
        try:
            return self._known.get(name) != _identity(os.stat(self._folder / name))
        except OSError:
            return True

    def _look(self, names: Iterable[str]) -> None:
        for name in names:
            path = self._folder / name
            self._unfinished.discard(name)
            is_young = False
            try:
                status = os.stat(path)
                is_young = abs(time.time() - status.st_mtime) < _YOUNG
                # The clock of a file system may stand still for some milliseconds.
                self._known[name] = _UNKNOWN if is_young else _identity(status)
                if path.is_symlink():
                    self._links.add(name)
                if not stat.S_ISREG(status.st_mode):
                    self._entries.remove(name)
                    continue
                worklist = self._read(name[: -len(SUFFIX)], _content(path), self._assumed)
            except FileNotFoundError:
                self._gone(name)
            except Exception as error:  # one file must not hide the others
                self._entries.remove(name)
                if is_young:
                    self._unfinished.add(name)
                else:
                    self._complaints.broken(path, str(error) or type(error).__name__)
            else:
                self._entries.put(name, worklist)
                self._complaints.fine(name)

    def _gone(self, name: str) -> None:
        self._entries.remove(name)
        self._known.pop(name, None)
        self._links.discard(name)
        self._unfinished.discard(name)
        self._complaints.fine(name)


def _identity(status: os.stat_result) -> Identity:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _is_worklist(name: str) -> bool:
    return name[-len(SUFFIX) :].lower() == SUFFIX


def _content(path: Path) -> bytes:
    """Raises OSError, BadFileFormat for a file that is too large to be a worklist."""
    # What is a file now may be a pipe when it is opened: that would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise BadFileFormat(f"it has more than {LARGEST >> 20} MB")
    return data


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
