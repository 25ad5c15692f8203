"""Scripts and HTTP: the filter of requests, and the routes of scripts, which come before those of
the server. Source: reference chapter 7, sections 2.1, 2.2 and 6.3."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import HeaderField, Response, empty_response
from orthanc_fast.rest.router import Reply
from orthanc_fast.rest.streaming import while_present
from orthanc_fast.rest.uri import arguments
from orthanc_fast.rights import Need
from orthanc_fast.services.scripts.calls import Calls, Parts
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.scripts.patterns import Match
from orthanc_fast.services.scripts.questions import (
    Callback,
    HttpRequest,
    RestAnswer,
    RestRequest,
)

FORBIDDEN: Final = 403
USER_HEADER: Final = "x-orthanc-fast-user"
ROUTED: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
# The methods of which the filter is asked, and as what: it knows four.
FILTERED: Final = {
    **{method: method for method in ROUTED},
    **dict.fromkeys(("OPTIONS", "PROPFIND"), "GET"),
    **dict.fromkeys(("PROPPATCH", "LOCK", "UNLOCK", "MKCOL"), "PUT"),
}
# How an answer is sent is the server's to say; scripts that pass on answers of others have these.
_OF_THE_SERVER: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_WITH_BODY: Final = frozenset({"POST", "PUT"})

Dispatch = Callable[[Request], Reply]


class ScriptedRequests:
    """The scripts as the application of one process asks them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._need = Need(calls.options.routes_need, limited=False)

    def is_trusted(self, authorization: bytes | None) -> bool:
        """Whether a request brings a token that a script has made: it needs no user, and no script
        is asked whether to let it in."""
        return authorization is not None and self._calls.is_token(authorization)

    def reply(self, request: Request, method: str, dispatch: Dispatch) -> Reply:
        """The answer to a request whose effective method this is: of a script, or what `dispatch`
        gives."""
        route = self.route(request, method)
        who = self._calls.who(Callback.HTTP_FILTER) if method in FILTERED else ()
        if not who and route is None:
            return dispatch(request)
        if route is not None:
            request.who.check(self._need)
        return self._reply(request, method, who, route, dispatch)

    def route(self, request: Request, method: str) -> "tuple[Language, int, Match] | None":
        """The first route of a script that the path matches. Raises BadRequest where it takes too
        long to find out."""
        routes = self._calls.registered.routes
        if not routes or method not in ROUTED or request.is_head:
            return None
        path = "/" + "/".join(request.segments)
        for language, number, beginning, pattern in routes:
            if path.startswith(beginning) and (match := pattern.fullmatch(path)) is not None:
                return language, number, match
        return None

    async def _reply(
        self,
        request: Request,
        method: str,
        who: tuple[Language, ...],
        route: "tuple[Language, int, Match] | None",
        dispatch: Dispatch,
    ) -> Response:
        for language in who:
            if not await self._admits(language, request, method):
                return empty_response(FORBIDDEN)
        if route is not None:
            return await self.answer(request, method, *route)
        reply = dispatch(request)
        return reply if isinstance(reply, Response) else await reply

    async def _admits(self, language: Language, request: Request, method: str) -> bool:
        is_get = method == "GET" and not request.is_head
        question = HttpRequest(
            method=FILTERED[method],
            uri=request.path,
            ip=request.remote_ip,
            user=request.caller.user or "",
            headers=_headers(request),
            arguments=arguments(request.query) if is_get else {},
        )
        try:
            return await self._calls.ask_async(language, Callback.HTTP_FILTER, question, bool)
        except OrthancError as error:
            if self._calls.accepts(error):
                logger.error(Category.HTTP, f"IncomingHttpRequestFilter ({language}): {error}")
                return True
            raise

    async def answer(
        self, request: Request, method: str, language: Language, number: int, match: Match
    ) -> Response:
        """What a route of a script answers. Raises what the script raises, or NoAnswer."""
        body = await request.upload() if method in _WITH_BODY else b""
        spool = None if isinstance(body, bytes) else body
        question = RestRequest(
            route=number,
            method=method,
            uri=match.string,
            groups=tuple(group or "" for group in match.groups()),
            headers=_headers_and_user(request),
            arguments=arguments(request.query) if method == "GET" else {},
            body=body if isinstance(body, bytes) else b"",
            body_file=None if spool is None else str(spool.path),
        )
        try:
            return await self._answer(request, language, question)
        finally:
            if spool is not None:
                await asyncio.to_thread(spool.drop)

    async def _answer(
        self, request: Request, language: Language, question: RestRequest
    ) -> Response:
        seconds = self._calls.options.event_timeout
        found, parts = await self._calls.ask_for_parts(
            language, Callback.REST, question, RestAnswer, seconds
        )
        kind, headers = _fields(found)
        if parts is None and not found.is_stream:
            return Response(found.body, kind, found.status, headers)
        stream = _chunks(found.body, parts)
        leave = None if parts is None else parts.close
        return await while_present(
            request, stream, kind, headers, found.length, found.status, leave
        )


def _fields(found: RestAnswer) -> tuple[HeaderField | None, tuple[HeaderField, ...]]:
    """The type of an answer, and its other headers."""
    kind: HeaderField | None = None
    headers: list[HeaderField] = []
    for name, value in found.headers:
        field = (name.lower().encode("latin-1", "replace"), value.encode("utf-8"))
        if field[0] == b"content-type":
            kind = field
        elif field[0] not in _OF_THE_SERVER:
            headers.append(field)
    return kind, tuple(headers)


async def _chunks(begin: bytes, parts: Parts | None) -> AsyncGenerator[bytes]:
    """The first is there at once, empty or not, so that the headers are sent."""
    try:
        yield begin
        if parts is not None:
            async for part in parts:
                yield part
    finally:
        if parts is not None:
            parts.close()


def _headers_and_user(request: Request) -> dict[str, str]:
    """With the name of who is logged in, which no client can set: there is no other place for it
    that Orthanc's scripts would not stumble over."""
    headers = _headers(request)
    headers.pop(USER_HEADER, None)
    if request.services.settings.authentication_enabled and request.who.name:
        headers[USER_HEADER] = request.who.name
    return headers


def _headers(request: Request) -> dict[str, str]:
    """The first of those of the same name counts, as with Orthanc."""
    return {
        name.decode("latin-1"): value.decode("utf-8", "replace")
        for name, value in reversed(list(request.headers))
    }
