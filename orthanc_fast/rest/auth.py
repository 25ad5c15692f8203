"""Who may ask: remote access and HTTP Basic authentication. Source: reference chapter 1,
sections 1.1 and 1.11."""

import base64
import binascii
import hmac

from orthanc_fast.config import Settings
from orthanc_fast.rest.response import empty_response

UNAUTHORIZED = empty_response(401, ((b"www-authenticate", b'Basic realm="Orthanc Secure Area"'),))

_WELL_KNOWN = {("orthanc", "orthanc"), ("alice", "alicePassword"), ("alice", "orthanctest")}


class Gate:
    """The rules of one server."""

    def __init__(self, settings: Settings) -> None:
        self._remote = settings.remote_access_allowed
        self._enabled = settings.authentication_enabled
        self._tokens = {
            base64.b64encode(f"{name}:{password}".encode()): name
            for name, password in settings.registered_users.items()
        }
        self.is_secure = not (
            settings.remote_access_allowed
            and settings.authentication_explicit
            and not settings.authentication_enabled
        ) and not _WELL_KNOWN & set(settings.registered_users.items())

    def refuses_address(self, remote_ip: str) -> bool:
        """Without remote access only 127.0.0.1 itself is served."""
        return not self._remote and remote_ip != "127.0.0.1"

    def user(self, authorization: bytes | None) -> str | None:
        """The name of the user, "" for an anonymous one, None if the request must be refused."""
        if authorization is None or not authorization.startswith(b"Basic "):
            return None if self._enabled else ""
        token = authorization[6:].strip()
        if self._enabled:
            # Every token is compared, so that the time tells nothing about which one was close.
            found = None
            for known, name in self._tokens.items():
                if hmac.compare_digest(known, token):
                    found = name
            return found
        try:
            return base64.b64decode(token).decode("utf-8", "replace").partition(":")[0]
        except binascii.Error:
            return ""
