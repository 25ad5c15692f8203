"""The functions that make and read DICOM files. Source: reference chapter 7, section 3."""

from typing import Any, Final

from orthanc_fast.config_file import parse
from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.dicom.part10 import open_dicom
from orthanc_fast.errors import UnknownResource
from orthanc_fast.model import Level, Resource
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.data_set_json import data_set_json
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import (
    INTERNAL_ERROR,
    failure,
    objects_only,
)
from orthanc_fast.scripting.python.find_matcher import FindMatcher
from orthanc_fast.scripting.python.images import Image
from orthanc_fast.scripting.python.instances import DicomInstance, Facts
from orthanc_fast.scripting.python.surroundings import SERVER, Surroundings
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.creation.building import scripted_file
from orthanc_fast.services.creation.request import Wanted, head
from orthanc_fast.services.modification.content import image_elements
from orthanc_fast.services.transcoding.transcode import transcode

_BAD_JSON: Final = 28
_BAD_TYPE: Final = 5
_CREATE = MEMBERS["CreateDicomFlags"]
_LOADING = MEMBERS["LoadDicomInstanceMode"]


class DicomFunctions:
    """DICOM files in memory and in the store."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    # From the store

    @takes("s")
    def GetDicomForInstance(self, identifier: str) -> bytes:
        return self._stored(identifier)

    @takes("siii")
    def DicomInstanceToJson(self, identifier: str, form: int, flags: int, longest: int) -> str:
        return self._json(self._stored(identifier), form, flags, longest)

    @takes("si")
    def LoadDicomInstance(self, identifier: str, mode: int) -> DicomInstance:
        with objects_only():
            return self._loaded(identifier, mode)

    def _loaded(self, identifier: str, mode: int) -> DicomInstance:
        if mode not in _LOADING.values():
            raise failure(INTERNAL_ERROR)
        facts = Facts(origin="Plugins")
        if mode == _LOADING["WHOLE_DICOM"]:
            return DicomInstance(self._around, self._stored(identifier), facts)
        instance = self._instance(identifier)
        data, has_pixels = self._around.services.contents.head_now(instance)
        if has_pixels and mode == _LOADING["EMPTY_PIXEL_DATA"]:
            data += _empty_pixels(self._stored(identifier), len(data))
        return DicomInstance(self._around, data, facts)

    def _instance(self, identifier: str) -> Resource:
        services = self._around.services
        public = from_text(identifier)
        if public is None:
            raise UnknownResource
        return services.resources.require(SERVER, Level.INSTANCE, public)

    def _stored(self, identifier: str) -> bytes:
        instance = self._instance(identifier)
        return self._around.services.contents.content_now(dicom_attachment(instance))

    # In memory

    @takes("biii")
    def DicomBufferToJson(self, data: bytes, form: int, flags: int, longest: int) -> str:
        return self._json(data, form, flags, longest)

    def _json(self, data: bytes, form: int, flags: int, longest: int) -> str:
        services = self._around.early_services
        encoding = services.default_character_set()
        with objects_only():
            return data_set_json(data, services.dictionary, encoding, form, flags, longest)

    @takes("b")
    def CreateDicomInstance(self, data: bytes) -> DicomInstance:
        return DicomInstance(self._around, data, Facts(origin="Plugins"))

    @takes("bs")
    def TranscodeDicomInstance(self, data: bytes, syntax: str) -> DicomInstance:
        dictionary = self._around.early_services.dictionary
        quality = self._around.settings.dicom_lossy_transcoding_quality
        with objects_only():
            made = transcode(data, syntax, quality, dictionary)
        return DicomInstance(self._around, made.data, Facts(origin="Plugins"))

    @takes("soi")
    def CreateDicom(self, text: str, image: Any, flags: int) -> bytes:
        return self._create(text, image, flags, "")

    @takes("sois")
    def CreateDicom2(self, text: str, image: Any, flags: int, creator: str) -> bytes:
        return self._create(text, image, flags, creator)

    def _create(self, text: str, image: Any, flags: int, creator: str) -> bytes:
        if image is not None and not isinstance(image, Image):
            raise TypeError("Invalid orthanc.OrthancPluginImage object")
        try:
            tags = parse(text)
        except ValueError as error:
            raise failure(_BAD_JSON) from error
        if not isinstance(tags, dict):
            raise failure(_BAD_TYPE)
        services = self._around.early_services
        wanted = Wanted(
            tags=tags,
            term=_term(tags),
            force=True,
            literal=not flags & _CREATE["DECODE_DATA_URI_SCHEME"],
            private_creator=creator or self._around.settings.default_private_creator,
        )
        return scripted_file(
            wanted,
            [] if image is None else image_elements(image.pixels),
            bool(flags & _CREATE["GENERATE_IDENTIFIERS"]),
            services.dictionary,
            services.default_character_set(),
        )

    @takes("b")
    def CreateFindMatcher(self, query: bytes) -> FindMatcher:
        services = self._around.early_services
        return FindMatcher(query, services.dictionary, services.default_character_set())


def _empty_pixels(content: bytes, offset: int) -> bytes:
    """The header of the pixel data that begins there, with no bytes behind it."""
    file = open_dicom(content)
    tag_and_vr = content[offset : offset + (8 if file.explicit else 4)]
    return tag_and_vr + bytes(4)


def _term(tags: dict[str, Any]) -> str | None:
    return head({"Tags": tags})[0]
