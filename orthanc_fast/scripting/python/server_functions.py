"""The functions about the server, its configuration and its index. Source: reference chapter 7,
section 3."""

import hashlib
import os
import sys
import uuid
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.dicom.identifiers import from_text, patient_identifier, to_text
from orthanc_fast.error_codes import BY_CODE
from orthanc_fast.implementation import ORTHANC_VERSION
from orthanc_fast.model import Level
from orthanc_fast.rest.routes.system import DATABASE_VERSION, server_identifier
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import (
    INTERNAL_ERROR,
    failure,
)
from orthanc_fast.scripting.python.surroundings import SERVER, Surroundings
from orthanc_fast.services.key_values.global_properties import GlobalProperties
from orthanc_fast.services.processes.http import HttpServices
from orthanc_fast.services.scripts.stability import SetStable
from orthanc_fast.services.scripts.tokens import new_token
from orthanc_fast.services.store.custom_data import CustomData

_UNKNOWN_SERVICE: Final = 26
_STABLE: Final = MEMBERS["StableStatus"]["STABLE"]
_FIRST_OF_SCRIPTS: Final = 1024
_PARTS: Final = 3  # of a version
_ACCESSION_NUMBER: Final = 0x00080050
_TAGS: Final = {
    Level.STUDY: 0x0020000D,
    Level.SERIES: 0x0020000E,
    Level.INSTANCE: 0x00080018,
}


class ConfigurationFunctions:
    """What works during the import of a script too."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._settings = around.settings

    @takes()
    def GetConfiguration(self) -> str:
        written = self._settings.raw
        return msgspec.json.format(msgspec.json.encode(written), indent=3).decode()

    @takes()
    def GetConfigurationPath(self) -> str:
        return self._settings.configuration_path

    @takes()
    def GetOrthancPath(self) -> str:
        return sys.executable

    @takes()
    def GetOrthancDirectory(self) -> str:
        return os.path.dirname(sys.executable)

    @takes()
    def GetDatabaseServerIdentifier(self) -> str:
        return server_identifier(self._settings)

    @takes()
    def GetExpectedDatabaseVersion(self) -> int:
        return DATABASE_VERSION

    @takes()
    def GenerateUuid(self) -> str:
        return str(uuid.uuid4())

    @takes()
    def GenerateRestApiAuthorizationToken(self) -> str:
        return f"Bearer {new_token(self._around.early_services.runtime)}"

    @takes()
    def GetCommandLineArgumentsCount(self) -> int:
        return len(sys.argv) - 1

    @takes("i")
    def GetCommandLineArgument(self, index: int) -> str:
        if not 0 <= index < len(sys.argv) - 1:
            raise failure(3)
        return sys.argv[index + 1]

    @takes()
    def CheckVersion(self) -> int:
        return 1

    @takes("iii")
    def CheckVersionAdvanced(self, major: int, minor: int, revision: int) -> int:
        own = tuple(int(part) for part in ORTHANC_VERSION.split(".")[:_PARTS])
        return int(own >= (major, minor, revision))

    @takes("i")
    def GetErrorDescription(self, code: int) -> str:
        row = BY_CODE.get(code)
        return "Unknown error code" if row is None else row.text


class IndexFunctions:
    """Look-ups and properties of the whole server."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    @takes("s")
    def LookupPatient(self, identifier: str) -> str:
        services = self._require()
        public = patient_identifier(identifier)
        if services.resources.find(SERVER, Level.PATIENT, public) is None:
            raise failure(INTERNAL_ERROR)
        return to_text(public)

    @takes("s")
    def LookupStudy(self, uid: str) -> str:
        return self._lookup(Level.STUDY, _TAGS[Level.STUDY], uid)

    @takes("s")
    def LookupSeries(self, uid: str) -> str:
        return self._lookup(Level.SERIES, _TAGS[Level.SERIES], uid)

    @takes("s")
    def LookupInstance(self, uid: str) -> str:
        return self._lookup(Level.INSTANCE, _TAGS[Level.INSTANCE], uid)

    @takes("s")
    def LookupStudyWithAccessionNumber(self, number: str) -> str:
        return self._lookup(Level.STUDY, _ACCESSION_NUMBER, number)

    def _lookup(self, level: Level, tag: int, value: str) -> str:
        services = self._require()
        found = services.reads(SERVER, lambda view: view.with_term(level, tag, value))
        if len(found) != 1:
            raise failure(INTERNAL_ERROR)
        return to_text(found[0].public)

    def _require(self) -> HttpServices:
        if not self._around.is_running:
            raise failure(INTERNAL_ERROR)
        return self._around.services

    def _properties(self) -> GlobalProperties:
        services = self._require()
        return GlobalProperties(services.reads, services.writes)

    @takes("is")
    def GetGlobalProperty(self, number: int, default: str) -> str:
        found = self._properties().get(SERVER, number)
        return default if found is None else found

    @takes("is")
    def SetGlobalProperty(self, number: int, value: str) -> None:
        self._around.require_running()
        properties = self._properties()
        if number < _FIRST_OF_SCRIPTS:
            raise failure(_UNKNOWN_SERVICE)
        self._around.run(properties.put(SERVER, number, value))

    @takes("si")
    def SetStableStatus(self, identifier: str, status: int) -> tuple[int, int]:
        services = self._require()
        public = from_text(identifier)
        if public is None:
            return 0, 0
        write = SetStable(public, status == _STABLE)
        has_changed: bool | None = self._around.run(services.writes(SERVER, write))
        return 0, int(bool(has_changed))

    @takes("s")
    def GetAttachmentCustomData(self, identifier: str) -> bytes:
        return self._custom_data().get(SERVER, identifier)

    @takes("sb")
    def SetAttachmentCustomData(self, identifier: str, data: bytes) -> None:
        self._around.run(self._custom_data().put(SERVER, identifier, data))

    def _custom_data(self) -> CustomData:
        services = self._around.services
        return CustomData(services.reads, services.writes, services.storage)


class Peers:
    """The peers of the server at one moment."""

    def __init__(self, peers: list[tuple[str, str, dict[str, str]]]) -> None:
        self._peers = peers

    @takes()
    def GetPeersCount(self) -> int:
        return len(self._peers)

    @takes("i")
    def GetPeerName(self, index: int) -> str | None:
        found = self._at(index)
        return None if found is None else found[0]

    @takes("i")
    def GetPeerUrl(self, index: int) -> str | None:
        found = self._at(index)
        return None if found is None else found[1]

    @takes("is")
    def GetPeerUserProperty(self, index: int, name: str) -> str | None:
        found = self._at(index)
        return None if found is None else found[2].get(name)

    def _at(self, index: int) -> tuple[str, str, dict[str, str]] | None:
        return self._peers[index] if 0 <= index < len(self._peers) else None


class FileFunctions:
    """Files of this machine, digests and compression."""

    @takes("s")
    def ReadFile(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise failure(2006) from error

    @takes("sb")
    def WriteFile(self, path: str, data: bytes) -> None:
        try:
            Path(path).write_bytes(data)
        except OSError as error:
            raise failure(14) from error

    @takes("b")
    def ComputeMd5(self, data: bytes) -> str:
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    @takes("b")
    def ComputeSha1(self, data: bytes) -> str:
        return to_text(hashlib.sha1(data, usedforsecurity=False).digest())
