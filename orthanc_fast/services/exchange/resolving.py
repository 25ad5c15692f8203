"""Names of hosts for HTTP calls, resolved as all programs of this machine do."""

import asyncio
import contextlib
import socket
import threading
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Resolver(AbstractResolver):
    """Asks the system in a thread that nobody waits for. Where DNS does not answer, the system
    gives up after tens of seconds; a call ends with its own timeout, and so can its event loop,
    which would wait for threads of its own."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises socket.gaierror."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def look() -> None:
            found: Any
            try:
                found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            except Exception as error:
                found = error
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(_tell, future, found)

        threading.Thread(target=look, name="resolver", daemon=True).start()
        return [_result(host, *row) for row in await future]

    async def close(self) -> None:
        return


def _tell(future: "asyncio.Future[Any]", found: Any) -> None:
    if future.done():
        return
    if isinstance(found, Exception):
        future.set_exception(found)
    else:
        future.set_result(found)


def _result(
    name: str, family: int, kind: int, protocol: int, canonical: str, address: tuple[Any, ...]
) -> ResolveResult:
    host, port, *rest = address
    scope = rest[1] if len(rest) > 1 else 0  # of a link-local address: its interface
    return ResolveResult(
        hostname=name,
        host=f"{host}%{scope}" if scope else host,
        port=port,
        family=family,
        proto=protocol,
        flags=_NUMERIC,
    )
