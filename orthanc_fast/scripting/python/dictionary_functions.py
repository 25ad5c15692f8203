"""The functions about the dictionary of tags. Source: reference chapter 7, section 3."""

from collections.abc import Callable

from orthanc_fast.dicom.dictionary import Definition, generic_name
from orthanc_fast.errors import UnknownDicomTag
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import PARAMETER_OUT_OF_RANGE, failure
from orthanc_fast.scripting.python.surroundings import Surroundings

_REPRESENTATIONS = MEMBERS["ValueRepresentation"]
_NAMES = {number: name for name, number in _REPRESENTATIONS.items()}


class Defined:
    """The tags that a script has made known; `changed` is told of each."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.value: tuple[Definition, ...] = ()
        self._changed = changed

    def add(self, definition: Definition) -> None:
        self.value = (*self.value, definition)
        self._changed()


class DictionaryFunctions:
    """What is known of tags, and to all processes of the server what a script says of them."""

    def __init__(self, around: Surroundings, defined: Defined) -> None:
        self._around = around
        self._defined = defined

    @takes("s")
    def LookupDictionary(self, name: str) -> dict[str, int]:
        dictionary = self._around.early_services.dictionary
        try:
            tag = dictionary.parse(name)
        except UnknownDicomTag:
            tag = -1
        if dictionary.entry(tag) is None or tag >> 16 & 1:  # none that is private, as with Orthanc
            raise TypeError(f"Unknown DICOM tag: {name}")
        low, high = dictionary.multiplicity(tag)
        return {
            "Group": tag >> 16,
            "Element": tag & 0xFFFF,
            "ValueRepresentation": _REPRESENTATIONS.get(dictionary.vr(tag), _REPRESENTATIONS["UN"]),
            "MinMultiplicity": low,
            "MaxMultiplicity": high,
        }

    @takes("iis")
    def GetTagName(self, group: int, element: int, creator: str) -> str:
        dictionary = self._around.early_services.dictionary
        tag = group << 16 | element
        entry = dictionary.entry(tag, creator.encode() or None)
        return generic_name(tag) if entry is None else entry[0].decode()

    @takes("iiisii")
    def RegisterDictionaryTag(
        self, group: int, element: int, vr: int, name: str, low: int, high: int
    ) -> None:
        self._register(group, element, vr, name, low, high, "")

    @takes("iiisiis")
    def RegisterPrivateDictionaryTag(
        self, group: int, element: int, vr: int, name: str, low: int, high: int, creator: str
    ) -> None:
        self._register(group, element, vr, name, low, high, creator)

    def _register(
        self, group: int, element: int, vr: int, name: str, low: int, high: int, creator: str
    ) -> None:
        if vr not in _NAMES:
            raise failure(PARAMETER_OUT_OF_RANGE)
        definition = Definition(
            group & 0xFFFF, element & 0xFFFF, _NAMES[vr], name, low, max(high, 0), creator
        )
        self._around.early_services.dictionary.register(definition)
        self._defined.add(definition)
