"""Our server as a process."""

import sys
from typing import Any

from support.process import ServerProcess


class OurServer(ServerProcess):
    def defaults(self) -> dict[str, Any]:
        # A small map: LMDB reserves it as address space in every test. A small journal is made
        # faster.
        return {"IndexMapSizeGB": 1, "IndexJournalSizeMB": 4}

    def arguments(self) -> list[str]:
        return [sys.executable, "-m", "orthanc_fast.cli", "serve", str(self.config_path)]
