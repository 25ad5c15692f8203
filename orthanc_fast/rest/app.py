"""The ASGI application: what happens to every request, in Orthanc's order. Source: reference
chapter 1, section 1.1."""

import asyncio
import traceback
from collections.abc import Callable, MutableMapping
from contextlib import aclosing
from inspect import iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Wish
from orthanc_fast.rest import compression, multipart, xml
from orthanc_fast.rest.auth import BASIC, UNAUTHORIZED, Gate, refusal, too_many
from orthanc_fast.rest.body import Disconnected, Receive, Refused
from orthanc_fast.rest.browsers import BrowserGuard
from orthanc_fast.rest.cors import CrossOrigin
from orthanc_fast.rest.errors import error_response
from orthanc_fast.rest.form_data import boundary
from orthanc_fast.rest.identity import NOBODY, Identity, caller_of
from orthanc_fast.rest.inside import SCOPE_KEY, Inside
from orthanc_fast.rest.meters import RequestMeters
from orthanc_fast.rest.proxies import TrustedProxies
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import (
    NETWORK_PROTOCOL,
    HeaderField,
    Response,
    Send,
    empty_response,
)
from orthanc_fast.rest.router import Found, Reply, Router, allow, elsewhere
from orthanc_fast.rest.routes import build_router
from orthanc_fast.rest.uri import first_argument, segments
from orthanc_fast.rights import NOTHING
from orthanc_fast.services.ingest.uploads import Spool
from orthanc_fast.services.processes.http import HttpServices

if TYPE_CHECKING:
    from orthanc_fast.rest.audited import RestAudit
    from orthanc_fast.rest.scripted import ScriptedRequests

REST_METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})
# Of WebDAV alone: outside of its folders nothing is found under these.
WEBDAV_METHODS = frozenset({"PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "MKCOL"})
WEBHOOKS_PAUSE = 5.0  # seconds
FAKED = frozenset({"PUT", "DELETE"})


class App:
    """One worker's application. The services are opened by the lifespan protocol. Webhooks are
    delivered only by who `has_tasks`."""

    def __init__(
        self,
        settings: Settings,
        slot: str,
        ask: Callable[[Wish], None],
        has_tasks: bool,
        all_serve: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._slot = slot
        self._ask = ask
        self._gate = Gate(settings)
        self._cors = CrossOrigin(settings.cors)
        self._is_prepared = settings.http_compression_enabled or self._cors.enabled
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._browsers = BrowserGuard(settings, self._proxies, self._cors)
        self._router: Router = build_router(settings)
        self._services: HttpServices | None = None
        self._has_tasks = has_tasks
        self._all_serve = all_serve
        self._delivery: asyncio.Task[None] | None = None
        self._history: asyncio.Task[None] | None = None
        self._scripted: ScriptedRequests | None = None  # None without scripts
        self._meters: RequestMeters
        self._audit: RestAudit | None = None  # None where no audit log is kept
        always: HeaderField = (b"x-content-type-options", b"nosniff")
        self._last: list[HeaderField] = [always, (b"connection", b"close")]  # of a connection
        self._common = self._last
        if settings.keep_alive:
            timeout = b"timeout=%d" % settings.keep_alive_timeout
            self._common = [always, (b"connection", b"keep-alive"), (b"keep-alive", timeout)]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        # Each coroutine below this one would cost every small answer: they are few on purpose.
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._lifespan(receive, send)
            return
        assert self._services is not None
        method = scope["method"]
        request = Request(scope, receive, self._services, segments(scope["raw_path"]), method)
        is_of_client = SCOPE_KEY not in scope
        began = self._meters.begin() if is_of_client else 0.0
        try:
            try:
                response = self._admit(request, scope)
                if not isinstance(response, Response):
                    response = await response
            except Refused as refused:
                cause = refused.answer
                response = cause if isinstance(cause, Response) else self._failure(request, cause)
            except Disconnected:
                # Gone, or chunks that are none, which looks the same from here: that client is
                # still there to read an answer.
                response = empty_response(400)
            except Exception as error:
                response = self._failure(request, error)
            common = self._common
            if request.is_body_left and not await request.drain():
                common = self._last
            accept = request.header(b"accept")
            if accept is not None and xml.is_wanted(accept):
                await xml.convert(response)
            if self._is_prepared:
                common = await self._prepare(request, response, common)
            if self._audit is not None and is_of_client:
                self._audit.end(request, response.status)
            if response.path is None and response.stream is None and method != "HEAD":
                await send(response.start(common))
                await send({"type": "http.response.body", "body": response.body})
            else:
                patience = self._settings.http_body_timeout
                await response.send(send, common, method != "HEAD", patience)
        finally:
            request.release()
            if is_of_client:
                self._meters.end(request, began)

    def read_at_once(self, scope: MutableMapping[str, Any], receive: Receive) -> Response | None:
        """The answer to a GET of a script without headers, in its own thread, where the handler is
        a plain function; None where only the event loop can answer."""
        assert self._services is not None
        inside: Inside = scope[SCOPE_KEY]
        if scope["method"] != "GET" or not self._services.reads.in_place:
            return None
        request = Request(scope, receive, self._services, segments(scope["raw_path"]), "GET")
        request.caller = inside.caller
        if self._effective_method(request, scope) != "GET":
            return None
        scripted = None if inside.builtin else self._scripted
        if scripted is not None and scripted.route(request, "GET") is not None:
            return None
        found = self._router.find(request.segments, "GET")
        handler = None if found is None else found.handlers.get("GET")
        if found is None or handler is None or iscoroutinefunction(handler):
            return None
        request.params = found.params
        try:
            reply = handler(request)
        except Exception as error:
            reply = self._failure(request, error)
        if not isinstance(reply, Response):
            if iscoroutine(reply):
                reply.close()  # nothing of it has run
            return None
        return None if reply.path is not None or reply.stream is not None else reply

    @property
    def services(self) -> HttpServices:
        """The services of this process, once the lifespan has begun."""
        assert self._services is not None
        return self._services

    def stopping(self) -> None:
        """The process has been told to stop: requests that wait for something shall end."""
        if self._services is not None:
            self._services.change_feed.close()
            self._services.jobs.stop_waiting()
            self._services.associations.stop_waiting()
        for task in (self._delivery, self._history):
            if task is not None:
                task.cancel()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            loop = asyncio.get_running_loop()
            self._services = HttpServices(
                self._settings, self._slot, loop, self._ask, self._gate.is_secure
            )
            self._services.health.all_serve = self._all_serve
        except Exception as error:
            logger.error(Category.GENERIC, f"Cannot open the store: {error}")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        if not self._services.reads.in_place:
            self._router.read_elsewhere()
        self._meters = RequestMeters(self._services.metrics, self._router)
        if self._services.audit is not None:
            from orthanc_fast.rest.audited import RestAudit

            self._audit = RestAudit(self._services.audit, self._settings)
        if self._services.script_calls is not None:
            from orthanc_fast.rest.scripted import ScriptedRequests

            self._scripted = ScriptedRequests(self._services.script_calls)
        if self._has_tasks:
            self._begin_tasks(self._services)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._history is not None:
            self._history.cancel()
        tasks = [task for task in (self._delivery, self._history) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.to_thread(self._services.close)
        await send({"type": "lifespan.shutdown.complete"})

    def _begin_tasks(self, services: HttpServices) -> None:
        self._history = asyncio.create_task(services.history.keep())
        if self._settings.webhooks:
            self._delivery = asyncio.create_task(deliver_webhooks(services))

    def _failure(self, request: Request, error: Exception) -> Response:
        method = request.method if request.method in REST_METHODS else "GET"
        return error_response(error, method, request.path, self._settings.http_describe_errors)

    async def _prepare(
        self, request: Request, response: Response, common: list[HeaderField]
    ) -> list[HeaderField]:
        """Compresses the answer where both sides agree, and gives the headers it shares with all
        others."""
        if self._settings.http_compression_enabled:
            encodings = request.header(b"accept-encoding")
            coding = None if encodings is None else compression.agreed(response, encodings)
            if coding is not None:
                await compression.compress(response, coding)
        if self._cors.enabled:
            return [*common, *self._cors.headers(request)]
        return common

    def _admit(self, request: Request, scope: MutableMapping[str, Any]) -> Reply:
        """The answer of a request that no handler sees, else what its handler will answer."""
        inside: Inside | None = scope.get(SCOPE_KEY)
        if inside is not None:
            return self._from_inside(request, scope, inside)
        if self._settings.trusted_proxies:
            request.proxied = self._proxies.place(request.peer, request.headers)
        if self._browsers.checks_hosts:
            self._browsers.check_host(request)
        address = request.remote_ip
        if self._gate.refuses_address(address):
            return UNAUTHORIZED
        if self._cors.enabled:
            permission = self._cors.preflight(request, scope["method"])
            if permission is not None:
                return permission
        authorization = request.header(b"authorization")
        if self._scripted is not None and self._scripted.is_trusted(authorization):
            request.caller = caller_of(request.who, address)
            return self._unfiltered(request, scope, False)
        who = self._gate.known(authorization)
        if who is None or (authorization and request.services.guesses.wait(address, who.name)):
            return self._identify(request, scope, authorization)
        return self._let_in(request, scope, who)

    async def _identify(
        self, request: Request, scope: MutableMapping[str, Any], authorization: bytes | None
    ) -> Response:
        """The answer to who is not known at once: his password may have to be hashed, his session
        to be looked up."""
        services, who = request.services, None
        if authorization is not None and authorization.startswith(BASIC):
            token = authorization[len(BASIC) :].strip()
            found = await self._gate.by_password(services, request.remote_ip, token)
            if isinstance(found, int):
                return too_many(found)
            who = found
        elif authorization is None and (cookie := request.session_cookie) is not None:
            who = await services.reads.run(self._gate.by_session, services, cookie)
            request.session = None if who is None else cookie
        if who is None:
            request.method = self._effective_method(request, scope)
            found_route = self._router.find(request.segments, request.method)
            need = None if found_route is None else found_route.needs.get(request.method)
            if authorization is not None or need is None or need.any_of != NOTHING:
                return refusal(request)
            who = NOBODY
        reply = self._let_in(request, scope, who)
        return reply if isinstance(reply, Response) else await reply

    def _let_in(self, request: Request, scope: MutableMapping[str, Any], who: Identity) -> Reply:
        request.who = who
        request.caller = caller_of(who, request.remote_ip)
        method = self._effective_method(request, scope)
        if method != "GET" and request.session is not None:
            self._browsers.check_own_page(request)
        if self._scripted is not None and who is not NOBODY:
            request.method = method
            return self._scripted.reply(request, method, self._dispatch)
        if method not in REST_METHODS:
            return self._other_method(request, method)
        request.method = method
        return self._dispatch(request)

    def _from_inside(
        self, request: Request, scope: MutableMapping[str, Any], inside: Inside
    ) -> Reply:
        """A request of a script: neither admitted nor filtered."""
        request.caller = inside.caller
        return self._unfiltered(request, scope, inside.builtin)

    def _unfiltered(
        self, request: Request, scope: MutableMapping[str, Any], builtin: bool
    ) -> Reply:
        """A request that no script is asked whether to let in."""
        request.method = self._effective_method(request, scope)
        if self._scripted is not None and not builtin:
            route = self._scripted.route(request, request.method)
            if route is not None:
                return self._scripted.answer(request, request.method, *route)
        return self._dispatch(request)

    def _dispatch(self, request: Request) -> Reply:
        """The answer of one of the server's own routes."""
        method = request.method
        if method not in REST_METHODS:
            return self._other_method(request, method)
        if method != "GET" and self._browsers.checks_changes:
            self._browsers.check_change(request)
        found = self._router.find(request.segments, method)
        if not request.who.has_everything and found is not None:
            _check(request, found)
        if method == "POST":
            separator = boundary(request.header(b"content-type"))
            if separator is not None and not self._takes_forms(found):
                return self._multipart(request, separator)
        if found is None:
            return self._unknown(request)
        request.params = found.params
        handler = found.handlers.get(method)
        if handler is None:
            return empty_response(405, ((b"allow", allow(found.handlers)),))
        if self._audit is not None:
            handler = self._audit.begin(request, handler)
        if request.who.is_limited and not iscoroutinefunction(handler):
            handler = elsewhere(handler)  # sets are made for him
        return handler(request)

    def _effective_method(self, request: Request, scope: MutableMapping[str, Any]) -> str:
        """PUT and DELETE can be faked: section 1.5."""
        real: str = scope["method"]
        override = request.header(b"x-http-method-override")
        if override is not None:
            faked = override.decode("latin-1").upper()
        elif real == "GET" and _may_name_method(scope["query_string"]):
            faked = first_argument(scope["query_string"], "_method").upper()
        else:
            faked = ""
        if faked:
            return faked if faked in FAKED else "-"
        return "GET" if real == "HEAD" else real

    def _other_method(self, request: Request, method: str) -> Reply:
        if method == "OPTIONS":
            found = self._router.find(request.segments, "GET")
            if found is None:
                return self._unknown(request)
            describe = found.handlers.get(method)
            if describe is not None:
                request.method = method
                _check(request, found)
                return describe(request)
            return empty_response(204, ((b"allow", allow(found.handlers) + b",HEAD,OPTIONS"),))
        if method not in WEBDAV_METHODS:
            return empty_response(400)
        found = self._router.find(request.segments, method)
        handler = None if found is None else found.handlers.get(method)
        if found is None or handler is None:
            return empty_response(404)
        if self._browsers.checks_changes:
            self._browsers.check_change(request)
        request.method, request.params = method, found.params
        _check(request, found)
        return handler(request)

    def _unknown(self, request: Request) -> Response:
        describe = self._settings.http_describe_errors
        return error_response(UnknownResource(), request.method, request.path, describe)

    async def _multipart(self, request: Request, separator: bytes) -> Response:
        """Each part is a request of its own; only an error of one becomes the answer."""
        requested_with = request.header(b"x-requested-with")
        if requested_with is not None and requested_with != b"XMLHttpRequest":
            raise OrthancError("X-Requested-With must be XMLHttpRequest", code=NETWORK_PROTOCOL)
        whole = multipart.chunked_file(request)
        async with aclosing(multipart.parts(request, separator)) as parts:
            async for headers, body in parts:
                content: bytes | Spool | None = body
                if whole is not None:
                    content = await request.services.uploads.gather(*whole, body)
                if content is not None:
                    part = request.part(headers, content)
                    try:
                        await self._part(part)
                    finally:
                        await part.forget()
        return empty_response(200)

    def _takes_forms(self, found: Found | None) -> bool:
        """Whether the handler of this POST sees a form as it is."""
        return found is not None and found.handlers.get("POST") in self._router.takes_forms

    async def _part(self, request: Request) -> None:
        found = self._router.find(request.segments, "POST")
        if found is None:
            raise UnknownResource
        request.params = found.params
        handler = found.handlers.get("POST")
        if handler is not None:
            answer = handler(request)
            if not isinstance(answer, Response):
                await answer


async def deliver_webhooks(services: HttpServices) -> None:
    """Runs until it is cancelled; a fault of ours must not end the delivery for good."""
    from orthanc_fast.services.exchange.webhooks import Webhooks  # where there are any

    settings = services.settings
    while True:
        webhooks = Webhooks(
            settings.webhooks,
            services.reads,
            services.writes,
            settings.index_directory,
            services.change_feed,
            services.outgoing,
        )
        try:
            await webhooks.run()
            return
        except Exception as error:
            text = "".join(traceback.format_exception(error)).rstrip()
            logger.error(Category.HTTP, f"The delivery of webhooks begins anew: {text}")
            await asyncio.sleep(WEBHOOKS_PAUSE)


def create_app(
    settings: Settings,
    slot: str,
    ask: Callable[[Wish], None],
    has_tasks: bool = True,
    all_serve: Callable[[], bool] = lambda: True,
) -> App:
    """The application of the worker that has this slot; `ask` passes on what a client wants of the
    whole server. `has_tasks`: it also delivers webhooks, when it is its turn. `all_serve`: whether
    each kind of worker is there."""
    return App(settings, slot, ask, has_tasks, all_serve)


def _check(request: Request, found: Found) -> None:
    """Raises ForbiddenAccess for who may not do what he asks for."""
    need = found.needs.get(request.method)
    if need is not None:
        request.who.check(need)


def _may_name_method(query: bytes) -> bool:
    """Whether `_method` may be among the arguments, whose letters may be encoded."""
    return bool(query) and (b"_method" in query or b"%" in query)
