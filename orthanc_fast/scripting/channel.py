"""The side of the channel that answers: a socket of the Unix domain in the folder of the index.

A process that asks sends all its questions over one connection, or over some of which each has one
question at a time, and what it asks in one turn of its event loop comes together. One thread leads:
it reads from all connections, answers what has come in turn, and sends the answers of a batch
together, so that quick callbacks cost no switch of threads each. What takes long keeps nobody
waiting: another thread takes the lead beforehand where a callback has been slow of late, and
otherwise when a look at the clock shows that the leader has been busy with one thing for a while.
What the messages mean is `services/scripts/questions.py`.
"""

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.log import Category, logger
from orthanc_fast.services.scripts.lines import Messages, framed, reachable
from orthanc_fast.services.scripts.questions import Answer, Question

BACKLOG: Final = 256
SLOW: Final = 0.002  # seconds: a callback that takes longer, by and large, is handed over first
BUSY: Final = 0.005  # seconds after which a leader that is busy with one thing is replaced
LOOK: Final = 0.01  # between two looks at that
LOOKS: Final = 50  # without a question, after which nobody looks
TOGETHER: Final = 0.001  # seconds that an answer waits for others of its batch
_AT_ONCE: Final = 64 << 10  # bytes read at once
_WEIGHT: Final = 0.2  # of the last time among those that a callback has taken
_NO_MEMORY: Final = Answer(code=-1, details="The script process has no memory for the answer")

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
        self._events = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._took: dict[str, float] = {}  # seconds, by callback
        # The leader's, which changes in the lock.
        self._asked: deque[tuple[_Line, Question]] = deque()
        self._answers: list[tuple[_Line, bytes]] = []
        self._first_answer = 0.0  # when the first of them was there
        self._lock = threading.Lock()
        self._term = 0  # one more with each leader
        self._busy_since = 0.0  # 0: it can be spoken to
        self._idle = 0  # threads that may lead
        self._baton = threading.Semaphore(0)
        self._is_active = threading.Event()

    def open(self) -> None:
        """Takes the place of a process that has died. Raises OSError."""
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with reachable(new) as address:
            self._listener.bind(address)
        self._listener.listen(BACKLOG)
        self._events.register(self._listener.fileno(), select.EPOLLIN)
        os.chmod(new, 0o600)
        new.rename(self._path)
        threading.Thread(target=self._watch, name="channel", daemon=True).start()
        self._hand_over()

    def close(self) -> None:
        """Nobody is answered any longer."""
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for line in list(self._lines.values()):
            line.end()

    # Who leads

    def _hand_over(self) -> bool:
        """Another thread takes the lead; False where none can be started."""
        with self._lock:
            return self._appoint()

    def _appoint(self) -> bool:
        self._busy_since = 0.0
        if self._idle == 0:
            thread = threading.Thread(target=self._serve, name="asked", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError) as error:  # no memory for one more
                logger.error(Category.GENERIC, f"Questions to scripts wait: {error}")
                return False
        else:
            self._idle -= 1
        self._term += 1
        self._baton.release()
        return True

    def _serve(self) -> None:
        while True:
            self._baton.acquire()
            self._lead(self._term)
            with self._lock:
                self._idle += 1

    def _watch(self) -> None:
        """Replaces a leader that is busy."""
        quiet = 0
        while True:
            self._is_active.wait()
            time.sleep(LOOK)
            with self._lock:
                since = self._busy_since
                if since and time.monotonic() - since > BUSY:
                    self._appoint()
            quiet = 0 if since else quiet + 1
            if quiet > LOOKS:
                self._is_active.clear()
                quiet = LOOKS if self._busy_since else 0

    def _begin(self) -> None:
        self._busy_since = time.monotonic()
        if not self._is_active.is_set():
            self._is_active.set()

    def _leads(self, term: int) -> bool:
        """Whether this leader is one still, after it has been busy."""
        with self._lock:
            if term != self._term:
                return False
            self._busy_since = 0.0
            return True

    # What the leader does

    def _lead(self, term: int) -> None:
        while True:
            try:
                if self._answers and (
                    not self._asked or time.monotonic() - self._first_answer > TOGETHER
                ):
                    if not self._send(term):
                        return
                elif not self._asked:
                    self._hear()
                elif not self._answer(term, *self._asked.popleft()):
                    return
            except Exception as error:  # above all MemoryError
                logger.error(Category.GENERIC, f"Questions to scripts: {error!r}")
                time.sleep(LOOK)
                if not self._leads(term):
                    return

    def _hear(self) -> None:
        for number, _ in self._events.poll():
            line = self._lines.get(number)
            if line is None:
                self._accept()
                continue
            try:
                messages = line.heard()
                asked = None if messages is None else [*map(_question, messages)]
            except (OSError, MemoryError):
                asked = None
            if asked is None:  # who asked has gone, or is to ask again
                self._events.unregister(number)
                del self._lines[number]
                line.close()
            else:
                self._asked.extend((line, question) for question in asked)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            accepted, _ = self._listener.accept()
            number = accepted.fileno()
            self._lines[number] = _Line(accepted)
            self._events.register(number, select.EPOLLIN)

    def _answer(self, term: int, line: "_Line", question: Question) -> bool:
        """Whether this thread leads still."""
        usual = self._took.get(question.callback, 0.0)
        if usual > SLOW:
            self._hand_over()
        else:
            self._begin()
        began = time.monotonic()
        number = question.number

        def tell(part: bytes) -> None:
            line.tell(framed(_encode(Answer(part, more=True, number=number))))

        answer = msgspec.structs.replace(self._answering(question, tell), number=number)
        ended = time.monotonic()
        self._took[question.callback] = usual + _WEIGHT * (ended - began - usual)
        try:
            message = framed(_encode(answer))
        except MemoryError:
            answer = msgspec.structs.replace(_NO_MEMORY, number=number)
            message = framed(_encode(answer))
        if not self._leads(term):
            line.send(message)
            return False
        if not self._answers:
            self._first_answer = ended
        self._answers.append((line, message))
        return True

    def _send(self, term: int) -> bool:
        """All answers to one of those who asked; whether this thread leads still."""
        line = self._answers[0][0]
        messages = [message for whose, message in self._answers if whose is line]
        # Those of others are the next leader's, if who asked does not read.
        self._answers = [each for each in self._answers if each[0] is not line]
        self._begin()
        line.send(messages[0] if len(messages) == 1 else b"".join(messages))
        return self._leads(term)


class _Line:
    """One connection."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._messages = Messages()
        self._sending = threading.Lock()

    def heard(self) -> list[bytes] | None:
        """The messages that are complete now, None at the end. Raises OSError, MemoryError."""
        try:
            data = self._line.recv(_AT_ONCE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        return self._messages.of(data) if data else None

    def send(self, message: bytes) -> None:
        """Does nothing where who asked has gone."""
        with contextlib.suppress(OSError):
            self.tell(message)

    def tell(self, message: bytes) -> None:
        """As `send`, but raises OSError."""
        with self._sending:
            self._line.sendall(message)

    def end(self) -> None:
        """The other side hears of it."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._sending:
            self._line.close()
