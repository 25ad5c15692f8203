"""The job that sends instances to a peer. Source: reference chapter 4, section 8.3.

Several requests are under way at the same time, each over a connection that is kept: while one
waits for its answer another one is sent. The job goes on where it was when it is paused, or when
its worker is killed; what it then sends again changes nothing for the peer.
"""

import asyncio
import time
from typing import Any, ClassVar, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.services.exchange.call_faults import NETWORK_PROTOCOL
from orthanc_fast.services.exchange.instances import Instances, Outgoing
from orthanc_fast.services.jobs.contract import Kind, Run, Stopped
from orthanc_fast.services.peers.calls import INSTANCES, PeerCalls, PeerSession
from orthanc_fast.services.peers.files import SentFiles
from orthanc_fast.services.peers.store_orders import (
    KIND,
    StoreOrder,
    decode_store_order,
    size_content,
)
from orthanc_fast.services.store.reads import Reads

_REMEMBERED_EACH: Final = 1.0  # second
_LOOKED_EACH: Final = 0.2  # second: whether the job is to stop, while all requests wait
_FAILURES_TOLD: Final = 1000


class Failure(msgspec.Struct):
    """An instance that was not sent, as the content of the job tells it."""

    ID: str
    ErrorCode: int
    ErrorDetails: str


class _Memory(msgspec.Struct):
    """What is remembered: so many instances are done, and so many bytes sent; the numbers of those
    that failed, and what is told of the first of them."""

    done: int = 0
    size: int = 0
    failed: list[int] = msgspec.field(default_factory=list)
    failures: list[tuple[int, Failure]] = msgspec.field(default_factory=list)

    def forget_undone(self) -> None:
        """What comes after `done` is tried again."""
        self.failed = [number for number in self.failed if number < self.done]
        self.failures = [each for each in self.failures if each[0] < self.done]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Memory).decode


class PeerStoreJob(Kind):
    """Jobs of one process."""

    name: ClassVar[str] = KIND

    def __init__(
        self, settings: Settings, reads: Reads, files: SentFiles, calls: PeerCalls
    ) -> None:
        self.connections = settings.peer_store_connections
        self.read = reads
        self.files = files
        self.calls = calls

    def run(self, run: Run) -> None:
        """Raises OrthancError 9 where the peer does not take an instance, UnknownResource for one
        that is gone, unless the job is permissive."""
        running = _Running(self, run, decode_store_order(run.payload))
        try:
            asyncio.run(running.all())
        except Stopped:
            running.remember()
            raise


class _Running:
    """One run of one job."""

    def __init__(self, kind: PeerStoreJob, run: Run, order: StoreOrder) -> None:
        self._kind = kind
        self._run = run
        self._order = order
        self._memory = _Memory() if run.recalled is None else _decode(run.recalled)
        self._memory.forget_undone()
        self._left = enumerate(
            Instances(kind.read, run.caller, order.instances).since(self._memory.done),
            self._memory.done,
        )
        self._done_early: set[int] = set()  # above what is remembered as done
        self._remembered_at = time.monotonic()

    async def all(self) -> None:
        count = min(self._kind.connections, self._order.count - self._memory.done)
        if count <= 0:
            return
        async with self._kind.calls.open(self._order.peer, INSTANCES, count) as session:
            tasks = {asyncio.create_task(self._send(session)) for _ in range(count)}
            try:
                await self._watch(tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._run.tell(**size_content(self._memory.size))

    async def _watch(self, pending: "set[asyncio.Task[None]]") -> None:
        """Until all is sent: looks after the job's progress, and whether it is to stop, while the
        tasks wait for the peer. Raises what one of them raises, Stopped."""
        while pending:
            self._run.step(self._memory.done, self._order.count)
            self._run.tell(**size_content(self._memory.size))
            done, pending = await asyncio.wait(
                pending, timeout=_LOOKED_EACH, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            if time.monotonic() - self._remembered_at >= _REMEMBERED_EACH:
                self._remembered_at = time.monotonic()
                await asyncio.to_thread(self._run.remember, _encode(self._memory))

    def remember(self) -> None:
        """How far the job has come."""
        self._run.remember(_encode(self._memory))

    async def _send(self, session: PeerSession) -> None:
        """Sends one instance after the other, those that no other task has taken."""
        for number, instance in self._left:
            try:
                await self._send_one(session, instance)
            except OrthancError as error:
                self._fail(number, instance, error)
            self._finish(number)

    async def _send_one(self, session: PeerSession, instance: Outgoing) -> None:
        if instance.file is None:
            raise UnknownResource("The instance is gone, or this server keeps no file of it")
        order = self._order
        body = await self._kind.files.body(instance.file, order.transcode, order.compress)
        try:
            answer = await session.post(body, order.compress)
        finally:
            self._memory.size += body.sent
        if not answer.is_success:
            raise OrthancError(private=f"HTTP status {answer.status}", code=NETWORK_PROTOCOL)

    def _finish(self, number: int) -> None:
        """This one is done, in vain or not."""
        memory, early = self._memory, self._done_early
        early.add(number)
        while memory.done in early:
            early.remove(memory.done)
            memory.done += 1

    def _fail(self, number: int, instance: Outgoing, error: OrthancError) -> None:
        """Tells which instance it was, and ends the job unless it is permissive: then the first one
        is told."""
        memory = self._memory
        if memory.failed and not self._order.permissive:
            raise error
        memory.failed.append(number)
        if len(memory.failures) < _FAILURES_TOLD:
            failure = Failure(to_text(instance.public), error.code, error.details or "")
            memory.failures.append((number, failure))
        told: dict[str, Any] = {
            "FailedInstancesCount": len(memory.failed),
            "FailedInstances": [each for _, each in memory.failures],
        }
        self._run.tell(**told)
        if not self._order.permissive:
            raise error
