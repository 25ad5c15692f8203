"""The deprecated queries of Orthanc: the main tags of a level are asked for, and the answers given
at once. Source: reference chapter 4, section 5.7, and what Orthanc 1.13 sends."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import DEFAULTS, MODALITIES_IN_STUDY
from orthanc_fast.dicom.tag_json import named_tags
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.scu.answers import AnswerReader
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.find import CLASSES, EVERY_CLASS, FindAssociation, FindScu
from orthanc_fast.services.scu.identifiers import Identifier
from orthanc_fast.services.scu.normalisation import (
    ACCESSION_NUMBER,
    ALLOWED,
    LEVELS,
    PATIENT_ID,
    SERIES_UID,
    STUDY_UID,
    normalised,
    with_keys,
)

Texts = dict[int, str]

_KEYS: Final = frozenset({PATIENT_ID, ACCESSION_NUMBER, STUDY_UID, SERIES_UID})
# What may be asked at each level: main tags and keys.
_KNOWN: Final = {
    level: (_KEYS | frozenset((*DEFAULTS[level], MODALITIES_IN_STUDY))) & ALLOWED[level]
    for level in Level
}
# Asked for only where a client does: Orthanc has learnt it later than these queries.
_LATER: Final = frozenset({MODALITIES_IN_STUDY, 0x00400244, 0x00400245, 0x00400275})
_TEMPLATES: Final[dict[Level, Texts]] = {
    level: dict.fromkeys(sorted(_KNOWN[level] - _LATER), "") for level in Level
}
# What an answer says about those below it, and how they are named in it.
_PARENTS: Final = {Level.PATIENT: (PATIENT_ID,), Level.STUDY: (PATIENT_ID, STUDY_UID)}
_NAMES: Final = {Level.STUDY: "Studies", Level.SERIES: "Series"}


class TemplateFind:
    """Asks modalities. `find` and `tree` block; they raise InexistentItem for an unknown modality,
    and as `FindScu.open` and `FindAssociation.answers`."""

    def __init__(
        self,
        associations: Associations,
        modalities: ModalityRegistry,
        dictionary: Dictionary,
        character_set: Callable[[], str],
    ) -> None:
        self._associations = associations
        self._find = FindScu(associations)
        self._modalities = modalities
        self._dictionary = dictionary
        self._character_set = character_set
        self._read = AnswerReader(dictionary, character_set)

    def find(
        self, caller: Caller, modality: str, level: Level, query: Texts, stop: threading.Event
    ) -> list[dict[str, Any]]:
        """What matches at one level, simplified."""
        entry = self._modalities.get(caller, modality)
        target = self._associations.target(entry, local_aet=self._associations.aet)
        with self._find.open(target, (CLASSES[level],), stop) as association:
            found = self._level(association, entry.manufacturer, level, query)
        return [self._simplified(answer) for answer in found]

    def tree(
        self, caller: Caller, modality: str, query: Texts, stop: threading.Event
    ) -> list[dict[str, Any]]:
        """The patients that match, with their `Studies`, and these with their `Series`."""
        entry = self._modalities.get(caller, modality)
        target = self._associations.target(entry, local_aet=self._associations.aet)
        with self._find.open(target, EVERY_CLASS, stop) as association:
            return self._below(association, entry.manufacturer, Level.PATIENT, query)

    def _below(
        self, association: FindAssociation, maker: str, level: Level, query: Texts
    ) -> list[dict[str, Any]]:
        found = []
        for answer in self._level(association, maker, level, query):
            shown = self._simplified(answer)
            if level < Level.SERIES:
                below = Level(level + 1)
                keys = {key: answer.get(key, "") for key in _PARENTS[level]}
                shown[_NAMES[below]] = self._below(association, maker, below, {**query, **keys})
            found.append(shown)
        return found

    def _level(
        self, association: FindAssociation, maker: str, level: Level, query: Texts
    ) -> list[Texts]:
        known = {tag: text for tag, text in query.items() if tag in _KNOWN[level]}
        asked = normalised({**_TEMPLATES[level], **known}, level, maker, self._dictionary)
        identifier = Identifier(
            with_keys(asked, level, maker), self._dictionary, self._character_set()
        )
        answers = association.answers(CLASSES[level], identifier.encoded)
        summaries = [self._read.summary(answer, LEVELS[level]) for answer in answers]
        return [
            {tag: text for tag, text in summary.items() if text is not None}
            for summary in summaries
        ]

    def _simplified(self, answer: Mapping[int, str]) -> dict[str, Any]:
        return named_tags(answer, "simplify", self._dictionary)
