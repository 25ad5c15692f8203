"""One Granian HTTP server inside this process, on listening sockets that the supervisor gave us.

Granian's own supervisor is not used: it ends the server when a worker dies twice within 5.5
seconds and waits 3.5 seconds before it replaces one. This is the only module that knows
Granian's worker interface; it follows `granian.server.mp`, and pyproject.toml holds Granian to
one minor version for its sake.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import uvloop
from granian._futures import _future_watcher_wrapper, _new_cbscheduler
from granian._granian import ASGIWorker, SocketHolder, WorkerSignal
from granian.asgi import LifespanProtocol, _callback_wrapper
from granian.http import HTTP1Settings

from orthanc_fast.config import REQUESTS_AT_ONCE

AsgiApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]],
    Awaitable[None],
]

HEADER_TIMEOUT_MS = 30_000
BACKLOG = 1024
# Of the Rust runtime: they read files for `pathsend`.
RUNTIME_BLOCKING_THREADS = 16

TLS_VERSIONS = {4: "tls1.2", 5: "tls1.3"}


class Tls:
    """The certificate of the server, and the issuers of client certificates if they are asked
    for."""

    def __init__(self, certificate: Path, minimum: int, issuers: Path | None) -> None:
        self.certificate = certificate
        self.minimum = TLS_VERSIONS.get(minimum, "tls1.2")
        self.issuers = issuers

    def arguments(self) -> tuple[Any, ...]:
        certificate = str(self.certificate)
        issuers = None if self.issuers is None else str(self.issuers)
        verify = issuers is not None
        return (True, certificate, certificate, None, self.minimum, issuers, [], verify)


NO_TLS: tuple[Any, ...] = (False, None, None, None, "tls1.3", None, [], False)


class StartFailed(Exception):
    """The application refused to start."""


def serve(
    app: AsgiApp,
    descriptors: Sequence[int],
    keep_alive: bool,
    tls: Tls | None,
    ready: Callable[[], None],
    stopping: Callable[[], None],
) -> None:
    """Serves until SIGTERM, then lets the requests in work end. Raises StartFailed.

    `stopping` is called as soon as the signal comes, so that requests that wait can end.
    """
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    # In one go: between two runs of the loop a signal would be lost.
    loop.run_until_complete(_serve(app, descriptors, keep_alive, tls, ready, stopping))


async def _serve(
    app: AsgiApp,
    descriptors: Sequence[int],
    keep_alive: bool,
    tls: Tls | None,
    ready: Callable[[], None],
    stopping: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    stop, stopped = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    lifespan = LifespanProtocol(app)
    await lifespan.startup()
    if lifespan.interrupt:
        raise StartFailed
    callback = _future_watcher_wrapper(_callback_wrapper(app, {}, lifespan.state, None))
    shutdown = WorkerSignal()
    shutdown.add_cb(lambda: loop.call_soon_threadsafe(stopped.set))
    scheduler = _new_cbscheduler(loop, callback, impl_asyncio=True)
    http = HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, keep_alive=keep_alive)
    tls_arguments = NO_TLS if tls is None else tls.arguments()
    workers = []  # they must live as long as the loop runs
    for number, descriptor in enumerate(descriptors):
        worker = ASGIWorker(
            number + 1,
            (None, SocketHolder(descriptor, False, BACKLOG)),
            None,  # no metrics pipe
            1,  # runtime threads
            RUNTIME_BLOCKING_THREADS,
            1,  # Python threads: the loop's
            30,  # seconds until an idle one ends
            REQUESTS_AT_ONCE,
            "1",
            http,
            None,
            False,  # no websockets
            None,  # no static files
            *tls_arguments,
            (None, None),
        )
        worker.serve_str(scheduler, loop, shutdown)
        workers.append(worker)
    ready()
    await stop.wait()
    stopping()
    shutdown.set()  # before anything is served, it would never return
    await stopped.wait()
    await lifespan.shutdown()
