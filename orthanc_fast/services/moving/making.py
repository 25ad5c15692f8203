"""The records of resources, part by part: made in this process, or by several, which are forks of
it so that nothing has to be sent to them."""

import fcntl
import gc
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from typing import Final, NoReturn, Protocol

import msgspec

from orthanc_fast.errors import OrthancError, StorageFault
from orthanc_fast.index.contract import Packer
from orthanc_fast.orthanc_store.model import Share, StoredResource
from orthanc_fast.services.moving.files import FileCheck
from orthanc_fast.services.moving.records import Records
from orthanc_fast.services.moving.report import Finding

_PIPE: Final = 1 << 20  # bytes that wait in a pipe, so that who writes seldom waits


class Made(msgspec.Struct, array_like=True, tag=True, gc=False):
    """Of one part: `packed` as `Packer` gives it, counts, and what belongs to files by UUID."""

    packed: bytes
    resources: int
    metadata: int
    labels: int
    custom_data: list[tuple[str, bytes]]


class Ended(msgspec.Struct, array_like=True, tag=True):
    """All parts are made: what was found of their files."""

    findings: list[Finding]


class Failed(msgspec.Struct, array_like=True, tag=True):
    """Why there are no more."""

    reason: str


_decode = msgspec.msgpack.Decoder(Made | Ended | Failed).decode
_encode = msgspec.msgpack.Encoder().encode

Meanwhile = Iterator[None]
"""Work that is done, step by step, while nothing else is ready."""


class Maker:
    """Makes parts in one process; without a `packer` it only looks."""

    def __init__(self, records: Records, packer: Packer | None, files: FileCheck | None) -> None:
        self._records = records
        self._packer = packer
        self._files = files

    def make(self, part: Sequence[StoredResource]) -> Made:
        if self._files is not None:
            self._files.add(part)
        metadata = labels = 0
        custom_data: list[tuple[str, bytes]] = []
        for each in part:
            metadata += len(each.metadata) + len(each.user_metadata)
            labels += len(each.labels)
            custom_data += [
                (file.uuid, file.custom_data) for file in each.attachments if file.custom_data
            ]
        record = self._records.record
        records = [record(each) for each in part]
        packed = self._packer.pack(records) if self._packer is not None else b""
        return Made(packed, len(part), metadata, labels, custom_data)

    def end(self) -> list[Finding]:
        """What was found of the files; waits for what is not done."""
        return self._files.close() if self._files is not None else []

    def cancel(self) -> None:
        if self._files is not None:
            self._files.cancel()


class Making(Protocol):
    """All parts, in their order. Afterwards `findings` tell of their files."""

    findings: list[Finding]

    def parts(self, meanwhile: Meanwhile) -> Iterator[Made]: ...

    def close(self) -> None:
        """Ends it wherever it is."""


class MakingHere(Making):
    """In this process."""

    def __init__(self, source: Callable[[], Iterator[list[StoredResource]]], maker: Maker) -> None:
        self.findings = []
        self._source = source
        self._maker = maker

    def parts(self, meanwhile: Meanwhile) -> Iterator[Made]:
        for part in self._source():
            yield self._maker.make(part)
        for _ in meanwhile:
            pass
        self.findings = self._maker.end()

    def close(self) -> None:
        self._maker.cancel()


class MakingInForks(Making):
    """In a process for each share. `maker` is called in each."""

    def __init__(self, shares: Sequence[Share], maker: Callable[[], Maker]) -> None:
        self.findings = []
        self._pipes: list[Connection] = []
        self._processes: list[int] = []
        try:
            for share in shares:
                self._begin(share, maker)
        except BaseException:
            self.close()
            raise

    def _begin(self, share: Share, maker: Callable[[], Maker]) -> None:
        ours, theirs = Pipe(duplex=False)
        with suppress(OSError):  # beyond what this user may have
            fcntl.fcntl(theirs.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self._pipes.append(ours)
        process = os.fork()
        if not process:
            for pipe in self._pipes:  # else it would not notice the end of who reads
                pipe.close()
            _make(share, maker, theirs)
        theirs.close()
        self._processes.append(process)

    def parts(self, meanwhile: Meanwhile) -> Iterator[Made]:
        running = list(self._pipes)
        while running:
            for pipe in tuple(running):
                while not pipe.poll() and next(meanwhile, self) is not self:
                    pass
                message = _received(pipe)
                if isinstance(message, Made):
                    yield message
                else:
                    self.findings += message.findings
                    running.remove(pipe)
        for _ in meanwhile:
            pass
        self.findings = _merged(self.findings)

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
        self._processes.clear()


def _received(pipe: Connection) -> Made | Ended:
    try:
        message: Made | Ended | Failed = _decode(pipe.recv_bytes())
    except (EOFError, OSError) as error:
        raise StorageFault(
            "a process that read the index was ended from outside, perhaps for want of memory: "
            "call it again"
        ) from error
    if isinstance(message, Failed):
        raise StorageFault(message.reason)
    return message


def _merged(findings: list[Finding]) -> list[Finding]:
    """Those of each kind as one."""
    found: dict[str, Finding] = {}
    for each in findings:
        known = found.setdefault(each.kind, Finding(each.kind, each.explanation))
        known.join(each)
    return list(found.values())


def _make(share: Share, maker: Callable[[], Maker], pipe: Connection) -> NoReturn:
    """All that such a process does. It ends, too, when nobody reads any more."""
    gc.disable()
    try:
        making = maker()
        for part in share():
            pipe.send_bytes(_encode(making.make(part)))
        pipe.send_bytes(_encode(Ended(making.end())))
    except OrthancError as error:
        _tell(pipe, str(error))
    except OSError as error:
        _tell(pipe, f"cannot read the store: {error}")
    except Exception as error:
        _tell(pipe, f"cannot read the index of the Orthanc: {error!r}")
    finally:
        os._exit(0)  # what belongs to the process that it was forked from is not ended


def _tell(pipe: Connection, reason: str) -> None:
    with suppress(OSError):
        pipe.send_bytes(_encode(Failed(reason)))
