"""Queries of this server's users: a C-FIND whose answers are kept. Source: reference chapter 4,
section 5.6."""

import threading
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from orthanc_fast.dicom.dictionary import tag_text
from orthanc_fast.dicom.text import known_term
from orthanc_fast.errors import InexistentTag, ParameterOutOfRange, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.scu.find import CLASSES, EVERY_CLASS, FindScu, opened
from orthanc_fast.services.scu.identifiers import Identifier
from orthanc_fast.services.scu.normalisation import (
    LEVELS,
    PATIENT_ID,
    SERIES_UID,
    SPECIFIC_CHARACTER_SET,
    STUDY_UID,
    normalised,
    with_keys,
)
from orthanc_fast.services.scu.queries import Answer, Done, Queries, Query

# What the answer of a level says about those below it.
_PARENT_KEYS: Final = {
    Level.PATIENT: (PATIENT_ID,),
    Level.STUDY: (STUDY_UID,),
    Level.SERIES: (STUDY_UID, SERIES_UID),
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for; `local_aet` and `timeout` (in seconds) are None where it leaves them
    open."""

    tags: Mapping[int, str]
    normalize: bool = True
    local_aet: str | None = None
    timeout: int | None = None


Changed = Callable[[Mapping[int, str], str], Mapping[int, str]]


class Querying:
    """Asks modalities. `query` and `query_below` block: see `find.opened`, whose errors they
    raise beside their own."""

    def __init__(self, find: FindScu, queries: Queries, changed: Changed | None = None) -> None:
        """What `changed` makes of the tags of a query, and the title of the modality, is asked in
        their place."""
        self._find = find
        self._queries = queries
        self._changed = changed

    def query(
        self, caller: Caller, modality: str, level: Level, wanted: Wanted, stop: threading.Event
    ) -> Done:
        """Asks a modality and keeps its answers. Raises InexistentItem for an unknown one,
        ParameterOutOfRange for a character set that there is not."""
        query = Query(
            modality=modality,
            level=level,
            tags=dict(wanted.tags),
            normalize=wanted.normalize,
            timeout=wanted.timeout,
        )
        return self._kept(caller, query, wanted.local_aet, stop)

    def query_below(
        self,
        caller: Caller,
        parent: Done,
        answer: Answer,
        level: Level,
        wanted: Wanted,
        stop: threading.Event,
    ) -> Done:
        """Asks for what is below an answer, in the way of the query that has brought it: of the
        client's wishes only tags and timeout count. Raises as `query`, and InexistentTag where the
        answer lacks what identifies it."""
        query = Query(
            modality=parent.query.modality,
            level=level,
            tags={**wanted.tags, **_identifying(answer, parent.query.level)},
            normalize=parent.query.normalize,
            timeout=parent.query.timeout if wanted.timeout is None else wanted.timeout,
        )
        return self._kept(caller, query, None, stop)

    def _kept(
        self, caller: Caller, query: Query, local_aet: str | None, stop: threading.Event
    ) -> Done:
        modality = self._find.modalities.get(caller, query.modality)
        associations = self._find.associations
        target = associations.target(modality, local_aet=local_aet, timeout=query.timeout)
        if self._changed is not None:
            tags = self._changed(query.tags, modality.aet)
            query = msgspec.structs.replace(query, tags=dict(tags))
        identifier = self._identifier(query, modality.manufacturer)
        with opened(associations, target, EVERY_CLASS, stop) as association:
            identifiers = association.answers(CLASSES[query.level], identifier.encoded)
            level = LEVELS[query.level]
            answers = (self._find.read.summary(each, level) for each in identifiers)
            return self._queries.add(caller, query, answers)

    def _identifier(self, query: Query, manufacturer: str) -> Identifier:
        tags: Mapping[int, str] = query.tags
        if query.normalize:
            tags = normalised(tags, query.level, manufacturer, self._find.dictionary)
        asked = with_keys(tags, query.level, manufacturer)
        asked[SPECIFIC_CHARACTER_SET] = _known_term(tags.get(SPECIFIC_CHARACTER_SET, ""))
        return Identifier(asked, self._find.dictionary, self._find.character_set())


def check_below(parent: Done, level: Level) -> None:
    """Whether a level is below that of a query. Raises UnknownResource."""
    if level <= parent.query.level:
        raise UnknownResource()


def _known_term(text: str) -> str:
    found = known_term(text) if text else ""
    if found is None:
        raise ParameterOutOfRange(
            f'Unsupported value for the SpecificCharacterSet (0008,0005) tag: "{text}"'
        )
    return found


def _identifying(answer: Answer, level: Level) -> dict[int, str]:
    found = {}
    for key in _PARENT_KEYS[level]:
        value = answer.get(key)
        if value is None:
            raise InexistentTag(f"The answer has no value of {tag_text(key)}")
        found[key] = value
    return found
