"""The servers of DICOMweb as they are now. Source: reference chapter 5, section 11."""

from collections.abc import Mapping
from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.errors import InexistentItem, OrthancError, ParameterOutOfRange
from orthanc_fast.services.dicom_web_client.server import Server
from orthanc_fast.services.exchange.server_registry import ServerRegistry
from orthanc_fast.services.peers.peer import parse_server


class DicomWebServers(ServerRegistry[Server]):
    """The servers by their symbolic names."""

    noun = "DICOMweb server"
    plural = "dicom-web-servers"
    option = "DicomWeb.Servers"
    table = dict[str, Server]

    def is_persistent(self, settings: Settings) -> bool:
        return settings.dicom_web.servers_in_database

    def entries(self, settings: Settings) -> Mapping[str, Any]:
        return settings.dicom_web.servers

    def parsed(self, name: str, value: Any) -> Server:
        return parse_server(value)

    def unknown(self, name: str) -> OrthancError:
        return InexistentItem(f"Inexistent server: {name}")

    def not_removed(self, name: str) -> OrthancError:
        return ParameterOutOfRange(f"Unknown DICOMweb server: {name}")
