"""Callbacks that answer DICOM services instead of the server. Source: reference chapter 7,
section 2.3."""

import itertools
from collections.abc import Callable
from typing import Any, Final

import msgspec

from orthanc_fast.scripting.python.dicom_objects import (
    DicomConnection,
    FindAnswers,
    FindQuery,
    WorklistAnswers,
    WorklistQuery,
)
from orthanc_fast.scripting.python.registry import Function, Registry
from orthanc_fast.scripting.python.surroundings import Surroundings
from orthanc_fast.services.scripts.faults import ScriptFault
from orthanc_fast.services.scripts.questions import (
    Callback,
    Commitment,
    DicomAnswers,
    DicomQuery,
    MoveBegin,
    MoveStep,
    MoveTask,
)

CALLBACKS: Final = {
    "find": Callback.FIND.value,
    "find2": Callback.FIND.value,
    "worklist": Callback.WORKLIST.value,
    "worklist2": Callback.WORKLIST.value,
    "move": Callback.MOVE.value,
    "move2": Callback.MOVE.value,
    "move3": Callback.MOVE.value,
    "commitment": Callback.COMMITMENT.value,
    "commitment2": Callback.COMMITMENT.value,
}
"""What is asked of a script that has registered a function of this name."""

_ALL_THE_TIME: Final = 0.0
_BY_CONNECTION: Final = ("OriginatorAET", "SourceAET")

Calling = Callable[..., Any]
"""`PythonScripts._calling`."""

_decode_query = msgspec.msgpack.Decoder(DicomQuery).decode
_decode_move = msgspec.msgpack.Decoder(MoveBegin).decode
_decode_step = msgspec.msgpack.Decoder(MoveStep).decode
_decode_commitment = msgspec.msgpack.Decoder(Commitment).decode


def answers(
    around: Surroundings, registry: Registry, calling: Calling
) -> dict[str, Callable[[bytes], Any]]:
    """Who answers what is asked, by the name of the callback."""
    callbacks = _DicomCallbacks(around, registry, calling)
    return {
        Callback.FIND: callbacks.find,
        Callback.WORKLIST: callbacks.worklist,
        Callback.MOVE: callbacks.move,
        Callback.MOVE_STEP: callbacks.move_step,
        Callback.COMMITMENT: callbacks.commit,
    }


class _DicomCallbacks:
    def __init__(self, around: Surroundings, registry: Registry, calling: Calling) -> None:
        self._around = around
        self._registry = registry
        self._calling = calling
        self._drivers: dict[int, tuple[Any, Function, Function | None]] = {}
        self._numbers = itertools.count(1)

    def _call(self, what: str, function: Function, *given: Any, **named: Any) -> Any:
        seconds = self._around.settings.scripting
        assert seconds is not None
        return self._calling(what, seconds.event_timeout, function, *given, **named)

    def find(self, payload: bytes) -> DicomAnswers:
        asked = _decode_query(payload)
        services = self._around.services
        encoding = services.default_character_set()
        query = FindQuery(asked.identifier, services.dictionary, encoding)
        return self._query("find", "C-FIND", asked, FindAnswers(), query)

    def worklist(self, payload: bytes) -> DicomAnswers:
        asked = _decode_query(payload)
        services = self._around.services
        encoding = services.default_character_set()
        query = WorklistQuery(asked.identifier, services.dictionary, encoding)
        return self._query("worklist", "Worklist", asked, WorklistAnswers(), query)

    def _query(
        self,
        name: str,
        what: str,
        asked: DicomQuery,
        found: FindAnswers | WorklistAnswers,
        query: FindQuery | WorklistQuery,
    ) -> DicomAnswers:
        function = self._registry.get(name)
        connection = DicomConnection(asked.origin)
        try:
            if function is not None:
                issuer, called = asked.origin.remote_aet or "", asked.origin.called_aet or ""
                self._call(what, function, found, query, issuer, called)
            else:
                function = self._registry.get(f"{name}2")
                assert function is not None
                self._call(what, function, found, query, connection)
        finally:
            for each in (connection, found, query):
                each._forget()
        return DicomAnswers(found.files, found.is_complete)

    def move(self, payload: bytes) -> MoveTask:
        asked = _decode_move(payload)
        number = next(self._numbers)
        simple = self._registry.get("move")
        if simple is not None:
            self._drivers[number] = (asked.request, lambda given: simple(**given), None)
            return MoveTask(number, 1)
        functions = self._registry.functions
        request: dict[str, Any] = dict(asked.request)
        given: tuple[Any, ...] = ()
        connection = DicomConnection(asked.origin)
        if "move3" in functions:
            create, size, apply, free = functions["move3"]
            given = (connection,)
            for name in _BY_CONNECTION:
                request.pop(name, None)
        else:
            create, size, apply, free = functions["move2"]
        try:
            driver = self._call("C-MOVE", create, *given, **request)
        finally:
            connection._forget()
        self._drivers[number] = (driver, apply, free)
        try:
            count = self._call("C-MOVE", size, driver)
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ScriptFault("The size of a C-MOVE must be an integer")
        except BaseException:
            self._end(number)
            raise
        return MoveTask(number, count)

    def move_step(self, payload: bytes) -> bool:
        """One sub-operation, or the end."""
        asked = _decode_step(payload)
        if asked.number not in self._drivers:
            raise ScriptFault("The script process has been replaced during a C-MOVE")
        if asked.is_end:
            self._end(asked.number)
        else:
            driver, apply, _ = self._drivers[asked.number]
            self._call("C-MOVE", apply, driver)
        return True

    def _end(self, number: int) -> None:
        driver, _, free = self._drivers.pop(number)
        if free is not None:
            self._call("C-MOVE", free, driver)

    def commit(self, payload: bytes) -> list[int]:
        asked = _decode_commitment(payload)
        functions = self._registry.functions
        connection = DicomConnection(asked.origin)
        given = (asked.job, asked.transaction, asked.sop_classes, asked.sop_instances)
        try:
            if "commitment" in functions:
                factory, lookup = functions["commitment"]
                aets = (asked.origin.remote_aet or "", asked.origin.called_aet or "")
                data = self._call("Storage commitment", factory, *given, *aets)
            else:
                factory, lookup = functions["commitment2"]
                data = self._call("Storage commitment", factory, *given, connection)
        finally:
            connection._forget()
        found = []
        for sop_class, instance in zip(asked.sop_classes, asked.sop_instances, strict=True):
            reason = self._call("Storage commitment", lookup, sop_class, instance, data)
            if not isinstance(reason, int):
                raise ScriptFault("The look-up of a storage commitment must return an integer")
            found.append(reason)
        return found
