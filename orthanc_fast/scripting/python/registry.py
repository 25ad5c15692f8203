"""What a script has registered. Source: reference chapter 7, section 2."""

from collections.abc import Callable
from typing import Any

from orthanc_fast.scripting.python.exceptions import PARAMETER_OUT_OF_RANGE, failure
from orthanc_fast.services.scripts.patterns import PatternError, compiled
from orthanc_fast.services.scripts.questions import Callback

Function = Callable[..., Any]


class Registry:
    """The callbacks of one script. `changed` is told of each registration."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.routes: list[tuple[str, Function]] = []
        self.functions: dict[str, tuple[Function, ...]] = {}
        self._changed = changed

    def get(self, name: str) -> Function | None:
        """The function of a registration that has one."""
        found = self.functions.get(name)
        return None if found is None else found[0]

    def _only(self, name: str, what: str, *functions: Function, also: tuple[str, ...] = ()) -> None:
        if any(function is None for function in functions):
            raise _missing(what, len(functions))
        if name in self.functions or any(each in self.functions for each in also):
            raise RuntimeError(f"Can only register one Python {what}")
        self.functions[name] = functions
        self._changed()

    def _one(self, name: str, what: str, given: tuple[Any, ...], *also: str) -> None:
        if len(given) != 1:
            raise _missing(what, 1)
        self._only(name, what, given[0], also=also)

    def RegisterRestCallback(self, *given: Any) -> None:
        if len(given) != 2 or not isinstance(given[0], str) or given[1] is None:
            raise ValueError("Expected a string (URI) and a callback function")
        pattern, function = given
        try:
            compiled(pattern)
        except PatternError as error:
            raise failure(PARAMETER_OUT_OF_RANGE, f"{pattern}: {error}") from error
        self.routes.append((pattern, function))
        self._changed()

    def RegisterOnChangeCallback(self, *given: Any) -> None:
        self._one("change", "on-changes callback", given)

    def RegisterOnStoredInstanceCallback(self, *given: Any) -> None:
        self._one("stored", "on-stored-instance callback", given)

    def RegisterReceivedInstanceCallback(self, *given: Any) -> None:
        self._one(Callback.RECEIVED_INSTANCE, "received instance callback", given)

    def RegisterIncomingCStoreInstanceFilter(self, *given: Any) -> None:
        self._one(Callback.CSTORE_FILTER, "incoming CStore instance filter", given)

    def RegisterIncomingHttpRequestFilter(self, *given: Any) -> None:
        self._one(Callback.HTTP_FILTER, "incoming-http-request filter", given)

    def RegisterFindCallback(self, *given: Any) -> None:
        self._one("find", "C-FIND SCP callback", given, "find2")

    def RegisterFindCallback2(self, *given: Any) -> None:
        self._one("find2", "C-FIND SCP callback", given, "find")

    def RegisterWorklistCallback(self, *given: Any) -> None:
        self._one("worklist", "callback for worklist", given, "worklist2")

    def RegisterWorklistCallback2(self, *given: Any) -> None:
        self._one("worklist2", "callback for worklist", given, "worklist")

    def RegisterMoveCallback(self, *given: Any) -> None:
        self._one("move", "C-MOVE SCP callback", given, "move2", "move3")

    def RegisterMoveCallback2(self, *given: Any) -> None:
        if len(given) != 4:
            raise _missing("C-MOVE SCP callback", 4)
        self._only("move2", "C-MOVE SCP callback", *given, also=("move", "move3"))

    def RegisterMoveCallback3(self, *given: Any) -> None:
        if len(given) != 4:
            raise _missing("C-MOVE SCP callback", 4)
        self._only("move3", "C-MOVE SCP callback", *given, also=("move", "move2"))

    def RegisterStorageCommitmentScpCallback(self, *given: Any) -> None:
        if len(given) != 2:
            raise _missing("storage commitment SCP callback", 2)
        self._only("commitment", "storage commitment SCP callback", *given, also=("commitment2",))

    def RegisterStorageCommitmentScpCallback2(self, *given: Any) -> None:
        if len(given) != 2:
            raise _missing("storage commitment SCP callback", 2)
        self._only("commitment2", "storage commitment SCP callback", *given, also=("commitment",))


def _missing(what: str, count: int) -> ValueError:
    if count == 1:
        return ValueError(f"Expected a callback function to register one Python {what}")
    number = "4" if count > 2 else "two"
    return ValueError(f"Expected {number} callback functions to register one Python {what}")
