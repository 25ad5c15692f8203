"""The ways to the destinations of routing, and tries of its rules: for the process that routes and
for those that answer HTTP."""

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orthanc_fast.config_options import Values
from orthanc_fast.config_routing import Destination, Routing
from orthanc_fast.errors import InexistentItem
from orthanc_fast.model import SERVER
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.exchange.server_registry import ServerRegistry
from orthanc_fast.services.peers.peer import Peer
from orthanc_fast.services.peers.registry import PeerRegistry
from orthanc_fast.services.processes.resources import ResourceServices
from orthanc_fast.services.routing.alterations import Alterations
from orthanc_fast.services.routing.contract import Door, Stop
from orthanc_fast.services.routing.folder import FolderDoor
from orthanc_fast.services.routing.trying import Trials

if TYPE_CHECKING:
    from orthanc_fast.services.dicom_web_client.registry import DicomWebServers
    from orthanc_fast.services.exchange.outgoing import OutgoingCalls


def alterations_of(services: ResourceServices) -> Alterations:
    """What rules make of instances, by the services of this process."""
    return Alterations(
        services.settings, services.storage, services.dictionary, services.modification
    )


def trials_of(services: ResourceServices, routing: Callable[[], Routing]) -> Trials:
    """Tries of rules, by the services of this process."""
    doors = Doors(services, Stop())
    return Trials(
        routing,
        services.reads,
        services.finder,
        alterations_of(services),
        lambda destination: doors.door(destination).sent_by,
        doors.check,
    )


class Doors:
    """Those of one process."""

    def __init__(self, services: ResourceServices, stop: Stop) -> None:
        self._services = services
        self._stop = stop

    def door(self, destination: Destination) -> Door:
        """Each kind loads what it needs when the server has such a destination."""
        kinds: dict[str, Callable[[Destination], Door]] = {
            "Modality": self._modality,
            "Peer": self._peer,
            "DicomWeb": self._web,
            "Folder": self._folder,
        }
        return kinds[destination.kind](destination)

    def check(self, destination: Destination) -> None:
        """Raises OrthancError where there is no such modality, peer, server or folder."""
        known: dict[str, Callable[[], object]] = {
            "Modality": lambda: self._services.modalities.get(SERVER, destination.modality),
            "Peer": lambda: self._peers.get(SERVER, destination.peer),
            "DicomWeb": lambda: self._servers.get(SERVER, destination.dicom_web),
            "Folder": lambda: _check_folder(destination.folder),
        }
        known[destination.kind]()

    def _folder(self, destination: Destination) -> Door:
        return FolderDoor(
            destination, self._services.storage, self._services.main_tags, self._services.dictionary
        )

    def _modality(self, destination: Destination) -> Door:
        from orthanc_fast.services.routing.modality import ModalityDoor

        return ModalityDoor(
            partial(self._services.modalities.get, SERVER, destination.modality),
            Values(self._services.settings.raw)("StrictAetComparison"),
            destination.timeout,
            self._services.senders,
            self._stop.watch,
        )

    def _peer(self, destination: Destination) -> Door:
        from orthanc_fast.services.peers.calls import PeerCalls
        from orthanc_fast.services.peers.files import SentFiles
        from orthanc_fast.services.routing.peer import PeerDoor

        return PeerDoor(
            partial(_patient, self._peers, destination.peer, destination.timeout),
            PeerCalls(self._services.settings, self._outgoing),
            SentFiles(self._services.settings, self._services.storage, self._services.dictionary),
            destination.compress,
            self._stop,
        )

    def _web(self, destination: Destination) -> Door:
        from orthanc_fast.services.dicom_web_client.calls import WebCalls
        from orthanc_fast.services.routing.web import WebDoor

        return WebDoor(
            destination.dicom_web,
            partial(_patient, self._servers, destination.dicom_web, destination.timeout),
            WebCalls(self._services.settings, self._outgoing),
            ContentParts(self._services.storage),
            self._stop,
        )

    @cached_property
    def _peers(self) -> PeerRegistry:
        services = self._services
        return PeerRegistry(services.settings, services.reads, services.writes, services.runtime)

    @cached_property
    def _servers(self) -> "DicomWebServers":
        from orthanc_fast.services.dicom_web_client.registry import DicomWebServers

        services = self._services
        return DicomWebServers(services.settings, services.reads, services.writes, services.runtime)

    @cached_property
    def _outgoing(self) -> "OutgoingCalls":
        from orthanc_fast.services.exchange.outgoing import OutgoingCalls

        return OutgoingCalls(self._services.settings)


def _check_folder(given: str) -> None:
    if not Path(given).is_dir():
        raise InexistentItem(f"There is no folder {given}")


def _patient(servers: ServerRegistry[Peer], name: str, timeout: int) -> Peer:
    """The entry of a server, with a time-out of its own. Raises OrthancError where there is
    none."""
    found = servers.get(SERVER, name)
    return msgspec.structs.replace(found, timeout=found.timeout or timeout)
