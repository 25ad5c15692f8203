"""Whether this server lives and can do its work, for those who watch it: it says nothing about
what is stored."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import SERVER
from orthanc_fast.services.store.reads import Reads

# Below this much room on a disk of the store nothing more is stored for long.
LEAST_FREE: Final = 128 << 20  # bytes


class Readiness(msgspec.Struct, frozen=True, rename="pascal"):
    """`reasons` says what is wrong, empty where the server is ready."""

    ready: bool
    reasons: tuple[str, ...] = ()


class Health:
    """`all_serve` says whether each kind of worker is there, as the supervisor knows."""

    def __init__(
        self, settings: Settings, reads: Reads, all_serve: Callable[[], bool] = lambda: True
    ) -> None:
        self._reads = reads
        self.all_serve = all_serve
        self._folders = {
            "StorageDirectory": settings.storage_directory,
            "IndexDirectory": settings.index_directory,
        }
        self._writes = not settings.read_only

    def readiness(self) -> Readiness:
        """Looks at the store; file systems that hang keep it waiting."""
        reasons = [] if self.all_serve() else ["not all kinds of workers are there"]
        try:
            self._reads(SERVER, lambda snapshot: snapshot.totals())
        except (OrthancError, OSError):
            reasons.append("the index cannot be read")
        if self._writes:
            reasons += [f"the disk of {name} {why}" for name, why in self._faults()]
        return Readiness(not reasons, tuple(reasons))

    def figures(self) -> dict[str, float]:
        """For the metrics, by name: what alerts need beside what Orthanc has."""
        free = {name: _free(folder) for name, folder in self._folders.items()}
        return {
            "orthanc_ready": float(self.readiness().ready),
            "orthanc_storage_free_mb": free["StorageDirectory"],
            "orthanc_index_free_mb": free["IndexDirectory"],
        }

    def _faults(self) -> list[tuple[str, str]]:
        found = []
        for name, folder in self._folders.items():
            why = _fault(folder)
            if why is not None:
                found.append((name, why))
        return found


def _free(folder: Path) -> float:
    """MB; none where the folder is not there."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0.0
    return disk.f_bavail * disk.f_frsize / (1 << 20)


def _fault(folder: Path) -> str | None:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return "is not there"
    if disk.f_bavail * disk.f_frsize < LEAST_FREE:
        return "is full"
    if disk.f_files and not disk.f_favail:
        return "has no room for another file"
    return None
