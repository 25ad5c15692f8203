"""What pages of other sites may not do by a browser that can reach this server, though its user
never asked for it: change something, or take the server for their own (DNS rebinding).

The first holds on a server that only this machine may reach: the browser's own access is all that
such a page needs there. The second holds where no configuration is given or `AllowedHosts` is set.
Programs send none of the headers that are looked at. Sources: Fetch Metadata Request Headers,
section 2; Fetch standard, section 3.1; RFC 6761, section 6.3.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from orthanc_fast.config import Settings
from orthanc_fast.errors import ForbiddenAccess
from orthanc_fast.rest.cors import CrossOrigin
from orthanc_fast.rest.proxies import TrustedProxies
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField

_HOST = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d*)?|([^:]*)(?::\d*)?")

FORWARDED = frozenset((b"forwarded", b"x-forwarded-for"))
# No page can make a browser send these by itself: who does is no browser.
PASSED_ON = FORWARDED | {b"via", b"x-real-ip"}
HTTP_1_0 = ("1.0", "1")  # as ASGI writes it, and as Granian does


class BrowserGuard:
    """The rules of one server. `checks_hosts` and `checks_changes` say which of them hold."""

    def __init__(self, settings: Settings, proxies: TrustedProxies, cors: CrossOrigin) -> None:
        allowed = settings.allowed_hosts
        self._names = frozenset(allowed or ())
        self._proxies = proxies
        self._cors = cors
        self.checks_hosts = allowed is not None
        self.checks_changes = _is_local(settings)

    def check_host(self, request: Request) -> None:
        """Raises ForbiddenAccess for a name that is neither listed nor this machine's own. What a
        trusted proxy passes on has the name that its clients use."""
        host = request.header(b"host")
        if not host or _is_loopback(host) or _name(host) in self._names:
            return
        if self._proxies.trusts(request.peer) and _has(request.headers, FORWARDED):
            return
        raise ForbiddenAccess(
            f'this server is not known as "{_name(host)}": list the name in the option '
            'AllowedHosts, or set it to ["*"] for every name'
        )

    def check_change(self, request: Request) -> None:
        """To be called for a request that changes something. Raises ForbiddenAccess if it is of a
        page of another site, whose origin the option `Cors` does not allow."""
        origin = request.header(b"origin")
        site = request.header(b"sec-fetch-site")
        if site is None:  # an old browser, or no browser at all
            if origin is None or _of_url(origin) == _name(request.header(b"host") or b""):
                return
        elif site != b"cross-site":
            return
        # Between a browser and this server's own port stands no proxy. Where one does, what it
        # makes of Host and who may use it are its own affair. nginx speaks HTTP/1.0 by default.
        if request.http_version in HTTP_1_0 or _has(request.headers, PASSED_ON):
            return
        if not self._cors.allows(origin):
            page = "" if origin is None else f" ({origin.decode('latin-1')})"
            raise ForbiddenAccess(
                f"a page of another site{page} may not change anything on this server: list its "
                "origin in AllowedOrigins of the option Cors"
            )

    def check_own_page(self, request: Request) -> None:
        """To be called for a request that changes something and is let in by a cookie, which a
        browser sends by itself. Raises ForbiddenAccess unless it comes from a page of this server,
        or of an origin that the option `Cors` allows with credentials."""
        if self._cors.allows_credentials(request.header(b"origin")) or is_of_own_page(request):
            return
        raise ForbiddenAccess(
            "who is logged in by a cookie changes something from pages of this server only, which "
            "the header Origin or Sec-Fetch-Site says"
        )


def is_of_own_page(request: Request) -> bool | None:
    """Whether a browser says that a page of this server has made the request; None where it says
    nothing, or it is no browser."""
    site = request.header(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin"
    origin = request.header(b"origin")
    if origin is None:
        return None
    own = request.base_url
    try:
        return own is not None and urlsplit(origin.decode("latin-1")).netloc == urlsplit(own).netloc
    except ValueError:
        return False


def _is_local(settings: Settings) -> bool:
    """Whether only this machine may reach the server."""
    addresses = settings.http_bind_addresses
    return not settings.remote_access_allowed or (
        bool(addresses) and all(_is_loopback(address.encode()) for address in addresses)
    )


def _has(headers: Sequence[HeaderField], names: frozenset[bytes]) -> bool:
    return any(name in names for name, _ in headers)


def _name(host: bytes) -> str:
    """The name in a Host header, "" where there is none."""
    match = _HOST.fullmatch(host.decode("latin-1"))
    return "" if match is None else (match[1] or match[2] or "").lower().removesuffix(".")


@lru_cache(maxsize=64)  # clients use few names
def _is_loopback(host: bytes) -> bool:
    name = _name(host)
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _of_url(origin: bytes) -> str | None:
    try:
        found = urlsplit(origin.decode("latin-1")).hostname
    except ValueError:
        return None
    return None if found is None else found.removesuffix(".")
