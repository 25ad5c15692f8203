"""What clients ask of peers. Source: reference chapter 4, sections 8.3 and 8.4."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Caller
from orthanc_fast.services.browse.exports import Exports
from orthanc_fast.services.exchange.call_faults import NETWORK_PROTOCOL
from orthanc_fast.services.exchange.instances import Chosen, chosen
from orthanc_fast.services.jobs.contract import Submission
from orthanc_fast.services.peers.bodies import body_of
from orthanc_fast.services.peers.calls import INSTANCES, Answer, PeerCalls
from orthanc_fast.services.peers.registry import PeerRegistry
from orthanc_fast.services.peers.store_orders import StoreOptions, StoreOrder, submission
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.storage.contract import Spool

# What a peer answers with these is passed on to the client; 2005 stands for all else.
_PASSED_ON: Final = frozenset({400, 403, 415, 500})
_BAD_STATUS: Final = 2005


class PeerExchange:
    """Talks to peers by their symbolic names. Every method raises UnknownResource for a peer that
    is not known."""

    def __init__(
        self, reads: Reads, exports: Exports, registry: PeerRegistry, calls: PeerCalls
    ) -> None:
        self._read = reads
        self._exports = exports
        self._registry = registry
        self._calls = calls

    async def system(self, caller: Caller, name: str) -> Answer:
        """What the peer says of itself, or one of the statuses that are passed on. Raises
        OrthancError 9 where it does not answer, 2005 for any other status."""
        async with self._calls.open(self._registry.get(caller, name), "system") as session:
            answer = await session.get()
        if not answer.is_success and answer.status not in _PASSED_ON:
            raise OrthancError(private=f"the peer answered {answer.status}", code=_BAD_STATUS)
        return answer

    async def store_straight(self, caller: Caller, name: str, body: bytes | Spool) -> bytes:
        """Sends a DICOM file that is not stored here; what the peer answers. A spool belongs to
        this method. Raises OrthancError 9."""
        try:
            peer = self._registry.get(caller, name)
            async with self._calls.open(peer, INSTANCES) as session:
                answer = await session.post(body_of(body))
        finally:
            if isinstance(body, Spool):
                await asyncio.to_thread(body.drop)
        if answer.is_success and _is_json(answer.body):
            return answer.body
        raise OrthancError(
            f"Cannot send DICOM to remote peer: {name}",
            private=f"the peer answered {answer.status}",
            code=NETWORK_PROTOCOL,
        )

    async def store(
        self, caller: Caller, name: str, names: Sequence[str], options: StoreOptions
    ) -> Submission:
        """The job that sends the resources with these identifiers. Raises as `chosen`."""
        peer = self._registry.get(caller, name)
        found: Chosen = await self._read.run(chosen, self._read, caller, names)
        order = StoreOrder(
            peer=peer,
            instances=found.instances,
            compress=options.compress,
            transcode=options.transcode,
            permissive=options.permissive,
        )
        await self._exports.log(caller, name, [each.public for each in found.resources])
        return submission(order, found, options.description, options.priority, options.user_data)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return True
