"""How archives come to their clients: as streams, as jobs, stored with ranges, and what becomes of
those that end before their time."""

import io
import itertools
import json
import shutil
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom.dataset import FileDataset
from support import generated
from support.archived import instance
from support.server import OurServer
from support.small_disk import small_disk
from support.zip_readers import assert_readable

LARGE_EDGE = 2400  # of a slice of 11 MB: it is packed in parts
STEP = 1 << 20


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compressed"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OurServer]:
    """Also one whose files are stored in compressed form."""
    settings = {"StorageCompression": request.param, "JobsHistorySize": 100, "HttpWorkers": 1}
    with OurServer(tmp_path_factory.mktemp("delivery"), settings) as started:
        yield started


@pytest.fixture(scope="module")
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        for data in (*small_files(), large_file(1), large_file(2, noise=True)):
            http.post("/instances", content=data).raise_for_status()
        yield http


def small_files() -> Iterator[bytes]:
    for number in range(40):
        yield instance("D", "1", "1", number, SeriesDescription="é" * 20)


def large_file(number: int, noise: bool = False) -> bytes:
    """One that deflate makes smaller, and one that it does not."""
    dataset: FileDataset = generated.base()
    dataset.PatientID = "D"
    dataset.SOPInstanceUID = f"{generated.ROOT}.3.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SeriesInstanceUID = f"{generated.ROOT}.2"
    dataset.StudyInstanceUID = f"{generated.ROOT}.1"
    dataset.InstanceNumber = str(number)
    pixels = generated.anatomy(LARGE_EDGE)
    if noise:
        pixels = np.random.default_rng(5).integers(0, 65536, pixels.shape, dtype="u2")
    generated.add_pixels(dataset, pixels)
    return generated.encode_once(dataset)


def patient(client: httpx.Client) -> str:
    (found,) = client.get("/patients").json()
    return str(found)


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def originals(client: httpx.Client) -> list[bytes]:
    names = client.get("/instances").json()
    return sorted(client.get(f"/instances/{name}/file").content for name in names)


def assert_complete(client: httpx.Client, data: bytes, path: Path, count: int = 42) -> None:
    path.write_bytes(data)
    assert len(assert_readable(path)) == count
    found = contents(data)
    found.pop("DICOMDIR", None)
    assert sorted(found.values()) == originals(client)


def test_streamed(client: httpx.Client, tmp_path: Path) -> None:
    """Small files and large ones, those too that do not become smaller."""
    answer = client.get(f"/patients/{patient(client)}/archive")
    assert "content-length" not in answer.headers
    assert_complete(client, answer.content, tmp_path / "all.zip")
    answer = client.get(f"/patients/{patient(client)}/media")
    assert_complete(client, answer.content, tmp_path / "media.zip", 43)


def jobs(client: httpx.Client) -> list[dict[str, Any]]:
    """The latest first."""
    found = client.get("/jobs?expand").json()
    return sorted(found, key=lambda job: str(job["CreationTime"]), reverse=True)


def completed(client: httpx.Client, path: str) -> dict[str, Any]:
    end = time.monotonic() + 30
    while True:
        job: dict[str, Any] = client.get(path).json()
        if job["State"] in ("Success", "Failure"):
            return job
        assert time.monotonic() < end, job
        time.sleep(0.02)


def test_a_streamed_archive_is_seen_as_a_job(client: httpx.Client) -> None:
    body = {"UserData": "mine", "Priority": 3, "Utf8": True}
    path = f"/patients/{patient(client)}/archive"
    answer = client.post(path, content=json.dumps(body))
    job = completed(client, f"/jobs/{jobs(client)[0]['ID']}")
    statistics = client.get(f"/patients/{patient(client)}/statistics").json()
    size = len(answer.content)
    assert job["State"] == "Success"
    assert (job["Type"], job["Priority"], job["UserData"]) == ("Archive", 3, "mine")
    assert job["Content"] == {
        "ArchiveSize": str(size),
        "ArchiveSizeMB": size >> 20,
        "Description": "REST API",
        "InstancesCount": 42,
        "UncompressedSize": statistics["DicomUncompressedSize"],
        "UncompressedSizeMB": statistics["DicomUncompressedSizeMB"],
        "Utf8": True,
    }


@pytest.mark.parametrize("kind", ["archive", "media"])
def test_asynchronous(client: httpx.Client, tmp_path: Path, kind: str) -> None:
    body = {"Asynchronous": True, "Filename": "mine.zip", "UserData": {"kept": "not"}}
    path = f"/patients/{patient(client)}/{kind}"
    submitted = client.post(path, content=json.dumps(body)).json()
    assert submitted["Path"] == f"/jobs/{submitted['ID']}"
    job = completed(client, submitted["Path"])
    assert job["State"] == "Success", job
    assert job["Type"] == kind.capitalize()
    assert "UserData" not in job
    answer = client.get(f"{submitted['Path']}/archive")
    assert answer.headers["content-disposition"] == 'filename="mine.zip"'
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert job["Content"]["ArchiveSize"] == str(len(answer.content))
    assert_complete(client, answer.content, tmp_path / "all.zip", 42 + (kind == "media"))
    assert client.post(f"{submitted['Path']}/resubmit").status_code in (400, 500)
    assert client.delete(f"{submitted['Path']}/archive").status_code == 200
    gone = client.get(f"{submitted['Path']}/archive")
    assert gone.status_code == 404
    assert gone.json()["Details"] == "Job has no such output: archive"


def test_stored(client: httpx.Client, tmp_path: Path) -> None:
    """The length is known, the bytes are those of the files, and always the same."""
    path = f"/patients/{patient(client)}/archive"
    answer = client.get(f"{path}?compression=0")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["accept-ranges"] == "bytes"
    assert_complete(client, answer.content, tmp_path / "all.zip")
    assert list(contents(answer.content)) == list(contents(client.get(path).content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    posted = client.post(path, content='{"Compression": 0, "Utf8": false}')
    assert posted.content == answer.content
    assert posted.headers["etag"] == answer.headers["etag"]


def test_any_range_of_it(client: httpx.Client) -> None:
    """A download that broke off goes on where it was."""
    path = f"/patients/{patient(client)}/archive?compression=0"
    whole = client.get(path)
    size, tag = len(whole.content), whole.headers["etag"]
    edges = (0, 1, 29, 30, 700, 20_000, 1 << 20, size // 2, size - 3000, size - 1, size)
    for first, stop in itertools.pairwise(edges):
        part = client.get(path, headers={"Range": f"bytes={first}-{stop - 1}", "If-Range": tag})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {first}-{stop - 1}/{size}"
        assert part.content == whole.content[first:stop]
    rest = client.get(path, headers={"Range": "bytes=12345678-"})
    assert rest.content == whole.content[12345678:]
    stale = client.get(path, headers={"Range": "bytes=5-", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    beyond = client.get(path, headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    "query", ["compression=2", "compression=", "compression=0&transcode=1.2.840.10008.1.2"]
)
def test_what_cannot_be_stored_is_refused(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/patients/{patient(client)}/archive?{query}")
    assert answer.status_code == 400
    assert answer.json()["OrthancStatus"] == 3


def test_a_client_that_leaves(server: OurServer, client: httpx.Client) -> None:
    """The job fails as a matter of the network, within a second or so."""
    path = f"/patients/{patient(client)}/archive"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        running = jobs(client)[0]
        assert running["State"] == "Running", running
    job = completed(client, f"/jobs/{running['ID']}")
    assert (job["State"], job["ErrorCode"]) == ("Failure", 9)


def test_a_job_that_is_cancelled_breaks_the_connection(
    server: OurServer, client: httpx.Client
) -> None:
    path = f"/patients/{patient(client)}/archive"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        data = connection.recv(1000)
        running = jobs(client)[0]
        client.post(f"/jobs/{running['ID']}/cancel").raise_for_status()
        while part := connection.recv(STEP):
            data += part
    assert not data.endswith(b"0\r\n\r\n")  # the end of what is complete
    job = completed(client, f"/jobs/{running['ID']}")
    assert (job["State"], job["ErrorCode"]) == ("Failure", 37)


def test_not_streamed(tmp_path: Path) -> None:
    """SynchronousZipStream: the archive is made before it is sent, and has a length."""
    settings = {"SynchronousZipStream": False}
    with (
        OurServer(tmp_path, settings) as started,
        httpx.Client(base_url=started.url, timeout=60) as http,
    ):
        stored = [http.post("/instances", content=data).json() for data in small_files()]
        path = f"/studies/{stored[0]['ParentStudy']}/archive"
        answer = http.get(path)
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert sorted(contents(answer.content).values()) == originals(http)
        assert jobs(http)[0]["State"] == "Success"
        assert not list((tmp_path / "storage").glob("archive-*"))


def test_no_room_for_an_archive_that_is_not_streamed(tmp_path: Path) -> None:
    """An error answer, or none, a failed job, and nothing that is left; the next one finds the
    room."""
    with small_disk(tmp_path / "disk", 8) as disk:
        settings = {"SynchronousZipStream": False, "TemporaryDirectory": str(disk)}
        with (
            OurServer(tmp_path, settings) as started,
            httpx.Client(base_url=started.url, timeout=60) as http,
        ):
            small = [http.post("/instances", content=data).json() for data in small_files()]
            large = large_file(2, noise=True)
            http.post("/instances", content=large).raise_for_status()
            answer = http.get(f"/patients/{small[0]['ParentPatient']}/archive")
            assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 19)
            (job,) = jobs(http)
            assert (job["State"], job["ErrorCode"]) == ("Failure", 19)
            body = {"Resources": [small[0]["ParentPatient"]], "Asynchronous": True}
            job = completed(http, http.post("/tools/create-archive", json=body).json()["Path"])
            assert (job["State"], job["ErrorCode"]) == ("Failure", 19)
            assert http.get(f"/jobs/{job['ID']}/archive").status_code == 404
            assert not [path for path in disk.rglob("*") if path.is_file()]
            answer = http.post("/tools/create-archive", json=[small[0]["ID"]])
            end = time.monotonic() + 20
            while not answer.is_success and time.monotonic() < end:
                time.sleep(0.05)  # a name is gone before the room that its file took is free
                answer = http.post("/tools/create-archive", json=[small[0]["ID"]])
            assert len(contents(answer.content)) == 1
            assert not [path for path in disk.rglob("*") if path.is_file()]


def test_no_folder_for_an_archive_that_is_not_streamed(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    settings = {"SynchronousZipStream": False, "TemporaryDirectory": str(folder)}
    with (
        OurServer(tmp_path, settings) as started,
        httpx.Client(base_url=started.url, timeout=60) as http,
    ):
        stored = [http.post("/instances", content=data).json() for data in small_files()]
        shutil.rmtree(folder)
        answer = http.get(f"/studies/{stored[0]['ParentStudy']}/archive")
        assert answer.status_code == 500
        assert jobs(http)[0]["State"] == "Failure"


def test_an_output_that_vanishes_is_no_output(client: httpx.Client, server: OurServer) -> None:
    """Whoever has taken it away, be it another job while this request was on its way."""
    body = {"Resources": [patient(client)], "Asynchronous": True}
    job = client.post("/tools/create-archive", json=body).json()["Path"]
    completed(client, job)
    for path in (server.folder / "storage" / "job-outputs").iterdir():
        path.unlink()
    answer = client.get(f"{job}/archive")
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 7)


def test_a_file_that_is_lost_breaks_the_connection(tmp_path: Path) -> None:
    """Unlike one that has been deleted, which is left out; Orthanc's ends as if it were whole."""
    with (
        OurServer(tmp_path) as started,
        httpx.Client(base_url=started.url, timeout=60) as http,
    ):
        stored = [http.post("/instances", content=data).json() for data in small_files()]
        path = f"/studies/{stored[0]['ParentStudy']}/archive"
        lost = stored[-1]["ID"]
        info = http.get(f"/instances/{lost}/attachments/dicom/info").json()
        (file,) = (tmp_path / "storage").rglob(info["Uuid"])
        file.unlink()
        try:
            status = http.get(path).status_code
        except httpx.TransportError:
            status = 0
        assert status in (0, 404, 500)
        assert jobs(http)[0]["State"] == "Failure"
