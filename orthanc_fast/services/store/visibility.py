"""Which resources exist for a caller: the only place that judges `Caller.labels` and
`Caller.study`."""

from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar, cast

from orthanc_fast.errors import ForbiddenAccess
from orthanc_fast.index.contract import Cargo, Snapshot, Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.services.store.visible import SetsOfCallers, VisibleSnapshot
from orthanc_fast.services.store.visible_transaction import VisibleTransaction

P = ParamSpec("P")
T = TypeVar("T")


def seen(
    caller: Caller, function: Callable[[Snapshot], T], sets: SetsOfCallers
) -> Callable[[Snapshot], T]:
    """`function`, for which there is only what the caller may see of the snapshot; `sets` are kept
    from one to the next."""
    if not caller.is_limited:
        return function

    def read(view: Snapshot) -> T:
        return function(VisibleSnapshot(view, caller, sets.of(caller, view.version)))

    return read


def seen_changes(
    caller: Caller, function: Callable[[Transaction], T]
) -> Callable[[Transaction], T]:
    """The same for what `function` changes in a transaction."""
    if not caller.is_limited:
        return function

    def change(transaction: Transaction) -> T:
        return function(cast(Transaction, VisibleTransaction(transaction, caller)))

    return change


def restricted(caller: Caller, function: Callable[P, T]) -> Callable[P, T]:
    """`function`, which works on what belongs to no study. Raises ForbiddenAccess for who may see
    some studies only: nobody could say what of it is for him."""
    if caller.is_limited:
        raise ForbiddenAccess("this is for users who see all studies")
    return function


class Judged(Write[T]):
    """A write as far as its caller may do it: there is only what he may see of the transaction."""

    __slots__ = ("_apply", "write")

    def __init__(self, caller: Caller, write: Write[T]) -> None:
        self.write = write
        self._apply = seen_changes(caller, write.apply)

    @property
    def is_quick(self) -> bool:
        return self.write.is_quick

    def apply(self, transaction: Transaction) -> T:
        return self._apply(transaction)

    def cargo(self, result: T) -> Iterable[Cargo]:
        return self.write.cargo(result)

    def finish(self, result: T) -> Any:
        return self.write.finish(result)
