"""Addresses of host names, within a time."""

import contextlib
import ipaddress
import math
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from orthanc_fast.upper_layer.channel import LOOK, Watch

_T = TypeVar("_T")

Address = tuple[socket.AddressFamily, Any]
"""A family and what `socket.connect` takes for it."""

Lookup = Callable[[str, int], list[Address]]


class UnknownHost(OSError):
    """The name has no address."""


class NoAnswer(OSError):
    """No name server has answered in time."""


def addresses(
    host: str,
    port: int,
    within: float | None,
    lookup: Lookup | None = None,
    watch: Watch | None = None,
) -> list[Address]:
    """The addresses of a host, at least one; `within` is in seconds, None: as long as it takes.
    `watch` is called four times a second meanwhile; what it raises ends the wait.

    The library's call cannot be interrupted. So a thread makes it, which is left alone where it
    takes too long and ends when the library gives up: with the usual /etc/resolv.conf within 10
    seconds for each name server. Raises UnknownHost or NoAnswer.
    """
    lookup = lookup or _lookup
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return lookup(host, port)
    found: SimpleQueue[list[Address] | OSError | UnicodeError] = SimpleQueue()

    def look_up() -> None:
        try:
            found.put(lookup(host, port))
        except (OSError, UnicodeError) as error:  # a label that is too long has no encoding
            found.put(error)

    threading.Thread(target=look_up, name="resolver", daemon=True).start()
    answer = _awaited(found, within, watch)
    if isinstance(answer, list):
        return answer
    raise UnknownHost(f"{host}: {answer}") from answer


def _awaited(found: SimpleQueue[_T], within: float | None, watch: Watch | None) -> _T:
    """Raises NoAnswer, and what `watch` does."""
    end = math.inf if within is None else time.monotonic() + within
    while True:
        left = max(0.0, end - time.monotonic())
        try:
            return found.get(timeout=min(left, LOOK / 1000))
        except Empty:
            if time.monotonic() >= end:
                raise NoAnswer("no name server has answered in time") from None
        if watch is not None:
            watch()


def _lookup(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]
