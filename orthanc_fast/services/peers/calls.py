"""Requests to one peer. Source: reference chapter 4, sections 8.3 and 8.4."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from orthanc_fast.config import Settings
from orthanc_fast.errors import NotImplementedYet, OrthancError
from orthanc_fast.services.exchange.call_faults import (
    FAULTS,
    NETWORK_PROTOCOL,
    call_failed,
)
from orthanc_fast.services.exchange.client_tls import UnusableCertificate
from orthanc_fast.services.exchange.outgoing import OutgoingCalls
from orthanc_fast.services.exchange.redirections import answered
from orthanc_fast.services.peers.bodies import Body
from orthanc_fast.services.peers.peer import Peer

# An answer that is longer is a fault of the peer: it would have to be taken into memory.
_LONGEST_ANSWER: Final = 64 << 20

INSTANCES: Final = "instances"  # where peers take DICOM files


class Answer(msgspec.Struct, frozen=True):
    """What a peer has answered."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class PeerCalls:
    """Opens connections to peers, for one process."""

    def __init__(self, settings: Settings, outgoing: OutgoingCalls) -> None:
        self._settings = settings
        self._outgoing = outgoing

    @asynccontextmanager
    async def open(
        self, peer: Peer, path: str, connections: int = 1
    ) -> AsyncGenerator["PeerSession"]:
        """Requests for a path below the peer's address, which share up to so many kept connections
        within the block. Raises OrthancError 9 where a certificate cannot be used,
        NotImplementedYet for smart cards."""
        timeout = peer.timeout or self._settings.http_timeout
        async with self.connected(peer, peer.url + path, timeout, connections) as client:
            yield PeerSession(client, self._outgoing, peer, path, timeout)

    @asynccontextmanager
    async def connected(
        self, peer: Peer, address: str, timeout: int, connections: int
    ) -> AsyncGenerator[aiohttp.ClientSession]:
        """What `open` makes its requests with, for who makes others; raises as it does, about this
        address. A call may take `timeout` seconds as a whole, 0: any time."""
        if peer.pkcs11:
            raise NotImplementedYet(
                "Pkcs11: this server cannot use smart cards: give the server a CertificateFile"
            )
        try:
            tls = None
            if peer.url.startswith("https:"):  # reads the authorities of the system
                tls = await asyncio.to_thread(self._outgoing.tls, peer.certificate)
        except UnusableCertificate as error:
            raise call_failed(address, error) from error
        async with self._outgoing.session(timeout, connections, tls) as client:
            yield client


class PeerSession:
    """An address to which requests can be sent, also several at the same time. Every method raises
    OrthancError 9 where there is no answer."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        outgoing: OutgoingCalls,
        peer: Peer,
        path: str,
        timeout: int,
    ) -> None:
        self._client = client
        self._outgoing = outgoing
        self._peer = peer
        self._url = peer.url + path
        self._timeout = timeout or None

    async def get(self) -> Answer:
        """What is there."""
        return await self._call("GET", {}, None)

    async def post(self, body: Body, is_gzipped: bool = False) -> Answer:
        """Sends a DICOM file."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if is_gzipped:
            headers["Content-Encoding"] = "gzip"
        return await self._call("POST", headers, body)

    async def _call(self, method: str, headers: dict[str, str], body: Body | None) -> Answer:
        """Where the peer has just closed a connection that was kept, once more: to store an
        instance twice changes nothing."""
        try:
            url = URL(self._url if "://" in self._url else f"http://{self._url}")
            async with asyncio.timeout(self._timeout):
                try:
                    return await self._answer(method, url, headers, body)
                except (aiohttp.ServerDisconnectedError, ConnectionError) as error:
                    if isinstance(error, aiohttp.ClientConnectorError):
                        raise
                    return await self._answer(method, url, headers, body)
        except FAULTS as error:
            raise call_failed(self._url, error) from error

    async def _answer(
        self, method: str, url: URL, headers: dict[str, str], body: Body | None
    ) -> Answer:
        private = private_headers(self._peer, url)
        async with answered(
            self._client, self._outgoing, method, url, headers, private, body
        ) as answer:
            return Answer(answer.status, await content(answer.content))


def private_headers(peer: Peer, url: URL) -> dict[str, str]:
    """What the peer is to be told, and nobody else."""
    user, password = peer.username or url.user or "", peer.password or url.password or ""
    found = dict(peer.headers)
    if user and password:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        found.setdefault("Authorization", f"Basic {pair}")
    return found


async def content(stream: aiohttp.StreamReader) -> bytes:
    """All of an answer. Raises OrthancError 9 where it is too long for memory."""
    found = bytearray()
    async for part in stream.iter_any():
        found += part
        if len(found) > _LONGEST_ANSWER:
            raise OrthancError("The answer of the peer is too long", code=NETWORK_PROTOCOL)
    return bytes(found)
