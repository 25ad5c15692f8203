"""What a query becomes before it is sent: the tags of its level, the workarounds for
manufacturers, and the keys that every query has. Source: reference chapter 4, section 5.6."""

from collections.abc import Mapping
from typing import Final

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Level

SPECIFIC_CHARACTER_SET: Final = 0x00080005
QUERY_RETRIEVE_LEVEL: Final = 0x00080052
ACCESSION_NUMBER: Final = 0x00080050
SOP_INSTANCE_UID: Final = 0x00080018
PATIENT_ID: Final = 0x00100020
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E

LEVELS: Final = {
    Level.PATIENT: "PATIENT",
    Level.STUDY: "STUDY",
    Level.SERIES: "SERIES",
    Level.INSTANCE: "IMAGE",
}
"""The values of QueryRetrieveLevel. Source: PS3.4 C.6."""


def _tags(groups: Mapping[int, tuple[int, ...]]) -> frozenset[int]:
    return frozenset(group << 16 | element for group in groups for element in groups[group])


# What may be asked at a level and below it: attributes of its modules in PS3.3.
_MODULES: Final = {
    Level.PATIENT: _tags(
        {
            0x0008: (0x1120,),
            0x0010: (
                *(0x0010, 0x0020, 0x0021, 0x0024, 0x0030, 0x0032, 0x0040, 0x1000, 0x1001, 0x1002),
                *(0x2160, 0x2201, 0x2202, 0x2292, 0x2293, 0x2294, 0x2297, 0x2298, 0x2299, 0x4000),
            ),
            0x0012: (0x0062, 0x0063, 0x0064),
        }
    ),
    Level.STUDY: _tags(
        {
            0x0008: (
                *(0x0020, 0x0030, 0x0050, 0x0051, 0x0090, 0x0096, 0x1030, 0x1032, 0x1048, 0x1049),
                *(0x1060, 0x1062, 0x1110),
            ),
            0x0020: (0x000D, 0x0010),
            0x0032: (0x1034,),
            0x0040: (0x1012,),
        }
    ),
    Level.SERIES: _tags(
        {
            0x0008: (
                *(0x0021, 0x0031, 0x0060, 0x1050, 0x1052, 0x103E, 0x103F, 0x1070, 0x1072, 0x1111),
                0x1250,
            ),
            0x0010: (0x2210,),
            0x0018: (0x0015, 0x1030, 0x5100),
            0x0020: (0x000E, 0x0011, 0x0060),
            0x0028: (0x0108,),
            0x0029: (0x0109,),
            0x0040: (0x0244, 0x0245, 0x0253, 0x0254, 0x0260, 0x0275, 0x0280),
        }
    ),
    Level.INSTANCE: _tags(
        {
            0x0008: (
                *(0x0005, 0x0012, 0x0013, 0x0014, 0x0016, 0x0018, 0x001A, 0x001B, 0x0110, 0x0201),
            ),
            0x0018: (0xA001,),
            0x0020: (0x0013,),
            0x0028: (0x0303,),
            0x0040: (0xA390,),
            0x0100: (0x0410, 0x0420, 0x0424, 0x0426),
            0x0400: (0x0500, 0x0561),
            0x4FFE: (0x0001,),
            0xFFFA: (0xFFFA,),
        }
    ),
}
# What the answering side computes, at its own level only.
_COMPUTED: Final = {
    Level.PATIENT: _tags({0x0020: (0x1200, 0x1202, 0x1204)}),
    Level.STUDY: _tags({0x0008: (0x0061, 0x0062), 0x0020: (0x1206, 0x1208)}),
    Level.SERIES: _tags({0x0020: (0x1209,)}),
    Level.INSTANCE: frozenset[int](),
}
ALLOWED: Final = {
    level: frozenset({SPECIFIC_CHARACTER_SET}).union(
        _COMPUTED[level], *(_MODULES[above] for above in Level if above <= level)
    )
    for level in Level
}
"""The tags of each level and of those above it."""

_KEYS: Final = {
    Level.PATIENT: (PATIENT_ID,),
    Level.STUDY: (ACCESSION_NUMBER, STUDY_UID),
    Level.SERIES: (SERIES_UID,),
    Level.INSTANCE: (SOP_INSTANCE_UID,),
}

# Of whom `*` matches nothing: there an empty value stands for everything.
_NO_WILDCARD_IN_DATES: Final = "GenericNoWildcardInDates"
_NO_UNIVERSAL_WILDCARD: Final = "GenericNoUniversalWildcard"
_GE: Final = "GE"  # to whom an empty value means nothing, so that it wants a `*`


def normalised(
    query: Mapping[int, str],
    level: Level,
    manufacturer: str,
    dictionary: Dictionary,
) -> dict[int, str]:
    """The tags that may be asked at a level, with values that the manufacturer's servers
    understand. The log hears of those that are dropped."""
    kept = {}
    for tag, value in query.items():
        if tag not in ALLOWED[level]:
            logger.warning(
                Category.DICOM,
                "This tag is not asked for, as it does not belong to the level of the query: "
                f"{tag_text(tag)} {dictionary.name(tag)}",
            )
            continue
        is_universal = value == "*" and (
            manufacturer == _NO_UNIVERSAL_WILDCARD
            or (manufacturer == _NO_WILDCARD_IN_DATES and dictionary.vr(tag) == "DA")
        )
        kept[tag] = "" if is_universal else value
    return kept


def with_keys(query: Mapping[int, str], level: Level, manufacturer: str) -> dict[int, str]:
    """The query with the keys of its level and of those above it, asked for where they are
    missing, and with the level itself."""
    anything = "*" if manufacturer == _GE else ""
    keys = (key for above in Level if above <= level for key in _KEYS[above])
    return {
        **dict.fromkeys(keys, anything),
        **query,
        QUERY_RETRIEVE_LEVEL: LEVELS[level],
    }
