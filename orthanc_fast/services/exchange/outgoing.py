"""HTTP connections to addresses that an administrator, or somebody else, has named.

A name may resolve to another address at every call, and an address may be written in many ways;
hence what is checked is the address of each socket, just before it is connected.
"""

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import aiohttp

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last four bytes


class ForbiddenAddress(OSError):
    """The target is not on the public Internet, and nobody has allowed that."""


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


def session(allow_private: bool, timeout: float) -> aiohttp.ClientSession:
    """A client without cookies and without proxies of the environment; `timeout` seconds is what
    one request may take as a whole. Must be made in the event loop that uses it."""
    connector = aiohttp.TCPConnector(
        limit=4, socket_factory=None if allow_private else _public_socket
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout),
        auto_decompress=False,
    )


def _public_socket(info: Any) -> socket.socket:
    family, kind, protocol, _, address = info
    if not is_public(address[0]):
        text = f"{address[0]} is no public address: set AllowPrivateAddresses if it is meant"
        raise ForbiddenAddress(errno.EACCES, text)
    return socket.socket(family, kind, protocol)
