"""Which resources exist for a caller: the only place that judges `Caller.labels`."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from orthanc_fast.errors import NotImplementedYet
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
