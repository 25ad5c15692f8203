"""/health/live, /health/ready and `orthanc-fast health`: open to everybody, with nothing about
what is stored."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from support.certificates import joined, self_signed
from support.ports import free_port
from support.process import workers
from support.server import OurServer
from support.small_disk import small_disk
from support.waiting import until

USERS = {"AuthenticationEnabled": True, "RegisteredUsers": {"alice": "secret"}}


def asked(server: OurServer, **variables: str) -> tuple[int, str]:
    """What the command says of a server."""
    done = subprocess.run(
        [sys.executable, "-m", "orthanc_fast.cli", "health", str(server.config_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    return done.returncode, done.stdout + done.stderr


def ready(server: OurServer) -> tuple[int, Any]:
    answer = httpx.get(f"{server.url}/health/ready")
    return answer.status_code, answer.json()


def test_a_server_whose_dicom_workers_die_and_come_back(tmp_path: Path) -> None:
    dicom = {"DicomServerEnabled": True, "DicomPort": free_port(), "DicomWorkers": 1}
    with OurServer(tmp_path, {**USERS, **dicom, "HttpWorkers": 1}) as server:
        assert httpx.get(f"{server.url}/system").status_code == 401
        assert httpx.get(f"{server.url}/health/live").json() == {"Alive": True}
        assert httpx.head(f"{server.url}/health/live").status_code == 200
        until(lambda: ready(server) == (200, {"Ready": True, "Reasons": []}))
        assert asked(server) == (0, "")

        assert server.process is not None
        (worker,) = workers(server.process.pid, "dicom")
        os.kill(worker, signal.SIGKILL)
        answers = until(lambda: [each for each in [ready(server)] if each[0] == 503])
        ((_, body),) = answers
        assert body["Ready"] is False
        assert body["Reasons"] == ["not all kinds of workers are there"]
        until(lambda: ready(server)[0] == 200)
    code, text = asked(server)
    assert code == 1
    assert "does not answer" in text


def test_a_full_disk(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 100) as disk,
        OurServer(tmp_path / "server", {"StorageDirectory": str(disk / "store")}) as server,
    ):
        status, body = ready(server)
        assert status == 503
        assert body["Reasons"] == [
            "the disk of StorageDirectory is full",
            "the disk of IndexDirectory is full",
        ]
        code, text = asked(server)
        assert (code, text.splitlines()) == (1, body["Reasons"])


def test_a_server_with_a_certificate_is_asked_by_https(tmp_path: Path) -> None:
    """The certificate is for another name, as certificates of servers are."""
    certificate = joined(tmp_path / "both.pem", *self_signed(tmp_path, "elsewhere.example"))
    server = OurServer(
        tmp_path / "server", {"SslEnabled": True, "SslCertificate": str(certificate)}
    )
    server.url = server.url.replace("http://", "https://")
    server.verify = False
    with server:
        assert asked(server) == (0, "")


def test_what_cannot_be_read_is_2(tmp_path: Path) -> None:
    server = OurServer(tmp_path)
    server.config_path.write_text(json.dumps({"HttpPort": "no"}))
    code, text = asked(server)
    assert code == 2, text
    assert "HttpPort" in text
