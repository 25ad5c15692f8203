"""The job that sends instances to a peer. Source: reference chapter 4, section 8.3.

Several requests are under way at the same time, each over a connection that is kept: while one
waits for its answer another one is sent. The job goes on where it was when it is paused, or when
its worker is killed; what it then sends again changes nothing for the peer.
"""

from typing import ClassVar

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.services.exchange.call_faults import NETWORK_PROTOCOL
from orthanc_fast.services.exchange.instances import Instances, Outgoing
from orthanc_fast.services.exchange.store_memory import SentMemory, decode_sent, encode_sent
from orthanc_fast.services.exchange.transfer import Transfer
from orthanc_fast.services.jobs.contract import Kind, Run
from orthanc_fast.services.peers.calls import INSTANCES, PeerCalls, PeerSession
from orthanc_fast.services.peers.files import SentFiles
from orthanc_fast.services.peers.store_orders import (
    KIND,
    StoreOrder,
    decode_store_order,
    size_content,
)
from orthanc_fast.services.store.reads import Reads


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
        _Sending(self, run, decode_store_order(run.payload)).complete()


class _Sending(Transfer):
    def __init__(self, kind: PeerStoreJob, run: Run, order: StoreOrder) -> None:
        super().__init__(run)
        self._kind = kind
        self._order = order
        self._memory = SentMemory() if run.recalled is None else decode_sent(run.recalled)
        self._memory.forget_undone()
        left = Instances(kind.read, run.caller, order.instances).since(self._memory.done)
        known = frozenset(self._memory.early)
        self._left = (each for each in left if each.number not in known)

    async def work(self) -> None:
        self.run.tell(**self._memory.told())
        count = min(self._kind.connections, self._order.count - self._memory.done)
        if count <= 0:
            return
        async with self._kind.calls.open(self._order.peer, INSTANCES, count) as session:
            try:
                await self.together(count, lambda: self._send(session))
            finally:
                self.run.tell(**size_content(self._memory.size))

    def memory(self) -> bytes:
        return encode_sent(self._memory)

    def tell(self) -> None:
        self.run.step(self._memory.done, self._order.count)
        self.run.tell(**size_content(self._memory.size))

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
            self.run.tell(**self._memory.told())
        if not self._order.permissive:
            raise error
