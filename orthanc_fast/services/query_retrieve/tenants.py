"""C-FIND and C-MOVE of the servers that show only what has some labels. Source: reference chapter
4, section 10.5; chapter 7, section 7.5.

Labels count at the level that is asked for: who asks for series finds those that have the labels
themselves, who moves a study gets all of it. Matching is that of /tools/find.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Final

from orthanc_fast.config_plugins import Tenant
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.text import term_of
from orthanc_fast.errors import BadRequest
from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.exchange.instances import Chosen
from orthanc_fast.services.find.facts import Facts
from orthanc_fast.services.find.finder import Finder
from orthanc_fast.services.find.pages import Pages
from orthanc_fast.services.find.query import FindQuery
from orthanc_fast.services.query_retrieve.answer_encoding import AnswerEncoder
from orthanc_fast.services.query_retrieve.identifier import (
    QUERY_RETRIEVE_LEVEL,
    Identifier,
    read_identifier,
)
from orthanc_fast.services.query_retrieve.move import Moves
from orthanc_fast.services.query_retrieve.retrieval import Outcome, Retrieval, SubOperation
from orthanc_fast.services.query_retrieve.unique_keys import (
    KEYS_TO_MOVE,
    instances_in_order,
    key_to_move,
)
from orthanc_fast.services.store.lookup import records
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.transfer_syntaxes import SYNTAXES
from orthanc_fast.upper_layer.operation import Operation

_CHARACTER_SET: Final = 0x00080005
_RETRIEVE_TITLE: Final = 0x00080054
# What a query says of itself, and does not search for.
_NOT_MATCHED: Final = frozenset({_CHARACTER_SET, QUERY_RETRIEVE_LEVEL})


class Tenants:
    """What the servers of labels have in common; may be used from any thread."""

    def __init__(
        self,
        reads: Reads,
        finder: Finder,
        dictionary: Dictionary,
        character_set: Callable[[], str],
        moves: Callable[[], Moves],
    ) -> None:
        """`character_set` gives that of identifiers which name none and of all answers; `moves`
        is asked for with the first C-MOVE."""
        self._read = reads
        self._finder = finder
        self._pages = Pages(reads, finder)
        self._dictionary = dictionary
        self._character_set = character_set
        self._moves = moves

    def answers(
        self, tenant: Tenant, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """As `Finds.answers`: of the tags that are asked for, an answer has those that are main
        tags of its level, and no others.

        Raises BadFileFormat for an identifier that cannot be read, BadRequest for a level that is
        none, ParameterOutOfRange and OrthancError 1012 for what cannot be searched.
        """
        asked = self._identifier(identifier, transfer_syntax)
        query = _query(tenant, _level(asked))
        for tag, element in asked.elements.items():
            if tag not in _NOT_MATCHED and tag & 0xFFFF and element.text:
                self._add(query, tag, element.text)
        self._finder.limit(query, since_given=False)
        character_set = self._character_set()
        term = term_of(character_set)
        fixed = {
            QUERY_RETRIEVE_LEVEL: query.level.name,
            _RETRIEVE_TITLE: tenant.aet,
            **({} if term is None else {_CHARACTER_SET: term}),
        }
        encoders: dict[frozenset[int], AnswerEncoder] = {}

        def encoded(found: dict[int, str]) -> bytes:
            tags = frozenset(found)
            if tags not in encoders:
                encoders[tags] = AnswerEncoder(
                    tags, fixed, SYNTAXES[transfer_syntax], character_set, self._dictionary
                )
            return encoders[tags].encode(found)

        wanted = asked.elements.keys() - fixed.keys()
        for page in self._pages.pages(caller, query, partial(_shown, wanted)):
            yield list(map(encoded, page))

    def move(self, tenant: Tenant, operation: Operation, caller: Caller) -> Retrieval:
        """What a C-MOVE will do: all that it sends is one sub-operation, and nothing is no failure.

        Raises InexistentItem for an unknown destination, BadRequest for a level that is none, and
        as `Finder.find`.
        """
        moves = self._moves()
        modality = moves.destination(operation, caller)
        chosen = self._chosen(tenant, operation, caller)
        if not chosen.instances:
            return Whole(operation, None)
        return Whole(operation, moves.retrieval(operation, caller, modality, chosen))

    def _chosen(self, tenant: Tenant, operation: Operation, caller: Caller) -> Chosen:
        asked = self._identifier(operation.identifier, operation.transfer_syntax)
        level = None if asked.text(QUERY_RETRIEVE_LEVEL) is None else _level(asked)
        key = key_to_move(asked, level)
        if key is None:
            return Chosen((), b"")
        level = key[1]
        query = _query(tenant, level)
        for tag in KEYS_TO_MOVE[level]:
            if text := asked.text(tag):
                self._add(query, tag, text)
        found = self._finder.find(caller, query).packed

        def read(view: Snapshot) -> Chosen:
            resources = [each for some in records(view, level, found) for each in some]
            return Chosen(resources, instances_in_order(view, resources))

        return self._read(caller, read)

    def _identifier(self, data: bytes, transfer_syntax: str) -> Identifier:
        return read_identifier(data, transfer_syntax, self._dictionary, self._character_set())

    def _add(self, query: FindQuery, tag: int, text: str) -> None:
        condition = self._finder.tags.condition(tag, text, case_sensitive=False)
        if condition is not None:
            query.conditions.append(condition)


class Whole(Retrieval):
    """All sub-operations of another retrieval as one; None: there is nothing to be sent."""

    def __init__(self, operation: Operation, parts: Retrieval | None) -> None:
        self._operation = operation
        self._parts = parts

    @property
    def count(self) -> int:
        return 1

    def is_cancelled(self) -> bool:
        return self._operation.cancelled()

    def run(self) -> Generator[SubOperation]:
        if self._parts is None:
            yield SubOperation(Outcome.COMPLETED, "")
            return
        left = self._parts.count
        outcomes = set()
        with closing(self._parts.run()) as done:
            for outcome, _ in done:
                outcomes.add(outcome)
                left -= 1
                if left and self._parts.is_cancelled():
                    return
        if left or Outcome.FAILED in outcomes:
            yield SubOperation(Outcome.FAILED, "")
        else:
            warned = Outcome.WARNING in outcomes
            yield SubOperation(Outcome.WARNING if warned else Outcome.COMPLETED, "")


def _query(tenant: Tenant, level: Level) -> FindQuery:
    return FindQuery(level=level, labels=list(tenant.labels), labels_constraint=tenant.constraint)


def _level(asked: Identifier) -> Level:
    """As Orthanc's plugin takes it: IMAGE, which is the standard's name of the last one, is not
    known to it."""
    text = asked.text(QUERY_RETRIEVE_LEVEL)
    if not text:
        raise BadRequest("Missing QueryRetrieveLevel (0008,0052) in the identifier")
    if text not in Level.__members__:
        raise BadRequest(
            f"QueryRetrieveLevel (0008,0052) {text!r} is none of PATIENT, STUDY, SERIES, INSTANCE"
        )
    return Level[text]


def _shown(wanted: set[int], facts: Facts, resources: list[Resource]) -> list[dict[int, str]]:
    return [
        {tag: text for tag, text in (each.patient_tags | each.tags).items() if tag in wanted}
        for each in resources
    ]
