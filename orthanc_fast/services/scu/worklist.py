"""Worklists of modalities. Source: reference chapter 4, section 5.7; DICOM PS3.4 annex K."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.dicom.text import known_term
from orthanc_fast.errors import BadRequest
from orthanc_fast.model import Caller
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.scp.sop_classes import WORKLIST_FIND
from orthanc_fast.services.scu.answers import AnswerReader
from orthanc_fast.services.scu.associating import Associations
from orthanc_fast.services.scu.find import AT_ONCE, FindScu
from orthanc_fast.services.scu.identifiers import Identifier
from orthanc_fast.services.scu.normalisation import SPECIFIC_CHARACTER_SET


class Worklists:
    """Asks modalities for their worklists."""

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
        self,
        caller: Caller,
        modality: str,
        query: Mapping[int, Any],
        form: Format,
        timeout: int | None,
        stop: threading.Event,
    ) -> list[msgspec.Raw]:
        """The items that match a query, as JSON. The values of the query are as JSON has them, too:
        a list of objects for a sequence. Blocks; raises InexistentItem for an unknown modality,
        BadRequest for an unknown character set, and as `FindScu.open` and `Identifier`."""
        entry = self._modalities.get(caller, modality)
        target = self._associations.target(entry, local_aet=self._associations.aet, timeout=timeout)
        identifier = Identifier(_with_known_term(query), self._dictionary, self._character_set())
        with self._find.open(target, (WORKLIST_FIND,), stop, AT_ONCE) as association:
            answers = association.answers(WORKLIST_FIND, identifier.encoded)
            items = (self._read.worklist_item(answer, form) for answer in answers)
            return [msgspec.Raw(msgspec.json.encode(item)) for item in items]


def _with_known_term(query: Mapping[int, Any]) -> Mapping[int, Any]:
    term = query.get(SPECIFIC_CHARACTER_SET)
    if not term:
        return query
    known = known_term(term) if isinstance(term, str) else None
    if known is None:
        raise BadRequest(f'Unknown encoding while creating DICOM from JSON: "{term}"')
    return {**query, SPECIFIC_CHARACTER_SET: known}
