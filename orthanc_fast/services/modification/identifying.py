"""What identifies the patient, the staff and the site of a study, collected from its data sets.

Source: DICOM PS3.15 section E.3.5 (Clean Descriptors Option).
"""

from collections.abc import Collection
from enum import IntEnum
from typing import Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.edits import Action, Rule, Tables, edited
from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.dicom.text import CharacterSet, decode


class Category(IntEnum):
    """Of a value: how it is looked for."""

    NAME = 0
    IDENTIFIER = 1
    PHRASE = 2
    BIRTH_DATE = 3


# Besides all attributes that are names of persons.
_IDENTIFIERS: Final = (
    *(0x00080050, 0x00100020, 0x00101000, 0x00101050, 0x00101090, 0x00080094, 0x00102154),
    *(0x00181000, 0x00081010, 0x00200010, 0x00380010, 0x00380060, 0x00400009, 0x00400253),
    *(0x00401001, 0x00401103, 0x00402010, 0x00402016, 0x00402017, 0x0040050A, 0x00400551),
    *(0x00400512, 0x00120040, 0x00120042, 0x00102155, 0x00401104),
)
_PHRASES: Final = (
    *(0x00080080, 0x00080081, 0x00080092, 0x00081040, 0x00100021, 0x00101040, 0x00102299),
    *(0x00120031, 0x00120060, 0x00321033, 0x00380300, 0x00380400, 0x00400243, 0x00401102),
    *(0x0040A027, 0x00404036),
)
_BIRTH_DATES: Final = (0x00100030,)

Values = set[tuple[Category, str]]


class Collector:
    """Looks for identifying values. What lies in `retained` stays where it is, and is looked for
    nowhere else."""

    def __init__(
        self, tables: Tables, dictionary: Dictionary, retained: Collection[int] = ()
    ) -> None:
        names = (tag for tag, entry in dictionary.standard.items() if entry[1] == b"PN")
        found: dict[int, Rule] = {}
        for category, tags in (
            (Category.NAME, names),
            (Category.IDENTIFIER, _IDENTIFIERS),
            (Category.PHRASE, _PHRASES),
            (Category.BIRTH_DATE, _BIRTH_DATES),
        ):
            for tag in tags:
                if tag not in retained:
                    found[tag] = (Action.MAP, int(category))
        self._rules = tables.rules(found, found)

    def values(self, file: DicomFile, character_set: CharacterSet) -> Values:
        """Those of one file. Raises BadFileFormat for what is no data set."""
        found: Values = set()

        def take(category: int, raw: bytes) -> bytes:
            text = decode(raw, character_set, "PN" if category == Category.NAME else "LO")
            for value in text.split("\\"):
                if value.strip(" \0"):
                    found.add((Category(category), value.strip(" \0")))
            return raw

        edited(file, (self._rules,), [], take)
        return found
