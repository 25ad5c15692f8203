"""Which resources exist for a caller: the only place that judges `Caller.labels`."""

from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.index.contract import Cargo, Transaction, Write
from orthanc_fast.model import Caller

P = ParamSpec("P")
T = TypeVar("T")


def restricted(caller: Caller, function: Callable[P, T]) -> Callable[P, T]:
    """`function`, for which there is only what the caller may see of the snapshot, change in the
    transaction, or add with the file, that it is given: everything.

    Raises NotImplementedYet for one who may see some labels only, since showing him everything
    would be worse.
    """
    if caller.labels is not None:
        raise NotImplementedYet("callers who may see the resources of some labels only")
    return function


class Judged(Write[T]):
    """A write as far as its caller may do it: what it does to the index passes `restricted`, as
    reading does. Raises what that raises."""

    __slots__ = ("_apply", "write")

    def __init__(self, caller: Caller, write: Write[T]) -> None:
        self.write = write
        self._apply = restricted(caller, write.apply)

    @property
    def is_quick(self) -> bool:
        return self.write.is_quick

    def apply(self, transaction: Transaction) -> T:
        return self._apply(transaction)

    def cargo(self, result: T) -> Iterable[Cargo]:
        return self.write.cargo(result)

    def finish(self, result: T) -> Any:
        return self.write.finish(result)
