"""Clients that leave in the middle of an answer, or of what they send: nothing of theirs stays in
the server, and others do not notice. Instances that go, or are replaced, while they are sent."""

import io
import re
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import psutil
import pytest
from support import generated
from support.dicom_web import parts
from support.files import file_named
from support.process_memory import anonymous, worker
from support.server import OurServer
from support.stow import DICOM_PART, KIND, instance
from support.web_files import put, video

SLICES = 24  # of 525 KB
SMALL = 1000
TIMES = 4  # each way of leaving
BOUND = 24 << 20
LARGE = f"/dicom-web/studies/{generated.ROOT}.4{8:09d}"
MANY = f"/dicom-web/studies/{generated.ROOT}.4{9:09d}"
STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
XML = 'multipart/related; type="application/dicom+xml"'
PNG = 'multipart/related; type="image/png"'

# What is asked for, and how: each answer is far from its end when the client leaves.
ANSWERS = {
    "files": (LARGE, STORED),
    "transcoded": (LARGE, 'multipart/related; type="application/dicom"'),
    "zip": (LARGE, "application/zip"),
    "metadata": (f"{MANY}/metadata", "application/dicom+json"),
    "metadata in XML": (f"{MANY}/metadata", XML),
    "search": ("/dicom-web/instances?includefield=all", "application/dicom+json"),
    "search in XML": ("/dicom-web/instances?includefield=all", "application/dicom+xml"),
    "pictures": (f"{LARGE}/rendered", PNG),
    "animation": ("{loop}/rendered", "image/gif"),
    "frames": ("{loop}/frames", 'multipart/related; type="image/jls"'),
    "video": ("{video}/rendered", "video/mp4"),
    "bulk data": ("{video}/bulk/7fe00010", "*/*"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {
        "HttpWorkers": 1,
        "OverwriteInstances": True,
        "DicomWeb": {"EnableMetadataCache": False},
    }
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        yield running


class Paths(NamedTuple):
    loop: str
    video: str


@pytest.fixture(scope="module")
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=300) as made:
        yield made


@pytest.fixture(scope="module")
def paths(client: httpx.Client) -> Paths:
    slices, small = generated.ct_slice(), generated.small()
    for number in range(SLICES):
        assert client.post("/instances", content=slices.number(8, 8, 1, number)).is_success
    for number in range(SMALL):
        assert client.post("/instances", content=small.number(9, 9, 1, number)).is_success
    loop = put(client, file_named("emri_small.dcm").read_bytes(), "780")
    film = put(client, video(), "781")
    return Paths(loop.removesuffix("/rendered"), film.removesuffix("/rendered"))


class Left(NamedTuple):
    """What a process holds."""

    descriptors: int
    threads: int
    memory: int


def held(process: psutil.Process) -> Left:
    return Left(process.num_fds(), process.num_threads(), anonymous(process))


def quiet(process: psutil.Process) -> None:
    """Waits until the process does nothing any more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        before = process.cpu_times()
        time.sleep(0.5)
        after = process.cpu_times()
        if after.user + after.system - before.user - before.system < 0.05:
            return
    raise AssertionError("the process goes on working")


@contextmanager
def nothing_stays(server: OurServer) -> Iterator[None]:
    """The block leaves neither descriptors nor memory behind, nor work, and nobody else waits."""
    process = worker(server)
    quiet(process)
    before = held(process)
    ends, failed = threading.Event(), []

    def others() -> None:
        with httpx.Client(base_url=server.url, timeout=60) as other:
            while not ends.wait(0.02):
                if other.get("/system").status_code != 200:
                    failed.append(1)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
    assert not failed
    quiet(process)
    deadline = time.monotonic() + 60
    while (now := held(process)).descriptors > before.descriptors:
        assert time.monotonic() < deadline, (before, now, process.open_files())
        time.sleep(0.1)
    assert now.threads - before.threads <= 40  # those of the pools, which are started when needed
    assert now.memory - before.memory < BOUND
    assert worker(server).pid == process.pid


def leave(server: OurServer, content: bytes, received: int, resets: bool) -> None:
    """Sends this, reads so many bytes, and goes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(content)
        got = 0
        while got < received:
            more = connection.recv(min(4096, received - got))
            if not more:
                return
            got += len(more)
        if resets:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@pytest.mark.parametrize("name", ANSWERS)
def test_in_the_middle_of_an_answer(server: OurServer, paths: Paths, name: str) -> None:
    path, accept = ANSWERS[name]
    path = path.format(**paths._asdict())
    request = f"GET {path} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\n\r\n".encode()
    head = request.replace(b"GET", b"HEAD", 1)
    leave(server, request, 5000, False)  # what is opened once is open
    with nothing_stays(server):
        for number in range(TIMES):
            for received in (0, 1, 5000):
                leave(server, request, received, resets=bool(number % 2))
        for _ in range(TIMES):
            leave(server, head, 15, False)


BODY = b'{"Level":"Instance","Query":{"EchoTime":"7"}}'


@pytest.mark.parametrize(
    ("method", "path", "body", "received"),
    [
        ("GET", "/dicom-web/instances?EchoTime=7", b"", 1),
        ("GET", "/dicom-web/instances?EchoTime=7&limit=10", b"", 0),
        ("POST", "/tools/find", BODY, 0),
    ],
)
def test_in_a_search_that_finds_nothing(
    server: OurServer,
    client: httpx.Client,
    paths: Paths,
    method: str,
    path: str,
    body: bytes,
    received: int,
) -> None:
    """Nobody looks into the other files any more."""
    process = worker(server)

    def worked() -> float:
        times = process.cpu_times()
        return times.user + times.system

    quiet(process)
    before = worked()
    for _ in range(4):
        assert client.request(method, path, content=body).json() == []
    whole = worked() - before
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n"
    before = worked()
    for _ in range(4):
        leave(server, head.encode() + body, received, resets=True)
    quiet(process)
    print(whole, worked() - before)
    assert worked() - before < whole / 2


def test_in_the_middle_of_what_is_sent(server: OurServer, client: httpx.Client) -> None:
    content = instance(1, 95, size=600)
    start = b"--BB\r\n" + DICOM_PART + b"\r\n"
    kind = KIND.encode()
    request = b"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\n" % kind
    request += b"Content-Length: 100000000\r\n\r\n" + start
    leave(server, request + content[:300_000], 0, False)
    with nothing_stays(server):
        for number in range(TIMES):
            for size in (0, 100, 300_000):
                leave(server, request + content[:size], 0, resets=bool(number % 2))
    assert list((server.folder / "storage" / "incoming").rglob("*.part")) == []


def test_others_get_all_of_it(server: OurServer, client: httpx.Client, paths: Paths) -> None:
    request = f"GET {LARGE} HTTP/1.1\r\nHost: test\r\nAccept: {STORED}\r\n\r\n".encode()
    ends = threading.Event()

    def leaves() -> None:
        while not ends.is_set():
            leave(server, request, 5000, True)

    threads = [threading.Thread(target=leaves) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            assert len(parts(client.get(LARGE, headers={"accept": STORED}))) == SLICES
            assert len(client.get(f"{MANY}/metadata").json()) == SMALL
    finally:
        ends.set()
        for thread in threads:
            thread.join()


# What changes while it is sent


class Study(NamedTuple):
    number: int
    path: str
    publics: list[str]


def new_study(client: httpx.Client, number: int) -> Study:
    template = generated.ct_slice()
    publics = [
        client.post("/instances", content=template.number(number, number, 1, each)).json()["ID"]
        for each in range(SLICES)
    ]
    return Study(number, f"/dicom-web/studies/{generated.ROOT}.4{number:09d}", publics)


def changed_while_sent(
    server: OurServer, path: str, accept: str, change: Callable[[], None]
) -> tuple[bytes, bool]:
    """The body of an answer whose instances are changed behind its first bytes, and whether it came
    to its end."""
    headers = {"accept": accept}
    body = b""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        try:
            with client.stream("GET", path, headers=headers) as answer:
                assert answer.status_code == 200
                for chunk in answer.iter_raw():
                    if not body:
                        change()
                    body += chunk
        except httpx.RemoteProtocolError:
            return body, False
    return body, True


FORMS = [
    ("", STORED, b"MIME-Version"),
    ("", 'multipart/related; type="application/dicom"', b"MIME-Version"),
    ("", "application/zip", b"PK\x01\x02"),
    ("/metadata", "application/dicom+json", b'"00080018"'),
    ("/metadata", XML, b"MIME-Version"),
    ("/rendered", PNG, b"MIME-Version"),
]


@pytest.mark.parametrize(("tail", "accept", "sign"), FORMS)
def test_deleted_while_it_is_sent(
    server: OurServer, client: httpx.Client, tail: str, accept: str, sign: bytes
) -> None:
    """What is gone may be left out; what is there is sent, and no file in part, unless the answer
    breaks off."""
    study = new_study(client, 1000 + FORMS.index((tail, accept, sign)))

    def delete() -> None:
        for public in reversed(study.publics[1:]):
            assert client.delete(f"/instances/{public}").status_code == 200

    with nothing_stays(server):
        body, is_whole = changed_while_sent(server, study.path + tail, accept, delete)
    count = body.count(sign)
    assert count <= SLICES
    if is_whole:
        assert count >= 1
        if tail == "" and accept != "application/zip":
            lengths = [int(each) for each in re.findall(rb"Content-Length: (\d+)", body)]
            assert len(set(lengths)) == 1 and body.count(b"DICM") == count
            assert body.endswith(b"--\r\n")
        elif accept == "application/zip":
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                assert archive.testzip() is None
    assert len(client.get(f"{study.path}/metadata").json()) == 1


@pytest.mark.parametrize(("tail", "accept", "sign"), FORMS)
def test_overwritten_while_it_is_sent(
    server: OurServer, client: httpx.Client, tail: str, accept: str, sign: bytes
) -> None:
    """Each instance is as it was or as it is, and none is missing, unless the answer breaks off."""
    study = new_study(client, 1100 + FORMS.index((tail, accept, sign)))
    template = generated.ct_slice()

    def overwrite() -> None:
        for each in range(SLICES):
            data = template.number(study.number, study.number, 1, each)
            stored = client.post("/instances", content=data[:-2] + b"\x07\x00").json()
            assert stored["Status"] == "Success"

    with nothing_stays(server):
        body, is_whole = changed_while_sent(server, study.path + tail, accept, overwrite)
    if is_whole:
        assert body.count(sign) == SLICES
    else:
        assert body.count(sign) <= SLICES
    again = parts(client.get(study.path, headers={"accept": STORED}))
    assert [each.content[-2:] for each in again] == [b"\x07\x00"] * SLICES
