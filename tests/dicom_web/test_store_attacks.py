"""Bodies of STOW-RS that are meant to do harm: they end with an error of the client, nothing of
them stays behind, and memory does not follow them."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.process_memory import largest
from support.server import OurServer
from support.stow import DICOM_PART, KIND, body, instance, outcome, post

PART = b"--BB\r\n" + DICOM_PART + b"\r\n"
OPTIONS = {"HttpWorkers": 1, "HttpBodyTimeout": 5, "MaximumUploadMemoryMB": 4}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server"), OPTIONS) as running:
        yield running


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=120) as made:
        yield made
        assert made.get("/system").status_code == 200
    assert list((server.folder / "storage" / "incoming").rglob("*.part")) == []


def test_a_hundred_thousand_empty_parts(server: OurServer, client: httpx.Client) -> None:
    before = largest(server)

    def pieces() -> Iterator[bytes]:
        for _ in range(1000):
            yield (PART + b"\r\n") * 100
        yield b"--BB--"

    answer = post(client, pieces())
    assert answer.status_code == 400
    assert "no instances" in answer.headers["warning"]
    assert len(answer.json()["0008119A"]["Value"]) < 11_000
    assert largest(server) - before < 40 << 20


def test_cut_at_each_byte(client: httpx.Client) -> None:
    whole = body(instance(1, 50))
    assert post(client, whole[:-2]).status_code == 200
    for end in (*range(1, 60), *range(len(whole) - 14, len(whole) - 2)):
        assert post(client, whole[:end]).status_code == 400, end


def test_long_boundaries(client: httpx.Client) -> None:
    for length in (70, 1000, 10_000, 30_000):
        boundary = b"b" * length
        kind = f'multipart/related; type="application/dicom"; boundary={boundary.decode()}'
        content = body(instance(2, 50), instance(3, 50), boundary=boundary)
        answer = post(client, content, kind=kind)
        assert outcome(answer).status == 200
    near = (b"\r\n--" + b"b" * 9_999 + b"c") * 500
    kind = f'multipart/related; type="application/dicom"; boundary={"b" * 10_000}'
    start = b"--" + b"b" * 10_000 + b"\r\n\r\n"
    began = time.monotonic()
    assert post(client, start + near, kind=kind).status_code == 400
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "name",
    [
        "boundary=BB; boundary=CC",
        "boundary=",
        'boundary=""',
        'boundary="BB',
        "Boundary=BB;;;",
        "boundary=B\\B",
    ],
)
def test_odd_boundaries(client: httpx.Client, name: str) -> None:
    answer = post(
        client, body(instance(2, 50)), kind=f'multipart/related; type="application/dicom"; {name}'
    )
    assert answer.status_code in (200, 400, 415)


def test_the_same_from_several(client: httpx.Client) -> None:
    contents = [instance(number, 51) for number in range(60)]
    found: list[Any] = []

    def send() -> None:
        found.append(post(client, body(*contents)))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for answer in found:
        assert outcome(answer).status == 200
        assert len(outcome(answer).stored) == 60
    study = outcome(found[0]).stored[0][2].split("/")[1]
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study}}
    assert len(client.post("/tools/find", json=query).json()) == 60


def test_a_million_empty_models(client: httpx.Client) -> None:
    content = b"--BB\r\n\r\n[" + b",".join([b"{}"] * 1_000_000) + b"]\r\n--BB--"
    began = time.monotonic()
    answer = post(client, content, kind=KIND.replace('dicom"', 'dicom+json"'))
    assert answer.status_code == 400
    assert "no instances" in answer.headers["warning"]
    assert time.monotonic() - began < 20
