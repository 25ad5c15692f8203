"""What an error tells: the client what was wrong, the log where."""

import shutil
from pathlib import Path

import httpx
from support import generated
from support.server import OurServer

FILES = generated.small()


def test_a_storage_that_cannot_be_written(tmp_path: Path) -> None:
    """A file stands where a folder of the storage area was. With one worker: another one could
    still start and make the folder anew."""
    with OurServer(tmp_path, {"HttpWorkers": 1}) as server:
        incoming = tmp_path / "storage" / "incoming"
        shutil.rmtree(incoming)
        incoming.write_bytes(b"")
        answer = httpx.post(f"{server.url}/instances", content=FILES.number(1, 1, 1, 1))
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 2001)
        assert "Not a directory" in answer.json()["Details"]
        assert str(tmp_path) not in answer.text
        assert f"({incoming}/" in server.log_path.read_text()


def test_an_export_that_cannot_be_written(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"RestApiWriteToFileSystemEnabled": True}) as server:
        stored = httpx.post(f"{server.url}/instances", content=FILES.number(1, 1, 1, 1)).json()
        target = tmp_path / "nowhere" / "file.dcm"
        answer = httpx.post(f"{server.url}{stored['Path']}/export", content=str(target))
        assert answer.status_code == 500
        assert answer.json()["Details"] == "cannot write the file: No such file or directory"
        assert str(target) in server.log_path.read_text()
