"""Which resources exist for a caller: the only place that judges `Caller.labels`."""

from collections.abc import Callable
from typing import TypeVar

from orthanc_fast.errors import NotImplementedYet
from orthanc_fast.model import Caller

S = TypeVar("S")
T = TypeVar("T")


def restricted(caller: Caller, function: Callable[[S], T]) -> Callable[[S], T]:
    """`function`, for which there is only what the caller may see of the snapshot, or change in the
    transaction, that it is given: everything.

    Raises NotImplementedYet for one who may see some labels only, since showing him everything
    would be worse.
    """
    if caller.labels is not None:
        raise NotImplementedYet("callers who may see the resources of some labels only")
    return function
