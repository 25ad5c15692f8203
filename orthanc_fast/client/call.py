"""Calls of a server without the sending: each is written once, for `Server`, which blocks, and
`AsyncServer`, which is awaited.

A call is a request and what its answer becomes. Where one is not enough, a generator yields
calls, pauses and steps to be done together, and is given what they have brought:

    def on_disk(studies: list[str]) -> Flow[int]:
        found = yield from Together([size("Study", name) for name in studies])
        return sum(each.disk_size for each in found)
"""

import functools
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload
from urllib.parse import urlencode

import msgspec

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

JSON: dict[str, str] = {"Content-Type": "application/json"}
_DECODERS: dict[Any, Callable[[bytes], Any]] = {}


class Body(Protocol[T_co]):
    """Takes an answer while it comes. `room` is where the next bytes belong, empty where there is
    no more; `filled` says how many have come; `done` gives the outcome, or raises ServerError
    where it is not whole. `blocks` tells that it writes to a disk."""

    blocks: bool

    def room(self) -> memoryview: ...

    def filled(self, count: int) -> None: ...

    def done(self) -> T_co: ...

    def close(self) -> None: ...


class Call(Generic[T]):
    """One request. `decode` makes the outcome of a whole body, or `receive` gives what takes the
    body piece by piece, told the status and the headers (in small letters)."""

    __slots__ = ("arguments", "body", "decode", "headers", "method", "path", "receive")

    def __init__(
        self,
        method: str,
        path: str,
        decode: Callable[[bytes], T] | None = None,
        *,
        body: bytes | None = None,
        arguments: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        receive: Callable[[int, Mapping[str, str]], Body[T]] | None = None,
    ) -> None:
        self.method = method
        chosen = {key: value for key, value in (arguments or {}).items() if value is not None}
        self.path = f"{path}?{urlencode(chosen)}" if chosen else path
        self.decode = decode
        self.body = body
        self.headers = dict(headers or {})
        self.receive = receive

    def __iter__(self) -> Generator["Step", Any, T]:
        return cast(T, (yield self))


class Pause:
    """Nothing for some seconds."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __iter__(self) -> Generator["Step", Any, None]:
        yield self


class Together(Generic[T]):
    """Several steps, `at_once` of them at a time; gives the outcomes in their order. With the
    first error the others that have not begun do not begin."""

    __slots__ = ("at_once", "parts")

    def __init__(self, parts: Sequence["Steps[T]"], at_once: int = 4) -> None:
        self.parts = parts
        self.at_once = at_once

    def __iter__(self) -> Generator["Step", Any, list[T]]:
        return cast(list[T], (yield self))


Step: TypeAlias = Call[Any] | Pause | Together[Any]
Flow: TypeAlias = Generator[Step, Any, T]


class Steps(Protocol[T_co]):
    """A call, or a generator of them: what both kinds of servers run."""

    def __iter__(self) -> Generator[Step, Any, T_co]: ...


class Blocking(Protocol):
    """A server whose methods wait."""

    def run(self, steps: Steps[T]) -> T: ...


class Waiting(Protocol):
    """A server whose methods are awaited."""

    async def run_async(self, steps: Steps[T]) -> T: ...


class method(Generic[P, T]):
    """A function that makes steps, as a method of the servers: it runs them. Of the class itself
    it is the function."""

    def __init__(self, make: Callable[P, Steps[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, server: None, owner: type) -> Callable[P, Steps[T]]: ...

    @overload
    def __get__(self, server: Blocking, owner: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, server: Waiting, owner: type) -> Callable[P, Awaitable[T]]: ...

    def __get__(self, server: Any, owner: type) -> Any:
        make = self._make
        if server is None:
            return make
        run = server.run_async if hasattr(server, "run_async") else server.run

        @functools.wraps(make)
        def bound(*arguments: P.args, **named: P.kwargs) -> Any:
            return run(make(*arguments, **named))

        return bound


def get(path: str, kind: type[T], **arguments: Any) -> Call[T]:
    """A GET whose answer is JSON of this type."""
    return Call("GET", path, decoder(kind), arguments=arguments)


def post(path: str, body: Any, kind: type[T]) -> Call[T]:
    """A POST of JSON whose answer is JSON of this type."""
    return Call("POST", path, decoder(kind), body=msgspec.json.encode(body), headers=JSON)


def decoder(kind: type[T]) -> Callable[[bytes], T]:
    """Reads JSON of a type; numbers may stand in texts, as Orthanc writes sizes."""
    found = _DECODERS.get(kind)
    if found is None:
        found = _DECODERS[kind] = msgspec.json.Decoder(kind, strict=False).decode
    return cast(Callable[[bytes], T], found)


def nothing(body: bytes) -> None:
    """The outcome of a call whose answer says no more than that it was done."""


def fields(**values: Any) -> dict[str, Any]:
    """Those that are not None, under Orthanc's names: keep_source is KeepSource."""
    return {pascal(key): value for key, value in values.items() if value is not None}


@functools.cache
def pascal(name: str) -> str:
    """`disk_size` is DiskSize; `id` is ID."""
    parts = name.split("_")
    return "".join("ID" if part == "id" else part.capitalize() for part in parts)
