"""What tells, later, whether an Orthanc has worked on a store that was left."""

from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.errors import IncompatibleDatabase
from orthanc_fast.index.contract import Index
from orthanc_fast.model import timestamp
from orthanc_fast.orthanc_store.sqlite_copy import Trace, traces

LEFT: Final = "left"
"""The property that tells that the store was left."""


class Left(msgspec.Struct):
    """The index that was written, when (seconds since the epoch), and what it was like then."""

    target: str
    date: int
    traces: list[Trace]


def refuse_stale_index(index: Index) -> None:
    """Raises IncompatibleDatabase where the index that was made for an Orthanc has been written
    since: ours does not know what was stored and deleted there. Where it was moved away nobody can
    tell."""
    value = index.read(lambda view: view.property(LEFT))
    if value is None:
        return
    left = msgspec.json.decode(value, type=Left)
    target = Path(left.target)
    if target.exists() and traces(target.parent) != left.traces:
        raise IncompatibleDatabase(
            f"an Orthanc has worked on this store since it was left ({timestamp(left.date)}), and "
            "this index does not know what was stored and deleted since: move orthanc-fast.lmdb "
            "away and take the store over again (orthanc-fast adopt CONFIG); or, if the Orthanc "
            "has changed nothing, move its index away",
            private=target,
        )
