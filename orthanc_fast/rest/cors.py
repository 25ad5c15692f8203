"""Pages of other origins: the option `Cors`, by the Fetch standard, section 3.2. Orthanc has none
of it."""

from orthanc_fast.config_sections import Cors
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response

METHODS = b"GET, HEAD, POST, PUT, DELETE"
# What a page may read of an answer beyond what every page may.
EXPOSED = b"Content-Disposition, Content-Range, ETag, Location, X-Total-Count"

VARY: HeaderField = (b"vary", b"Origin")


class CrossOrigin:
    """The permissions of one server; without allowed origins nothing is ever added."""

    def __init__(self, settings: Cors) -> None:
        self.enabled = bool(settings.allowed_origins)
        self._any = "*" in settings.allowed_origins
        self._allowed = frozenset(origin.encode() for origin in settings.allowed_origins)
        self._credentials = settings.allow_credentials
        self._max_age = b"%d" % settings.max_age

    def allows(self, origin: bytes | None) -> bool:
        """Whether a page of this origin has been given permission."""
        return self._any or origin in self._allowed

    def allows_credentials(self, origin: bytes | None) -> bool:
        """Whether a page of this origin may use the log-in of its user."""
        return self._credentials and origin in self._allowed

    def headers(self, request: Request) -> list[HeaderField]:
        """What every answer to this request gets."""
        if self._any:
            found: list[HeaderField] = [(b"access-control-allow-origin", b"*")]
        else:
            origin = request.header(b"origin")
            if origin is None or not self.allows(origin):
                return [VARY]
            found = [(b"access-control-allow-origin", origin), VARY]
            if self._credentials:
                found.append((b"access-control-allow-credentials", b"true"))
        found.append((b"access-control-expose-headers", EXPOSED))
        return found

    def preflight(self, request: Request, method: str) -> Response | None:
        """The answer to a browser that asks before it sends something; None if it does not. It
        comes without credentials, hence before any authentication; and tells nothing."""
        if method != "OPTIONS" or request.header(b"access-control-request-method") is None:
            return None
        origin = request.header(b"origin")
        if origin is None or not self.allows(origin):
            return empty_response(403)
        allowed: list[HeaderField] = [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-max-age", self._max_age),
        ]
        wanted = request.header(b"access-control-request-headers")
        if wanted is not None:
            allowed.append((b"access-control-allow-headers", wanted))
        return empty_response(204, tuple(allowed))
