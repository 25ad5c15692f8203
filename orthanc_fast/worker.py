"""The entry of one worker process, started by the supervisor only.

Its settings come pickled on standard input, from the process that started it.
"""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Wish
from orthanc_fast.services.store.privacy import keep_private

if TYPE_CHECKING:
    from orthanc_fast.scripting.host import Scripts

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

START_FAILED = 3

# How a worker tells its supervisor what a client wants.
WISHES: dict[Wish, signal.Signals] = {"reset": signal.SIGUSR1, "shutdown": signal.SIGTERM}


class Assignment(msgspec.Struct, frozen=True):
    """What a worker is to do: its kind, its stable name, and the descriptors it inherits."""

    kind: str
    slot: str
    settings: Settings
    listeners: list[int]
    ready: int
    supervisor: int
    log_levels: int
    presence: int
    log_file: str | None = None


# What stays blocked until the worker acts on it, or ignores it.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def modules(kinds: Sequence[str]) -> list[str]:
    """What workers of these kinds import before they serve."""
    return [module for kind in kinds for module in _MODULES.get(kind, ())]


def run(assignment: Assignment) -> NoReturn:
    """Does the work, and ends the process at once: all is closed by then, and to take the
    interpreter to pieces costs a fifth of a second of CPU in each worker."""
    code = main(assignment)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(assignment: Assignment) -> int:
    """Returns the exit code of the process."""
    _die_with(assignment.supervisor)
    be_named(assignment.slot)
    keep_private(assignment.settings)
    # A terminal sends these to all; the supervisor acts, and ends workers by SIGTERM in its order.
    # (Of two signals at once another thread can take both, and the main thread, which waits for a
    # lock, would not be woken to run a handler.)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    logger.install(assignment.slot)
    logger.join(assignment.log_levels)
    if assignment.log_file is not None:
        from pathlib import Path

        logger.open_file(Path(assignment.log_file))
    logger.set_form(assignment.settings.log_form)
    serve = _SERVE.get(assignment.kind)
    if serve is None:
        logger.error(Category.GENERIC, f"There is no kind of worker {assignment.kind!r}")
        return START_FAILED
    return serve(assignment)


def _announce(ready: int) -> None:
    """Tells the supervisor; a pipe that is closed without a word was closed by a death."""
    os.write(ready, b"\1")
    os.close(ready)


def _die_with(supervisor: int) -> None:
    """Ends this process, in good order, when the supervisor is gone however it went."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:
        sys.exit(START_FAILED)


def be_named(slot: str) -> None:
    """So that `ps -o comm` and `top` tell the workers apart."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NAME, f"orthanc-{slot}".encode())


def ask(supervisor: int, wish: Wish) -> None:
    """Passes the wish of a client on to the supervisor, if it is still there."""
    if os.getppid() == supervisor:
        os.kill(supervisor, WISHES[wish])


def _serve_http(assignment: Assignment) -> int:
    from orthanc_fast.granian_worker import StartFailed, Tls, serve
    from orthanc_fast.presence import Presence
    from orthanc_fast.rest.app import create_app

    settings = assignment.settings
    tls = None
    if settings.ssl_enabled:
        issuers = settings.ssl_trusted_client_certificates if settings.ssl_verify_peers else None
        tls = Tls(settings.ssl_certificate, settings.ssl_minimum_protocol_version, issuers)
    app = create_app(
        settings,
        assignment.slot,
        lambda wish: ask(assignment.supervisor, wish),
        all_serve=Presence(assignment.presence).all_serve,
    )
    try:
        serve(
            app,
            assignment.listeners,
            settings.keep_alive,
            tls,
            lambda: _announce(assignment.ready),
            app.stopping,
        )
    except StartFailed:
        return START_FAILED
    return 0


def _serve_dicom(assignment: Assignment) -> int:
    from orthanc_fast.network.worker import run

    run(
        assignment.settings,
        assignment.slot,
        [socket.socket(fileno=descriptor) for descriptor in assignment.listeners],
        lambda: _announce(assignment.ready),
    )
    return 0


def _run_jobs(assignment: Assignment) -> int:
    from orthanc_fast.services.processes.jobs import run

    run(assignment.settings, assignment.slot, lambda: _announce(assignment.ready))
    return 0


def _run_lua(assignment: Assignment) -> int:
    from orthanc_fast.scripting.lua.scripts import LuaScripts

    return _run_scripts(assignment, LuaScripts)


def _run_scripts(assignment: Assignment, scripts: "type[Scripts]") -> int:
    from orthanc_fast.scripting.host import run

    return run(
        assignment.settings,
        assignment.slot,
        scripts,
        lambda wish: ask(assignment.supervisor, wish),
        lambda: _announce(assignment.ready),
    )


def _run_python(assignment: Assignment) -> int:
    from orthanc_fast.scripting.python.scripts import PythonScripts

    return _run_scripts(assignment, PythonScripts)


def _route(assignment: Assignment) -> int:
    from orthanc_fast.services.processes.routing import run

    run(assignment.settings, assignment.slot, lambda: _announce(assignment.ready))
    return 0


def _keep_house(assignment: Assignment) -> int:
    from orthanc_fast.services.processes.housekeeping import run

    run(assignment.settings, assignment.slot, lambda: _announce(assignment.ready))
    return 0


def _scrub(assignment: Assignment) -> int:
    from orthanc_fast.services.processes.scrubbing import run

    run(assignment.settings, assignment.slot, lambda: _announce(assignment.ready))
    return 0


_SERVE: dict[str, Callable[[Assignment], int]] = {
    "http": _serve_http,
    "dicom": _serve_dicom,
    "jobs": _run_jobs,
    "python": _run_python,
    "lua": _run_lua,
    "routing": _route,
    "housekeeper": _keep_house,
    "scrubber": _scrub,
}

# Without them each worker would import them by itself: see `fork_server.py`.
_MODULES: dict[str, tuple[str, ...]] = {
    "http": ("orthanc_fast.granian_worker", "orthanc_fast.rest.app"),
    "dicom": ("orthanc_fast.network.worker",),
    "jobs": ("orthanc_fast.services.processes.jobs",),
    "lua": ("orthanc_fast.scripting.host",),
    "python": ("orthanc_fast.scripting.host",),
}
