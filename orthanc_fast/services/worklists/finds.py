"""C-FIND on modality worklists: from the identifier to encoded answers. Source: reference chapter
4, section 3.7; DICOM PS3.4 annex K."""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from orthanc_fast.config_plugins import Worklists
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.text import term_of
from orthanc_fast.log import Category, Verbosity, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.query_retrieve.answer_encoding import AnswerEncoder
from orthanc_fast.services.query_retrieve.identifier import Identifier, read_identifier
from orthanc_fast.services.query_retrieve.limits import LimitReached
from orthanc_fast.services.query_retrieve.logged import lines
from orthanc_fast.services.query_retrieve.options import QueryOptions
from orthanc_fast.services.worklists.contract import Shelf
from orthanc_fast.services.worklists.entries import Elements, Worklist
from orthanc_fast.services.worklists.query import (
    SPECIFIC_CHARACTER_SET,
    Keys,
    Query,
    for_station,
    keys_of,
)
from orthanc_fast.transfer_syntaxes import SYNTAXES

_AT_ONCE: Final = 50  # answers of a page
_NO_ANSWER: Final = b"no answer"  # of what does not match
_MOST_REMEMBERED: Final = 20_000  # answers, of a few hundred bytes each


Form = tuple[str, ...]


class Asked(msgspec.Struct, frozen=True):
    """A query as scripts are asked about it. `identifier` is the encoded data set."""

    caller: Caller
    keys: Keys
    identifier: bytes
    transfer_syntax: str


class Hooks:
    """Where scripts take part; none to begin with. What they raise ends the query with 0xC000.

    A filter gives the keys that are asked for instead. A provider gives the worklists instead of
    those that are kept here: None where it does not take over; the others are matched and reduced
    as if they came from there.
    """

    def __init__(self) -> None:
        self.filters: list[Callable[[Asked], Keys]] = []
        self.providers: list[Callable[[Asked], Iterable[Worklist] | None]] = []


class WorklistFinds:
    """The queries of one process; its methods may run in several threads at once."""

    def __init__(
        self,
        shelf: Shelf,
        worklists: Worklists,
        dictionary: Dictionary,
        character_set: Callable[[], str],
        options: QueryOptions,
        hooks: Hooks,
    ) -> None:
        """`character_set` gives that of queries which name none and of all answers."""
        self._shelf = shelf
        self._worklists = worklists
        self._dictionary = dictionary
        self._character_set = character_set
        self._options = options
        self._hooks = hooks
        self._remembered = _Remembered()

    def answers(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """The data sets of the answers, encoded as the identifier is, some at a time.

        Raises BadFileFormat, BadRequest or ParameterOutOfRange for a query that cannot be
        answered, LimitReached behind more answers than LimitAnswers admits.
        """
        character_set = self._character_set()
        asked = read_identifier(identifier, transfer_syntax, self._dictionary, character_set)
        self._log(asked)
        keys = keys_of(asked.elements)
        for change in self._hooks.filters:
            keys = change(Asked(caller, keys, identifier, transfer_syntax))
        asked_for = Asked(caller, keys, identifier, transfer_syntax)
        found = self._found(asked_for, self._query(keys), character_set)
        limit = self._worklists.limit_answers
        most = limit + 1 if limit else None  # one more, as with Orthanc
        answers = islice(found, most)
        count = 0
        while page := list(islice(answers, _AT_ONCE)):
            count += len(page)
            yield page
        if count == most:
            raise LimitReached

    def _query(self, keys: Keys) -> Query:
        return Query(keys, self._dictionary, self._options.case_sensitive_names)

    def _found(self, asked: Asked, shown: Query, character_set: str) -> Iterator[bytes]:
        """The answers: what `shown` asks for of the worklists that match."""
        keys = asked.keys
        if self._worklists.filter_issuer_aet:
            keys = for_station(keys, asked.caller.aet)
        query = self._query(keys)
        encode = Encoding(asked.transfer_syntax, character_set, self._dictionary)
        given = self._provided(asked)
        kept: dict[Worklist, bytes] = {}
        if given is None:
            given = self._shelf.candidates(query.conditions)
            kept = self._remembered.of(
                (asked.transfer_syntax, character_set, shown.form, query.form)
            )
        for worklist in given:
            answer = kept.get(worklist)
            if answer is None:
                elements = worklist.elements
                answer = encode(shown, elements) if query.matches(elements) else _NO_ANSWER
                kept[worklist] = answer
            if answer is not _NO_ANSWER:
                self._log_match(worklist, asked)
                yield answer

    def _provided(self, asked: Asked) -> Iterable[Worklist] | None:
        for provide in self._hooks.providers:
            given = provide(asked)
            if given is not None:
                return given
        return None

    def _log_match(self, worklist: Worklist, asked: Asked) -> None:
        if self._worklists.log_matched:
            logger.warning(
                Category.DICOM,
                f"The worklist {worklist.id} matches a query of AET {asked.caller.aet}",
            )

    def _log(self, asked: Identifier) -> None:
        if logger.level(Category.DICOM) == Verbosity.DEFAULT:
            return
        logger.info(Category.DICOM, "DICOM C-Find request for worklists")
        for line in lines(asked.elements, self._dictionary, self._options.hidden):
            logger.info(Category.DICOM, line)


class _Remembered:
    """Answers to queries that ask the same of sequences, and for the same: modalities ask again
    and again. What else they ask of worklists the columns of these decide."""

    def __init__(self) -> None:
        self._by_form: dict[Form, dict[Worklist, bytes]] = {}
        self._lock = threading.Lock()

    def of(self, form: Form) -> dict[Worklist, bytes]:
        """Where the answers to queries of a form are, and new ones go."""
        with self._lock:
            found = self._by_form.pop(form, {})
            self._by_form[form] = found  # the last to be forgotten
            while sum(map(len, self._by_form.values())) > _MOST_REMEMBERED:
                del self._by_form[next(iter(self._by_form))]
        return found


class Encoding:
    """Encodes the answers to one query. Most have the same elements, and share what encodes
    them."""

    def __init__(self, transfer_syntax: str, character_set: str, dictionary: Dictionary) -> None:
        self._syntax = SYNTAXES[transfer_syntax]
        self._character_set = character_set
        self._dictionary = dictionary
        term = term_of(character_set)  # Windows-1251 has none
        self._fixed = {} if term is None else {SPECIFIC_CHARACTER_SET: term}
        self._encoders: dict[tuple[int, ...], AnswerEncoder] = {}

    def __call__(self, query: Query, elements: Elements) -> bytes:
        values = query.answer(elements)
        tags = tuple(values)
        encoder = self._encoders.get(tags)
        if encoder is None:
            encoder = self._encoders[tags] = AnswerEncoder(
                tags, self._fixed, self._syntax, self._character_set, self._dictionary
            )
        return encoder.encode(values)
