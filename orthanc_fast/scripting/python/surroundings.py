"""What the functions of the module `orthanc` work on: the server around a script."""

from collections.abc import Coroutine
from functools import cached_property
from typing import Any, TypeVar

from orthanc_fast.config import Settings
from orthanc_fast.model import SERVER, Caller
from orthanc_fast.scripting.python.exceptions import NOT_INITIALIZED, failure
from orthanc_fast.scripting.rest_calls import Reply, RestCalls
from orthanc_fast.services.key_values.queues import Queues
from orthanc_fast.services.key_values.stores import KeyValueStores
from orthanc_fast.services.processes.http import HttpServices

T = TypeVar("T")

SCRIPT: Caller = Caller(origin="Plugins")


class Surroundings:
    """The server as scripts of one process see it, for who is in a thread of a script."""

    def __init__(self, settings: Settings, rest: RestCalls) -> None:
        self.settings = settings
        self._services = rest.services
        self._rest = rest
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
        return self._rest.run(work)

    def call(self, method: str, uri: str, body: bytes, builtin: bool) -> Reply:
        """Calls the REST API. Raises OrthancException 2038 while the script is imported."""
        self.require_running()
        return self._rest.call(SCRIPT, method, uri, body, builtin=builtin)

    @cached_property
    def stores(self) -> KeyValueStores:
        return KeyValueStores(self._services.reads, self._services.writes)

    @cached_property
    def queues(self) -> Queues:
        return Queues(self._services.reads, self._services.writes)


__all__ = ["SCRIPT", "SERVER", "Surroundings"]
