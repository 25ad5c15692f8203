"""Debian's Orthanc as a process: what the tests compare with."""

import shutil
from typing import Any

from support.process import ServerProcess

EXECUTABLE = "Orthanc"


def is_installed() -> bool:
    return shutil.which(EXECUTABLE) is not None


class ReferenceServer(ServerProcess):
    def defaults(self) -> dict[str, Any]:
        return {
            "IndexDirectory": str(self.folder / "storage"),
            "StorageDirectory": str(self.folder / "storage"),
            "SyncStorageArea": True,
        }

    def arguments(self) -> list[str]:
        return [EXECUTABLE, str(self.config_path)]
