"""A PostgreSQL server of the tests' own, without durability."""

import glob
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Self

from support.ports import free_port

USER = "orthanc"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, which Debian keeps off the path; None where there is
    none."""
    found = shutil.which("initdb") or max(glob.glob("/usr/lib/postgresql/*/bin/initdb"), default="")
    return Path(found).resolve().parent if found else None


class PostgresServer:
    """Listens on the loopback; trusts `USER`. Root runs it as the user `postgres`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._data = folder / "data"

    def _run(self, *command: str) -> None:
        found = programs()
        assert found is not None
        full = [str(found / command[0]), *command[1:]]
        if os.geteuid() == 0:
            full = ["runuser", "-u", "postgres", "--", *full]
        log = (self.folder / "log").open("ab")
        with log:
            subprocess.run(full, check=True, stdout=log, stderr=log, cwd="/")

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.folder, pwd.getpwnam("postgres").pw_uid, -1)
        data = str(self._data)
        self._run("initdb", "-D", data, "-A", "trust", "-U", USER, "--no-sync", "-E", "UTF8")
        options = f"-p {self.port} -k {self.folder} -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", data, "-o", options, "-l", f"{self.folder}/server", "-w", "start")
        return self

    def __exit__(self, *error: object) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def create(self, database: str) -> dict[str, object]:
        """Orthanc's section for a new database."""
        port = str(self.port)
        self._run("createdb", "-h", "127.0.0.1", "-p", port, "-U", USER, database)
        return {
            "Host": "127.0.0.1",
            "Port": self.port,
            "Database": database,
            "Username": USER,
            "Password": "",
            "EnableIndex": True,
            "EnableStorage": False,
        }
