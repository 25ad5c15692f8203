"""Reading an index, watched: the calls of its snapshots, and how many snapshots are open."""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar, cast

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Caller
from orthanc_fast.services.store.reads import Reads

T = TypeVar("T")


class WatchedSnapshot:
    """Counts the calls of another one's methods; those of its search are not counted."""

    def __init__(self, inner: Snapshot, calls: Counter[str]) -> None:
        self._inner = inner
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def counted(*given: Any, **named: Any) -> Any:
            self._calls[name] += 1
            return found(*given, **named)

        return counted


class WatchedReads(Reads):
    """`calls` by name and, as the number open now and of all so far, snapshots."""

    def __init__(self, reads: Reads) -> None:
        super().__init__(reads._index)
        self.calls: Counter[str] = Counter()
        self.open = 0
        self.opened = 0

    def __call__(self, caller: Caller, function: Callable[[Snapshot], T]) -> T:
        def watched(view: Snapshot) -> T:
            self.open += 1
            self.opened += 1
            try:
                return function(cast(Snapshot, WatchedSnapshot(view, self.calls)))
            finally:
                self.open -= 1

        return super().__call__(caller, watched)
