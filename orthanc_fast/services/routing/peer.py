"""Instances to a peer, one request each."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from orthanc_fast.errors import OrthancError
from orthanc_fast.services.exchange.call_faults import NETWORK_PROTOCOL
from orthanc_fast.services.peers.bodies import Body
from orthanc_fast.services.peers.calls import INSTANCES, PeerCalls, PeerSession
from orthanc_fast.services.peers.files import SentFiles, in_memory
from orthanc_fast.services.peers.peer import Peer
from orthanc_fast.services.routing.contract import Item, Stop
from orthanc_fast.services.routing.http_door import HttpDoor, judged

_SYSTEM: Final = "system"


class PeerDoor(HttpDoor[PeerSession]):
    """For one thread. `peer` gives the entry as it is now; it raises where there is none."""

    def __init__(
        self,
        peer: Callable[[], Peer],
        calls: PeerCalls,
        files: SentFiles,
        is_gzipped: bool,
        stop: Stop,
    ) -> None:
        super().__init__(stop)
        self._peer = peer
        self._calls = calls
        self._files = files
        self._is_gzipped = is_gzipped

    def server(self) -> Peer:
        return self._peer()

    async def connect(self, stack: AsyncExitStack) -> PeerSession:
        return await stack.enter_async_context(self._calls.open(self._peer(), INSTANCES))

    async def post(self, session: PeerSession, item: Item) -> None:
        answer = await session.post(await self._body(item), self._is_gzipped)
        if not answer.is_success:
            error = OrthancError(
                f"The peer has answered with HTTP status {answer.status}", code=NETWORK_PROTOCOL
            )
            raise judged(answer.status, error)

    async def ask(self, stack: AsyncExitStack) -> int:
        calls = await stack.enter_async_context(self._calls.open(self._peer(), _SYSTEM))
        return (await calls.get()).status

    async def _body(self, item: Item) -> Body:
        if item.data is None:
            return await self._files.body(item.file, None, self._is_gzipped)
        return await in_memory(bytes(item.data), self._is_gzipped)
