"""What a script has registered. Source: reference chapter 7, section 2."""

import re
from collections.abc import Callable
from typing import Any

from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.exceptions import PARAMETER_OUT_OF_RANGE, failure
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
            raise ValueError("The callback is missing")
        if name in self.functions or any(each in self.functions for each in also):
            raise RuntimeError(f"Can only register one Python {what} callback")
        self.functions[name] = functions
        self._changed()

    @takes("so")
    def RegisterRestCallback(self, pattern: str, function: Function) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise failure(PARAMETER_OUT_OF_RANGE, f"{pattern}: {error}") from error
        self.routes.append((pattern, function))
        self._changed()

    @takes("o")
    def RegisterOnChangeCallback(self, function: Function) -> None:
        self._only("change", "on-change", function)

    @takes("o")
    def RegisterOnStoredInstanceCallback(self, function: Function) -> None:
        self._only("stored", "on-stored-instance", function)

    @takes("o")
    def RegisterReceivedInstanceCallback(self, function: Function) -> None:
        self._only(Callback.RECEIVED_INSTANCE, "received instance", function)

    @takes("o")
    def RegisterIncomingCStoreInstanceFilter(self, function: Function) -> None:
        self._only(Callback.CSTORE_FILTER, "incoming C-STORE", function)

    @takes("o")
    def RegisterIncomingHttpRequestFilter(self, function: Function) -> None:
        self._only(Callback.HTTP_FILTER, "incoming HTTP", function)

    @takes("o")
    def RegisterFindCallback(self, function: Function) -> None:
        self._only("find", "C-FIND", function, also=("find2",))

    @takes("o")
    def RegisterFindCallback2(self, function: Function) -> None:
        self._only("find2", "C-FIND", function, also=("find",))

    @takes("o")
    def RegisterWorklistCallback(self, function: Function) -> None:
        self._only("worklist", "worklist", function, also=("worklist2",))

    @takes("o")
    def RegisterWorklistCallback2(self, function: Function) -> None:
        self._only("worklist2", "worklist", function, also=("worklist",))

    @takes("o")
    def RegisterMoveCallback(self, function: Function) -> None:
        self._only("move", "C-MOVE", function, also=("move2", "move3"))

    @takes("oooo")
    def RegisterMoveCallback2(
        self, create: Function, size: Function, apply: Function, free: Function
    ) -> None:
        self._only("move2", "C-MOVE", create, size, apply, free, also=("move", "move3"))

    @takes("oooo")
    def RegisterMoveCallback3(
        self, create: Function, size: Function, apply: Function, free: Function
    ) -> None:
        self._only("move3", "C-MOVE", create, size, apply, free, also=("move", "move2"))

    @takes("oo")
    def RegisterStorageCommitmentScpCallback(self, factory: Function, lookup: Function) -> None:
        self._only("commitment", "storage commitment SCP", factory, lookup, also=("commitment2",))

    @takes("oo")
    def RegisterStorageCommitmentScpCallback2(self, factory: Function, lookup: Function) -> None:
        self._only("commitment2", "storage commitment SCP", factory, lookup, also=("commitment",))
