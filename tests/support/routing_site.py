"""A store whose instances are routed, without a server: what the process that routes has."""

import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import generated

from orthanc_fast.config import Settings
from orthanc_fast.config_routing import routing
from orthanc_fast.model import Caller, Resource
from orthanc_fast.services.ingest.contract import IngestRequest
from orthanc_fast.services.processes.routing import RoutingServices
from orthanc_fast.services.processes.routing_doors import alterations_of
from orthanc_fast.services.routing.checking import checked_alterations, checked_conditions
from orthanc_fast.services.routing.conditions import Conditions
from orthanc_fast.services.routing.contract import Door, Item
from orthanc_fast.services.routing.follower import Follower
from orthanc_fast.services.routing.records import Queue, begin_server
from orthanc_fast.services.routing.sender import Sender, Workshop

USER = Caller(origin="RestApi", user="someone", address="10.0.0.1")
GUARD = 60.0  # seconds after which a test that hangs is ended


class Kept(Door):
    """A destination in this process: `refuse` may raise instead of taking an instance."""

    def __init__(self, refuse: Callable[[Item], None] = lambda item: None) -> None:
        self.refuse = refuse
        self.taken: list[bytes] = []
        self.attempts: list[bytes] = []
        self.came_from_there: set[bytes] = set()
        self.closed = 0
        self.is_there = False  # although an instance could not be sent

    def send(self, item: Item) -> None:
        self.attempts.append(item.instance.public)
        self.refuse(item)
        self.taken.append(item.instance.public)

    def close(self) -> None:
        self.closed += 1

    def answers(self) -> bool:
        return self.is_there

    def sent_by(self, instance: Resource) -> bool:
        return instance.public in self.came_from_there


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class RoutingSite:
    """The store in a folder; `section` is the option `Routing`."""

    def __init__(self, folder: Path, section: dict[str, Any], **more: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        settings = Settings(
            storage_directory=folder,
            index_directory=folder,
            index_map_size_gb=1,
            index_journal_size_mb=4,
            sync_storage_area=False,
            routing=routing(section, folder),
            **more,
        )
        self.services = RoutingServices(settings, "test")
        assert settings.routing is not None
        begin_server(self.services.index, self.services.current.since())
        self.clock = Clock()
        self._is_closed = False

    def add(self, study: int, instance: int, caller: Caller = USER) -> bytes:
        """The identifier of a new instance."""
        return self.put(generated.small().number(study, study, 1, instance), caller)[3]

    def put(self, data: bytes, caller: Caller = USER) -> tuple[bytes, ...]:
        """Stores a file; the identifiers, patient first."""
        promise: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.services.ingest.submit(IngestRequest(caller=caller, data=data), promise)
        return tuple(promise.result().publics)

    def stabilise(self) -> None:
        """All that is stored is stable from now on."""
        later = int(time.time()) + 1000
        self.services.index.write(lambda found: found.stabilise(later, later, 1000))

    def follow(
        self,
        conditions: Sequence[Conditions] | None = None,
        since: Mapping[str, int | None] | None = None,
    ) -> None:
        """Reads the change log to its end, for the rules that there are now."""
        follower = Follower(
            self.conditions() if conditions is None else conditions,
            self.services.current.since() if since is None else since,
            self.services.reads,
            self.services.queues,
            self.services.runtime.bell,
        )
        position = self.services.queues.change(follower._begin)
        while follower._advance(position):
            pass

    def conditions(self) -> list[Conditions]:
        """Of all rules."""
        services = self.services
        return checked_conditions(services.routing, services.reads, services.finder)

    def sender(self, name: str, door: Door) -> Sender:
        """That of a destination, with a door of the test and its clock."""
        services = self.services
        workshop = Workshop(
            reads=services.reads,
            queues=services.queues,
            bell=services.runtime.bell,
            alterations=checked_alterations(services.routing, alterations_of(services)),
            main_tags=services.main_tags,
            dictionary=services.dictionary,
            storage=services.storage,
            logs_exports=services.settings.log_exported_resources,
            clock=self.clock,
        )
        destination = services.routing.destinations[name]
        return Sender(name, destination, door, workshop, services.stop)

    def queue(self, name: str) -> Queue:
        return self.services.queues.queue(name)

    def changes(self) -> list[tuple[int, bytes]]:
        """Type and resource of all changes."""
        page = self.services.index.read(lambda view: view.changes(0, -1, 100_000))
        return [(change.type, change.public) for _, change in page.changes]

    @contextmanager
    def routing(self) -> Iterator[None]:
        """All of it at work, as in the process of a server."""
        engine = self.services.engine()
        thread = threading.Thread(target=engine.serve)
        thread.start()
        try:
            yield
        finally:
            engine.stop()
            thread.join(GUARD)
            assert not thread.is_alive()

    def close(self) -> None:
        """Once, however often it is called."""
        if not self._is_closed:
            self._is_closed = True
            self.services.close()
