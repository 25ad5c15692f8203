"""What a power cut leaves of an index: of each page that was written since the last sync, any of
its versions."""

import random
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.lmdb.environment import Environment

PAGE = 4096
DATA = "data.mdb"


class Disk:
    """Watches an index folder; give it to the index as its keeper, so that it hears of syncs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._synced = b""
        self._versions: list[bytes] = []
        self.restored: dict[str, bytes] = {}
        self.removed: set[str] = set()

    def sync(self) -> None:
        """The index is about to sync its pages as they are now."""
        self._synced = (self.folder / DATA).read_bytes()
        self._versions = []

    def restore(
        self, snapshot: Snapshot, cargo: Mapping[str, bytes], forgotten: Collection[str]
    ) -> None:
        self.restored |= cargo
        self.removed |= set(forgotten)

    def note(self) -> None:
        """Keeps the pages as they are now, as one that the disk may have; call it after every
        write."""
        self._versions.append((self.folder / DATA).read_bytes())

    def cut(self, target: Path, chance: random.Random) -> None:
        """Copies the folder as the machine may find it when it has started again."""
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("lock.mdb"))
        versions = [self._synced, *self._versions]
        length = len(chance.choice(versions))
        pages = []
        for start in range(0, length, PAGE):
            there = [version for version in versions if len(version) > start]
            pages.append(chance.choice(there)[start : start + PAGE] if there else bytes(PAGE))
        (target / DATA).write_bytes(b"".join(pages))


def contents(env: Environment) -> list[list[tuple[bytes, bytes]]]:
    """All that an index holds, apart from the state of its journal."""
    with env.lmdb.begin() as txn:
        return [
            [
                (bytes(key), bytes(value))
                for key, value in txn.cursor(db=database).iternext()
                if key != b"journal"
            ]
            for database in env.databases
        ]
