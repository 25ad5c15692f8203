"""Programs that scripts talk to by `io.popen`, which the bundled Lua lacks. Lua opens the end of a
pipe by its path, so that its handle is a file like any other; the prelude does the rest.

Source: the Lua 5.3 manual, section 6.8.
"""

import os
import subprocess
from collections.abc import Callable
from typing import Any


class _Program:
    """A shell with a command, and this process's end of the pipe until Lua has one of its own."""

    def __init__(self, command: bytes, is_read: bool) -> None:
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [b"/bin/sh", b"-c", command],
            stdin=None if is_read else subprocess.PIPE,
            stdout=subprocess.PIPE if is_read else None,
        )
        end = self._process.stdout if is_read else self._process.stdin
        assert end is not None
        self._end = end
        self.path = b"/proc/self/fd/%d" % end.fileno()

    def hand_over(self) -> None:
        """Lua has opened the path. What other programs inherit would keep the pipe open."""
        pipe = os.fstat(self._end.fileno()).st_ino
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.stat(f"/proc/self/fd/{name}").st_ino == pipe:
                    os.set_inheritable(int(name), False)
            except OSError:
                continue  # closed meanwhile
        self._end.close()

    def wait(self) -> int:
        """What it ends with: a code, or less than 0 the signal that has ended it."""
        return self._process.wait()

    def __del__(self) -> None:
        # The handle has been collected, hence closed: Lua waits then too.
        self._process.wait()


def by_name() -> dict[bytes, Callable[..., Any]]:
    """What the prelude calls. A program is an object that it keeps and gives back."""
    return {b"begin": _begin, b"hand_over": _Program.hand_over, b"wait": _Program.wait}


def _begin(command: bytes, is_read: bool) -> tuple[Any, bytes] | tuple[None, bytes, int]:
    """The program and the path of the pipe; or what is wrong, as functions of `io` tell it."""
    try:
        program = _Program(command, is_read)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        return None, b"%s: %s" % (command, reason.encode()), error.errno or 0
    return program, program.path
