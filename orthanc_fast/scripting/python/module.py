"""The module `orthanc`, as a script imports it. Source: reference chapter 7, sections 3 and 4."""

import sys
from types import ModuleType
from typing import Any

from orthanc_fast.scripting.python.arguments import offered
from orthanc_fast.scripting.python.dicom_functions import DicomFunctions
from orthanc_fast.scripting.python.dicom_objects import (
    DicomConnection,
    FindAnswers,
    FindQuery,
    WorklistAnswers,
    WorklistQuery,
)
from orthanc_fast.scripting.python.dictionary_functions import Defined, DictionaryFunctions
from orthanc_fast.scripting.python.enumerations import enumerations
from orthanc_fast.scripting.python.exceptions import OrthancException
from orthanc_fast.scripting.python.find_matcher import FindMatcher
from orthanc_fast.scripting.python.image_functions import ImageFunctions
from orthanc_fast.scripting.python.images import Image
from orthanc_fast.scripting.python.instances import DicomInstance
from orthanc_fast.scripting.python.key_value_functions import (
    KeysValuesIterator,
    KeyValueFunctions,
)
from orthanc_fast.scripting.python.log_functions import LogFunctions
from orthanc_fast.scripting.python.other_functions import Description, OtherFunctions
from orthanc_fast.scripting.python.output import RestOutput
from orthanc_fast.scripting.python.registry import Registry
from orthanc_fast.scripting.python.rest_functions import HttpClientFunctions, RestFunctions
from orthanc_fast.scripting.python.server_functions import (
    ConfigurationFunctions,
    FileFunctions,
    IndexFunctions,
    Peers,
)
from orthanc_fast.scripting.python.surroundings import Surroundings

NAME = "orthanc"

_CLASSES = (
    DicomConnection,
    DicomInstance,
    FindAnswers,
    FindMatcher,
    FindQuery,
    Image,
    KeysValuesIterator,
    Peers,
    RestOutput,
    WorklistAnswers,
    WorklistQuery,
)
# They exist, and no script ever meets one.
_NAMES_ONLY = {
    "DicomWebNode": (),
    "Job": ("SubmitJob",),
    "ServerChunkedRequestReader": (),
    "StorageArea": ("Create", "Read", "ReconstructMainDicomTags", "Remove"),
    "WebDavCollection": (),
}


def build(
    around: Surroundings, registry: Registry, described: Description, defined: Defined
) -> ModuleType:
    """The module; it is in `sys.modules` then."""
    module = ModuleType(NAME, "The Python API of Orthanc's plugin 7.1, as orthanc_fast offers it")
    groups = (
        registry,
        ConfigurationFunctions(around),
        DicomFunctions(around),
        DictionaryFunctions(around, defined),
        FileFunctions(),
        HttpClientFunctions(around),
        ImageFunctions(),
        IndexFunctions(around),
        KeyValueFunctions(around),
        LogFunctions(),
        OtherFunctions(around, described),
        RestFunctions(around),
    )
    members = vars(module)
    for group in groups:
        members.update(offered(group))
    members.update(enumerations())
    for kind in _CLASSES:
        members[kind.__name__] = _Closed(kind.__name__, (kind,), {"__module__": NAME})
    for name, methods in _NAMES_ONLY.items():
        shown = dict.fromkeys(methods, _refuse)
        members[name] = _Closed(name, (), {"__module__": NAME, **shown})
    members["OrthancException"] = OrthancException
    sys.modules[NAME] = module
    return module


def _refuse(*given: object, **named: object) -> None:
    raise ValueError("Expected a pair (pointer, borrowed) in the constructor")


class _Closed(type):
    """Of the classes that scripts see and cannot make objects of; those that they are given are of
    the class below."""

    def __call__(cls, *given: object, **named: object) -> Any:
        _refuse()

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__bases__[0]) and cls.__bases__[0] is not object
