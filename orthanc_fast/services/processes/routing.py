"""The process that sends stored instances on by rules: what it opens, and where it sends to."""

import os
import signal
import threading
from collections.abc import Callable

from orthanc_fast.config import Settings
from orthanc_fast.config_routing import Routing
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.index.contract import Index
from orthanc_fast.services.attachments.reading import Contents
from orthanc_fast.services.browse.instance_tags import InstanceTags
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.options import find_options
from orthanc_fast.services.modification.modification import Modification
from orthanc_fast.services.processes.resources import ResourceServices
from orthanc_fast.services.processes.routing_doors import Doors, alterations_of
from orthanc_fast.services.routing.added import Current
from orthanc_fast.services.routing.alterations import Alterations
from orthanc_fast.services.routing.checking import (
    check_servers,
    checked_alterations,
    checked_conditions,
    usable,
)
from orthanc_fast.services.routing.contract import Stop
from orthanc_fast.services.routing.engine import LOCK_FILE, Engine
from orthanc_fast.services.routing.follower import Follower
from orthanc_fast.services.routing.queues import Queues
from orthanc_fast.services.routing.sender import Sender, Workshop
from orthanc_fast.services.store.opening import INDEX_FOLDER, open_dictionary
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.contract import Storage

NICENESS = 10  # what answers clients goes first


class RoutingServices(ResourceServices):
    """The store as the process sees it that routes: whatever waits for a write is a thread."""

    def __init__(self, settings: Settings, slot: str) -> None:
        super().__init__(settings, slot)
        assert settings.routing is not None
        self.current = Current(settings.routing, self.reads)
        self.stop = Stop()
        self.queues = Queues(self.reads, self.writes)

    @property
    def routing(self) -> Routing:
        """What is configured, and what REST has added."""
        return self.current()

    def engine(self) -> Engine:
        """All of it, as it is now."""
        version, since = self.current.version(), self.current.since()
        routing = usable(self.current(), self.reads, self.finder, alterations_of(self))
        conditions = checked_conditions(routing, self.reads, self.finder)
        self.stop = Stop()
        bell, doors = self.runtime.bell, Doors(self, self.stop)
        workshop = Workshop(
            reads=self.reads,
            queues=self.queues,
            bell=bell,
            alterations=checked_alterations(routing, alterations_of(self)),
            main_tags=self.main_tags,
            dictionary=self.dictionary,
            storage=self.storage,
            logs_exports=self.settings.log_exported_resources,
        )
        return Engine(
            self.settings.index_directory / INDEX_FOLDER / LOCK_FILE,
            self.stop,
            Follower(conditions, since, self.reads, self.queues, bell),
            [
                Sender(name, each, doors.door(each), workshop, self.stop)
                for name, each in routing.destinations.items()
            ],
            lambda: self.current.version() != version,
        )


def check_routing(settings: Settings, index: Index, storage: Storage) -> None:
    """Before any process runs. Raises BadFileFormat that names the rule or the destination."""
    routing = settings.routing
    assert routing is not None
    dictionary, reads = open_dictionary(settings), Reads(index)

    def character_set() -> str:
        return settings.default_encoding

    raw = settings.raw
    if not raw.get("DicomModalitiesInDatabase"):
        check_servers(routing, "Modality", raw.get("DicomModalities") or {})
    if not raw.get("OrthancPeersInDatabase"):
        check_servers(routing, "Peer", raw.get("OrthancPeers") or {})
    if not settings.dicom_web.servers_in_database:
        check_servers(routing, "DicomWeb", settings.dicom_web.servers)
    main_tags = MainTags(dictionary, settings.extra_main_dicom_tags)
    tags = InstanceTags(reads, Contents(storage), dictionary, character_set)
    finder = Finder(reads, tags, dictionary, main_tags, find_options(raw))
    checked_conditions(routing, reads, finder)
    writes = Writes(index.writer())
    modification = Modification(settings, reads, writes, storage, dictionary, character_set)
    checked_alterations(routing, Alterations(settings, storage, dictionary, modification))


class Running:
    """One engine after the other: another one where rules or destinations have changed."""

    def __init__(self, services: RoutingServices) -> None:
        self._services = services
        self._engine = services.engine()
        self._is_ending = False

    def serve(self) -> None:
        """Returns after `stop`."""
        while True:
            self._engine.serve()
            if self._is_ending:
                return
            self._engine = self._services.engine()
            if self._is_ending:  # meanwhile
                return

    def stop(self) -> None:
        """From any thread, or from a signal."""
        self._is_ending = True
        self._engine.stop()


def run(settings: Settings, slot: str, ready: Callable[[], None]) -> None:
    """Routes until SIGTERM; what is being sent then is broken off, and sent again later.
    `ready` is called when it is at work."""
    os.nice(NICENESS)
    services = RoutingServices(settings, slot)
    try:
        running = Running(services)
        working = threading.Thread(target=running.serve, name="routing")
        signal.signal(signal.SIGTERM, lambda *_: running.stop())
        working.start()
        ready()
        working.join()
    finally:
        services.close()
