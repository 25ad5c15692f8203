"""Requests to one peer. Source: reference chapter 4, sections 8.3 and 8.4."""

import asyncio
import base64
import ssl
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
    TooManyRedirections,
    call_failed,
)
from orthanc_fast.services.exchange.client_tls import UnusableCertificate
from orthanc_fast.services.exchange.outgoing import OutgoingCalls
from orthanc_fast.services.peers.bodies import Body
from orthanc_fast.services.peers.peer import Peer

# An answer that is longer is a fault of the peer: it would have to be taken into memory.
_LONGEST_ANSWER: Final = 64 << 20

INSTANCES: Final = "instances"  # where peers take DICOM files

_REDIRECTIONS: Final = 30
_REDIRECTED: Final = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER: Final = 303


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
        if peer.pkcs11:
            raise NotImplementedYet(
                "Pkcs11: this server cannot use smart cards: give the peer a CertificateFile"
            )
        timeout = peer.timeout or self._settings.http_timeout
        try:
            tls = None
            if peer.url.startswith("https:"):  # reads the authorities of the system
                tls = await asyncio.to_thread(self._outgoing.tls, peer.certificate)
        except UnusableCertificate as error:
            raise call_failed(peer.url + path, error) from error
        async with self._outgoing.session(timeout, connections, tls) as client:
            yield PeerSession(client, self._outgoing, peer, path, timeout)


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

    def _headers(self, url: URL) -> dict[str, str]:
        """What the peer is to be told, and nobody else."""
        peer = self._peer
        user, password = peer.username or url.user or "", peer.password or url.password or ""
        found = dict(peer.headers)
        if user and password:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            found.setdefault("Authorization", f"Basic {pair}")
        return found

    async def _answer(
        self, method: str, url: URL, headers: dict[str, str], body: Body | None
    ) -> Answer:
        """Follows redirections with the same request, also those at which other programs give up
        its body (301, 302): the peer would seem to have stored what it never got. Another server
        gets neither the headers of the peer, which may be keys, nor the client certificate."""
        sent = headers | self._headers(url)
        tls: ssl.SSLContext | bool = True  # that of the session
        url = url.with_user(None)
        for _ in range(_REDIRECTIONS + 1):
            async with self._client.request(
                method, url, headers=sent, data=body, allow_redirects=False, ssl=tls
            ) as answer:
                location = answer.headers.get("Location")
                if answer.status not in _REDIRECTED or location is None:
                    return Answer(answer.status, await _content(answer.content))
                target = url.join(URL(location))
            if not _is_same_origin(url, target):
                sent, tls = headers, self._outgoing.redirected_tls
            if answer.status == _SEE_OTHER:
                method, body = "GET", None
            url = target
        raise TooManyRedirections


def _is_same_origin(one: URL, other: URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


async def _content(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for part in stream.iter_any():
        content += part
        if len(content) > _LONGEST_ANSWER:
            raise OrthancError("The answer of the peer is too long", code=NETWORK_PROTOCOL)
    return bytes(content)
