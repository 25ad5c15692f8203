"""From a path to its handler: a tree of path components, built once. Source: reference chapter
1, section 1.3."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response
from orthanc_fast.rights import NOTHING, Need, Right

Reply = Response | Awaitable[Response]
Handler = Callable[[Request], Reply]

METHODS = ("GET", "POST", "PUT", "DELETE")  # the order of the Allow header

ONE = "{}"  # any one component
REST = "{*}"  # any number of components, also none


class Found(NamedTuple):
    """What is at a path: handlers and needs by method, and the values of its variable
    components."""

    handlers: dict[str, Handler]
    params: list[str]
    needs: dict[str, Need]


class _Node:
    __slots__ = ("any", "handlers", "literal", "needs", "only", "rest")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.rest: _Node | None = None
        self.handlers: dict[str, Handler] = {}
        self.needs: dict[str, Need] = {}
        self.only = False


class Route(NamedTuple):
    """One registered route, with what its documentation says beyond the handler's docstring.

    `arguments` names those of the query string, separated by spaces; `body` and `answer` are a
    type that msgspec can describe, or a media type as text.
    """

    method: str
    path: str
    handler: Handler
    need: Need
    arguments: str = ""
    body: Any = None
    answer: Any = None


class Router:
    """Routes are registered as `/instances/{}/tags`; a literal component wins over a variable
    one."""

    def __init__(self) -> None:
        self._root = _Node()
        self.routes: list[Route] = []
        self.takes_forms: set[Handler] = set()

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        needs: Right,
        also: Right = NOTHING,
        limited: bool = False,
        arguments: str = "",
        body: Any = None,
        answer: Any = None,
        only: bool = False,
        takes_forms: bool = False,
    ) -> None:
        """Registers a handler. One that is a plain function reads the index and nothing else, and
        costs no coroutine: see `read_elsewhere`.

        `needs`: the rights of which a user needs one; `NOTHING` is for what is open to everybody.
        `also`: those that he needs besides.
        `limited`: all that it shows or changes is limited to what its caller may see; without it,
        a user who sees some studies only is refused.
        `only`: with another method the path is unknown, instead of a method that is not allowed.
        `takes_forms`: of a body of multipart/form-data the handler itself decides, and its parts
        are no requests of their own. The other keywords are documentation: see `Route`.
        """
        node = self._root
        for part in path.split("/")[1:]:
            if part == ONE:
                node.any = node.any or _Node()
                node = node.any
            elif part == REST:
                node.rest = node.rest or _Node()
                node = node.rest
            elif part:
                node = node.literal.setdefault(part, _Node())
        node.handlers[method] = handler
        node.needs[method] = need = Need(needs, limited, also)
        node.only = only
        if takes_forms:
            self.takes_forms.add(handler)
        self.routes.append(Route(method, path, handler, need, arguments, body, answer))

    def read_elsewhere(self) -> None:
        """From now on handlers that only read run in threads: for an index that an event loop must
        not read itself."""
        nodes = [self._root]
        while nodes:
            node = nodes.pop()
            for method, handler in node.handlers.items():
                if not iscoroutinefunction(handler):
                    node.handlers[method] = elsewhere(handler)
            nodes += [each for each in (*node.literal.values(), node.any, node.rest) if each]

    def find(self, segments: list[str], method: str) -> Found | None:
        """None for an unknown path."""
        node = self._root
        params: list[str] = []
        for number, segment in enumerate(segments):
            literal = node.literal.get(segment)
            if literal is not None:
                node = literal
            elif node.any is not None:
                params.append(segment)
                node = node.any
            elif node.rest is not None:
                node = node.rest
                params += segments[number:]
                break
            else:
                return None
        if not node.handlers and node.rest is not None:
            node = node.rest
        if not node.handlers or (node.only and method not in node.handlers):
            return None
        return Found(node.handlers, params, node.needs)


def elsewhere(handler: Handler) -> Handler:
    """A handler that only reads, in a thread."""

    @wraps(handler)
    async def read(request: Request) -> Response:
        reply = await asyncio.to_thread(handler, request)
        return reply if isinstance(reply, Response) else await reply

    return read


def allow(handlers: dict[str, Handler]) -> bytes:
    """The value of the Allow header."""
    return ",".join(method for method in METHODS if method in handlers).encode()
