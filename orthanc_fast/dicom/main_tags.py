"""The main DICOM tags of each level: what the index stores of a file. Source: reference chapter
1, section 5."""

from array import array
from collections.abc import Mapping
from types import MappingProxyType

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Level

DEFAULTS: Mapping[Level, tuple[int, ...]] = MappingProxyType(
    {
        Level.PATIENT: (0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x00101000),
        Level.STUDY: (
            0x00080020,
            0x00080030,
            0x00080050,
            0x00080080,
            0x00080090,
            0x00080201,
            0x00081030,
            0x0020000D,
            0x00200010,
            0x00321032,
            0x00321060,
        ),
        Level.SERIES: (
            0x00080021,
            0x00080031,
            0x00080060,
            0x00080070,
            0x00080201,
            0x00081010,
            0x0008103E,
            0x00081070,
            0x00180010,
            0x00180015,
            0x00180024,
            0x00181030,
            0x00181090,
            0x00181400,
            0x0020000E,
            0x00200011,
            0x00200037,
            0x00200105,
            0x00201002,
            0x00400244,
            0x00400245,
            0x00400254,
            0x00400275,
            0x00540081,
            0x00540101,
            0x00541000,
        ),
        Level.INSTANCE: (
            0x00080012,
            0x00080013,
            0x00080018,
            0x00200012,
            0x00200013,
            0x00200032,
            0x00200037,
            0x00200100,
            0x00204000,
            0x00280008,
            0x00541330,
        ),
    }
)

MODALITIES_IN_STUDY = 0x00080061
SOP_CLASSES_IN_STUDY = 0x00080062
INSTANCE_AVAILABILITY = 0x00080056

# Tags that no file holds: the one level that has them.
COMPUTED: Mapping[int, Level] = MappingProxyType(
    {
        0x00201200: Level.PATIENT,
        0x00201202: Level.PATIENT,
        0x00201204: Level.PATIENT,
        0x00201206: Level.STUDY,
        0x00201208: Level.STUDY,
        0x00201209: Level.SERIES,
        MODALITIES_IN_STUDY: Level.STUDY,
        SOP_CLASSES_IN_STUDY: Level.STUDY,
        INSTANCE_AVAILABILITY: Level.INSTANCE,
    }
)

# What servers say of themselves, and no file of an object.
OF_SERVERS: frozenset[int] = frozenset({0x00080054, 0x00081190})  # RetrieveAETitle, RetrieveURL

# What `PixelLayout` and the metadata need besides the main tags.
ATTRIBUTES = (
    0x00080005,  # SpecificCharacterSet
    0x00080016,  # SOPClassUID
    0x00280002,  # SamplesPerPixel
    0x00280004,  # PhotometricInterpretation
    0x00280006,  # PlanarConfiguration
    0x00280010,  # Rows
    0x00280011,  # Columns
    0x00280100,  # BitsAllocated
    0x00280101,  # BitsStored
    0x00280102,  # HighBit
    0x00280103,  # PixelRepresentation
    0x00281050,  # WindowCenter
    0x00281051,  # WindowWidth
    0x00281052,  # RescaleIntercept
    0x00281053,  # RescaleSlope
)

# Below Orthanc's names of levels, as ExtraMainDicomTags spells them.
LEVEL_NAMES = {
    "patient": Level.PATIENT,
    "patients": Level.PATIENT,
    "study": Level.STUDY,
    "studies": Level.STUDY,
    "series": Level.SERIES,
    "instance": Level.INSTANCE,
    "instances": Level.INSTANCE,
    "image": Level.INSTANCE,
    "images": Level.INSTANCE,
}


def level_named(text: str) -> Level:
    """The level of a name, whatever its case. Raises ParameterOutOfRange."""
    found = LEVEL_NAMES.get(text.lower())
    if found is None:
        raise ParameterOutOfRange(f"Unknown level of the DICOM hierarchy: {text!r}")
    return found


class MainTags:
    """The main tags in force: the default lists and what ExtraMainDicomTags adds to them.

    `levels` maps each level to its tags; `ignored` are the extra ones that are main tags already
    or computed; `signatures` are the four texts that resources remember; `table` is what the
    scanner searches: (tag, VR) pairs of native 32-bit numbers; `implicit` in the same form what it
    must know of implicit VR.
    """

    def __init__(
        self, dictionary: Dictionary, extra: Mapping[str, list[str]] | None = None
    ) -> None:
        levels = {level: list(tags) for level, tags in DEFAULTS.items()}
        self.ignored: list[str] = []
        for name, texts in (extra or {}).items():
            level = level_named(name)
            known = levels[level]
            for text in texts:
                tag = dictionary.parse(text)
                of_patient = level == Level.STUDY and tag in DEFAULTS[Level.PATIENT]
                if tag in known or tag in COMPUTED or of_patient:
                    self.ignored.append(f"{name}: {text}")
                else:
                    known.append(tag)
        self.levels = {level: frozenset(tags) for level, tags in levels.items()}
        self.signatures: tuple[str, str, str, str] = (
            _signature(levels[Level.PATIENT]),
            _signature(levels[Level.STUDY]),
            _signature(levels[Level.SERIES]),
            _signature(levels[Level.INSTANCE]),
        )
        self.ordered = (
            tuple(sorted(levels[Level.PATIENT])),
            tuple(sorted(levels[Level.STUDY])),
            tuple(sorted(levels[Level.SERIES])),
            tuple(sorted(levels[Level.INSTANCE])),
        )
        self.table = _table(dictionary, {tag for tags in levels.values() for tag in tags})
        self.implicit = _implicit(dictionary)


def _signature(tags: list[int]) -> str:
    return ";".join(sorted(tag_text(tag) for tag in tags))


def _implicit(dictionary: Dictionary) -> bytes:
    """The tags whose VR decides whether a file in implicit VR can be read."""
    rows = array("I")
    for tag, (_, vr) in sorted(dictionary.standard.items()):
        if vr in (b"SQ", b"AT", b"OF", b"OD", b"OL", b"OV"):
            rows.extend((tag, vr[0] << 8 | vr[1]))
    return rows.tobytes()


def _table(dictionary: Dictionary, tags: set[int]) -> bytes:
    """An attribute whose VR implicit VR does not tell has 0 for it."""
    rows = array("I")
    for tag in sorted(tags | set(ATTRIBUTES)):
        entry = dictionary.standard.get(tag)
        vr = dictionary.vr(tag)
        is_clear = entry is None or len(entry[1]) == len(vr)
        rows.extend((tag, ord(vr[0]) << 8 | ord(vr[1]) if is_clear else 0))
    return rows.tobytes()
