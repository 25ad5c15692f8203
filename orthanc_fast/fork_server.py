"""Where workers come from: a process that has imported what they need, and forks.

To import the program costs a second of CPU, a fork some milliseconds; and what has been imported
lies in memory once. The process opens nothing and has one thread, so that what it forks is whole.
It works for the supervisor, which asks for workers by a socket, and ends with it.

A worker is a child of the supervisor, as if that had started it: the fork is made by a process that
ends at once, which leaves its child to the supervisor. So no worker dies with this process; when it
dies itself, another one is started with the next worker.
"""

import contextlib
import ctypes
import errno
import gc
import importlib
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NoReturn

from msgspec.structs import replace

from orthanc_fast import worker
from orthanc_fast.worker import Assignment

PATIENCE = 30.0  # seconds, in which one that starts from nothing has imported everything
PR_SET_CHILD_SUBREAPER = 36

# -P: nothing is imported from the current directory, which `-m` and `-c` would put before
# everything else.
COMMAND = (sys.executable, "-P", "-c", "from orthanc_fast.fork_server import run; run()")

MOST_DESCRIPTORS = 253  # in one message, by the kernel

_HEAD = struct.Struct("=II")  # of a request: the bytes of the assignment, the number of descriptors
_PID = struct.Struct("=i")  # the answer; a negative one is an errno


class CannotFork(Exception):
    """A worker could not be started; the text says why."""


class ForkServer:
    """The supervisor's side. `kinds` are those of the workers that will be asked for.

    To be made while this process has one thread and has opened nothing: the first one is a fork of
    it, so that what both need is imported once. A later one starts from nothing."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._kinds = kinds
        _import_all(kinds)
        sys.stdout.flush()
        sys.stderr.flush()
        with self._connected() as theirs, _signals_blocked():
            self._pid = os.fork()
            if self._pid == 0:
                self._control.close()
                _serve(theirs)

    def start(self, assignment: Assignment) -> int:
        """The process id of a new worker, a child of this process. The descriptors of the
        assignment stay open here. Raises CannotFork."""
        try:
            return self._ask(assignment)
        except OSError:  # it was gone, or is now
            self.close()
            self._begin()
        try:
            return self._ask(assignment)
        except OSError as error:
            raise CannotFork(f"the process that forks workers has ended: {error}") from error

    def close(self) -> None:
        """Ends the process, which has nothing to complete; the workers stay."""
        self._control.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _begin(self) -> None:
        with self._connected() as theirs, _signals_blocked():
            process = subprocess.Popen(
                [*COMMAND, str(theirs.fileno()), *self._kinds], pass_fds=[theirs.fileno()]
            )
        self._pid = process.pid
        process.returncode = 0  # `close` waits for it

    def _connected(self) -> socket.socket:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(PATIENCE)
        return theirs

    def _ask(self, assignment: Assignment) -> int:
        message = pickle.dumps(assignment)
        own = [assignment.ready, assignment.log_levels, assignment.presence]
        descriptors = [*own, *assignment.listeners]
        head = _HEAD.pack(len(message), len(descriptors))
        with _adopting():
            socket.send_fds(self._control, [head], descriptors)
            self._control.sendall(message)
            (pid,) = _PID.unpack(_receive(self._control, _PID.size))
        if pid < 0:
            raise CannotFork(f"no process can be started: {os.strerror(-pid)}")
        return int(pid)


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Processes below this one whose parents end become children of it: only as long as a worker
    is started, as nobody here waits for others."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """What a terminal or systemd sends to all is the supervisor's to act on. A worker lets signals
    in when it knows what to do with them."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, worker.SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def run() -> NoReturn:
    """The process that forks, where it starts from nothing. The arguments are the descriptor of its
    socket and the kinds of workers."""
    _import_all(sys.argv[2:])
    _serve(socket.socket(fileno=int(sys.argv[1])))


def _import_all(kinds: Sequence[str]) -> None:
    """What is here then is not looked at by the garbage collector of any process, which would copy
    what it looks at."""
    gc.disable()
    for module in worker.modules(kinds):
        importlib.import_module(module)
    gc.enable()
    gc.freeze()


def _serve(control: socket.socket) -> NoReturn:
    """Forks workers until the supervisor closes its end of the socket or is gone."""
    try:
        worker.be_named("forks")
        control.set_inheritable(False)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        while True:
            message, descriptors = _request(control)
            control.sendall(_PID.pack(_fork(partial(_work, control, message, descriptors))))
            for descriptor in descriptors:
                os.close(descriptor)
    except ConnectionError:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(worker.START_FAILED)


def _request(control: socket.socket) -> tuple[bytes, list[int]]:
    """An assignment, and the descriptors that belong to it. Raises ConnectionError."""
    head, descriptors, _, _ = socket.recv_fds(
        control, _HEAD.size, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
    )
    if not head:
        raise ConnectionResetError("the supervisor has ended")
    length, count = _HEAD.unpack(head + _receive(control, _HEAD.size - len(head)))
    assert count == len(descriptors), "descriptors were lost on their way"
    return _receive(control, length), descriptors


def _receive(source: socket.socket, size: int) -> bytes:
    """Raises ConnectionError where they do not come."""
    found = bytearray()
    while len(found) < size:
        part = source.recv(size - len(found))
        if not part:
            raise ConnectionResetError("the other side has ended")
        found += part
    return bytes(found)


def _fork(work: Callable[[], NoReturn]) -> int:
    """The process id of a grandchild that does the work once its parent has ended; or, negative, an
    errno."""
    near, far = socket.socketpair()
    with near, far:
        try:
            middle = os.fork()
        except OSError as error:
            return -(error.errno or errno.EAGAIN)
        if middle == 0:
            near.close()
            _leave(far, work)
        far.close()  # so that an end without a word is noticed
        (pid,) = _PID.unpack(near.recv(_PID.size) or _PID.pack(-errno.ECHILD))
        os.waitpid(middle, 0)
        if pid > 0:
            with contextlib.suppress(ConnectionError):  # it has been killed already
                near.send(b"\1")
        return int(pid)


def _leave(template: socket.socket, work: Callable[[], NoReturn]) -> NoReturn:
    """The process between: it forks the worker, tells its id and ends."""
    try:
        try:
            pid = os.fork()
        except OSError as error:
            pid = -(error.errno or errno.EAGAIN)
        if pid:
            template.send(_PID.pack(pid))
            os._exit(0)
        if template.recv(1):  # now it is the supervisor's
            template.close()
            work()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(worker.START_FAILED)


def _work(control: socket.socket, message: bytes, descriptors: list[int]) -> NoReturn:
    control.close()
    assignment: Assignment = pickle.loads(message)
    ready, log_levels, presence, *listeners = descriptors
    worker.run(
        replace(
            assignment,
            ready=ready,
            log_levels=log_levels,
            presence=presence,
            listeners=listeners,
        )
    )
