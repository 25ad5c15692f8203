"""The job that sends instances to a server of DICOMweb. Source: reference chapter 5, section 11.2;
PS3.18, section 10.5.

What is to be sent goes in requests of bounded size, several at the same time, each over a
connection that is kept. Which instances a request has stored is remembered, so the job goes on
behind the last answers when it is paused or its worker is killed; what it then sends again changes
nothing for the receiver.
"""

from typing import ClassVar, Final

from orthanc_fast.config import Settings
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.dicom_web_client.answers import check_stored, has_failures
from orthanc_fast.services.dicom_web_client.bodies import StowBody
from orthanc_fast.services.dicom_web_client.calls import WebCalls, WebSession, refused
from orthanc_fast.services.dicom_web_client.orders import STOW, StowOrder, decode_stow_order
from orthanc_fast.services.dicom_web_client.running import WebTransfer, megabytes
from orthanc_fast.services.dicom_web_client.server import takes_chunks
from orthanc_fast.services.exchange.instances import Instances, Outgoing
from orthanc_fast.services.exchange.store_memory import SentMemory, decode_sent, encode_sent
from orthanc_fast.services.jobs.contract import Kind, Run
from orthanc_fast.services.store.reads import Reads

# Of one request.
_MOST_INSTANCES: Final = 100
_MOST_BYTES: Final = 32 << 20


class StowJob(Kind):
    """Jobs of one process."""

    name: ClassVar[str] = STOW

    def __init__(
        self, settings: Settings, reads: Reads, parts: ContentParts, calls: WebCalls
    ) -> None:
        self.connections = settings.dicom_web.client_connections
        self.read = reads
        self.parts = parts
        self.calls = calls

    def run(self, run: Run) -> None:
        _Stowing(self, run, decode_stow_order(run.payload)).complete()


class _Stowing(WebTransfer):
    def __init__(self, kind: StowJob, run: Run, order: StowOrder) -> None:
        super().__init__(run)
        self._kind = kind
        self._order = order
        self._memory = SentMemory() if run.recalled is None else decode_sent(run.recalled)
        left = Instances(kind.read, run.caller, order.instances).since(self._memory.done)
        known = frozenset(self._memory.early)
        self._left = (each for each in left if each.number not in known)
        self._next: Outgoing | None = next(self._left, None)
        self._under_way: set[StowBody] = set()
        self._is_chunked = takes_chunks(order.server)

    async def work(self) -> None:
        if self._next is None:
            return
        count = min(self._kind.connections, self._count_left)
        async with self._kind.calls.open(self._order.server, count) as session:
            await self.together(count, lambda: self._send_batches(session))

    def memory(self) -> bytes:
        return encode_sent(self._memory)

    def tell(self) -> None:
        memory = self._memory
        sent = memory.size + sum(body.sent for body in self._under_way)
        self.run.tell(NetworkSizeMB=megabytes(sent))
        begun = sum(max(0, body.begun - 1) for body in self._under_way)
        self.run.step(memory.done + len(memory.early) + begun, self._order.count)

    @property
    def _count_left(self) -> int:
        return self._order.count - self._memory.done - len(self._memory.early)

    async def _send_batches(self, session: WebSession) -> None:
        """Sends one request after the other, of those instances that no other task has taken."""
        while batch := self._batch():
            body = StowBody(self._kind.parts, batch, self._is_chunked)
            self._under_way.add(body)
            try:
                await self._send(session, body, len(batch))
            finally:
                self._under_way.discard(body)
                self._memory.size += body.sent
            for instance in batch:
                self._memory.finish(instance.number)

    async def _send(self, session: WebSession, body: StowBody, count: int) -> None:
        defaults, headers = {"Accept": "application/dicom+json"}, self._order.headers
        async with session.transfer("POST", "studies", {}, defaults, headers, body) as answer:
            content = await answer.content()
        if not 200 <= answer.status < 300 and not has_failures(content):
            raise refused(answer.status, f"{self._order.server.url}studies", content)
        check_stored(content, count, self._order.name)

    def _batch(self) -> list[Outgoing]:
        """What the next request is to hold; nothing where nothing is left."""
        batch: list[Outgoing] = []
        size = 0
        while (instance := self._next) is not None and len(batch) < _MOST_INSTANCES:
            size += 0 if instance.file is None else instance.file.size
            if batch and size > _MOST_BYTES:
                break
            batch.append(instance)
            self._next = next(self._left, None)
        return batch
