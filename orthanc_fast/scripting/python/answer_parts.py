"""The way of an answer to its client while the script is still making it. Source: reference chapter
7, section 2.1."""

import threading
from collections.abc import Callable
from typing import Final

import msgspec

from orthanc_fast.scripting.channel import Tell
from orthanc_fast.scripting.python.exceptions import failure
from orthanc_fast.scripting.watchdog import Limit
from orthanc_fast.services.scripts.questions import RestAnswer

MOST: Final = 256 << 10  # bytes in one message: what a worker holds for a client that reads slowly
_NETWORK_PROTOCOL: Final = 9

_encode = msgspec.msgpack.Encoder().encode


class AnswerParts:
    """Each part is sent when the client has taken those before it."""

    def __init__(self, tell: Tell, limit: Limit | None = None) -> None:
        """`limit` does not count the time that the client takes."""
        self._tell = tell
        self._limit = limit
        self._turn = threading.Lock()
        self._is_over = False

    def begin(self, answer: RestAnswer) -> None:
        """What comes before the body. Raises OrthancException 9 where the client has gone."""
        self._send(lambda: self._tell(_encode(answer)))

    def send(self, data: bytes) -> None:
        """More of the body. Raises OrthancException 9 where the client has gone."""

        def pieces() -> None:
            for start in range(0, len(data), MOST):
                self._tell(data[start : start + MOST])

        self._send(pieces)

    def end(self) -> None:
        """A thread that the script has left behind sends nothing behind the answer."""
        with self._turn:
            self._is_over = True

    def _send(self, work: Callable[[], None]) -> None:
        try:
            with self._turn:
                if self._is_over:
                    raise failure(_NETWORK_PROTOCOL)
                if self._limit is None:
                    work()
                else:
                    with self._limit.paused():
                        work()
        except OSError:
            raise failure(_NETWORK_PROTOCOL) from None
