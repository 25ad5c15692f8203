"""Hostile uploads: Orthanc's error, nothing stored, the server stays up, memory stays bounded."""

import gzip
import io
import random
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.filereader import data_element_generator
from support import generated
from support.process import children
from support.server import OurServer
from support.small_disk import small_disk

from orthanc_fast.services.store.opening import INDEX_FOLDER

ZEROS = b"\0" * 5_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {"MaximumFileSizeInArchiveMB": 4, "MaximumUploadMemoryMB": 1}
    with OurServer(tmp_path_factory.mktemp("bad"), options) as running:
        yield running


def upload(server: OurServer, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}/instances", content=body, headers=headers, timeout=60)


def nothing_stored(server: OurServer) -> bool:
    storage = server.folder / "storage"
    index = storage / INDEX_FOLDER
    files = [path for path in storage.rglob("*") if path.is_file() and index not in path.parents]
    return httpx.get(f"{server.url}/instances").json() == [] and files == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"DICM",
        b"\0" * 128 + b"DICM",
        ZEROS,
        b"\xff" * 10_000,
        b"<html>no</html>" * 100,
        b"PK\x03\x04" + b"\0" * 100,
        b"PK\x05\x06" + b"\0" * 18 + b"rubbish",
        b"\x02\0\x10\0UI\xff\xff1.2",
    ],
)
def test_what_is_no_dicom(server: OurServer, body: bytes) -> None:
    answer = upload(server, body)
    if body.startswith(b"PK\x05\x06"):
        assert answer.status_code in (200, 400)
    elif body == ZEROS:  # padding, and no identifiers
        assert answer.status_code == 404
        assert answer.json()["OrthancStatus"] == 21
    else:
        assert answer.status_code == 400
        assert answer.json()["OrthancStatus"] == 15
    assert nothing_stored(server)


def ends_of_elements(data: bytes) -> set[int]:
    """A file cut there is shorter, but not damaged."""
    file = io.BytesIO(data)
    file.seek(132)
    elements: Iterator[Any] = data_element_generator(file, False, True)
    return {raw.value_tell + raw.length for raw in elements}


def test_truncations(server: OurServer) -> None:
    data = generated.small().number(1, 1, 1, 1)
    sizes = {*range(1, 1200, 37), len(data) - 1, len(data) // 2}
    for size in sorted(sizes - ends_of_elements(data)):
        answer = upload(server, data[:size])
        assert answer.status_code in (400, 404), size
    for extra in (b"\0", b"garbage"):
        assert upload(server, data + extra).status_code == 400
    assert nothing_stored(server)


def test_mutations(server: OurServer) -> None:
    data = generated.small().number(1, 1, 1, 1)
    chance = random.Random(42)
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for _ in range(300):
            mutated = bytearray(data[:3000] + data[-8:])
            for _ in range(chance.randint(1, 8)):
                mutated[chance.randrange(128, len(mutated))] = chance.randrange(256)
            answer = client.post("/instances", content=bytes(mutated))
            assert answer.status_code in (200, 400, 404), answer.text
            if answer.status_code == 200:
                identifier = answer.json()["ID"]
                for route in ("", "/tags", "/header", "/content"):
                    assert client.get(f"/instances/{identifier}{route}").status_code in (200, 400)
                assert client.delete(f"/instances/{identifier}").status_code == 200
    assert nothing_stored(server)


def test_zip_bomb(server: OurServer) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * (64 << 20))
    answer = upload(server, buffer.getvalue())
    assert answer.status_code == 400
    assert "Uncompressed size exceeds limit (4.0MB)" in answer.json()["Details"]
    assert nothing_stored(server)


def test_zip_that_lies_about_sizes(server: OurServer) -> None:
    """The directory says 100 bytes, the stream holds 64 MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * (64 << 20))
    body = buffer.getvalue().replace((64 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert upload(server, body).status_code == 400
    assert nothing_stored(server)


def test_gzip_bomb(server: OurServer) -> None:
    answer = upload(server, gzip.compress(b"\0" * (64 << 20)), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert "exceeds limit" in answer.json()["Details"]


def test_deflate_bomb(server: OurServer) -> None:
    """A deflated DICOM file whose data set is 200 MB of zeros: refused without keeping them."""
    meta = generated.small().data[132:]
    start = meta.find(b"1.2.840.10008.1.2.1\0")
    head = bytearray(generated.small().data[: 132 + start])
    compressor = zlib.compressobj(9, wbits=-15)
    body = bytes(head[:-8]) + b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"
    body += compressor.compress(b"\0" * (200 << 20)) + compressor.flush()
    assert upload(server, body).status_code == 400
    assert nothing_stored(server)


def test_names_in_archives_are_no_paths(server: OurServer, tmp_path: Path) -> None:
    data = generated.small().number(5, 5, 5, 5)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../../../tmp/evil.dcm", data)
        archive.writestr("/etc/evil", data)
        archive.writestr("C:\\evil", data)
    answer = upload(server, buffer.getvalue())
    assert [entry["Status"] for entry in answer.json()] == ["Success", *["AlreadyStored"] * 2]
    assert not Path("/tmp/evil.dcm").exists()
    assert not Path("/etc/evil").exists()
    httpx.delete(f"{server.url}/instances/{answer.json()[0]['ID']}")


def test_archives_in_archives_are_not_opened(server: OurServer) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x.dcm", generated.small().number(6, 6, 6, 6))
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    assert upload(server, outer.getvalue()).json() == []
    assert nothing_stored(server)


def test_large_files_go_by_way_of_the_disk(server: OurServer) -> None:
    """Above MaximumUploadMemoryMB: stored byte for byte, nothing left in `incoming`."""
    data = generated.multiframe(20).number(1, 1, 1, 1)
    assert len(data) > 10_000_000
    stored = upload(server, data).json()
    assert stored["Status"] == "Success"
    assert httpx.get(f"{server.url}/instances/{stored['ID']}/file").content == data
    again = upload(server, data).json()
    assert again["Status"] == "AlreadyStored"
    incoming = (server.folder / "storage" / "incoming").rglob("*")
    assert [path for path in incoming if path.is_file()] == []
    httpx.delete(f"{server.url}/instances/{stored['ID']}")
    assert upload(server, data[:-1]).status_code == 400
    assert nothing_stored(server)


def test_workers_survived_all_that(server: OurServer) -> None:
    assert server.process is not None
    assert len(children(server.process.pid)) >= 1
    assert "is replaced" not in server.log_path.read_text()


def test_full_disk(tmp_path: Path) -> None:
    """A small tmpfs as storage: 507, the server stays up, what was acknowledged stays."""
    with small_disk(tmp_path / "small", 12) as storage:
        options = {"StorageDirectory": str(storage), "IndexDirectory": str(tmp_path / "index")}
        with OurServer(tmp_path / "server", options) as server:
            check_full_disk(server)


def check_full_disk(server: OurServer) -> None:
    template = generated.ct_slice()
    stored: dict[str, bytes] = {}
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for number in range(40):
            data = template.number(1, 1, 1, number)
            answer = client.post("/instances", content=data)
            if answer.status_code != 200:
                break
            stored[answer.json()["ID"]] = data
        assert answer.status_code == 507
        assert answer.json()["OrthancStatus"] == 19
        assert len(stored) > 10
        assert client.get("/statistics").json()["CountInstances"] == len(stored)
        for identifier, data in stored.items():
            assert client.get(f"/instances/{identifier}/file").content == data
        first, *_ = stored
        assert client.delete(f"/instances/{first}").status_code == 200
        assert client.post("/instances", content=data).json()["Status"] == "AlreadyStored"
        assert client.post("/instances", content=stored[first]).json()["Status"] == "Success"


def test_a_large_upload_on_a_full_disk(tmp_path: Path) -> None:
    """It goes to a file while it comes; what does not fit is refused, and nothing is left of it."""
    with small_disk(tmp_path / "small", 12) as storage:
        options = {
            "StorageDirectory": str(storage),
            "IndexDirectory": str(tmp_path / "index"),
            "MaximumUploadMemoryMB": 1,
        }
        with OurServer(tmp_path / "server", options) as server:
            answer = httpx.post(f"{server.url}/instances", content=bytes(14 << 20), timeout=30)
            assert answer.status_code == 507
            assert answer.json()["OrthancStatus"] == 19
            assert list(storage.rglob("*.part")) == []
