"""`orthanc-fast rebuild`: what a server knew before its index was lost, and after."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.files import dicom_files
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.waiting import until

from orthanc_fast.services.store.opening import INDEX_FOLDER, REBUILDING_FOLDER
from orthanc_fast.services.upkeep.rebuild import user_of

LEVELS = ("patients", "studies", "series", "instances")
# What only the index knew: who sent an instance, and when exactly.
FORGOTTEN = {"RemoteIP", "HttpUsername", "Origin", "ReceptionDate", "LastUpdate", "RemoteAET"}
COMMAND = [sys.executable, "-m", "orthanc_fast.cli", "rebuild"]


def rebuild(server: ServerProcess, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *options, str(server.config_path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def report_of(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def files_of(server: ServerProcess) -> dict[str, bytes]:
    store = server.folder / "storage"
    return {path.name: path.read_bytes() for path in store.glob("??/??/*")}


def upload_files(url: str) -> int:
    """Files of many kinds and makers, as far as they are taken; and a volume."""
    count = 0
    template = generated.small()
    contents = [path.read_bytes() for path in dicom_files() if path.stat().st_size < 100_000]
    # What Orthanc makes of code extensions is another matter (docs/deviations.md).
    contents = [data for data in contents if b"ISO 2022" not in data]
    with httpx.Client(base_url=url, timeout=30) as http:
        for data in contents[::8] + [template.number(1, 1, 1, n) for n in range(5)]:
            answer = http.post("/instances", content=data)
            count += answer.status_code == 200 and answer.json()["Status"] == "Success"
    return count


def seen(url: str) -> dict[str, Any]:
    """All that REST tells of the resources, without what files do not tell."""
    found: dict[str, Any] = {}
    with httpx.Client(base_url=url, timeout=30) as http:
        for level in LEVELS:
            for entry in http.get(f"/{level}?expand").json():
                path = f"/{level}/{entry['ID']}"
                entry.pop("LastUpdate", None)
                entry.pop("IsStable", None)
                entry.pop("FileUuid", None)
                metadata = http.get(f"{path}/metadata?expand").json()
                entry["metadata"] = {
                    name: value for name, value in metadata.items() if name not in FORGOTTEN
                }
                entry["attachments"] = {
                    name: http.get(f"{path}/attachments/{name}/info").json()
                    for name in http.get(f"{path}/attachments").json()
                }
                for info in entry["attachments"].values():
                    del info["ContentType"]
                found[path] = entry
        found["statistics"] = http.get("/statistics").json()
    return found


def without_md5(found: dict[str, Any]) -> dict[str, Any]:
    """The MD5s are computed when somebody asks for them."""
    for entry in found.values():
        for info in entry.get("attachments", {}).values():
            for name in ("UncompressedMD5", "CompressedMD5"):
                info.pop(name, None)
    return found


@pytest.mark.parametrize("is_compressed", [False, True])
def test_an_index_of_ours(tmp_path: Path, is_compressed: bool) -> None:
    # What becomes stable would get metadata of DICOMweb as an attachment.
    options = {"StorageCompression": is_compressed, "StableAge": 100_000}
    server = OurServer(tmp_path, options)
    with server:
        count = upload_files(server.url)
        before = without_md5(seen(server.url))
    assert count > 10
    files = files_of(server)
    shutil.rmtree(tmp_path / "storage" / INDEX_FOLDER)
    done = rebuild(server, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = report_of(done)
    assert (report["instances"], report["files"]) == (count, len(files))
    assert report["heads"] == len(files) - count
    assert bool(report["heads"]) == is_compressed
    with server:
        assert without_md5(seen(server.url)) == before
        studies = httpx.get(f"{server.url}/studies?expand").json()
        assert all(study["IsStable"] for study in studies)
    assert files_of(server) == files


@pytest.mark.parametrize("is_compressed", [False, True])
def test_the_files_of_an_orthanc(
    tmp_path: Path, needs_reference: None, is_compressed: bool
) -> None:
    theirs = ReferenceServer(tmp_path, {"StorageCompression": is_compressed})
    with theirs:
        count = upload_files(theirs.url)
        before = without_md5(seen(theirs.url))
        dates = {
            each: httpx.get(f"{theirs.url}/instances/{each}/metadata/ReceptionDate").text
            for each in httpx.get(f"{theirs.url}/instances").json()[:10]
        }
    ours = OurServer(tmp_path, {"StorageCompression": is_compressed})
    files = files_of(ours)
    ours.config_path.write_text(json.dumps(ours.configuration))
    refused = rebuild(ours)
    assert (refused.returncode, "adopt" in refused.stderr) == (3, True), refused.stderr
    for path in (tmp_path / "storage").glob("index*"):
        path.unlink()
    done = rebuild(ours, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert report_of(done)["instances"] == count
    with ours:
        after = without_md5(seen(ours.url))
        for each, date in dates.items():
            moment = httpx.get(f"{ours.url}/instances/{each}/metadata/ReceptionDate").text
            assert abs(seconds(moment) - seconds(date)) <= 2
    for name, entry in before.items():
        if name.startswith("/"):
            assert after[name] == entry
    assert after["statistics"] == before["statistics"]
    assert files_of(ours) == files


def seconds(moment: str) -> float:
    return time.mktime(time.strptime(moment, "%Y%m%dT%H%M%S"))


def made_store(folder: Path, count: int) -> OurServer:
    """A store that has lost its index, and another file."""
    server = OurServer(folder)
    template = generated.small()
    chance = random.Random(count)
    for number in range(count):
        uuid = f"{chance.getrandbits(128):032x}"
        name = f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"
        path = folder / "storage" / name[:2] / name[2:4] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(template.number(number // 40, number // 20, number // 10, number))
    server.config_path.write_text(json.dumps(server.configuration))
    return server


def test_killed_and_called_again(tmp_path: Path) -> None:
    """At any moment: the end is the same, and no server begins meanwhile."""
    count = 1500
    server = made_store(tmp_path, count)
    files = files_of(server)
    partial = tmp_path / "storage" / REBUILDING_FOLDER
    chance = random.Random(1)
    for kill in range(4):
        process = subprocess.Popen([*COMMAND, str(server.config_path)], stdout=subprocess.DEVNULL)
        until(lambda: (partial / "data.mdb").exists() or process.poll() is not None)  # noqa: B023
        if process.poll() is not None:
            break
        with suppress(subprocess.TimeoutExpired):
            process.wait(kill * chance.random())
        process.kill()
        process.wait()
    if partial.exists():
        with pytest.raises(RuntimeError, match="orthanc-fast rebuild"):
            server.start()
        done = rebuild(server, "--json")
        assert done.returncode == 0, done.stderr
        report = report_of(done)
        assert (report["instances"], report["files"]) == (count, count)
    assert not partial.exists()
    with server:
        assert httpx.get(f"{server.url}/statistics").json()["CountInstances"] == count
    assert files_of(server) == files


def test_duplicates_and_other_files_are_named(tmp_path: Path) -> None:
    server = made_store(tmp_path, 3)
    paths = sorted((tmp_path / "storage").glob("??/??/*"))
    for number, path in enumerate(paths):
        os.utime(path, (10**9 + number, 10**9 + number))
    twin = tmp_path / "storage" / "00" / "11" / "00110000-0000-4000-8000-000000000000"
    other = twin.with_name("00110000-0000-4000-8000-000000000001")
    twin.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(paths[0], twin)
    other.write_bytes(b"notes of somebody")
    done = rebuild(server)
    assert done.returncode == 1
    assert f"duplicate: {paths[0].name}: " in done.stdout
    assert f"unknown: {other.name}: " in done.stdout
    assert "3 instances of 1 patients from 5 files" in done.stdout
    assert all(path.exists() for path in (*paths, twin, other))
    with server:
        entries = httpx.get(f"{server.url}/instances?expand").json()
        assert {entry["FileUuid"] for entry in entries} == {twin.name, *(p.name for p in paths[1:])}
        dates = [
            httpx.get(f"{server.url}/instances/{entry['ID']}/metadata/ReceptionDate").text
            for entry in entries
            if entry["FileUuid"] != twin.name
        ]
        assert sorted(dates) == ["20010909T014641", "20010909T014642"]


def test_what_was_on_its_way_is_taken_in(tmp_path: Path) -> None:
    """A file that was acknowledged may still lie in `incoming`; what is none stays there."""
    with OurServer(tmp_path) as server:
        data = generated.small().number(1, 1, 1, 1)
        identifier = httpx.post(f"{server.url}/instances", content=data).json()["ID"]
    (kept,) = (tmp_path / "storage").glob("??/??/*")
    owner = identifier.replace("-", "")
    incoming = tmp_path / "storage" / "incoming" / "http-0"
    incoming.mkdir(exist_ok=True)
    kept.rename(incoming / f"{owner}.{kept.name}")
    notes = incoming / f"{owner}.{kept.name[:-1]}0"
    notes.write_bytes(b"an attachment of a user")
    shutil.rmtree(tmp_path / "storage" / INDEX_FOLDER)
    assert report_of(rebuild(server, "--json"))["published"] == 1
    assert kept.read_bytes() == data and notes.exists()
    with server:
        assert httpx.get(f"{server.url}/instances/{identifier}/file").content == data


def test_an_index_is_never_replaced(tmp_path: Path) -> None:
    server = made_store(tmp_path, 1)
    assert rebuild(server).returncode == 0
    before = (tmp_path / "storage" / INDEX_FOLDER / "data.mdb").read_bytes()
    refused = rebuild(server)
    assert (refused.returncode, "there is an index already" in refused.stderr) == (3, True)
    assert (tmp_path / "storage" / INDEX_FOLDER / "data.mdb").read_bytes() == before


def test_a_server_whose_index_was_removed_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / INDEX_FOLDER
    folder.mkdir()
    assert user_of(folder) is None
    with (folder / "data.mdb").open("w"):
        shutil.rmtree(folder)
        assert user_of(folder) == os.getpid()


def test_a_storage_that_is_not_there(tmp_path: Path) -> None:
    server = OurServer(tmp_path)
    server.config_path.write_text(json.dumps(server.configuration))
    refused = rebuild(server)
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 1)
    assert not (tmp_path / "storage").exists()
