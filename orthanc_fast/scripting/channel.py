"""The side of the channel that answers: a socket of the Unix domain in the folder of the index.

Each connection has a thread of its own, which answers one question after the other; those who ask
hold a bounded number of connections (`services/scripts/calls.py`), so there is a bound here too.
What the messages mean is `services/scripts/questions.py`.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from orthanc_fast.log import Category, logger
from orthanc_fast.services.scripts.lines import reachable, receive, send
from orthanc_fast.services.scripts.questions import Answer, Question

BACKLOG = 256

_question = msgspec.msgpack.Decoder(Question).decode
_encode = msgspec.msgpack.Encoder().encode

# Sends bytes of an answer that has more, and waits while who asked does not take them. Raises
# OSError where that one has gone.
Tell = Callable[[bytes], None]
# Answers one question, in any thread, many at the same time; never raises.
Answering = Callable[[Question, Tell], Answer]


class Channel:
    """Answers the questions that come in at a path, from `open` to `close`."""

    def __init__(self, path: Path, answering: Answering) -> None:
        self._path = path
        self._answering = answering
        self._listener = socket.socket(socket.AF_UNIX)
        self._lines: set[socket.socket] = set()

    def open(self) -> None:
        """Takes the place of a process that has died. Raises OSError."""
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with reachable(new) as address:
            self._listener.bind(address)
        self._listener.listen(BACKLOG)
        os.chmod(new, 0o600)
        new.rename(self._path)
        threading.Thread(target=self._accept, name="channel", daemon=True).start()

    def close(self) -> None:
        """Nobody is answered any longer."""
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for line in list(self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                line, _ = self._listener.accept()
                self._lines.add(line)
                serving = threading.Thread(
                    target=self._serve, args=(line,), name="asked", daemon=True
                )
                try:
                    serving.start()
                except (RuntimeError, MemoryError) as error:  # no memory for one more
                    logger.error(Category.GENERIC, f"A question to scripts is refused: {error}")
                    self._lines.discard(line)
                    line.close()

    def _serve(self, line: socket.socket) -> None:
        def tell(part: bytes) -> None:
            send(line, _encode(Answer(part, more=True)))

        with contextlib.suppress(OSError), line:  # who asked has gone
            while (message := receive(line)) is not None:
                send(line, _encode(self._answering(_question(message), tell)))
        self._lines.discard(line)
