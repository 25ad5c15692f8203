"""Orthanc 1.13.0 as a process, which the tests compare with (`scripts/orthanc_root.sh` installs
it), and Debian's older one, which the bench measures too."""

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support.process import ServerProcess

VERSION = "1.13.0"
_SCRIPT = Path(__file__).parents[2] / "scripts" / "orthanc_root.sh"
GDCM = "libOrthancGdcm.so"


@functools.cache
def root() -> Path | None:
    """The folder of its installation, or None where there is none."""
    found = subprocess.run(
        ["sh", str(_SCRIPT), "--if-there"], stdout=subprocess.PIPE, text=True, check=False
    )
    return Path(found.stdout.strip()) if found.returncode == 0 else None


class ReferenceServer(ServerProcess):
    """Without plugins, as the specification describes it, but for those named by file."""

    VERSION = VERSION

    def __init__(
        self,
        folder: Path,
        configuration: dict[str, Any] | None = None,
        plugins: tuple[str, ...] = (),
    ) -> None:
        self.plugins = plugins
        super().__init__(folder, configuration)

    def defaults(self) -> dict[str, Any]:
        storage = str(self.folder / "storage")
        plugins = [str(self._root() / "usr/share/orthanc/plugins" / name) for name in self.plugins]
        return {
            "IndexDirectory": storage,
            "StorageDirectory": storage,
            "SyncStorageArea": True,
            "Plugins": plugins,
        }

    def arguments(self) -> list[str]:
        return [str(self._root() / "orthanc"), str(self.config_path)]

    @staticmethod
    def _root() -> Path:
        found = root()
        assert found is not None, f"no Orthanc {VERSION}: run scripts/orthanc_root.sh"
        return found


class DebianServer(ReferenceServer):
    """Orthanc 1.10.1, as Debian 12 installs it."""

    VERSION = "1.10.1"
    EXECUTABLE = "Orthanc"

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which(cls.EXECUTABLE) is not None

    def arguments(self) -> list[str]:
        return [self.EXECUTABLE, str(self.config_path)]
