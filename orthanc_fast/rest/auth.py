"""Who may ask: remote access, HTTP Basic authentication, sessions and share links. Source:
reference chapter 1, sections 1.1 and 1.11; sessions, links and what users may do are this server's
own: docs/users.md."""

import asyncio
import base64
import binascii
from contextlib import nullcontext
from typing import Final
from urllib.parse import quote

from orthanc_fast.config import Settings
from orthanc_fast.config_users import User
from orthanc_fast.log import Category, logger
from orthanc_fast.rest.identity import Identity, identity_of, somebody, visitor
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response
from orthanc_fast.services.processes.http import HttpServices
from orthanc_fast.services.users import passwords

BASIC: Final = b"Basic "
CHALLENGE: Final[HeaderField] = (b"www-authenticate", b'Basic realm="Orthanc Secure Area"')
UNAUTHORIZED: Final = empty_response(401, (CHALLENGE,))
UNAUTHORIZED_PAGE: Final = empty_response(401)
"""For scripts of pages, where the challenge would open a window of the browser."""

_WELL_KNOWN = {("orthanc", "orthanc"), ("alice", "alicePassword"), ("alice", "orthanctest")}
# What is checked where there is no hash, so that the time tells nothing about names.
_NO_HASH: Final = "scrypt$14$8$5$" + "A" * 22 + "$" + "A" * 43


class Gate:
    """The rules of one server."""

    def __init__(self, settings: Settings) -> None:
        self._remote = settings.remote_access_allowed
        self.is_enabled = settings.authentication_enabled
        self._users = {user.name: user for user in settings.users}
        self._identities = {user.name: identity_of(user) for user in settings.users}
        self._has_hashes = any(user.password_hash for user in settings.users)
        self._hashing = asyncio.Lock()
        # Credentials that are right. Python looks for bytes by a hash whose key is random in each
        # process: the time of a look tells nothing about which of them was close.
        self._right: dict[bytes, Identity] = {}
        for user in settings.users:
            if user.password:
                token = base64.b64encode(f"{user.name}:{user.password}".encode())
                self._right[token] = self._identities[user.name]
        self.is_secure = not (
            settings.remote_access_allowed
            and settings.authentication_explicit
            and not settings.authentication_enabled
        ) and not _WELL_KNOWN & set(settings.registered_users.items())

    def refuses_address(self, remote_ip: str) -> bool:
        """Without remote access only 127.0.0.1 itself is served."""
        return not self._remote and remote_ip != "127.0.0.1"

    def known(self, authorization: bytes | None) -> Identity | None:
        """Who this is, as far as that can be told at once; None where it cannot, or nobody is."""
        if authorization is None or not authorization.startswith(BASIC):
            return None if self.is_enabled else somebody("")
        token = authorization[len(BASIC) :].strip()
        if self.is_enabled:
            return self._right.get(token)
        return somebody(_credentials(token)[0])

    async def by_password(
        self, services: HttpServices, address: str, token: bytes
    ) -> Identity | int | None:
        """Who these credentials are, name and password with a colon between, in Base64; the seconds
        to wait for who has guessed too often; None where they are wrong."""
        name, password = _credentials(token)
        is_hashed = self._has_hashes and token not in self._right
        # One at a time: a guess is counted before the next one is looked at, also of who sends
        # many at once, and one core at most is busy with hashing.
        async with self._hashing if is_hashed else nullcontext():
            if seconds := services.guesses.wait(address, name):
                return seconds
            found = self._right.get(token)
            if found is not None:
                return found
            if services.guesses.is_known(address, name, password):
                return None  # a program with an old password must not keep a core busy with hashing
            if is_hashed:
                user = self._users.get(name)
                text = user.password_hash if user is not None and user.password_hash else _NO_HASH
                if await asyncio.to_thread(passwords.matches, password, text):
                    found = self._right[token] = self._identities[name]
                    return found
            services.guesses.failed(address, name, password)
        logger.warning(Category.HTTP, f"Wrong name or password from {address}: {name[:64]!r}")
        return None

    def user(self, name: str) -> User:
        """One who is known."""
        return self._users[name]

    def by_session(self, services: HttpServices, token: str) -> Identity | None:
        """Who has shown the token of a session or of a share link. May read the index."""
        user = services.sessions.user(token)
        if user is not None:
            return self._identities[user.name]
        share = services.sessions.shared(token)
        if share is None:
            return None
        maker = services.sessions.maker(share)
        return visitor(share.study, None if maker is None else maker.labels)


def credentials_token(name: str, password: str) -> bytes:
    """As `Gate.by_password` takes it."""
    return base64.b64encode(f"{name}:{password}".encode("utf-8", "surrogateescape"))


def refusal(request: Request) -> Response:
    """The answer to who has not logged in: a browser that opens a page is led to the log-in page,
    a script of a page is told without a challenge, anybody else is asked for a password."""
    if request.header(b"authorization") is not None:
        return UNAUTHORIZED
    accept = request.header(b"accept") or b""
    if request.real_method == "GET" and b"text/html" in accept:
        return empty_response(303, ((b"location", _login_page(request)), (b"vary", b"Accept")))
    is_of_page = (
        request.session_cookie is not None
        or request.header(b"x-requested-with") is not None
        or request.header(b"sec-fetch-site") == b"same-origin"
    )
    return UNAUTHORIZED_PAGE if is_of_page else UNAUTHORIZED


def too_many(seconds: int) -> Response:
    """The answer to who has guessed too often."""
    return empty_response(429, ((b"retry-after", b"%d" % seconds),))


def _login_page(request: Request) -> bytes:
    """Relative, so that it is right below any prefix of a proxy."""
    path = request.raw_path
    query = request.query
    wanted = path.removeprefix(b"/") + (b"?" + query if query else b"")
    up = b"../" * (path.count(b"/") - 1)
    return up + b"app/login?next=" + quote(wanted, safe="").encode()


def _credentials(token: bytes) -> tuple[str, str]:
    """Name and password; empty texts for what is no Base64."""
    try:
        # Strictly: else the same password would have any number of forms to be kept.
        text = base64.b64decode(token, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return "", ""
    name, _, password = text.partition(":")
    return name, password
