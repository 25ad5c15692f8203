"""Worklists of modalities. Source: reference chapter 4, section 5.7; DICOM PS3.4 annex K."""

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from orthanc_fast.dicom.tag_json import Format
from orthanc_fast.dicom.text import known_term
from orthanc_fast.errors import BadRequest
from orthanc_fast.model import Caller
from orthanc_fast.services.scp.sop_classes import WORKLIST_FIND
from orthanc_fast.services.scu.find import AT_ONCE, FindScu, opened
from orthanc_fast.services.scu.identifiers import Identifier
from orthanc_fast.services.scu.normalisation import SPECIFIC_CHARACTER_SET


class Worklists:
    """Asks modalities for their worklists."""

    def __init__(self, find: FindScu) -> None:
        self._find = find

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
        BadRequest for an unknown character set, and as `find.opened` and `Identifier`."""
        entry = self._find.modalities.get(caller, modality)
        associations = self._find.associations
        target = associations.target(entry, local_aet=associations.aet, timeout=timeout)
        identifier = Identifier(
            _with_known_term(query), self._find.dictionary, self._find.character_set()
        )
        with opened(associations, target, (WORKLIST_FIND,), stop, AT_ONCE) as association:
            answers = association.answers(WORKLIST_FIND, identifier.encoded)
            items = (self._find.read.worklist_item(answer, form) for answer in answers)
            return [msgspec.Raw(msgspec.json.encode(item)) for item in items]


def _with_known_term(query: Mapping[int, Any]) -> Mapping[int, Any]:
    term = query.get(SPECIFIC_CHARACTER_SET)
    if not term:
        return query
    known = known_term(term) if isinstance(term, str) else None
    if known is None:
        raise BadRequest(f'Unknown encoding while creating DICOM from JSON: "{term}"')
    return {**query, SPECIFIC_CHARACTER_SET: known}
