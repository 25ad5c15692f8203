"""Asking scripts: how workers, and script processes among themselves, call a callback.

    for language in calls.who(Callback.INSTANCE_FILTER):
        keep = calls.ask(language, Callback.INSTANCE_FILTER, question, bool)

The event loop of a process asks over one connection to each script process: what it asks in one
turn goes over together. Its threads, and those who take answers in parts, have some connections
with one question at a time on each. A script process that has died is waited for, as it is replaced
at once; a question during which it died is asked once more, since another script may have been what
ended it. What takes longer than its time ends in NoAnswer, for which `OnFailure` is the rule of
filters.
"""

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import OrthancError
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.scripts.faults import NoAnswer, ScriptFault
from orthanc_fast.services.scripts.lines import (
    LENGTH,
    Messages,
    framed,
    reachable,
    receive,
    send,
)
from orthanc_fast.services.scripts.options import Language, channel_path
from orthanc_fast.services.scripts.questions import Answer, Callback, Question
from orthanc_fast.services.scripts.registered import Registered
from orthanc_fast.services.scripts.tokens import is_token

T = TypeVar("T")

AT_ONCE: Final = 64  # questions of one process to one script process
NESTED: Final = 200  # calls of scripts by scripts that are under way in one process
_LOOK_AGAIN: Final = 0.05  # seconds between two looks whether a script process is back
_FOR_EVER: Final = 10.0**8  # seconds
_ATTEMPTS: Final = 2  # a question that ends so many processes is not asked again

_encode = msgspec.msgpack.Encoder().encode
_answer = msgspec.msgpack.Decoder(Answer).decode

# Answers questions in this process; never raises.
Here = Callable[[Question], Answer]


class Calls:
    """The questions of one process. A script process sets in `here` what answers those to its own
    scripts."""

    def __init__(self, settings: Settings, runtime: Runtime, dictionary: Dictionary) -> None:
        assert settings.scripting is not None
        self.registered = Registered(runtime, dictionary)
        self._runtime = runtime
        self.options = settings.scripting
        self.here: dict[Language, Here] = {}
        self._depth = 0
        self._numbers = itertools.count(1)
        self._settings = settings
        self._lines: dict[Language, _Lines] = {}
        self._waits: dict[Language, _Waits] = {}
        self._streams: dict[Language, _Streams] = {}

    def who(self, callback: Callback) -> tuple[Language, ...]:
        """The languages that have it, in the order in which they are asked; mostly none."""
        return self.registered.who(callback)

    def is_token(self, authorization: bytes) -> bool:
        """Whether this is a header field with a token that a script has made."""
        return is_token(self._runtime, authorization)

    def accepts(self, error: OrthancError) -> bool:
        """Whether a filter that ended in this error lets pass what it was asked about."""
        return isinstance(error, NoAnswer) and self.options.on_failure == "Accept"

    def ask(
        self,
        language: Language,
        callback: Callback,
        question: Any,
        kind: type[T],
        seconds: float | None = None,
    ) -> T:
        """The answer, of this type, to one of the structs of `questions`: for threads. `seconds` is
        how long to wait for it, 0 for ever; by default FilterTimeout.

        Raises ScriptFault where the script has failed, NoAnswer where there is none in time.
        """
        asked = self._question(callback, question, seconds)
        here = self.here.get(language)
        if here is not None:
            return _understood(here(asked), kind)
        lines = self._lines.get(language)
        if lines is None:
            lines = self._lines.setdefault(language, _Lines(self._settings, language))
        return _understood(_answer(lines.ask(_encode(asked), asked.seconds)), kind)

    async def ask_async(
        self,
        language: Language,
        callback: Callback,
        question: Any,
        kind: type[T],
        seconds: float | None = None,
    ) -> T:
        """As `ask`, for the event loop of the process."""
        asked = self._question(callback, question, seconds)
        here = self.here.get(language)
        if here is not None:
            return _understood(await self._nested(here, asked), kind)
        waits = self._waits.get(language)
        if waits is None:
            waits = self._waits.setdefault(language, _Waits(self._settings, language))
        return _understood(await waits.ask(asked), kind)

    async def ask_now(
        self,
        language: Language,
        callback: Callback,
        question: Any,
        kind: type[T],
        seconds: float | None = None,
    ) -> T:
        """As `ask`, in the shape of `ask_async`: it has the answer without ever being suspended."""
        return self.ask(language, callback, question, kind, seconds)

    async def ask_for_parts(
        self, language: Language, callback: Callback, question: Any, kind: type[T], seconds: float
    ) -> "tuple[T, Parts | None]":
        """As `ask_async`, for an answer that may come in parts: the first one, and the others, None
        where that is all."""
        asked = self._question(callback, question, seconds)
        here = self.here.get(language)
        if here is not None:
            return _understood(await self._nested(here, asked), kind), None
        streams = self._streams.get(language)
        if streams is None:
            streams = self._streams.setdefault(language, _Streams(self._settings, language))
        first, parts = await streams.begin(_encode(asked), asked.seconds)
        return _understood(first, kind), parts

    async def _nested(self, here: Here, asked: Question) -> Answer:
        """The answer of this process, which a script of it mostly waits for. In a thread of its
        own: those of a pool might all wait for questions that the pool has no thread for."""
        if self._depth >= NESTED:
            raise ScriptFault(f"Scripts have more than {NESTED} calls of each other under way")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def tell(answer: Answer) -> None:
            self._depth -= 1
            if not answered.done():
                answered.set_result(answer)

        def run() -> None:
            answer = here(asked)
            with contextlib.suppress(RuntimeError):  # the process ends
                loop.call_soon_threadsafe(tell, answer)

        threading.Thread(target=run, name="nested", daemon=True).start()
        self._depth += 1
        return await answered

    def close(self) -> None:
        """Closes the connections."""
        for lines in self._lines.values():
            lines.close()
        for waits in self._waits.values():
            waits.close()
        for streams in self._streams.values():
            streams.close()

    def _question(self, callback: Callback, question: Any, seconds: float | None) -> Question:
        if seconds is None:
            seconds = self.options.filter_timeout
        return Question(callback.value, _encode(question), seconds, next(self._numbers))


def _understood(answer: Answer, kind: type[T]) -> T:
    """Raises ScriptFault."""
    if answer.code is not None:
        raise ScriptFault(answer.details, code=answer.code)
    return msgspec.msgpack.decode(answer.payload, type=kind)


def _late(language: Language, seconds: float) -> NoAnswer:
    return NoAnswer(
        f"The {language} script has not answered within {seconds:g} s: see the log for what it is "
        "doing, or raise FilterTimeout"
    )


def _ended(language: Language) -> NoAnswer:
    return NoAnswer(f"The {language} script process has ended {_ATTEMPTS} times at this question")


class _Lines:
    """Connections of threads to one script process."""

    def __init__(self, settings: Settings, language: Language) -> None:
        self._path = channel_path(settings, language)
        self._language: Language = language
        self._free: list[socket.socket] = []
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, message: bytes, seconds: float) -> bytes:
        end = time.monotonic() + (seconds or _FOR_EVER)
        if not self._places.acquire(timeout=max(0.0, min(end - time.monotonic(), 10.0**6))):
            raise _late(self._language, seconds)
        try:
            return self._asked(message, seconds, end)
        except TimeoutError as error:
            raise _late(self._language, seconds) from error
        finally:
            self._places.release()

    def _asked(self, message: bytes, seconds: float, end: float) -> bytes:
        for _ in range(_ATTEMPTS):
            while True:
                line, is_new = self._take(end)
                found = self._answer(line, message, end)
                if found is not None:
                    return found
                if is_new:
                    break
                self.close()  # of a process that has been replaced
        raise _ended(self._language)

    def _answer(self, line: socket.socket, message: bytes, end: float) -> bytes | None:
        """None where the process has ended. Raises TimeoutError."""
        try:
            line.settimeout(max(0.001, end - time.monotonic()))
            send(line, message)
            found = receive(line)
        except TimeoutError:
            line.close()
            raise
        except OSError:
            found = None
        if found is None:
            line.close()
        else:
            self._free.append(line)
        return found

    def _take(self, end: float) -> tuple[socket.socket, bool]:
        """A connection, and whether it is a new one. Raises TimeoutError."""
        try:
            return self._free.pop(), False
        except IndexError:
            pass
        while True:
            line = socket.socket(socket.AF_UNIX)
            try:
                with reachable(self._path) as address:
                    line.connect(address)
                return line, True
            except OSError:
                line.close()
            if time.monotonic() >= end:
                raise TimeoutError
            time.sleep(_LOOK_AGAIN)

    def close(self) -> None:
        while self._free:
            self._free.pop().close()


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_GONE: Final = (OSError, asyncio.IncompleteReadError)


async def _message(reader: asyncio.StreamReader) -> bytes:
    (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    return await reader.readexactly(size)


class Parts:
    """The parts of an answer behind the first, as an iterator of bytes. The script waits until they
    are taken. Whoever has got it closes it."""

    def __init__(
        self, language: Language, stream: _Stream, end: Callable[[_Stream | None], None]
    ) -> None:
        self._language = language
        self._stream = stream
        self._tell_end = end
        self._is_over = False

    def __aiter__(self) -> "Parts":
        return self

    async def __anext__(self) -> bytes:
        """Raises ScriptFault where the script has failed, NoAnswer where its process has ended."""
        if self._is_over:
            raise StopAsyncIteration
        try:
            part = _answer(await _message(self._stream[0]))
        except _GONE as error:
            if self._is_over:  # nobody wants more
                raise StopAsyncIteration from None
            self.close()
            raise NoAnswer(
                f"The {self._language} script process has ended within its answer"
            ) from error
        if part.more:
            return part.payload
        self._is_over = True
        self._tell_end(self._stream)
        if part.code is not None:
            raise ScriptFault(part.details, code=part.code)
        raise StopAsyncIteration

    def close(self) -> None:
        """Nobody wants more: what the script sends now raises an exception there."""
        if not self._is_over:
            self._is_over = True
            self._stream[1].close()
            self._tell_end(None)


class _Streams:
    """Connections of the event loop to one script process, for answers in parts: one each, so that
    the script waits where nobody takes them."""

    def __init__(self, settings: Settings, language: Language) -> None:
        self._path = channel_path(settings, language)
        self._language: Language = language
        self._free: list[_Stream] = []
        self._places = asyncio.Semaphore(AT_ONCE)

    async def begin(self, message: bytes, seconds: float) -> tuple[Answer, "Parts | None"]:
        """The first message of an answer, and where there are more what gives them."""
        try:
            async with asyncio.timeout(seconds or None):
                await self._places.acquire()
                try:
                    stream, found = await self._asked(message)
                except BaseException:
                    self._places.release()
                    raise
        except TimeoutError as error:
            raise _late(self._language, seconds) from error
        answer = _answer(found)
        if answer.more:
            return answer, Parts(self._language, stream, self._end)
        self._end(stream)
        return answer, None

    def _end(self, stream: _Stream | None) -> None:
        """A question is answered; without its connection, that is of no use any longer."""
        self._places.release()
        if stream is not None:
            self._free.append(stream)

    async def _asked(self, message: bytes) -> tuple[_Stream, bytes]:
        for _ in range(_ATTEMPTS):
            while True:
                stream, is_new = await self._take()
                found = await self._answer(stream, message)
                if found is not None:
                    return stream, found
                if is_new:
                    break
                self.close()  # of a process that has been replaced
        raise _ended(self._language)

    async def _answer(self, stream: _Stream, message: bytes) -> bytes | None:
        """None where the process has ended."""
        reader, writer = stream
        found = None
        try:
            writer.write(LENGTH.pack(len(message)) + message)
            found = await _message(reader)
        except _GONE:
            return None
        finally:
            if found is None:  # also where nobody waits for the answer any longer
                writer.close()
        return found

    async def _take(self) -> tuple[_Stream, bool]:
        """A connection, and whether it is a new one."""
        if self._free:
            return self._free.pop(), False
        while True:
            try:
                with reachable(self._path) as address:
                    return await asyncio.open_unix_connection(address), True
            except OSError:
                await asyncio.sleep(_LOOK_AGAIN)

    def close(self) -> None:
        while self._free:
            self._free.pop()[1].close()


class _Waits:
    """The connection of the event loop to one script process."""

    def __init__(self, settings: Settings, language: Language) -> None:
        self._path = channel_path(settings, language)
        self._language: Language = language
        self._line: _Line | None = None
        self._opening = asyncio.Lock()
        self._places = asyncio.Semaphore(AT_ONCE)

    async def ask(self, question: Question) -> Answer:
        message = framed(_encode(question))
        # A connection that is there already may be that of a process which has ended before.
        is_there = self._line is not None and not self._line.has_ended
        try:
            async with asyncio.timeout(question.seconds or None), self._places:
                for _ in range(_ATTEMPTS + is_there):
                    line = self._line
                    if line is None or line.has_ended:
                        line = await self._opened()
                    found = await line.ask(question.number, message)
                    if found is not None:
                        return found
        except TimeoutError as error:
            raise _late(self._language, question.seconds) from error
        raise _ended(self._language)

    async def _opened(self) -> "_Line":
        """A connection, as soon as there is a process that takes it."""
        async with self._opening:
            while self._line is None or self._line.has_ended:
                try:
                    with reachable(self._path) as address:
                        loop = asyncio.get_running_loop()
                        _, self._line = await loop.create_unix_connection(_Line, address)
                except OSError:
                    await asyncio.sleep(_LOOK_AGAIN)
            return self._line

    def close(self) -> None:
        if self._line is not None:
            self._line.close()


class _Line(asyncio.Protocol):
    """A connection with any number of questions."""

    def __init__(self) -> None:
        self.has_ended = False
        self._loop = asyncio.get_running_loop()
        self._messages = Messages()
        self._waiting: dict[int, asyncio.Future[Answer | None]] = {}
        self._leaving: list[bytes] = []

    async def ask(self, number: int, message: bytes) -> Answer | None:
        """None where the process has ended meanwhile."""
        if not self._leaving:
            self._loop.call_soon(self._send)
        self._leaving.append(message)
        answered: asyncio.Future[Answer | None] = self._loop.create_future()
        self._waiting[number] = answered
        try:
            return await answered
        finally:
            self._waiting.pop(number, None)

    def _send(self) -> None:
        """All that was asked in this turn of the loop."""
        leaving, self._leaving = self._leaving, []
        if self._transport.is_closing():
            return  # who waits is told so
        self._transport.write(leaving[0] if len(leaving) == 1 else b"".join(leaving))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        for message in self._messages.of(data):
            answer = _answer(message)
            self._tell(self._waiting.get(answer.number), answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        for answered in self._waiting.values():
            self._tell(answered, None)

    @staticmethod
    def _tell(answered: "asyncio.Future[Answer | None] | None", answer: Answer | None) -> None:
        if answered is not None and not answered.done():  # else nobody waits any longer
            answered.set_result(answer)

    def close(self) -> None:
        """From any thread, as long as the event loop runs."""
        self._loop.call_soon_threadsafe(self._transport.close)
