"""A server process under test: started with a configuration, waited for, stopped."""

import json
import os
import signal
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx
from support.ports import free_port


class ServerProcess:
    """A server in a folder of its own; `configuration` is merged over loopback defaults. `verify`
    is how its HTTPS is checked."""

    command: list[str]

    def __init__(self, folder: Path, configuration: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.configuration = {
            "HttpPort": self.port,
            "DicomServerEnabled": False,
            "StorageDirectory": str(folder / "storage"),
            **self.defaults(),
            **(configuration or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.config_path = folder / "configuration.json"
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = folder / "log"
        self.verify: ssl.SSLContext | bool = True

    def defaults(self) -> dict[str, Any]:
        return {}

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def start(self, timeout: float = 30.0) -> None:
        """Returns once the server answers."""
        self.config_path.write_text(json.dumps(self.configuration))
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while True:
            try:
                httpx.get(f"{self.url}/system", timeout=5, verify=self.verify)
                return
            except httpx.TransportError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill_all()
                    raise RuntimeError(f"no start:\n{self.log_path.read_text()}") from None
                time.sleep(0.03)

    def stop(self, timeout: float = 15.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout)

    def kill_all(self) -> None:
        """SIGKILL for the whole server, children included, at once."""
        assert self.process is not None
        for pid in [self.process.pid, *children(self.process.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill_all()
                raise


def workers(pid: int, kind: str = "http") -> list[int]:
    """The process ids of the workers of a kind, by their slot; one that has just been started has
    no name yet."""
    found: dict[str, int] = {}
    for child in children(pid):
        try:
            name = Path(f"/proc/{child}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name.startswith(f"orthanc-{kind}-"):
            found[name] = child
    return [found[name] for name in sorted(found)]


def children(pid: int) -> list[int]:
    """The process ids of the direct children."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(part) for part in text.split()]
