"""The deprecated queries of Orthanc: the main tags of a level are asked for, and the answers given
at once. Source: reference chapter 4, section 5.7, and what Orthanc 1.13 sends."""

import threading
from collections.abc import Iterator
from typing import Final

import msgspec

from orthanc_fast.dicom.main_tags import DEFAULTS, MODALITIES_IN_STUDY
from orthanc_fast.dicom.tag_json import named_tags
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.scu.find import (
    AT_ONCE,
    CLASSES,
    EVERY_CLASS,
    FindAssociation,
    FindScu,
    opened,
)
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
    and as `find.opened` and `FindAssociation.answers`."""

    def __init__(self, find: FindScu) -> None:
        self._find = find

    def find(
        self, caller: Caller, modality: str, level: Level, query: Texts, stop: threading.Event
    ) -> list[msgspec.Raw]:
        """What matches at one level, as JSON."""
        entry = self._find.modalities.get(caller, modality)
        target = self._find.associations.target(entry, local_aet=self._find.associations.aet)
        with opened(
            self._find.associations, target, (CLASSES[level],), stop, AT_ONCE
        ) as association:
            answers = self._answers(association, entry.manufacturer, level, query)
            return [self._shown(answer) for answer in answers]

    def tree(
        self, caller: Caller, modality: str, query: Texts, stop: threading.Event
    ) -> list[msgspec.Raw]:
        """The patients that match as JSON, with their `Studies`, and these with their `Series`."""
        entry = self._find.modalities.get(caller, modality)
        target = self._find.associations.target(entry, local_aet=self._find.associations.aet)
        with opened(self._find.associations, target, EVERY_CLASS, stop, AT_ONCE) as association:
            return self._below(association, entry.manufacturer, Level.PATIENT, query)

    def _below(
        self, association: FindAssociation, maker: str, level: Level, query: Texts
    ) -> list[msgspec.Raw]:
        # One query after the other: the answers come to their end first.
        answers = list(self._answers(association, maker, level, query))
        if level == Level.SERIES:
            return [self._shown(answer) for answer in answers]
        below = Level(level + 1)
        found = []
        for answer in answers:
            keys = {key: answer.get(key, "") for key in _PARENTS[level]}
            children = self._below(association, maker, below, {**query, **keys})
            found.append(self._shown(answer, **{_NAMES[below]: children}))
        return found

    def _answers(
        self, association: FindAssociation, maker: str, level: Level, query: Texts
    ) -> Iterator[Texts]:
        known = {tag: text for tag, text in query.items() if tag in _KNOWN[level]}
        asked = normalised({**_TEMPLATES[level], **known}, level, maker, self._find.dictionary)
        identifier = Identifier(
            with_keys(asked, level, maker), self._find.dictionary, self._find.character_set()
        )
        for answer in association.answers(CLASSES[level], identifier.encoded):
            summary = self._find.read.summary(answer, LEVELS[level])
            yield {tag: text for tag, text in summary.items() if text is not None}

    def _shown(self, answer: Texts, **children: list[msgspec.Raw]) -> msgspec.Raw:
        shown = named_tags(answer, "simplify", self._find.dictionary)
        return msgspec.Raw(msgspec.json.encode({**shown, **children}))
