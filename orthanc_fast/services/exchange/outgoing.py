"""HTTP connections of this server to others: the one place that makes them, by the options
`HttpProxy`, `HttpTimeout`, `HttpsVerifyPeers`, `HttpsCACertificates` and `HttpVerbose`. Source:
reference chapter 4, sections 0 and 8.4.

Where somebody else may have named the address, what is checked is the address of each socket, just
before it is connected: a name may resolve to another one at every call, and an address may be
written in many ways.
"""

import errno
import socket
import ssl
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import aiohttp

from orthanc_fast.config import Settings
from orthanc_fast.services.exchange.call_log import tracing
from orthanc_fast.services.exchange.client_tls import (
    ClientCertificate,
    UnusableCertificate,
    client_context,
)
from orthanc_fast.services.exchange.resolving import Resolver

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last four bytes


class ForbiddenAddress(OSError):
    """The target is not on the public Internet, and nobody has allowed that."""


class OutgoingCalls:
    """Makes the connections of one process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._proxy = settings.http_proxy or None

    def session(
        self,
        timeout: float,
        connections: int = 4,
        tls: ssl.SSLContext | None = None,
        allow_private: bool = True,
    ) -> aiohttp.ClientSession:
        """A client without cookies, and with no other proxy than `HttpProxy`. One request may take
        `timeout` seconds as a whole, 0: any time. Calls by HTTPS need what `tls` gives. Must be
        made in the event loop that uses it."""
        is_guarded = not allow_private
        connector = aiohttp.TCPConnector(
            limit=connections,
            ssl=tls or self.redirected_tls,
            resolver=Resolver(),
            socket_factory=_public_socket if is_guarded and not self._proxy else None,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout or None),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding",),
            headers={"User-Agent": "orthanc_fast"},
            proxy=self._proxy,
            middlewares=(_only_public,) if is_guarded and self._proxy else (),
            trace_configs=[tracing()] if self._settings.http_verbose else [],
        )

    def tls(self, certificate: ClientCertificate | None = None) -> ssl.SSLContext:
        """As `client_context`."""
        return client_context(self._settings, certificate)

    @cached_property
    def redirected_tls(self) -> ssl.SSLContext | bool:
        """For what is redirected to HTTPS of another server, which gets no client certificate."""
        try:
            return self.tls()
        except UnusableCertificate:
            return True  # the authorities of the system


def is_public(text: str) -> bool:
    """Whether this is the address of a host on the Internet: not of this machine, of a private
    network, link-local, multicast or reserved; nor an IPv6 form of such an IPv4 address."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(address.packed[-4:])
        if inner is not None:
            address = inner
        elif address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


def _public_socket(info: Any) -> socket.socket:
    family, kind, protocol, _, address = info
    _check_public(address[0])
    return socket.socket(family, kind, protocol)


async def _only_public(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Behind a proxy the socket is the proxy's, who resolves names: only an address that stands in
    the URL can be judged here."""
    host = request.url.host or ""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return await handler(request)
    _check_public(host)
    return await handler(request)


def _check_public(address: str) -> None:
    if not is_public(address):
        text = f"{address} is no public address: set AllowPrivateAddresses if it is meant"
        raise ForbiddenAddress(errno.EACCES, text)
