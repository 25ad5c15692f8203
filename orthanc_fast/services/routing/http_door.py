"""What peers and servers of DICOMweb have in common as destinations: an event loop that lives in
the thread that sends, connections that are kept for as long as there is something to send, and
where an instance came from."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import uvloop

from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Resource
from orthanc_fast.registries import ORIGIN, REMOTE_IP
from orthanc_fast.services.peers.peer import Peer
from orthanc_fast.services.routing.contract import ANSWER_TIMEOUT, Door, Item, NotNow, Refused, Stop
from orthanc_fast.upper_layer.resolving import addresses

S = TypeVar("S")
T = TypeVar("T")

_LOOKED_EACH: Final = 0.2  # second: whether the process is stopping
_BY_HTTP: Final = frozenset({"RestApi", "Plugins"})  # the second is STOW-RS
_RESOLVED_EACH: Final = 300.0  # seconds
_RESOLVED_WITHIN: Final = 10.0  # seconds
_FAULT: Final = 500  # the first status that is one of the server

# The server is there but cannot be used now, or not with these credentials: any other instance
# would fare the same.
_NOT_NOW: Final = frozenset({401, 403, 407, 408, 429, 502, 503, 504, 507})


class HttpDoor(Door, Generic[S]):
    """For one thread. `S` is the session by which requests are made."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._runner: asyncio.Runner | None = None
        self._stack = AsyncExitStack()
        self._session: S | None = None
        self._opened_for: Peer | None = None
        self._addresses: tuple[str, float, frozenset[str]] = ("", 0.0, frozenset())

    @abstractmethod
    def server(self) -> Peer:
        """The other server as it is described now. Raises OrthancError where it is not."""

    @abstractmethod
    async def connect(self, stack: AsyncExitStack) -> S:
        """Opens what requests need, for as long as the stack is open."""

    @abstractmethod
    async def post(self, session: S, item: Item) -> None:
        """Sends one instance. Raises OrthancError."""

    @abstractmethod
    async def ask(self, stack: AsyncExitStack) -> int:
        """The status of the answer to a request that changes nothing, over a connection of its own.
        Raises OrthancError."""

    def send(self, item: Item) -> None:
        """Raises Refused for an answer that concerns this instance, NotNow for others."""
        try:
            self._run(self._send(item))
        except BaseException:
            self.close()
            raise

    def answers(self) -> bool:
        """By a small request."""
        try:
            status = self._run(self._ask())
        except (OrthancError, TimeoutError):
            return False
        return status < _FAULT and status not in _NOT_NOW

    async def _ask(self) -> int:
        async with asyncio.timeout(ANSWER_TIMEOUT), AsyncExitStack() as stack:
            return await self._watched(self.ask(stack))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        return self._runner.run(work)

    async def _send(self, item: Item) -> None:
        server = self.server()
        if self._session is not None and server != self._opened_for:  # it has been replaced
            self._session = None
            await self._stack.aclose()
        if self._session is None:
            self._opened_for = server
            self._session = await self.connect(self._stack)
        await self._watched(self.post(self._session, item))

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        """Raises Interrupted too."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait((task,), timeout=_LOOKED_EACH))[0]:
                self._stop.watch()
        finally:
            task.cancel()
        return await task

    def close(self) -> None:
        if self._runner is not None:
            stack, self._stack, self._session = self._stack, AsyncExitStack(), None
            try:
                self._runner.run(stack.aclose())
            finally:
                self._runner.close()
                self._runner = None

    def sent_by(self, instance: Resource) -> bool:
        """By its address, unless that is of this machine, where others live too."""
        if instance.metadata.get(ORIGIN) not in _BY_HTTP:
            return False
        address = instance.metadata.get(REMOTE_IP, "")
        if not address or address.startswith("127.") or address == "::1":
            return False
        return address in self._own_addresses()

    def _own_addresses(self) -> frozenset[str]:
        """Those of the server, resolved now and then; none where that fails. Raises Interrupted."""
        try:
            url = self.server().url
        except OrthancError:
            return frozenset()
        host = urlsplit(url if "://" in url else f"http://{url}").hostname or ""
        known, at, found = self._addresses
        if known != host or time.monotonic() - at > _RESOLVED_EACH:
            try:
                rows = addresses(host, 0, _RESOLVED_WITHIN, watch=self._stop.watch)
                found = frozenset(str(address[0]).partition("%")[0] for _, address in rows)
            except OSError:
                found = frozenset()
            self._addresses = host, time.monotonic(), found
        return found


def judged(status: int, error: OrthancError) -> OrthancError:
    """The same error, as Refused where the answer with this HTTP status concerns the instance, else
    as NotNow."""
    kind = NotNow if status in _NOT_NOW or 300 <= status < 400 else Refused
    return kind(error.details, private=error, code=error.code)
