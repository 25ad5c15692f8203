"""`orthanc-fast backup` and `restore`: beside a server that is busy, killed, repeated."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.server import OurServer
from support.waiting import until

from orthanc_fast.services.store.opening import INDEX_FOLDER, RESTORING_FOLDER
from orthanc_fast.services.upkeep.generations import Repository

CLI = [sys.executable, "-m", "orthanc_fast.cli"]
TEMPLATE = generated.small()
# What becomes stable while a test runs would get metadata of DICOMweb as an attachment.
RESTLESS = {"StableAge": 100_000}


def cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*CLI, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def made(*arguments: str | Path) -> Any:
    """The report of a command that does what it is told."""
    done = cli(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def store(server: OurServer, patient: int, number: int) -> str:
    data = TEMPLATE.number(patient, 1, 1, number)
    answer = httpx.post(f"{server.url}/instances", content=data).raise_for_status()
    return str(answer.json()["ID"])


def seen(server: OurServer) -> dict[str, Any]:
    """What REST tells of all resources, with their metadata and files."""
    found: dict[str, Any] = {}
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for level in ("patients", "studies", "series", "instances"):
            for entry in http.get(f"/{level}?expand").json():
                path = f"/{level}/{entry['ID']}"
                entry.pop("IsStable", None)
                metadata = http.get(f"{path}/metadata?expand").json()
                content = http.get(f"{path}/file").content if level == "instances" else b""
                found[path] = (entry, metadata, content)
        found["labels"] = http.get("/tools/labels").json()
        found["statistics"] = http.get("/statistics").json()
    return found


def restored(folder: Path, source: Path, *options: str) -> OurServer:
    """A server on what a backup gives back."""
    server = OurServer(folder, RESTLESS)
    server.config_path.write_text(json.dumps(server.configuration))
    made("restore", source, server.config_path, *options)
    return server


def consistent(server: OurServer) -> None:
    done = cli("check", server.config_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_restored_is_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "backup"
    with OurServer(tmp_path / "one", {**RESTLESS, "StorageCompression": True}) as server:
        first, second, third = (store(server, number, number) for number in range(3))
        patient = httpx.get(f"{server.url}/instances/{first}/patient").json()["ID"]
        httpx.put(f"{server.url}/instances/{first}/labels/kept")
        httpx.put(f"{server.url}/instances/{second}/metadata/1024", content=b"value")
        httpx.put(f"{server.url}/patients/{patient}/protected", content=b"1")
        httpx.put(f"{server.url}/instances/{third}/attachments/1025", content=b"attached")
        before = seen(server)
        report = made("backup", target, server.config_path)
        assert (report["instances"], report["files"], report["new_files"]) == (3, 7, 7)
        assert report["linked"] == 7
        fourth = store(server, 3, 3)
        httpx.delete(f"{server.url}/instances/{first}").raise_for_status()
        after = seen(server)
        again = made("backup", target, server.config_path, "--copy")
        assert (again["instances"], again["new_files"], again["linked"]) == (3, 2, 0)
    # The index as it lies there, without the server.
    stopped = made("backup", target, server.config_path)
    assert (stopped["instances"], stopped["new_files"]) == (3, 0)
    assert made("backup", target, server.config_path, "--verify")["files"] == 9
    with restored(tmp_path / "two", target, "--generation", report["generation"]) as two:
        assert seen(two) == before
        assert httpx.get(f"{two.url}/patients/{patient}/protected").text == "1"
        attached = f"{two.url}/instances/{third}/attachments/1025/data"
        assert httpx.get(attached).content == b"attached"
    consistent(two)
    with restored(tmp_path / "three", target, "--link") as three:
        assert seen(three) == after
        assert httpx.get(f"{three.url}/instances/{first}").status_code == 404
        assert httpx.get(f"{three.url}/instances/{fourth}").status_code == 200
        store(three, 4, 4)  # it goes on as a server does
    consistent(three)
    kept = made("backup", target, server.config_path, "--keep", "2")
    assert kept["removed_generations"][0] == report["generation"]
    assert kept["removed_files"] == 2
    # What an interrupted one has left goes with the next one that keeps some.
    stray = target / "files" / "00" / "11" / "00110000-0000-4000-8000-000000000000"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"of a generation that was never complete")
    assert made("backup", target, server.config_path, "--keep", "9")["removed_files"] == 1
    assert made("backup", target, server.config_path, "--verify")["files"] == 7


@contextmanager
def busy(server: OurServer) -> Iterator[dict[str, int]]:
    """Instances come and go as fast as they can; how many of each."""
    ending = threading.Event()
    counts = {"stored": 0, "deleted": 0}

    def work(thread: int) -> None:
        chance = random.Random(thread)
        mine: list[str] = []
        with httpx.Client(base_url=server.url, timeout=60) as http:
            while not ending.is_set():
                number = 1000 * thread + counts["stored"]
                data = TEMPLATE.number(thread, 1, number % 7, 100_000 * thread + number)
                mine.append(http.post("/instances", content=data).json()["ID"])
                counts["stored"] += 1
                if len(mine) > 5:
                    gone = mine.pop(chance.randrange(len(mine)))
                    http.delete(f"/instances/{gone}").raise_for_status()
                    counts["deleted"] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 3)]
    for thread in threads:
        thread.start()
    try:
        yield counts
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def test_beside_a_server_that_stores_and_deletes_killed_and_repeated(tmp_path: Path) -> None:
    target = tmp_path / "backup"
    chance = random.Random(1)
    with OurServer(tmp_path / "one", RESTLESS) as server:
        kept = [store(server, 99, number) for number in range(50)]
        with busy(server) as counts:
            until(lambda: counts["deleted"] > 20)
            for kill in range(3):
                command = [*CLI, "backup", str(target), str(server.config_path)]
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                files = target / "files"
                until(lambda: files.exists() or process.poll() is not None)  # noqa: B023
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.2 * kill * chance.random())
                process.kill()
                process.wait()
            reports = [made("backup", target, server.config_path) for _ in range(3)]
        assert not any(report["missing"] for report in reports)
        last = made("backup", target, server.config_path)
        before = seen(server)
        doomed = f"{server.url}/plugins/delayed-deletion/status"
        until(lambda: httpx.get(doomed).json().get("FilesPendingDeletion", 0) == 0)
    consistent(server)
    assert made("backup", target, server.config_path, "--verify")["generations"]
    middle = restored(tmp_path / "two", target, "--generation", reports[1]["generation"])
    with middle:
        for identifier in kept:
            httpx.get(f"{middle.url}/instances/{identifier}/file").raise_for_status()
    consistent(middle)
    with restored(tmp_path / "three", target, "--generation", last["generation"]) as end:
        assert seen(end) == before


def test_a_server_that_was_killed_is_backed_up_whole(tmp_path: Path) -> None:
    """What was acknowledged may be in the journal alone."""
    server = OurServer(tmp_path / "one", RESTLESS)
    with server:
        identifiers = {store(server, 1, number) for number in range(5)}
        server.kill_all()
    made("backup", tmp_path / "backup", server.config_path)
    with restored(tmp_path / "two", tmp_path / "backup") as two:
        assert set(httpx.get(f"{two.url}/instances").json()) == identifiers


def test_restore_is_killed_and_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "backup"
    with OurServer(tmp_path / "one", RESTLESS) as server:
        for number in range(30):
            store(server, 1, number)
        before = seen(server)
        made("backup", target, server.config_path)
    two = OurServer(tmp_path / "two", RESTLESS)
    two.config_path.write_text(json.dumps(two.configuration))
    process = subprocess.Popen([*CLI, "restore", str(target), str(two.config_path)])
    restoring = tmp_path / "two" / "storage" / RESTORING_FOLDER
    until(lambda: restoring.exists() or process.poll() is not None)
    process.kill()
    process.wait()
    if restoring.exists():
        with pytest.raises(RuntimeError, match="orthanc-fast restore"):
            two.start()
        made("restore", target, two.config_path)
    with two:
        assert seen(two) == before


def test_damage_in_a_backup_is_found(tmp_path: Path) -> None:
    target = tmp_path / "backup"
    with OurServer(tmp_path / "one", RESTLESS) as server:
        store(server, 1, 1)
        store(server, 1, 2)
    name = made("backup", target, server.config_path, "--copy")["generation"]
    one, other = sorted((target / "files").glob("??/??/*"))
    one.write_bytes(one.read_bytes()[:-1] + b"?")
    other.unlink()
    done = cli("backup", target, server.config_path, "--verify")
    assert done.returncode == 1
    assert f"{name}: {one.name}: " in done.stdout
    assert f"{name}: {other.name}: the file is not in the storage area" in done.stdout
    index = target / "generations" / name / "data.mdb"
    index.write_bytes(index.read_bytes()[:-1] + b"?")
    refused = cli("restore", target, server.config_path)
    assert (refused.returncode, "damaged" in refused.stderr) == (3, True), refused.stderr
    assert cli("backup", target, "--verify").returncode == 1


def test_what_is_refused(tmp_path: Path) -> None:
    with OurServer(tmp_path / "one", RESTLESS) as server:
        store(server, 1, 1)
    target = tmp_path / "backup"
    empty = OurServer(tmp_path / "two", RESTLESS)
    empty.config_path.write_text(json.dumps(empty.configuration))
    assert "no index" in cli("backup", target, empty.config_path).stderr
    (tmp_path / "nothing").mkdir()
    assert "no backup" in cli("restore", tmp_path / "nothing", empty.config_path).stderr
    name = made("backup", target, server.config_path)["generation"]
    assert "a store already" in cli("restore", target, server.config_path).stderr
    for path in (tmp_path / "one" / "storage" / INDEX_FOLDER).glob("*"):
        if path.is_file():
            path.unlink()
    assert "holds files" in cli("restore", target, server.config_path).stderr
    unknown = cli("restore", target, empty.config_path, "--generation", "20000101T000000Z")
    assert name in unknown.stderr and unknown.returncode == 3
    with Repository(target, create=False):
        assert "another program" in cli("backup", target, server.config_path, "--verify").stderr
    manifest = target / "generations" / name / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    assert "newer program" in cli("restore", target, empty.config_path).stderr
    assert not (tmp_path / "two" / "storage").exists()
