"""Large studies and objects by WADO-RS: memory stays where it is, what fails in the middle is no
whole answer, and a client that has gone costs nothing more."""

import itertools
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pydicom
import pytest
from support import generated
from support.dicom_web import parts
from support.files import file_named
from support.images import image_file, item
from support.process_memory import anonymous, worker
from support.server import OurServer

SLICES = 400  # of 525 KB: 210 MB
FRAMES = 2000
FRAME = 50_000  # bytes of each
BOUND = 50 << 20
STUDY = f"/dicom-web/studies/{generated.ROOT}.{4:d}{9:09d}"
STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
OCTETS = "multipart/related; type=application/octet-stream; transfer-syntax=*"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("retrieved")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[OurServer]:
    configuration = {"HttpWorkers": 1, "MaximumRequestBodySizeMB": 4096}
    with OurServer(folder, configuration) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=300) as client:
        yield client


@pytest.fixture(scope="module")
def large_study(client: httpx.Client) -> None:
    template = generated.ct_slice()
    for number in range(SLICES):
        data = template.number(9, 9, 1, number)
        assert client.post("/instances", content=data).status_code == 200


@pytest.fixture(scope="module", params=[True, False], ids=["table", "no table"])
def many_frames(client: httpx.Client, request: pytest.FixtureRequest) -> str:
    """The path of an object of 100 MB with 2,000 compressed frames, with an offset table or
    without. A frame begins with its number."""
    frames = [
        b"\xff\xd8\xff" + index.to_bytes(4, "big") + bytes(FRAME - 7) for index in range(FRAMES)
    ]
    table = b"".join((index * (FRAME + 8)).to_bytes(4, "little") for index in range(FRAMES))
    uid = f"1.2.3.2000.{int(request.param)}"
    data = image_file(
        item(table if request.param else b"") + b"".join(map(item, frames)),
        "1.2.840.10008.1.2.4.70",
        "OB",
        Rows=512,
        Columns=512,
        BitsAllocated=16,
        NumberOfFrames=FRAMES,
        SOPInstanceUID=uid,
    )
    assert client.post("/instances", content=data).status_code == 200
    return f"/dicom-web/studies/1.2.3.5/series/1.2.3.6/instances/{uid}/frames"


@pytest.mark.parametrize("syntax", ["*", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80"])
def test_memory_does_not_follow_the_study(
    server: OurServer, client: httpx.Client, large_study: None, syntax: str
) -> None:
    process = worker(server)
    value = f"{STORED[:-1]}{syntax}"
    client.get(f"{STUDY}/series/1", headers={"accept": value})  # what is opened once is open
    idle = anonymous(process)
    peak = total = ends = 0
    with client.stream("GET", STUDY, headers={"accept": value}) as answer:
        for number, chunk in enumerate(answer.iter_raw()):
            total += len(chunk)
            ends += chunk.count(b"MIME-Version")
            if number % 16 == 0:
                peak = max(peak, anonymous(process))
            if syntax == "1.2.840.10008.1.2.4.80" and total > 20 << 20:
                break
    assert total > 20 << 20
    assert peak - idle < BOUND
    if syntax == "*":
        assert total > SLICES * 525_000


def test_a_client_that_does_not_read_is_waited_for(
    server: OurServer, client: httpx.Client, large_study: None
) -> None:
    """And when it has gone nothing more is read, and nothing stays open."""
    process = worker(server)
    idle = anonymous(process)
    opened = len(process.open_files())
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        request = f"GET {STUDY} HTTP/1.1\r\nHost: test\r\nAccept: {STORED}\r\n\r\n"
        connection.sendall(request.encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        time.sleep(1)
        assert anonymous(process) - idle < BOUND
        read = process.io_counters().read_chars
    deadline = time.monotonic() + 60
    time.sleep(1)
    while len(process.open_files()) > opened:
        assert time.monotonic() < deadline, process.open_files()
        time.sleep(0.1)
    assert process.io_counters().read_chars - read < SLICES * 525_000 // 4


def test_one_frame_of_many(server: OurServer, client: httpx.Client, many_frames: str) -> None:
    """It is read from its place: neither the object nor its frames are."""
    process = worker(server)
    client.get(f"{many_frames}/1000", headers={"accept": OCTETS})
    idle = anonymous(process)
    before = process.io_counters().read_chars
    for number in (1, FRAMES, 1000):
        answer = client.get(f"{many_frames}/{number}", headers={"accept": OCTETS})
        (part,) = parts(answer)
        assert int.from_bytes(part.content[3:7], "big") == number - 1
        assert len(part.content) == FRAME
    assert process.io_counters().read_chars - before < 10 * FRAME
    assert anonymous(process) - idle < 8 << 20


def test_all_frames_of_many(server: OurServer, client: httpx.Client, many_frames: str) -> None:
    process = worker(server)
    idle = anonymous(process)
    peak = total = 0
    with client.stream("GET", many_frames, headers={"accept": OCTETS}) as answer:
        for number, chunk in enumerate(answer.iter_raw()):
            total += len(chunk)
            if number % 16 == 0:
                peak = max(peak, anonymous(process))
    assert total > FRAMES * FRAME
    assert peak - idle < BOUND


# Failures in the middle


_studies = itertools.count(100)


class Broken(NamedTuple):
    """A study of five slices, and their files in the order in which they are sent."""

    path: str
    files: list[Path]


@pytest.fixture
def broken(client: httpx.Client, folder: Path) -> Broken:
    template = generated.ct_slice()
    found = []
    study = next(_studies)
    for number in range(5):
        data = template.number(study, study, 1, number)
        stored = client.post("/instances", content=data).json()
        info = client.get(f"/instances/{stored['ID']}/attachments/dicom/info").json()
        (file,) = (folder / "storage").rglob(info["Uuid"])
        found.append(file)
    return Broken(f"/dicom-web/studies/{generated.ROOT}.4{study:09d}", found)


@pytest.mark.parametrize("is_missing", [True, False])
@pytest.mark.parametrize("place", [0, 3])
def test_a_damaged_file_is_no_whole_study(
    client: httpx.Client, broken: Broken, place: int, is_missing: bool
) -> None:
    """The connection breaks off, or, at the beginning, there is a proper error."""
    file = broken.files[place]
    if is_missing:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100_000])
    if place == 0:
        answer = client.get(broken.path, headers={"accept": STORED})
        assert answer.status_code in (404, 500)
        return
    received = b""
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("GET", broken.path, headers={"accept": STORED}) as answer,
    ):
        assert answer.status_code == 200
        for chunk in answer.iter_raw():
            received += chunk
    assert received.count(b"MIME-Version") < 5
    assert not received.endswith(b"--\r\n")


def test_an_instance_that_cannot_be_decoded_is_no_whole_study(client: httpx.Client) -> None:
    """Unless it is asked for as it is stored."""
    good = pydicom.dcmread(file_named("MR_small_RLE.dcm"))
    for number in range(3):
        value = good.PixelData
        if number == 2:
            value = item(b"") + item(b"\1\0\0\0\x40\0\0\0" + bytes(100))
        data = image_file(
            value,
            "1.2.840.10008.1.2.5",
            "OB",
            Rows=64,
            Columns=64,
            BitsAllocated=16,
            InstanceNumber=number,
            StudyInstanceUID="1.2.3.301",
            SOPInstanceUID=f"1.2.3.301.{number}",
        )
        assert client.post("/instances", content=data).status_code == 200
    path = "/dicom-web/studies/1.2.3.301"
    assert len(parts(client.get(path, headers={"accept": STORED}))) == 3
    try:
        status = client.get(path).status_code
    except httpx.RemoteProtocolError:  # what came before was on its way
        status = 0
    assert status in (0, 400)
