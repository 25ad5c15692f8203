"""The job that retrieves instances from a server of DICOMweb. Source: reference chapter 5, section
11.2; PS3.18, section 10.4.

Several resources are fetched at the same time. What has come is remembered, so that a job which was
interrupted in the middle of a study asks the other server what that study has and fetches what is
missing; where the server does not tell, the study is fetched again, which stores nothing twice.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import ClassVar, Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.services.dicom_web_client.calls import WebCalls, WebSession
from orthanc_fast.services.dicom_web_client.coming import Coming
from orthanc_fast.services.dicom_web_client.missing import Inventory
from orthanc_fast.services.dicom_web_client.orders import (
    RETRIEVE,
    RetrieveOrder,
    Wanted,
    decode_retrieve_order,
)
from orthanc_fast.services.dicom_web_client.receiving import Received, Receiver
from orthanc_fast.services.dicom_web_client.running import WebTransfer, megabytes
from orthanc_fast.services.dicom_web_client.server import sends_any_syntax
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.services.jobs.contract import Kind, Run

_ACCEPT: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_NO_CONTENT: Final = 204
_STEPS: Final = 1000  # of the progress of one resource
_DIGEST: Final = 8  # bytes that stand for a SOP Instance UID in what a job remembers


class _Memory(msgspec.Struct):
    """Which resources are done, by their numbers, and which have been begun; of the instances that
    have come the digests, and the bytes of all that came."""

    done: set[int] = msgspec.field(default_factory=set)
    begun: set[int] = msgspec.field(default_factory=set)
    received: bytearray = msgspec.field(default_factory=bytearray)
    count: int = 0
    size: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Memory).decode


class RetrieveJob(Kind):
    """Jobs of one process."""

    name: ClassVar[str] = RETRIEVE

    def __init__(self, settings: Settings, receiver: Receiver, calls: WebCalls) -> None:
        self.connections = settings.dicom_web.client_connections
        self.receiver = receiver
        self.calls = calls

    def run(self, run: Run) -> None:
        _Retrieving(self, run, decode_retrieve_order(run.payload)).complete()


class _Retrieving(WebTransfer):
    def __init__(self, kind: RetrieveJob, run: Run, order: RetrieveOrder) -> None:
        super().__init__(run)
        self._kind = kind
        self._order = order
        self._memory = _Memory() if run.recalled is None else _decode(run.recalled)
        known = bytes(self._memory.received)
        self._received = {known[at : at + _DIGEST] for at in range(0, len(known), _DIGEST)}
        self._interrupted = self._memory.begun - self._memory.done
        self._left = self._not_done()
        self._coming: set[Coming] = set()
        self._defaults = {"Accept": _ACCEPT} if sends_any_syntax(order.server) else {}

    def _not_done(self) -> Iterator[tuple[int, Wanted]]:
        for number, wanted in enumerate(self._order.wanted):
            if number not in self._memory.done:
                yield number, wanted

    async def work(self) -> None:
        count = min(self._kind.connections, len(self._order.wanted) - len(self._memory.done))
        if self._interrupted:
            count = self._kind.connections
        if count <= 0:
            return
        # One connection more: how much will come may be asked while it comes.
        async with self._kind.calls.open(self._order.server, count + 1) as session:
            await self.together(count, lambda: self._retrieve_all(session))

    def memory(self) -> bytes:
        return _encode(self._memory)

    def tell(self) -> None:
        memory = self._memory
        self.run.tell(
            NetworkUsageMB=megabytes(memory.size), ReceivedInstancesCount=str(memory.count)
        )
        shares = len(memory.done) + sum(each.share for each in self._coming)
        self.run.step(int(shares * _STEPS), len(self._order.wanted) * _STEPS)

    async def _retrieve_all(self, session: WebSession) -> None:
        """Fetches one resource after the other, those that no other task has taken."""
        for number, wanted in self._left:
            await self._retrieve(session, number, wanted)
            self._memory.done.add(number)

    async def _retrieve(self, session: WebSession, number: int, wanted: Wanted) -> None:
        parts = [wanted]
        inventory = Inventory(session, self._order.headers, self._has_come)
        if number in self._interrupted and wanted.study:
            parts = await inventory.missing(wanted)
        self._memory.begun.add(number)
        coming = Coming(inventory, len(parts))
        self._coming.add(coming)
        try:
            for part in parts:
                await self._fetch(session, part, coming)
                coming.next_part()
        finally:
            self._coming.discard(coming)

    async def _fetch(self, session: WebSession, wanted: Wanted, coming: Coming) -> None:
        order = self._order
        async with session.transfer(
            "GET", wanted.uri, order.arguments, self._defaults, order.headers
        ) as answer:
            await answer.require_success()
            if answer.status != _NO_CONTENT:

                def stored(one: Stored, size: int) -> None:
                    coming.count += 1
                    self._stored(one, size)

                async with coming.begun(wanted, answer):
                    await Received(self._kind.receiver, self.run.caller, stored).take(answer)

    def _has_come(self, sop_instance: str) -> bool:
        return _digest(sop_instance) in self._received

    def _stored(self, stored: Stored, size: int) -> None:
        self._memory.size += size
        digest = _digest(stored.sop_uid)
        if digest in self._received and self._interrupted:
            return  # it was counted before the interruption
        self._memory.count += 1
        if digest not in self._received:
            self._received.add(digest)
            self._memory.received += digest


def _digest(sop_instance: str) -> bytes:
    return blake2b(sop_instance.encode(), digest_size=_DIGEST).digest()
