"""Queries that scripts change: those of modalities, for worklists, and our own. Source: reference
chapter 4, sections 3.6 and 9.2; chapter 7, section 6.3."""

from collections.abc import Mapping
from typing import Any

from orthanc_fast.dicom.dictionary import Dictionary, tag_text
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.find.facts import FileElement
from orthanc_fast.services.query_retrieve.identifier import Identifier
from orthanc_fast.services.scripts.calls import Calls
from orthanc_fast.services.scripts.faults import ScriptFault
from orthanc_fast.services.scripts.questions import (
    Callback,
    FindRequest,
    OutgoingFind,
    origin_of,
)
from orthanc_fast.services.worklists.finds import Asked
from orthanc_fast.services.worklists.query import Keys, keys_of

BAD_OUTPUT = 2033


class QueryFilters:
    """Asks the scripts of the server. What they raise, or NoAnswer, ends the query, unless
    `OnFailure` accepts it as it is."""

    def __init__(self, calls: Calls, dictionary: Dictionary) -> None:
        self._calls = calls
        self._dictionary = dictionary

    def find(self, caller: Caller, asked: Identifier) -> Identifier:
        """What a modality is understood to search for, the level and the wanted tags included."""
        if not self._calls.who(Callback.FIND_FILTER):
            return asked
        # As Orthanc, without sequences that ask for all they have: they are not answered then.
        keys = {tag: value for tag, value in keys_of(asked.elements).items() if value != []}
        changed = self._changed(Callback.FIND_FILTER, caller, keys)
        if changed is keys:
            return asked
        return Identifier({tag: self._element(tag, value) for tag, value in changed.items()})

    def worklist(self, asked: Asked) -> Keys:
        """The same of a query for worklists."""
        return self._changed(Callback.WORKLIST_FILTER, asked.caller, asked.keys)

    def outgoing(self, tags: Mapping[int, str], remote_aet: str) -> Mapping[int, str]:
        """What a modality is asked."""
        callback = Callback.OUTGOING_FIND_FILTER
        found = tags
        for language in self._calls.who(callback):
            question = OutgoingFind(_texts({**found}), remote_aet)
            try:
                changed = self._calls.ask(language, callback, question, dict[str, Any])
            except OrthancError as error:
                self._pass_over(callback, error)
                continue
            found = {tag: str(value) for tag, value in self._keys(changed).items()}
        return found

    def _changed(self, callback: Callback, caller: Caller, keys: Keys) -> Keys:
        for language in self._calls.who(callback):
            question = FindRequest(_texts(keys), origin_of(caller))
            try:
                changed = self._calls.ask(language, callback, question, dict[str, Any])
            except OrthancError as error:
                self._pass_over(callback, error)
                continue
            keys = self._keys(changed)
        return keys

    def _pass_over(self, callback: Callback, error: OrthancError) -> None:
        if not self._calls.accepts(error):
            raise error
        logger.error(Category.DICOM, f"{callback.value}: {error}")

    def _keys(self, query: Mapping[str, Any]) -> Keys:
        """Tags by number or by name. Raises UnknownDicomTag, or ScriptFault for a value that is
        none."""
        return {self._dictionary.parse(name): self._value(value) for name, value in query.items()}

    def _value(self, value: Any) -> str | list[Keys]:
        if isinstance(value, str):
            return value
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return [self._keys(item) for item in value]
        raise ScriptFault("A tag of a query must be a text or a sequence", code=BAD_OUTPUT)

    def _element(self, tag: int, value: str | list[Keys]) -> FileElement:
        name = self._dictionary.name(tag)
        if isinstance(value, str):
            return FileElement(name, "String", value)
        return FileElement(name, "Sequence", [_full(item, self._element) for item in value])


def _texts(keys: Keys) -> dict[str, Any]:
    """By tags as scripts have them."""
    return {
        tag_text(tag): value if isinstance(value, str) else [_texts(item) for item in value]
        for tag, value in keys.items()
    }


def _full(item: Keys, element: Any) -> dict[str, Any]:
    found = {tag: element(tag, value) for tag, value in item.items()}
    return {
        tag_text(tag): {"Name": each.Name, "Type": each.Type, "Value": each.Value}
        for tag, each in found.items()
    }
