"""systemd's `Type=notify`, by a socket in its place; and the files of deploy/ for it."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.process import workers
from support.server import OurServer

from orthanc_fast.service_manager import ServiceManager
from orthanc_fast.services.store.opening import INDEX_FOLDER

DEPLOY = Path(__file__).parents[1] / "deploy"


class Manager:
    """Hears what a service says."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(60)

    def next(self, beginning: str) -> dict[str, str]:
        """The next message whose first word begins so; what comes before is passed over."""
        while True:
            text = self._socket.recv(4096).decode()
            if text.startswith(beginning):
                return dict(line.split("=", 1) for line in text.splitlines())

    def heard(self) -> list[str]:
        """All that waits."""
        self._socket.settimeout(0.01)
        found = []
        try:
            while True:
                found.append(self._socket.recv(4096).decode())
        except TimeoutError:
            self._socket.settimeout(60)
            return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    found = Manager(str(tmp_path / "notify"))
    yield found
    found.close()


def test_the_life_of_a_service(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "900000")
    script, seen = tmp_path / "script.py", tmp_path / "environment"
    script.write_text(f"import os\nopen({str(seen)!r}, 'w').write(' '.join(os.environ))\n")
    server = OurServer(tmp_path / "server", {"HttpWorkers": 1, "PythonScript": str(script)})
    with server:
        assert server.process is not None
        ready = manager.next("READY=1")
        assert str(server.port) in ready["STATUS"]
        assert httpx.get(f"{server.url}/system").status_code == 200
        manager.next("WATCHDOG=1")
        manager.next("WATCHDOG=1")

        (worker,) = workers(server.process.pid)
        assert "PATH" in seen.read_text().split()
        assert "NOTIFY_SOCKET" not in seen.read_text(), "no worker may speak for the server"
        os.kill(worker, signal.SIGKILL)
        assert "http-0" in manager.next("STATUS=the worker")["STATUS"]
        assert str(server.port) in manager.next("STATUS=serves")["STATUS"]

        server.process.send_signal(signal.SIGHUP)
        assert int(manager.next("RELOADING=1")["MONOTONIC_USEC"]) > 0
        manager.next("READY=1")
        manager.next("WATCHDOG=1")

        server.configuration["Name"] = "changed"
        server.config_path.write_text(httpx.Response(200, json=server.configuration).text)
        server.process.send_signal(signal.SIGHUP)
        manager.next("RELOADING=1")
        manager.next("READY=1")
        assert httpx.get(f"{server.url}/system").json()["Name"] == "changed"
        server.process.terminate()
        manager.next("STOPPING=1")
        assert server.process.wait(20) == 0


def test_no_beat_while_nobody_serves(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only worker cannot come up again: systemd shall start the service anew."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    with OurServer(tmp_path / "server", {"HttpWorkers": 1}) as server:
        assert server.process is not None
        manager.next("READY=1")
        manager.next("WATCHDOG=1")
        index = server.folder / "storage" / INDEX_FOLDER
        index.rename(index.with_name("away"))
        index.write_text("a file where the index was")
        os.kill(workers(server.process.pid)[0], signal.SIGKILL)
        for _ in range(3):  # it is replaced again and again
            manager.next("STATUS=the worker")
        manager.heard()
        for _ in range(3):
            manager.next("STATUS=the worker")
        assert "WATCHDOG=1" not in manager.heard()


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    environment = {"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    found = ServiceManager(environment)
    assert found.interval is None
    assert environment == {}
    found.ready("nobody hears it")
    found.close()


def test_an_abstract_address() -> None:
    manager = Manager(f"\0orthanc-test-{os.getpid()}")
    service = ServiceManager(
        {"NOTIFY_SOCKET": f"@orthanc-test-{os.getpid()}", "WATCHDOG_USEC": "3000000"}
    )
    assert service.interval == 1.0
    service.status("one\nline")
    assert manager.next("STATUS") == {"STATUS": "one line"}
    service.close()
    manager.close()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """With this environment's program in place of the installed one."""
    text = (DEPLOY / "orthanc-fast.service").read_text()
    program = tmp_path / "orthanc-fast"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert "/usr/bin/orthanc-fast" in text
    unit = tmp_path / "orthanc-fast.service"
    unit.write_text(text.replace("/usr/bin/orthanc-fast", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "orthanc-fast" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
