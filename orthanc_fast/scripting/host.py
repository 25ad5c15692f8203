"""What the script processes of all languages have in common.

    Host.start      opens the application, and with it the services; loads the scripts; publishes
                    what they have registered; serves the channel; follows the events
    Host.stop       in the opposite order

A language is a subclass of `Scripts`. Its callbacks are called from several threads: of the channel
(filters, routes), of the observer (events), and of nested calls.
"""

import os
import resource
import signal
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final, NoReturn

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.config_sections import Scripting
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Wish
from orthanc_fast.rest.app import create_app
from orthanc_fast.scripting.channel import Channel, Tell
from orthanc_fast.scripting.observer import Event, Observer
from orthanc_fast.scripting.rest_calls import RestCalls, StartRefused
from orthanc_fast.scripting.watchdog import Watchdog
from orthanc_fast.services.processes.http import HttpServices
from orthanc_fast.services.scripts.calls import Calls
from orthanc_fast.services.scripts.options import Language, channel_path
from orthanc_fast.services.scripts.questions import Answer, Question
from orthanc_fast.services.scripts.registered import Registration

LAST_EVENT: Final = 3.0  # seconds that the event in work gets when the server stops
INTERNAL: Final = -1
START_FAILED: Final = 3
# Bytes of the stack of a thread. Stacks count as memory of the process whether they are used or
# not, and those who ask may hold hundreds of threads.
STACK: Final = 2 << 20

_encode = msgspec.msgpack.Encoder().encode


class CannotLoad(Exception):
    """The scripts cannot be loaded; the text is one line for the administrator."""


class Scripts(ABC):
    """The scripts of one language in their process."""

    language: ClassVar[Language]

    def __init__(self, host: "Host") -> None:
        self.host = host

    @abstractmethod
    def load(self) -> None:
        """Runs the scripts, which register their callbacks. Raises CannotLoad."""

    @abstractmethod
    def registration(self) -> Registration:
        """What they have registered by now: see also `Host.publish`."""

    @abstractmethod
    def wanted(self) -> frozenset[int] | None:
        """The numbers of the changes that they want to hear of by now, None for all."""

    @abstractmethod
    def answer(self, callback: str, payload: bytes, tell: Tell | None) -> Any:
        """The answer of a callback: structs are those of `services/scripts/questions.py`, the
        question as MessagePack. In any thread, several at a time. `tell` sends parts of it before,
        where who asks takes them. Raises OrthancError, best ScriptFault, where the script fails;
        anything else is logged with its traceback."""

    @abstractmethod
    def handle(self, event: Event) -> None:
        """One event, after that before it. What it raises is logged."""

    def idle(self) -> None:  # noqa: B027
        """There is no event for now."""

    def settled(self, position: int) -> int:
        """Up to which event, at most this one, all is done that scripts have wanted."""
        return position

    @abstractmethod
    def started(self) -> None:
        """The scripts are loaded, and the services may be used; before the first event."""

    @abstractmethod
    def stop(self) -> None:
        """The server, or only this process, is about to end."""


class Host:
    """One script process. `ask` passes on what a script wants of the whole server."""

    def __init__(
        self, settings: Settings, slot: str, kind: type[Scripts], ask: Callable[[Wish], None]
    ) -> None:
        assert settings.scripting is not None
        self.settings = settings
        self.options: Scripting = settings.scripting
        self.ask = ask
        self.watchdog = Watchdog(self.options.maximum_memory_mb)
        # A script may keep this process busy, so it has no tasks of the server.
        self.rest = RestCalls(create_app(settings, slot, ask, has_tasks=False))
        self._language = kind.language
        self._scripts = kind(self)
        self._channel = Channel(channel_path(settings, kind.language), self.answer)
        self._is_loaded = False

    @property
    def services(self) -> HttpServices:
        """The services of this process; what is a coroutine in them is for `rest.run`."""
        return self.rest.services

    @property
    def calls(self) -> Calls:
        """The callbacks of all languages; those of this process are called in it."""
        found = self.services.script_calls
        assert found is not None
        return found

    def start(self) -> None:
        """Raises CannotLoad."""
        try:
            self.rest.start()
        except StartRefused as error:
            raise CannotLoad(f"The scripts cannot be run: {error}") from error
        self.calls.here[self._language] = self.answer
        self.watchdog.start()
        self._scripts.load()
        self._is_loaded = True
        self.publish()
        self._channel.open()
        self._observer = Observer(
            self.rest,
            self._language,
            self._scripts.wanted,
            self._scripts.handle,
            self._scripts.settled,
            self._scripts.idle,
        )
        self._scripts.started()
        self._observer.start()

    def publish(self) -> None:
        """The scripts have registered something: all processes shall know."""
        if self._is_loaded:
            self.calls.registered.publish(self._language, self._scripts.registration())

    def stop(self) -> None:
        self._observer.stop(LAST_EVENT)
        self._scripts.stop()
        self._channel.close()
        self.watchdog.stop()
        self.rest.stop()

    def answer(self, question: Question, tell: Tell | None = None) -> Answer:
        """What a script answers, or what was wrong."""
        try:
            found = self._scripts.answer(question.callback, question.payload, tell)
            return Answer(_encode(found))
        except OrthancError as error:
            return Answer(code=error.code, details=error.details)
        except Exception as error:
            text = "".join(traceback.format_exception(error)).rstrip()
            logger.error(Category.GENERIC, f"{question.callback}: {text}")
            return Answer(code=INTERNAL, details=ascii(error))


def run(
    settings: Settings,
    slot: str,
    kind: type[Scripts],
    ask: Callable[[Wish], None],
    ready: Callable[[], None],
) -> NoReturn:
    """Runs the scripts of a language until SIGTERM, and ends the process. `ready` is
    called when they are loaded."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.stack_size(STACK)
    host = Host(settings, slot, kind, ask)
    if host.options.maximum_memory_mb:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (host.options.maximum_memory_mb << 20, hard))
    try:
        host.start()
    except CannotLoad as error:
        logger.error(Category.GENERIC, str(error))
        os._exit(START_FAILED)  # scripts may have started threads
    ready()
    while not ending.wait(60.0):
        pass
    host.stop()
    os._exit(0)  # likewise
