"""The channel of questions between processes: many on one connection, none in the way of another,
over the end of the process that is asked."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from orthanc_fast.config import Settings
from orthanc_fast.config_sections import Scripting
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.scripting import channel
from orthanc_fast.scripting.channel import Channel
from orthanc_fast.services.scripts.calls import AT_ONCE, Calls
from orthanc_fast.services.scripts.faults import NoAnswer
from orthanc_fast.services.scripts.lines import framed, receive
from orthanc_fast.services.scripts.options import channel_path
from orthanc_fast.services.scripts.questions import Answer, Callback, Question

T = TypeVar("T")

PATIENCE = 30.0  # seconds
Answering = Callable[[Question], Answer]


def answer(value: Any) -> Answer:
    return Answer(msgspec.msgpack.encode(value))


def payload(question: Question) -> Any:
    return msgspec.msgpack.decode(question.payload)


@contextmanager
def listening(path: Path, answering: Answering) -> Iterator[Channel]:
    opened = Channel(path, lambda question, tell: answering(question))
    opened.open()
    try:
        yield opened
    finally:
        opened.close()


class Asking:
    """One connection, as a process that asks has it."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))

    def send(self, *questions: tuple[str, int]) -> None:
        """Questions by callback and number, all at once."""
        encoded = [msgspec.msgpack.encode(Question(name, b"", 0, at)) for name, at in questions]
        self.socket.sendall(b"".join(map(framed, encoded)))

    def _receive(self, size: int) -> bytearray:
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the channel has closed the connection"
            data += part
        return data

    def hear(self) -> Answer:
        message = self._receive(int.from_bytes(self._receive(8), "big"))
        return msgspec.msgpack.decode(message, type=Answer)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "line"


@pytest.fixture
def connect(path: Path) -> Iterator[Callable[[], Asking]]:
    with ExitStack() as opened:

        def connected() -> Asking:
            asking = Asking(path)
            opened.enter_context(asking.socket)
            return asking

        yield connected


def test_what_comes_together_is_answered_in_order(
    path: Path, connect: Callable[[], Asking]
) -> None:
    threads = set()

    def answering(question: Question) -> Answer:
        threads.add(threading.get_ident())
        return answer(question.number)

    with listening(path, answering):
        asking = connect()
        asking.send(*(("quick", number) for number in range(1, 100)))
        heard = [asking.hear() for _ in range(1, 100)]
    assert [each.number for each in heard] == [*range(1, 100)]
    assert [msgspec.msgpack.decode(each.payload) for each in heard] == [*range(1, 100)]


def test_a_question_that_waits_is_in_nobodys_way(path: Path, connect: Callable[[], Asking]) -> None:
    """The first of the batch is answered only once the others are: those behind it, and those that
    come later, on the same connection and on another one."""
    others = threading.Semaphore(0)

    def answering(question: Question) -> Answer:
        if question.callback == "waits":
            for _ in range(3):
                assert others.acquire(timeout=PATIENCE)
        else:
            others.release()
        return answer(None)

    with listening(path, answering):
        asking, another = connect(), connect()
        asking.send(("waits", 1), ("quick", 2))
        assert asking.hear().number == 2
        asking.send(("quick", 3))
        assert asking.hear().number == 3
        another.send(("quick", 4))
        assert another.hear().number == 4
        assert asking.hear().number == 1


def test_any_number_of_questions_may_wait_for_each_other(
    path: Path, connect: Callable[[], Asking]
) -> None:
    together = threading.Barrier(AT_ONCE)

    def answering(question: Question) -> Answer:
        together.wait(PATIENCE)
        return answer(None)

    with listening(path, answering):
        asking = connect()
        for _ in range(2):  # the second time they are known to be slow
            asking.send(*(("waits", number) for number in range(AT_ONCE)))
            assert {asking.hear().number for _ in range(AT_ONCE)} == {*range(AT_ONCE)}


def test_who_does_not_read_keeps_nobody_waiting(path: Path, connect: Callable[[], Asking]) -> None:
    def answering(question: Question) -> Answer:
        return answer(bytes(10_000_000 if question.callback == "large" else 0))

    with listening(path, answering):
        deaf, asking = connect(), connect()
        deaf.send(("large", 1), ("quick", 2))
        for number in range(3, 6):
            asking.send(("quick", number))
            assert asking.hear().number == number
        assert {deaf.hear().number, deaf.hear().number} == {1, 2}


def test_answers_of_one_batch_do_not_wait_for_each_other(
    path: Path, connect: Callable[[], Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is for who does not read."""
    monkeypatch.setattr(channel, "BUSY", 0.5)  # so that both questions are heard together
    monkeypatch.setattr(channel, "TOGETHER", 10.0)
    both_are_there = threading.Event()

    def answering(question: Question) -> Answer:
        if question.callback == "hold":
            both_are_there.wait(PATIENCE)
        return answer(bytes(10_000_000 if question.callback == "large" else 0))

    with listening(path, answering):
        holding, deaf, asking = connect(), connect(), connect()
        for each in (holding, deaf, asking):  # so that they have been accepted
            each.send(("quick", 0))
            assert each.hear().number == 0
        holding.send(("hold", 1))
        deaf.send(("large", 2))
        asking.send(("quick", 3))
        both_are_there.set()
        assert asking.hear().number == 3
        assert (holding.hear().number, deaf.hear().number) == (1, 2)


def test_who_leaves_is_forgotten(path: Path, connect: Callable[[], Asking]) -> None:
    with listening(path, lambda question: answer(None)):
        asking = connect()
        for _ in range(3):
            gone = connect()
            gone.send(("quick", 1))
            gone.socket.close()
            asking.send(("quick", 2))
            assert asking.hear().number == 2


def test_a_closed_channel_says_so(path: Path, connect: Callable[[], Asking]) -> None:
    with listening(path, lambda question: answer(None)):
        asking = connect()
        asking.send(("quick", 1))
        asking.hear()
    assert receive(asking.socket) is None


def test_without_a_thread_more_questions_wait(
    path: Path, connect: Callable[[], Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread can be had for another leader: the answers come one after the other."""
    started = threading.Event()
    refused = threading.Event()

    class Refusing(threading.Thread):
        def start(self) -> None:
            if self.name == "asked" and started.is_set():
                refused.set()
                raise RuntimeError("can't start new thread")
            super().start()

    def answering(question: Question) -> Answer:
        if question.callback == "waits":
            assert refused.wait(PATIENCE)
        return answer(None)

    monkeypatch.setattr(threading, "Thread", Refusing)
    with listening(path, answering):
        started.set()
        asking = connect()
        asking.send(("waits", 1), ("quick", 2))
        assert [asking.hear().number, asking.hear().number] == [1, 2]


# Who asks, in the event loop


class Site:
    """A process that asks, and the place where it does."""

    def __init__(self, folder: Path, **options: Any) -> None:
        settings = Settings(index_directory=folder, scripting=Scripting(**options))
        self.path = channel_path(settings, "python")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.calls = Calls(settings, MemoryRuntime(), Dictionary({}, False))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        async def worked() -> T:
            try:
                return await work
            finally:
                self.calls.close()

        return asyncio.run(worked())

    async def ask(self, what: Any, seconds: float | None = None) -> Any:
        return await self.calls.ask_async("python", Callback.EXECUTE, what, object, seconds)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_each_gets_his_own_answer(site: Site) -> None:
    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(site.ask(number) for number in range(3 * AT_ONCE)))

    with listening(site.path, lambda question: answer(payload(question))):
        assert site.run(all_of_them()) == [*range(3 * AT_ONCE)]


def test_who_is_late_is_late_alone(site: Site) -> None:
    over = threading.Event()

    def answering(question: Question) -> Answer:
        if payload(question) == "waits":
            assert over.wait(PATIENCE)
        return answer(payload(question))

    async def ask() -> None:
        given_up = asyncio.create_task(site.ask("waits"))
        late = asyncio.create_task(site.ask("waits", 0.2))
        assert await site.ask("quick") == "quick"
        with pytest.raises(NoAnswer, match=r"within 0\.2 s"):
            await late
        given_up.cancel()
        assert await site.ask("again") == "again"
        over.set()
        assert await site.ask("at the end") == "at the end"

    with listening(site.path, answering):
        site.run(ask())


def test_a_process_that_is_replaced_is_asked_again(site: Site) -> None:
    asked = asyncio.Event()

    async def ask() -> None:
        loop = asyncio.get_running_loop()

        def never(question: Question) -> Answer:
            loop.call_soon_threadsafe(asked.set)
            threading.Event().wait()
            raise AssertionError

        with listening(site.path, never):
            waiting = [asyncio.create_task(site.ask(number)) for number in range(5)]
            await asked.wait()
        with listening(site.path, lambda question: answer(payload(question))):
            assert await asyncio.gather(*waiting) == [*range(5)]

    site.run(ask())


def test_who_ends_two_processes_is_not_asked_again(site: Site) -> None:
    asked = asyncio.Event()

    async def ask() -> None:
        loop = asyncio.get_running_loop()

        def never(question: Question) -> Answer:
            loop.call_soon_threadsafe(asked.set)
            threading.Event().wait()
            raise AssertionError

        waiting = asyncio.create_task(site.ask("deadly"))
        for _ in range(2):
            with listening(site.path, never):
                await asked.wait()
                asked.clear()
        with pytest.raises(NoAnswer, match="has ended 2 times"):
            await waiting

    site.run(ask())
