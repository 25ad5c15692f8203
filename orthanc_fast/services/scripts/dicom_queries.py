"""C-FIND and worklists that scripts answer instead of the server. Source: reference chapter 7,
section 2.3."""

from collections.abc import Callable, Iterator
from typing import Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.editing import Editor
from orthanc_fast.dicom.file_meta import NO_SOP_CLASS, meta_header
from orthanc_fast.model import Caller
from orthanc_fast.services.query_retrieve.identifier import read_identifier
from orthanc_fast.services.query_retrieve.limits import LimitReached
from orthanc_fast.services.scripts.calls import Calls
from orthanc_fast.services.scripts.questions import (
    Callback,
    DicomAnswers,
    DicomQuery,
    origin_of,
)
from orthanc_fast.services.worklists.entries import read_worklist
from orthanc_fast.services.worklists.finds import Encoding
from orthanc_fast.services.worklists.query import Query, keys_of
from orthanc_fast.transfer_syntaxes import SYNTAXES

_NO_INSTANCE: Final = b"1.2.276.0.7230010.3.1.4.1"  # of a file that is a query
_AT_ONCE: Final = 50  # answers of a page


class ScriptedQueries:
    """The queries of one process; its methods may run in several threads at once."""

    def __init__(
        self, calls: Calls, dictionary: Dictionary, character_set: Callable[[], str]
    ) -> None:
        """`character_set` gives that of queries which name none and of the answers."""
        self._calls = calls
        self._dictionary = dictionary
        self._character_set = character_set

    def answers_finds(self) -> bool:
        """Whether a script answers C-FIND."""
        return bool(self._calls.who(Callback.FIND))

    def answers_worklists(self) -> bool:
        """Whether a script answers queries for worklists."""
        return bool(self._calls.who(Callback.WORKLIST))

    def finds(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """The answers of the script as they are, encoded as the identifier is. Raises ScriptFault
        and NoAnswer, BadFileFormat for an answer that is no DICOM file, LimitReached behind those
        of a script that has more."""
        found = self._asked(Callback.FIND, caller, identifier, transfer_syntax)
        syntax = SYNTAXES[transfer_syntax]

        def encoded(file: bytes) -> bytes:
            explicit, big = not syntax.is_implicit, syntax.is_big_endian
            return Editor(file, explicit, big, self._dictionary).head(None, True)

        yield from _pages(found, encoded)

    def worklists(
        self, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> Iterator[list[bytes]]:
        """The answers of the script, reduced to what is asked for. Raises as `finds`."""
        found = self._asked(Callback.WORKLIST, caller, identifier, transfer_syntax)
        character_set = self._character_set()
        asked = read_identifier(identifier, transfer_syntax, self._dictionary, character_set)
        query = Query(keys_of(asked.elements), self._dictionary, False)
        encode = Encoding(transfer_syntax, character_set, self._dictionary)

        def encoded(file: bytes) -> bytes:
            worklist = read_worklist("", file, self._dictionary, character_set)
            return encode(query, worklist.elements)

        yield from _pages(found, encoded)

    def _asked(
        self, callback: Callback, caller: Caller, identifier: bytes, transfer_syntax: str
    ) -> DicomAnswers:
        file = meta_header(NO_SOP_CLASS, _NO_INSTANCE, transfer_syntax) + identifier
        question = DicomQuery(file, origin_of(caller))
        seconds = self._calls.options.event_timeout
        language = self._calls.who(callback)[0]
        return self._calls.ask(language, callback, question, DicomAnswers, seconds)


def _pages(found: DicomAnswers, encode: Callable[[bytes], bytes]) -> Iterator[list[bytes]]:
    for begin in range(0, len(found.files), _AT_ONCE):
        yield [encode(file) for file in found.files[begin : begin + _AT_ONCE]]
    if not found.is_complete:
        raise LimitReached
