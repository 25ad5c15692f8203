"""What the functions of the module `orthanc` work on: the server around a script."""

from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, Protocol, TypeVar

from orthanc_fast.config import Settings
from orthanc_fast.model import SERVER, Caller
from orthanc_fast.scripting.python.exceptions import NOT_INITIALIZED, failure
from orthanc_fast.services.key_values.queues import Queues
from orthanc_fast.services.key_values.stores import KeyValueStores
from orthanc_fast.services.processes.http import HttpServices

T = TypeVar("T")

SCRIPT: Caller = Caller(origin="Plugins")


class Answer(Protocol):
    """Of a call of the REST API."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class Call(Protocol):
    """A call of the REST API in this process; `builtin` leaves out what scripts serve."""

    def __call__(
        self,
        caller: Caller,
        method: str,
        uri: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        builtin: bool = False,
    ) -> Answer: ...


class Surroundings:
    """The server as scripts of one process see it. `run` waits for a coroutine of the services;
    whoever calls it is in a thread of a script."""

    def __init__(
        self,
        settings: Settings,
        services: HttpServices,
        run: Callable[[Coroutine[Any, Any, Any]], Any],
        call: Call,
    ) -> None:
        self.settings = settings
        self._services = services
        self._run = run
        self._call = call
        self.is_running = False  # False while the script is imported: the server does not serve yet

    @property
    def services(self) -> HttpServices:
        """Raises OrthancException 2038 while the script is imported, as Orthanc does."""
        self.require_running()
        return self._services

    @property
    def early_services(self) -> HttpServices:
        """For what works during the import too."""
        return self._services

    def require_running(self) -> None:
        """Raises OrthancException 2038 while the script is imported."""
        if not self.is_running:
            raise failure(NOT_INITIALIZED)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns."""
        result: T = self._run(work)
        return result

    def call(self, method: str, uri: str, body: bytes, builtin: bool) -> Answer:
        """Calls the REST API. Raises OrthancException 2038 while the script is imported."""
        self.require_running()
        return self._call(SCRIPT, method, uri, body, builtin=builtin)

    @cached_property
    def stores(self) -> KeyValueStores:
        return KeyValueStores(self._services.reads, self._services.writes)

    @cached_property
    def queues(self) -> Queues:
        return Queues(self._services.reads, self._services.writes)


__all__ = ["SCRIPT", "SERVER", "Answer", "Call", "Surroundings"]
