"""A copy of the index as one snapshot has it, made while the index is in use.

What was acknowledged is in the snapshot: a write is committed to LMDB's map right after its record
is in the journal, and answered then. So the copy needs neither journal nor checkpoint, and opens as
an index that was closed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.lmdb.environment import Environment
from orthanc_fast.index.lmdb.journal import KEY
from orthanc_fast.index.lmdb.snapshot import LmdbSnapshot

T = TypeVar("T")


def copy(env: Environment, folder: Path, function: Callable[[Snapshot], T]) -> T:
    """Writes `data.mdb` into an empty folder, durably, and returns what `function` makes of the
    snapshot that it holds. Raises lmdb.Error or OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    # Not compacted: that ended in a segmentation fault with 20,000 instances; why is not known.
    env.lmdb.copy(str(folder))
    copied = Environment(folder, env.lmdb.info()["map_size"], False)
    try:
        copied.pin.abort()
        with copied.lmdb.begin(write=True) as txn:
            txn.delete(KEY, db=copied.globals)
        copied.lmdb.sync(True)
        with LmdbSnapshot(copied) as snapshot:
            return function(snapshot)
    finally:
        copied.close()
        (folder / "lock.mdb").unlink(missing_ok=True)
