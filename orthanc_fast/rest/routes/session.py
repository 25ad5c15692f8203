"""Logging in and out of browsers, below /app: this server's own, see docs/users.md."""

import html
from functools import cache
from importlib import resources
from typing import Final
from urllib.parse import parse_qsl, quote

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_file import parse
from orthanc_fast.errors import BadFileFormat, ForbiddenAccess
from orthanc_fast.rest.auth import UNAUTHORIZED_PAGE, Gate, credentials_token, too_many
from orthanc_fast.rest.body import Refused
from orthanc_fast.rest.browsers import is_of_own_page
from orthanc_fast.rest.identity import NOBODY, Identity
from orthanc_fast.rest.log_in_texts import TEXTS, chosen_language
from orthanc_fast.rest.request import Request, session_cookie_name
from orthanc_fast.rest.response import (
    HeaderField,
    Response,
    empty_response,
    json_response,
)
from orthanc_fast.rest.router import Handler, Router
from orthanc_fast.rights import NOTHING, names_of

_LARGEST: Final = 8192  # bytes of a body that somebody sends who has not logged in
_FORM: Final = b"application/x-www-form-urlencoded"
_SECONDS_OF_A_MINUTE: Final = 60

NO_STORE: Final[HeaderField] = (b"cache-control", b"no-store")
_PAGE_HEADERS: Final[tuple[HeaderField, ...]] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"same-origin"),
    (b"vary", b"Accept-Language"),
    NO_STORE,
)
_KINDS: Final[dict[str, HeaderField]] = {
    "login.css": (b"content-type", b"text/css; charset=utf-8"),
    "login.js": (b"content-type", b"application/javascript"),
}
_HTML: Final[HeaderField] = (b"content-type", b"text/html; charset=utf-8")


class SessionAnswer(msgspec.Struct, rename="pascal"):
    """Who asks. `labels`: those of the studies that he sees, None for all; `authenticated`: he has
    said who he is, and proved it; `login_available`: one can log in."""

    name: str
    permissions: list[str]
    labels: list[str] | None
    authenticated: bool
    login_available: bool


class LogIn(msgspec.Struct, rename="pascal"):
    """Name and password, as JSON or as a form, which says too where to go then."""

    name: str = ""
    password: str = ""
    next: str = ""


def add_routes(router: Router, settings: Settings) -> None:
    path = "/app/session"
    router.add("GET", path, get_session, answer=SessionAnswer, needs=NOTHING, limited=True)
    gate = Gate(settings)
    post = _post_session(gate)
    router.add("POST", path, post, body=LogIn, needs=NOTHING, limited=True, takes_forms=True)
    router.add("DELETE", path, delete_session, needs=NOTHING, limited=True)
    router.add(
        "GET",
        "/app/login",
        get_login,
        arguments="next failed",
        answer="text/html",
        needs=NOTHING,
        limited=True,
    )
    for name in _KINDS:
        router.add("GET", f"/app/{name}", _file(name), needs=NOTHING, limited=True)


def get_session(request: Request) -> Response:
    """Who asks, and what he may do."""
    who = request.who
    is_enabled = request.services.settings.authentication_enabled
    answer = SessionAnswer(
        name=who.name,
        permissions=names_of(who.rights),
        labels=None if who.labels is None else sorted(who.labels),
        authenticated=is_enabled and who is not NOBODY,
        login_available=is_enabled,
    )
    return Response(msgspec.json.encode(answer), json_response(None).kind, headers=(NO_STORE,))


def _post_session(gate: Gate) -> Handler:
    async def post_session(request: Request) -> Response:
        """Logs in: the cookie of the answer lets a browser in until the session ends. Wrong names
        and passwords are 401, too many of them 429 with Retry-After. A form is led on to `Next`, a
        path of this server."""
        if is_of_own_page(request) is False:
            raise ForbiddenAccess("one logs in from pages of this server")
        services = request.services
        if not services.settings.authentication_enabled:
            raise ForbiddenAccess("nobody needs to log in: AuthenticationEnabled is false")
        is_form, given = await _given(request)
        token = credentials_token(given.name, given.password)
        found = await gate.by_password(services, request.remote_ip, token)
        if isinstance(found, Identity):
            before = request.session_cookie
            if before is not None:
                await services.sessions.end(before)
            minutes = services.settings.sessions.minutes
            user = gate.user(found.name)
            session = await services.sessions.begin(user, minutes * _SECONDS_OF_A_MINUTE)
            cookie = set_cookie(request, session, minutes * _SECONDS_OF_A_MINUTE)
            if not is_form:
                return empty_response(204, (cookie, NO_STORE))
            return empty_response(303, (cookie, NO_STORE, (b"location", onwards(given.next))))
        if is_form:
            query = b"login?failed=1&next=" + quote(given.next, safe="").encode()
            return empty_response(303, ((b"location", query), NO_STORE))
        return UNAUTHORIZED_PAGE if found is None else too_many(found)

    return post_session


async def delete_session(request: Request) -> Response:
    """Logs out, in all workers at once. A share link stays what it is, the browser forgets it."""
    token = request.session_cookie
    if token is not None:
        if is_of_own_page(request) is False:
            raise ForbiddenAccess("one logs out from pages of this server")
        await request.services.sessions.end(token)
    return empty_response(204, (set_cookie(request, "", 0), NO_STORE))


def get_login(request: Request) -> Response:
    """The page to log in, in the language that `Accept-Language` prefers of those of the web
    interface; it leads on to `next`."""
    accepted = (request.header(b"accept-language") or b"").decode("latin-1")
    language = chosen_language(accepted)
    texts = TEXTS[language]
    page = (
        _content("login.html")
        .decode()
        .format(
            language=language,
            log_in=texts.log_in,
            name_label=texts.name,
            password_label=texts.password,
            failed_text=texts.failed,
            hidden="" if "failed" in request.arguments else " hidden",
            next=html.escape(request.arguments.get("next", ""), quote=True),
            server=html.escape(request.services.settings.name),
        )
    )
    return Response(page.encode(), _HTML, headers=_PAGE_HEADERS)


def _file(name: str) -> Handler:
    def get_file(request: Request) -> Response:
        """A file of the page to log in."""
        return Response(_content(name), _KINDS[name], headers=((b"cache-control", b"no-cache"),))

    return get_file


def set_cookie(request: Request, token: str, seconds: int) -> HeaderField:
    """The header by which a browser keeps a token for so long; 0 forgets it."""
    name = session_cookie_name(request.services.settings)
    text = f"{name}={token}; Max-Age={seconds}; Path={request.prefix}/; HttpOnly; SameSite=Lax"
    return b"set-cookie", (f"{text}; Secure" if request.is_https else text).encode()


def onwards(path: str) -> bytes:
    """Where to go from a page below /app, as a header: a path of this server whatever is given."""
    return b"../" + quote(path.lstrip("/\\"), safe="/?&=#%+,;:@!~.-_").encode()


async def _given(request: Request) -> tuple[bool, LogIn]:
    """Whether it is a form, and what it says. Raises BadFileFormat, Refused (413)."""
    body = bytearray()
    async for chunk in request.chunks():
        body += chunk
        if len(body) > _LARGEST:
            raise Refused(empty_response(413))
    kind = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    try:
        if kind == _FORM:
            return True, msgspec.convert(
                {name: value for name, value in parse_qsl(body.decode(), keep_blank_values=True)},
                LogIn,
            )
        return False, msgspec.convert(parse(bytes(body)), LogIn)
    except (ValueError, msgspec.DecodeError) as error:
        raise BadFileFormat("a JSON object or a form with Name and Password") from error


@cache
def _content(name: str) -> bytes:
    return (resources.files("orthanc_fast.rest") / "static" / "login" / name).read_bytes()
