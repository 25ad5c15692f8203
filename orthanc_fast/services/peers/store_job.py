"""The job that sends instances to a peer. Source: reference chapter 4, section 8.3.

Several requests are under way at the same time, each over a connection that is kept: while one
waits for its answer another one is sent. The job goes on where it was when it is paused, or when
its worker is killed; what it then sends again changes nothing for the peer.
"""

import asyncio
import time
from typing import ClassVar, Final

import msgspec
import uvloop

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.services.exchange.call_faults import NETWORK_PROTOCOL
from orthanc_fast.services.exchange.instances import Instances, Outgoing
from orthanc_fast.services.exchange.store_memory import StoreMemory
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


class _Memory(StoreMemory):
    """And so many bytes have been sent, again ones too."""

    size: int = 0


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
            uvloop.run(running.all())
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
        left = Instances(kind.read, run.caller, order.instances).since(self._memory.done)
        known = frozenset(self._memory.early)
        self._left = (each for each in left if each.number not in known)
        self._remembered_at = time.monotonic()

    async def all(self) -> None:
        self._run.tell(**self._memory.told())
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
        for instance in self._left:
            try:
                await self._send_one(session, instance)
            except OrthancError as error:
                self._fail(instance, error)
            self._memory.finish(instance.number)

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

    def _fail(self, instance: Outgoing, error: OrthancError) -> None:
        """Tells which instance it was, and ends the job unless it is permissive: then the first one
        is told."""
        if self._order.permissive or not self._memory.failed:
            self._memory.fail(instance, error)
            self._run.tell(**self._memory.told())
        if not self._order.permissive:
            raise error
