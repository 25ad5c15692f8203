"""The supervisor: binds the sockets once, starts the workers, replaces those that die, stops
them all.

Every kind of worker is one row of `kinds`; the supervisor knows nothing about what they do.
"""

import errno
import os
import select
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from types import TracebackType

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.fork_server import CannotFork, ForkServer
from orthanc_fast.log import Category, logger
from orthanc_fast.presence import Presence
from orthanc_fast.service_manager import ServiceManager
from orthanc_fast.worker import WISHES, Assignment

BACKLOG = 1024
DRAIN_SECONDS = 8.0  # then SIGKILL: everything is over within 10 s
FIRST_START_SECONDS = 30.0
RESTART_PAUSE = 0.05  # grows with every early death, up to
LONGEST_PAUSE = 0.5
EARLY = 2.0  # a worker that died within this time may have a lasting reason


class CannotStart(Exception):
    """The server cannot start; the text is one line for the administrator."""


class Kind(msgspec.Struct, frozen=True):
    """`count` workers that serve the same listening sockets, if any. Those that `start_first` are
    there before any other starts; clients are served before those that `start_last` are there."""

    name: str
    count: int
    listeners: tuple[int, ...]
    start_last: bool = False
    start_first: bool = False


class _Worker:
    def __init__(self, kind: Kind, slot: str) -> None:
        self.kind = kind
        self.slot = slot
        self.pid: int | None = None  # none runs, or it has not been waited for
        self.pidfd = -1
        self.ready = -1
        self.started = 0.0
        self.early_deaths = 0
        self.restart_at: float | None = None
        self.has_been_ready = False

    @property
    def starts(self) -> bool:
        """It lives and is not ready. The end of its pipe comes before its own: one that has died at
        its first start counts until that is noticed."""
        return self.ready >= 0 or (self.pidfd >= 0 and not self.has_been_ready)

    @property
    def serves(self) -> bool:
        """It lives, and has said that it is ready."""
        return self.pidfd >= 0 and self.ready < 0


def bind(addresses: Sequence[str], port: int, option: str = "HttpPort") -> list[socket.socket]:
    """Listening sockets; `option` is what sets the port. Raises CannotStart."""
    found = []
    for address in addresses or ("0.0.0.0",):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. Without it the last part of a large answer waits until the client
        # acknowledges the part before, which it puts off for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((address, port))
            listener.listen(BACKLOG)
        except OSError as error:
            reason = error.strerror
            if error.errno == errno.EADDRINUSE:
                reason = f"the port is in use by another program: stop it, or set {option}"
            elif error.errno == errno.EACCES:
                reason = f"the port is privileged: set {option} to one above 1023"
            raise CannotStart(f"cannot listen on {address}:{port}: {reason}") from error
        listener.setblocking(False)
        found.append(listener)
    return found


class Signals:
    """What the signals of this process ask for, from the first start to the last end."""

    def __init__(self) -> None:
        self.stop = False
        self.restart = False
        self.hang_up = False

    def __enter__(self) -> "Signals":
        self.wakeup, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._old_fd = signal.set_wakeup_fd(self._waker.fileno())
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, WISHES["reset"])
        self._old = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_fd)
        self.wakeup.close()
        self._waker.close()

    @property
    def ending(self) -> bool:
        """The workers are to end."""
        return self.stop or self.restart

    def _note(self, number: int, frame: object) -> None:
        if number == signal.SIGHUP:
            self.hang_up = True
        elif number == WISHES["reset"]:
            self.restart = True
        else:
            self.stop = True


class Supervisor:
    """Runs the workers until a signal ends them. `recover` is called with the slot of each worker
    that died, before its successor starts; `has_changed` at SIGHUP: whether it is a reason to
    restart; `may_restart` before any restart: whether the server could serve again. `log_levels`
    is the descriptor of `Logger.share`; `service` hears how it goes."""

    def __init__(
        self,
        settings: Settings,
        kinds: Sequence[Kind],
        recover: Callable[[str], None],
        has_changed: Callable[[], bool],
        may_restart: Callable[[], bool],
        signals: Signals,
        fork_server: ForkServer,
        log_levels: int,
        service: ServiceManager,
        log_file: str | None = None,
    ) -> None:
        self._settings = settings
        self._service = service
        self._presence = Presence()
        self._next_beat = 0.0
        self._address = ""
        self._log_file = log_file
        self._recover = recover
        self._has_changed = has_changed
        self._may_restart = may_restart
        self._fork_server = fork_server
        self._log_levels = log_levels
        self._workers = [
            _Worker(kind, f"{kind.name}-{number}") for kind in kinds for number in range(kind.count)
        ]
        self._selector = selectors.DefaultSelector()
        self._signals = signals

    def run(self, announce: Callable[[], str]) -> None:
        """Starts everything, calls `announce` once clients are served, which returns where, and
        stays until a signal; then stops everything.

        Raises CannotStart if the workers do not come up.
        """
        signals = self._signals
        self._selector.register(signals.wakeup, selectors.EVENT_READ)
        try:
            for first in (True, False):
                begun = [
                    worker
                    for worker in self._workers
                    if worker.kind.start_first == first and not worker.kind.start_last
                ]
                for worker in begun:
                    if not signals.ending:
                        self._start(worker)
                self._await_first_start()
            if not signals.ending:
                self._address = announce()
                self._service.ready(self._status())
                for worker in self._workers:
                    if worker.kind.start_last:
                        self._start(worker)
            while not signals.ending:
                self._turn()
                if signals.hang_up:
                    signals.hang_up = False
                    self._service.reloading()
                    if not self._has_changed():
                        self._service.ready(self._status())
                    else:
                        signals.restart = True
                if signals.restart:
                    signals.restart = self._may_restart()
                    if not signals.restart:
                        self._service.ready(self._status())
        finally:
            if signals.restart and not signals.stop:
                self._service.reloading()
            else:
                self._service.stopping()
            self._stop_all()
            self._selector.close()
            self._presence.close()

    def _await_first_start(self) -> None:
        deadline = time.monotonic() + FIRST_START_SECONDS
        while not self._signals.ending and any(worker.starts for worker in self._workers):
            for key, _ in self._selector.select(0.2):
                self._handle(key)
            for worker in self._workers:
                if worker.restart_at is None:
                    continue
                if not worker.has_been_ready:
                    raise CannotStart(f"the worker {worker.slot} cannot start: see the lines above")
                self._start(worker)
            if time.monotonic() > deadline:
                raise CannotStart("the workers did not become ready")
            self._service.alive()

    def _turn(self) -> None:
        now = time.monotonic()
        waits = [w.restart_at - now for w in self._workers if w.restart_at is not None]
        if self._service.interval is not None:
            waits.append(self._next_beat - now)
        for key, _ in self._selector.select(max(0.0, min(waits)) if waits else None):
            if key.fileobj is self._signals.wakeup:
                self._signals.wakeup.recv(64)
            else:
                self._handle(key)
        for worker in self._workers:
            if worker.restart_at is not None and time.monotonic() >= worker.restart_at:
                self._start(worker)
        self._beat()

    def _beat(self) -> None:
        """Tells the service manager at its times that clients are served, if they are."""
        interval, now = self._service.interval, time.monotonic()
        if interval is None or now < self._next_beat:
            return
        self._next_beat = now + interval
        if self._presence.all_serve():
            self._service.alive()

    def _look_round(self) -> None:
        """Lets all know whether each kind of worker is there that clients need."""
        needed = {worker.kind.name for worker in self._workers if worker.kind.listeners}
        there = {worker.kind.name for worker in self._workers if worker.serves}
        self._presence.set(needed <= there)

    def _status(self) -> str:
        kinds = list(dict.fromkeys(worker.kind for worker in self._workers))
        return f"serves {self._address} with " + ", ".join(
            f"{kind.count} {kind.name}" for kind in kinds
        )

    def _handle(self, key: selectors.SelectorKey) -> None:
        if not isinstance(key.data, tuple):
            return
        worker, what = key.data
        if what == "ready":
            self._became_ready(worker)
        else:
            self._died(worker)

    def _became_ready(self, worker: _Worker) -> None:
        """Its end of the pipe was written to by the worker, or closed by its death."""
        if worker.ready < 0:
            return  # that is known
        worker.has_been_ready |= os.read(worker.ready, 1) != b""
        self._selector.unregister(worker.ready)
        os.close(worker.ready)
        worker.ready = -1
        self._look_round()
        if self._address:
            self._service.status(self._status())

    def _start(self, worker: _Worker) -> None:
        worker.restart_at = None
        worker.started = time.monotonic()
        ready, ready_of_worker = os.pipe()
        assignment = Assignment(
            kind=worker.kind.name,
            slot=worker.slot,
            settings=self._settings,
            listeners=list(worker.kind.listeners),
            ready=ready_of_worker,
            supervisor=os.getpid(),
            log_levels=self._log_levels,
            presence=self._presence.descriptor,
            log_file=self._log_file,
        )
        try:
            worker.pid = self._fork_server.start(assignment)
        except CannotFork as error:
            os.close(ready)
            logger.error(Category.GENERIC, f"Worker {worker.slot} cannot be started: {error}")
            worker.restart_at = time.monotonic() + LONGEST_PAUSE
            return
        finally:
            os.close(ready_of_worker)
        worker.pidfd = os.pidfd_open(worker.pid)
        worker.ready = ready
        self._selector.register(worker.pidfd, selectors.EVENT_READ, (worker, "died"))
        self._selector.register(ready, selectors.EVENT_READ, (worker, "ready"))

    def _died(self, worker: _Worker) -> None:
        self._became_ready(worker)  # unless it died without a word
        self._forget(worker)
        self._look_round()
        code = _reaped(worker)
        early = time.monotonic() - worker.started < EARLY
        worker.early_deaths = worker.early_deaths + 1 if early else 0
        pause = min(RESTART_PAUSE * (1 + worker.early_deaths), LONGEST_PAUSE)
        logger.error(
            Category.GENERIC, f"Worker {worker.slot} ended with code {code}: it is replaced"
        )
        self._service.status(f"the worker {worker.slot} has ended with code {code}")
        try:
            self._recover(worker.slot)
        except Exception as error:
            logger.error(Category.GENERIC, f"Cannot recover what {worker.slot} left: {error}")
        worker.restart_at = time.monotonic() + pause

    def _forget(self, worker: _Worker) -> None:
        for descriptor in (worker.pidfd, worker.ready):
            if descriptor >= 0:
                self._selector.unregister(descriptor)
                os.close(descriptor)
        worker.pidfd = worker.ready = -1

    def _stop_all(self) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        for first in (False, True):  # those that others need end after them
            self._stop([w for w in self._workers if w.kind.start_first == first], deadline)
        for worker in self._workers:
            self._forget(worker)

    def _stop(self, workers: Sequence[_Worker], deadline: float) -> None:
        running = [worker for worker in workers if worker.pid is not None]
        for worker in running:
            signal.pidfd_send_signal(worker.pidfd, signal.SIGTERM)
        for worker in running:
            if not _has_ended(worker, max(0.01, deadline - time.monotonic())):
                logger.warning(
                    Category.GENERIC, f"Worker {worker.slot} did not stop in time and is killed"
                )
                signal.pidfd_send_signal(worker.pidfd, signal.SIGKILL)
            _reaped(worker)


def _has_ended(worker: _Worker, seconds: float) -> bool:
    """Waits so long for it."""
    ended = select.poll()
    ended.register(worker.pidfd, select.POLLIN)
    return bool(ended.poll(seconds * 1000))


def _reaped(worker: _Worker) -> int:
    """The exit code, once it has ended; a negative one is a signal."""
    assert worker.pid is not None
    _, status = os.waitpid(worker.pid, 0)
    worker.pid = None
    return os.waitstatus_to_exitcode(status)
