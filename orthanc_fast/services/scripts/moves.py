"""C-MOVE that scripts perform instead of the server. Source: reference chapter 7, section 2.3."""

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Final

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.query_retrieve.identifier import read_identifier
from orthanc_fast.services.query_retrieve.retrieval import Outcome, Retrieval, SubOperation
from orthanc_fast.services.scripts.calls import Calls
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.scripts.questions import (
    Callback,
    MoveBegin,
    MoveStep,
    MoveTask,
    origin_of,
)
from orthanc_fast.upper_layer.operation import Operation

_KEYS: Final = {
    "PatientID": 0x00100020,
    "AccessionNumber": 0x00080050,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "SOPInstanceUID": 0x00080018,
}


class ScriptedMoves:
    """The C-MOVE requests of one process; may be used from any thread."""

    def __init__(
        self, calls: Calls, dictionary: Dictionary, character_set: Callable[[], str]
    ) -> None:
        self._calls = calls
        self._dictionary = dictionary
        self._character_set = character_set

    def takes_over(self) -> bool:
        """Whether a script performs C-MOVE."""
        return bool(self._calls.who(Callback.MOVE))

    def begin(self, operation: Operation, caller: Caller) -> Retrieval:
        """What the script will do. Raises BadFileFormat or BadRequest for an identifier that cannot
        be read, ScriptFault and NoAnswer."""
        identifier = read_identifier(
            operation.identifier,
            operation.transfer_syntax,
            self._dictionary,
            self._character_set(),
        )
        level: Level = identifier.level
        request: dict[str, str | int] = {
            "Level": level.name,
            **{name: identifier.text(tag) or "" for name, tag in _KEYS.items()},
            "OriginatorAET": caller.aet,
            "OriginatorID": operation.message_id,
            "SourceAET": caller.called_aet or "",
            "TargetAET": operation.move_destination,
        }
        language = self._calls.who(Callback.MOVE)[0]
        question = MoveBegin(request, origin_of(caller))
        seconds = self._calls.options.event_timeout
        task = self._calls.ask(language, Callback.MOVE, question, MoveTask, seconds)
        return _ScriptedMove(self._calls, language, task, operation)


class _ScriptedMove(Retrieval):
    def __init__(
        self, calls: Calls, language: Language, task: MoveTask, operation: Operation
    ) -> None:
        self._calls = calls
        self._language = language
        self._task = task
        self._operation = operation

    @property
    def count(self) -> int:
        return self._task.size

    def run(self) -> Generator[SubOperation]:
        try:
            for _ in range(self._task.size):
                yield SubOperation(self._step(), "")
        finally:
            with suppress(OrthancError):  # which the script process has logged
                self._ask(MoveStep(self._task.number, is_end=True))

    def _step(self) -> Outcome:
        try:
            self._ask(MoveStep(self._task.number))
        except OrthancError as error:
            logger.error(Category.DICOM, f"C-MOVE by a script: {error}")
            return Outcome.FAILED
        return Outcome.COMPLETED

    def _ask(self, step: MoveStep) -> None:
        seconds = self._calls.options.event_timeout
        self._calls.ask(self._language, Callback.MOVE_STEP, step, bool, seconds)

    def is_cancelled(self) -> bool:
        return self._operation.cancelled()
