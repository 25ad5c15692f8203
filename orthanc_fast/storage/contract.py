"""What the storage offers to the rest of the program, wherever it keeps the bytes.

An object is what an attachment record of the index names: bytes under a UUID, written once, never
changed. The index decides which objects exist: `put` makes a group of them durable, the index
commits, and `publish` or `abandon` tells what became of them. A crash in between leaves objects
that `recover` asks the index about. Every implementation passes `conformance.py`.

A body on its way that is too large for memory is written into a *spool* (`new_spool`), which
`new_file` takes over. No path, descriptor or memory map leaves an implementation, with one
exception: `sendable`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import NamedTuple

from orthanc_fast.errors import OrthancError, ParameterOutOfRange
from orthanc_fast.model import SendablePath
from orthanc_fast.storage.arriving import Body
from orthanc_fast.storage.meters import StorageMeters
from orthanc_fast.storage.spool import Content as Content
from orthanc_fast.storage.spool import Spool as Spool

# Objects of up to this many bytes may be left to a carrier: from here on they cost more CPU time
# there than a sync of their own (the table in docs/decisions/0004-journal.md). A slice of
# 256 x 256 x 16 bits has 128 KB of pixels and a header.
CARRIED_FILE = 144 << 10

GATHERED_AT_ONCE = 10  # bodies that grow chunk by chunk; who has waited longest gives way

MISSING_FILE = 2006  # Orthanc's InexistentFile
BEYOND_END = "Reading beyond the end of a file"


class WouldWait(Exception):
    """The bytes are not in memory; only raised where waiting was forbidden."""


class Handle(ABC):
    """An object that is open for reading. It keeps what it reads alive, also when the object is
    deleted meanwhile; it may be used by several threads, and is closed when nobody has it any
    more."""

    __slots__ = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of the object."""

    @abstractmethod
    def read(self, start: int = 0, size: int = -1) -> bytes:
        """`size` bytes from `start` (-1: to the end), fewer where the object ends before. May wait
        for the disk."""

    @abstractmethod
    def read_into(self, start: int, out: memoryview, may_wait: bool = True) -> None:
        """Fills `out` with the bytes from `start` on. Raises ParameterOutOfRange where the object
        ends before, WouldWait where waiting is forbidden and nothing else helps."""

    @abstractmethod
    def read_now(self, start: int, size: int, head: bytes = b"", tail: bytes = b"") -> bytes | None:
        """As `read` if that takes no waiting, between `head` and `tail`, else None, as for bytes
        beyond the end: for threads that must not wait."""

    @abstractmethod
    def buffer(self) -> Content:
        """All bytes as one buffer, without copying them where the implementation can. It stays
        valid after the handle is closed."""

    @abstractmethod
    def will_need(self) -> None:
        """All of it will be read soon: the implementation may fetch it meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """What has been read stays valid."""

    def __enter__(self) -> "Handle":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Pending:
    """An object on its way into the storage: its bytes, which are `data` or, where that is None,
    in the hands of the storage already, and whose it is.

    `may_be_carried`: small enough to be left to a carrier of its bytes, which makes them durable
    together with the decision that the object exists. `is_carried`: `put` has left it to the
    carrier, who must get `data` under `name`. `is_cold`: nobody is about to read it, so it need not
    take memory of the system.
    """

    __slots__ = ("data", "is_carried", "is_cold", "may_be_carried", "name", "owner", "uuid")

    def __init__(
        self,
        owner: bytes,
        uuid: str,
        name: str,
        data: Content | None,
        may_be_carried: bool = False,
        is_cold: bool = False,
    ) -> None:
        self.owner = owner
        self.uuid = uuid
        self.name = name
        self.data = data
        self.may_be_carried = may_be_carried
        self.is_carried = False
        self.is_cold = is_cold

    def drop(self) -> None:
        """Nothing stays of a spool that was taken over for it, unless `put` has had it."""


class Fetched(NamedTuple):
    """What became of objects that were fetched: those that the other storage does not have, and
    how many share their bytes with it."""

    missing: list[str]
    linked: int


class Storage(ABC):
    """The objects of one server, as one process sees them. Safe for use from several threads. What
    waits for a disk or a network tells `meters`."""

    meters = StorageMeters()

    # Writing

    @abstractmethod
    def rely_on_carrier(self) -> None:
        """From now on `put` may leave small objects to a carrier, where that is as safe; before, it
        never does."""

    @abstractmethod
    def new_spool(self) -> Spool:
        """An empty one. Raises FullStorage or StorageFault."""

    @abstractmethod
    def gather(self, name: str, size: int, chunk: Body) -> Body | None:
        """Adds a chunk to the body of this name and announced size, which all processes of the
        server gather together; the whole body once it is complete. One that outgrows its size is
        forgotten, and the oldest of more than GATHERED_AT_ONCE. The chunk belongs to this method,
        the body to the caller. Raises FullStorage or StorageFault; nothing of the chunk was kept
        then."""

    @abstractmethod
    def new_file(
        self, owner: bytes, uuid: str, content: Content | Spool, is_cold: bool = False
    ) -> Pending:
        """An object of the resource `owner` (20 bytes), to be written with others by `put`. Where
        it `is_cold` nobody is about to read it. A spool is gone for who has it: the storage has
        taken over what it holds. Of a spool that was not flushed it may wait for the disk, and
        raises as that does; else it waits for nothing."""

    @abstractmethod
    def put(self, files: Sequence[Pending]) -> list[OrthancError | None]:
        """Writes a group; returns, with the error of each (StorageFault or FullStorage), when all
        are durable that have none and are not `is_carried`. They can be read from now on."""

    @abstractmethod
    def publish(self, files: Sequence[Pending]) -> None:
        """The index has them now."""

    @abstractmethod
    def abandon(self, files: Sequence[Pending]) -> None:
        """The index does not have them and never will: they are removed, also those that `put`
        could not write."""

    @abstractmethod
    def delete(self, uuids: Sequence[str]) -> bool:
        """Removes published objects; those that are gone already do not matter. False, with nothing
        removed, while somebody holds the storage: whoever knows of them tries again later."""

    @abstractmethod
    def hold(self) -> AbstractContextManager[None]:
        """Within it no process of the server removes an object. What was let go by the index before
        may still go."""

    @abstractmethod
    def fetch(self, uuids: Sequence[str], source: "Storage", may_link: bool) -> Fetched:
        """Publishes objects of another storage under their UUIDs, over what there may be of them;
        their bytes are durable before that, their names with the next `sync`. `may_link`: both may
        share the bytes, where that is possible. Raises FullStorage or StorageFault."""

    # Reading

    @abstractmethod
    def open(self, uuid: str) -> Handle:
        """An object, published or not. Raises OrthancError 2006 if there is none."""

    @abstractmethod
    def size(self, uuid: str) -> int | None:
        """Bytes of a published object, None if it is missing."""

    def exists(self, uuid: str) -> bool:
        """Whether there is such a published object."""
        return self.size(uuid) is not None

    @abstractmethod
    def written(self, uuid: str) -> int | None:
        """When a published object was written, in nanoseconds since the epoch; None if it is
        missing."""

    @abstractmethod
    def listing(self) -> Iterator[str]:
        """The UUIDs of all published objects, in no order."""

    @abstractmethod
    def sendable(self, uuid: str) -> SendablePath | None:
        """A path of this machine from which a server of HTTP can send the object right now, None
        where there is no such thing. Raises OrthancError 2006 if there is no object."""

    def read(self, uuid: str, start: int = 0, size: int = -1) -> bytes:
        """See `Handle.read`."""
        with self.open(uuid) as handle:
            return handle.read(start, size)

    def parts(self, uuid: str, start: int, size: int, step: int) -> Iterator[bytes]:
        """`size` bytes from `start` in parts of up to `step` bytes. Raises ParameterOutOfRange,
        before the first, if the object does not have so many bytes."""
        with self.open(uuid) as handle:
            if handle.size < start + size:
                raise ParameterOutOfRange(BEYOND_END)
            while size > 0:
                part = handle.read(start, min(step, size))
                if not part:
                    raise ParameterOutOfRange(BEYOND_END)
                yield part
                start += len(part)
                size -= len(part)

    # After a crash

    @abstractmethod
    def sync(self) -> None:
        """Returns when all that was put is durable, what was left to a carrier included. Raises
        StorageFault or FullStorage."""

    @abstractmethod
    def restore(self, name: str, data: Content) -> None:
        """Publishes the object that `Pending.name` names with these bytes, durably, over what there
        may be of it. Raises StorageFault or FullStorage."""

    @abstractmethod
    def recover(
        self, belongs: Callable[[bytes, str], bool | None], slot: str | None = None
    ) -> tuple[int, int]:
        """Publishes or removes what an ended process, or all (None), left between `put` and
        `publish`. `belongs(owner, uuid)` says whether the index has the object; what it answers
        None of stays where it is. Returns (published, removed)."""


def owner_and_uuid(name: str) -> tuple[bytes, str] | None:
    """What `Pending.name` tells; None for a text that is none."""
    owner, _, uuid = name.rpartition("/")[2].partition(".")
    try:
        raw = bytes.fromhex(owner)
    except ValueError:
        return None
    return (raw, uuid) if len(raw) == 20 and uuid else None


def missing(uuid: str) -> OrthancError:
    """The error for an object that is not there."""
    return OrthancError(f"the file {uuid} is missing from the storage area", code=MISSING_FILE)
