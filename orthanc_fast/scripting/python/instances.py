"""Instances as scripts see them. Source: reference chapter 7, section 4."""

from collections.abc import Callable
from functools import cached_property

import msgspec

from orthanc_fast._ext.scan import ScanError
from orthanc_fast.dicom.part10 import DicomFile, open_dicom
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.info import number_of_frames
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.data_set_json import USUAL_FLAGS, data_set_json
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.image_functions import decoded_frame
from orthanc_fast.scripting.python.images import Image
from orthanc_fast.scripting.python.surroundings import Surroundings
from orthanc_fast.services.pixels.pixels import open_image

_NAMES = {
    "Unknown": "UNKNOWN",
    "DicomProtocol": "DICOM_PROTOCOL",
    "RestApi": "REST_API",
    "Plugins": "PLUGIN",
    "Lua": "LUA",
    "WebDav": "WEB_DAV",
}
ORIGINS = {name: MEMBERS["InstanceOrigin"][theirs] for name, theirs in _NAMES.items()}
"""The numbers that scripts know, by the names of `Caller.origin`."""
_NUMBER_OF_FRAMES = "0028,0008"
_PIXELS = frozenset({"7fe0,0010", "7fe0,0008", "7fe0,0009"})


class Facts:
    """What is known of an instance beside its file: where it came from, and its metadata."""

    def __init__(
        self, origin: str = "Unknown", remote_aet: str = "", metadata: dict[str, str] | None = None
    ) -> None:
        self.origin = origin
        self.remote_aet = remote_aet
        self.metadata = {} if metadata is None else metadata


class DicomInstance:
    """One DICOM file. What a callback gets is valid during the call only: later its methods raise
    ValueError."""

    def __init__(
        self, around: Surroundings, data: Callable[[], bytes] | bytes, facts: Facts | None = None
    ) -> None:
        self._around = around
        self._given = data
        self._facts = facts or Facts()
        self._is_valid = True

    def _forget(self) -> None:
        """The call that it belongs to is over."""
        self._is_valid = False
        self._given = b""
        self.__dict__.pop("_content", None)  # a script may hold this object for ever

    def _require_valid(self) -> None:
        if not self._is_valid:
            raise ValueError("Invalid object: it was valid during the callback only")

    @cached_property
    def _content(self) -> bytes:
        return self._given if isinstance(self._given, bytes) else self._given()

    @property
    def _data(self) -> bytes:
        self._require_valid()
        return self._content

    @property
    def _file(self) -> DicomFile:
        try:
            return open_dicom(self._data)
        except ScanError as error:
            raise BadFileFormat(str(error)) from error

    @takes()
    def GetInstanceData(self) -> bytes:
        return self._data

    @takes()
    def GetInstanceSize(self) -> int:
        return len(self._data)

    @takes()
    def GetInstanceOrigin(self) -> int:
        self._require_valid()
        return ORIGINS.get(self._facts.origin, ORIGINS["Unknown"])

    @takes()
    def GetInstanceRemoteAet(self) -> str:
        self._require_valid()
        return self._facts.remote_aet

    @takes()
    def GetInstanceTransferSyntaxUid(self) -> str:
        return self._file.known_syntax or ""

    @takes()
    def HasInstancePixelData(self) -> int:
        return int(any(tag in _PIXELS for tag in self._members()))

    @takes()
    def GetInstanceFramesCount(self) -> int:
        text = self._members().get(_NUMBER_OF_FRAMES)
        return number_of_frames(text if isinstance(text, str) else None)

    def _members(self) -> dict[str, object]:
        found: dict[str, object] = msgspec.json.decode(self._json(2, USUAL_FLAGS, 256))
        return found

    def _json(self, form: int, flags: int, longest: int) -> str:
        services = self._around.early_services
        encoding = services.default_character_set()
        return data_set_json(self._data, services.dictionary, encoding, form, flags, longest)

    @takes()
    def GetInstanceJson(self) -> str:
        return self._json(1, USUAL_FLAGS, 256)

    @takes()
    def GetInstanceSimplifiedJson(self) -> str:
        return self._json(3, USUAL_FLAGS, 256)

    @takes("iii")
    def GetInstanceAdvancedJson(self, form: int, flags: int, longest: int) -> str:
        return self._json(form, flags, longest)

    @takes("s")
    def GetInstanceMetadata(self, name: str) -> str | None:
        self._require_valid()
        return self._facts.metadata.get(name)

    @takes("s")
    def HasInstanceMetadata(self, name: str) -> int:
        self._require_valid()
        return int(name in self._facts.metadata)

    @takes("i")
    def GetInstanceRawFrame(self, frame: int) -> bytes:
        file = self._file
        with open_image(self._data, None, file.known_syntax, opened_file=file) as image:
            return bytes(image.raw(frame))

    @takes("i")
    def GetInstanceDecodedFrame(self, frame: int) -> Image:
        return decoded_frame(self._data, frame)

    @takes()
    def SerializeDicomInstance(self) -> bytes:
        return self._data
