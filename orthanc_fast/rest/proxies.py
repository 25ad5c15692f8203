"""Behind a reverse proxy: who the client is, and under which address it sees this server.

Only what a proxy of the option `TrustedProxies` says is believed: X-Forwarded-For, -Proto, -Host
and -Prefix, or the header Forwarded of RFC 7239. Addresses are read from the right: each proxy
appends whom it has heard, and what stands left of the first one that is not trusted may be forged.
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from orthanc_fast.errors import BadRequest
from orthanc_fast.rest.response import HeaderField

UNKNOWN: Final = "unknown"  # a client whose address a proxy hides: never a local one

_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_PAIR = re.compile(r'\s*([A-Za-z]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*(;|,|$)')


class Place(NamedTuple):
    """What the proxies say of a request; None where they say nothing."""

    client: str
    scheme: str | None = None
    host: str | None = None
    prefix: str = ""


class TrustedProxies:
    """The proxies of one server; `networks` as in `Settings.trusted_proxies`."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ip_network(text) for text in networks]

    def trusts(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    def place(self, peer: str, headers: Sequence[HeaderField]) -> Place:
        """Where the request came from that `peer` has sent. Raises BadRequest if two headers
        name different clients: one of them may be forged."""
        if not self._networks or not self.trusts(peer):
            return Place(peer)
        steps = _forwarded(_joined(headers, b"forwarded"))
        names = _list(_joined(headers, b"x-forwarded-for"))
        client = self._client(peer, [_node(name) for name in names])
        if steps:
            other = self._client(peer, [_node(step.get("for", "")) for step in steps])
            if names and other != client:
                raise BadRequest("Forwarded and X-Forwarded-For name different clients")
            client = other
        # The nearest proxy that we trust has the last word on what it was asked.
        last = steps[-1] if steps else {}
        scheme = last.get("proto") or _last(headers, b"x-forwarded-proto")
        host = last.get("host") or _last(headers, b"x-forwarded-host")
        prefix = _last(headers, b"x-forwarded-prefix") or ""
        return Place(
            client,
            scheme.lower() if scheme and scheme.lower() in ("http", "https") else None,
            host if host and _HOST.fullmatch(host) else None,
            prefix.rstrip("/") if _PREFIX.fullmatch(prefix) else "",
        )

    def _client(self, peer: str, chain: list[str]) -> str:
        for address in reversed(chain):
            if not self.trusts(address):
                return address
        return chain[0] if chain else peer


def base_url(place: Place, scheme: str, host: str | None) -> str | None:
    """The address of this server as the client sees it, without the last slash; `scheme` and
    `host` are those of the request itself. None if the client did not say."""
    name = place.host or (host if host and _HOST.fullmatch(host) else None)
    return None if name is None else f"{place.scheme or scheme}://{name}{place.prefix}"


def _joined(headers: Sequence[HeaderField], name: bytes) -> str:
    """Several headers of one name are one list: RFC 9110, section 5.3."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _last(headers: Sequence[HeaderField], name: bytes) -> str | None:
    found = _list(_joined(headers, name))
    return found[-1] if found else None


def _node(text: str) -> str:
    """An address without port and brackets; UNKNOWN for anything else."""
    match = re.fullmatch(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+)(?::\d+)?|(\S*)", text)
    inner = "" if match is None else match[1] or match[2] or match[3] or ""
    try:
        return str(ip_address(inner))
    except ValueError:
        return UNKNOWN


def _forwarded(text: str) -> list[dict[str, str]]:
    """The elements of the header Forwarded; what cannot be read is a step of somebody unknown."""
    steps: list[dict[str, str]] = []
    step: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            return [*steps, {"for": UNKNOWN}]
        name, value, end = match[1].lower(), match[2], match[3]
        step[name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value
        at = match.end()
        if end != ";":
            steps.append(step)
            step = {}
    return [*steps, step] if step else steps
