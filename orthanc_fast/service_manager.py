"""What the service manager of the machine is told: systemd's protocol for `Type=notify`
(sd_notify(3)), a datagram for each word. Without such a manager nothing is sent."""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

_PATIENCE: Final = 1.0  # seconds, where its queue is full
_BEATS: Final = 3  # within the time after which it takes us for dead


class ServiceManager:
    """`interval` are the seconds after which it wants the next `alive`; None: never. What the
    environment says of it is taken out, so that no other process speaks for this one."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        patience = environment.pop("WATCHDOG_USEC", "")
        of = environment.pop("WATCHDOG_PID", str(os.getpid()))
        self._socket: socket.socket | None = None
        self.interval: float | None = None
        if address[:1] not in ("/", "@"):
            return
        self._address = "\0" + address[1:] if address[0] == "@" else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_PATIENCE)
        if patience.isdecimal() and int(patience) and of == str(os.getpid()):
            self.interval = int(patience) / 1e6 / _BEATS

    def ready(self, status: str) -> None:
        """Clients are served, for the first time or again."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again: `ready` follows."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=restarts")

    def stopping(self) -> None:
        """The server ends, once the requests in work are done."""
        self._tell("STOPPING=1", "STATUS=ends")

    def status(self, text: str) -> None:
        """One line for who asks how the service is."""
        self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """The watchdog need not bite."""
        self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Nothing is said any longer."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *words: str) -> None:
        """A manager that does not listen must not stop the server."""
        if self._socket is None:
            return
        lines = (word.replace("\n", " ") for word in words)
        with suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), self._address)
