"""What identifies people and sites, study by study: found in all data sets of a study, and taken
out of the texts of each."""

from collections.abc import Callable

from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.dicom.text import CharacterSet, character_set_of
from orthanc_fast.dicom.walk import first_value, root_value
from orthanc_fast.services.modification.cleaning import Cleaner, too_short
from orthanc_fast.services.modification.identifying import Category, Collector, Values
from orthanc_fast.services.modification.request import STUDY_UID

_CHARACTER_SET = 0x00080005


class Studies:
    """Those of one request; used by one thread."""

    def __init__(self, collector: Collector, default_character_set: Callable[[], str]) -> None:
        self._collector = collector
        self._default_character_set = default_character_set
        self._values: dict[bytes, Values] = {}
        self._cleaners: dict[bytes, Cleaner] = {}

    def add(self, source: DicomFile) -> None:
        """One more data set. Raises BadFileFormat."""
        study = _study(source)
        found = self._collector.values(source, self.character_set(source))
        known = self._values.setdefault(study, set())
        if not found <= known:
            known |= found
            self._cleaners.pop(study, None)

    def cleaner(self, source: DicomFile) -> Cleaner:
        """For the data sets of the same study: with what has been added, at least what is in this
        one."""
        study = _study(source)
        if study not in self._values:
            self.add(source)
        if study not in self._cleaners:
            self._cleaners[study] = Cleaner(self._values[study])
        return self._cleaners[study]

    def has_short_values(self, source: DicomFile) -> bool:
        """Whether something identifies that is too short to be looked for: of identifiers one
        character (a StudyID of 1) does not."""
        return any(
            too_short(category, value) and (category is Category.NAME or len(value) > 1)
            for category, value in self._values.get(_study(source), ())
        )

    def character_set(self, source: DicomFile) -> CharacterSet:
        return character_set_of(first_value(source, _CHARACTER_SET), self._default_character_set())


def _study(source: DicomFile) -> bytes:
    return (root_value(source, STUDY_UID) or b"").strip(b" \0")
