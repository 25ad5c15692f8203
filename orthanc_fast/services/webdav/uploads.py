"""The folder `uploads`: what is put there is stored, and is gone from the folder soon after.

Orthanc keeps such files in memory and imports them later. Here a file is stored before its upload
is answered; of the folder there are only names and sizes, which all workers share as runtime state
and the next start forgets, as in Orthanc. A file that is stored can be seen for a few seconds,
since clients look at what they have put.

Source: reference chapter 4, section 10.1.
"""

import time
from collections.abc import Callable
from enum import Enum
from hashlib import sha1
from typing import Final

import msgspec

from orthanc_fast.errors import BadFileFormat, FullStorage, InexistentTag, ParameterOutOfRange
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime, Snapshot, Transaction
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.services.ingest.uploads import Body
from orthanc_fast.services.ingest.uploads import Uploads as Ingesting
from orthanc_fast.services.webdav.nodes import OCTETS, Item

SHOWN_FOR: Final = 5  # seconds that a stored file can still be seen
IDLE: Final = 30  # seconds without a change after which an empty folder goes
SWEEP_EVERY: Final = 5  # seconds
MOST: Final = 20_000  # entries in all folders together
DEEPEST: Final = 64  # folders in each other

_PREFIX: Final = "webdav/"
_STATE: Final = "webdav-state"


class Place(Enum):
    """What a path is to something new."""

    FREE = "free"
    NOWHERE = "the folder above is not there"
    TAKEN = "something else is there"
    TOO_DEEP = "too many folders in each other"


class Entry(msgspec.Struct, array_like=True, gc=False):
    """A file or folder. `size` is None for a folder; `touched` the second of its last change, of
    what lies in a folder too; `instance` the one that a file has become."""

    path: list[str]
    size: int | None
    made: int
    touched: int
    instance: bytes = b""

    @property
    def is_folder(self) -> bool:
        return self.size is None


class _State(msgspec.Struct, array_like=True, gc=False):
    swept: int = 0
    entries: int = 0  # after that


_entry = msgspec.msgpack.Decoder(Entry).decode
_state = msgspec.msgpack.Decoder(_State).decode
_encode = msgspec.msgpack.encode


class UploadFolder:
    """The folder of one server, for each of its workers. Paths are those below it; `clock` gives
    seconds since the epoch."""

    def __init__(
        self, runtime: Runtime, ingesting: Ingesting, clock: Callable[[], float] = time.time
    ) -> None:
        self._runtime = runtime
        self._ingesting = ingesting
        self._clock = clock

    # Looking

    def find(self, path: list[str]) -> Entry | None:
        """What is at a path, the empty one included."""
        if not path:
            return Entry([], None, self._now(), self._now())
        return self._runtime.read(lambda view: self._live(view, path))

    def items(self, path: list[str]) -> list[Item]:
        """What lies in a folder: files first, each by name."""
        found = self._runtime.read(lambda view: self._inside(view, path))
        found.sort(key=lambda each: (each.is_folder, each.path[-1]))
        return [_item(each) for each in found]

    # Changing

    def place(self, path: list[str], for_folder: bool = False) -> Place:
        """Whether a file can be put there, or a folder made. Raises ParameterOutOfRange for the
        folder itself."""
        _require_name(path)
        return self._runtime.read(lambda view: self._place(view, path, for_folder))

    async def put(self, caller: Caller, path: list[str], body: Body) -> Place:
        """Stores a file, or the files of an archive, and remembers its name; what is no DICOM file
        is forgotten, as by Orthanc. Not FREE where the folder has gone meanwhile. A spool belongs
        to this method. Raises what `Uploads.store` raises, but for files that are none."""
        size, instance = len(body) if isinstance(body, bytes) else body.size, b""
        if size:
            try:
                stored = await self._ingesting.store(caller, body)
            except (BadFileFormat, InexistentTag) as error:
                name = path[-1][:64]
                logger.warning(Category.HTTP, f"WebDAV: {name!r} is not stored: {error}")
            else:
                if isinstance(stored, Stored):
                    instance = stored.publics[3]
        elif not isinstance(body, bytes):
            body.drop()
        now = self._now()
        entry = Entry(path, size, now, now, instance)
        return self._runtime.write(lambda change: self._add(change, entry))

    def make_folder(self, path: list[str]) -> Place:
        """Makes it where its place is FREE. Raises ParameterOutOfRange for the folder itself,
        FullStorage."""
        _require_name(path)
        now = self._now()
        entry = Entry(path, None, now, now)
        return self._runtime.write(lambda change: self._add(change, entry))

    def delete(self, path: list[str]) -> bool:
        """Removes a name, and all below a folder; stored instances stay. False where there is
        nothing, and for the folder itself."""
        if not path:
            return False

        def work(change: Transaction) -> bool:
            found = self._live(change, path)
            if found is None:
                return False
            self._remove(change, found)
            self._touch(change, path[:-1])
            return True

        return self._runtime.write(work)

    # In a snapshot or transaction

    def _now(self) -> int:
        return int(self._clock())

    def _live(self, view: Snapshot, path: list[str]) -> Entry | None:
        """The entry, where it has not been forgotten meanwhile."""
        value = view.get(_key(path))
        entry = None if value is None else _entry(value)
        return entry if entry is not None and self._is_live(view, entry) else None

    def _is_live(self, view: Snapshot, entry: Entry) -> bool:
        age = self._now() - entry.touched
        if entry.size is None:
            return age <= IDLE or any(True for _ in self._inside(view, entry.path))
        return not entry.size or age <= SHOWN_FOR

    def _inside(self, view: Snapshot, path: list[str]) -> list[Entry]:
        found = (_entry(value) for _, value in view.below(_folder_key(path)))
        return [each for each in found if self._is_live(view, each)]

    def _place(self, view: Snapshot, path: list[str], for_folder: bool) -> Place:
        if len(path) > 1:
            parent = self._live(view, path[:-1])
            if parent is None or not parent.is_folder:
                return Place.NOWHERE
        found = self._live(view, path)
        if found is not None and (for_folder or found.is_folder):
            return Place.TAKEN
        return Place.FREE if len(path) <= DEEPEST else Place.TOO_DEEP

    def _add(self, change: Transaction, entry: Entry) -> Place:
        self._sweep(change)
        place = self._place(change, entry.path, entry.is_folder)
        if place != Place.FREE:
            return place
        value = change.get(_STATE)
        state = _State() if value is None else _state(value)
        if state.entries >= MOST:
            raise FullStorage(f"the folder of uploads holds at most {MOST} names", http_status=507)
        state.entries += 1
        change.set(_STATE, _encode(state))
        change.set(_key(entry.path), _encode(entry))
        self._touch(change, entry.path[:-1])
        return place

    def _touch(self, change: Transaction, path: list[str]) -> None:
        value = change.get(_key(path)) if path else None
        if value is not None:
            entry = _entry(value)
            entry.touched = self._now()
            change.set(_key(path), _encode(entry))

    def _remove(self, change: Transaction, entry: Entry) -> None:
        for _, value in change.below(_folder_key(entry.path)) if entry.is_folder else ():
            self._remove(change, _entry(value))
        change.delete(_key(entry.path))

    def _sweep(self, change: Transaction) -> None:
        """Removes what is not shown any more, from time to time, and counts what is left."""
        value = change.get(_STATE)
        state = _State() if value is None else _state(value)
        now = self._now()
        if 0 <= now - state.swept < SWEEP_EVERY and state.entries < MOST:
            return
        left = 0
        entries = [_entry(value) for _, value in change.below(_PREFIX)]
        for entry in sorted(entries, key=lambda each: -len(each.path)):  # the deepest first
            if self._is_live(change, entry):
                left += 1
            else:
                self._remove(change, entry)
        change.set(_STATE, _encode(_State(now, left)))


def _require_name(path: list[str]) -> None:
    if not path:
        raise ParameterOutOfRange("the folder of uploads is there already: name what is in it")


def _item(entry: Entry) -> Item:
    if entry.size is None:
        return Item(entry.path[-1], entry.made)
    return Item(entry.path[-1], entry.made, OCTETS, entry.size)


def _folder_key(path: list[str]) -> str:
    """What the names of all that lies in a folder begin with: of any path one short text."""
    return f"{_PREFIX}{_digest(chr(0).join(path))}/"


def _key(path: list[str]) -> str:
    return _folder_key(path[:-1]) + _digest(path[-1])


def _digest(text: str) -> str:
    return sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
