"""/modalities, and what the DICOM workers make of it. Reference chapter 4, sections 5.1 and 5.2."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.dicom_peer import Rejected, peer
from support.ports import free_port
from support.server import OurServer

from orthanc_fast.errors import OrthancError
from orthanc_fast.services.exchange.modalities import parse_modality

FULL = {
    "AET": "STORESCP",
    "AllowEcho": True,
    "AllowEventReport": True,
    "AllowFind": True,
    "AllowFindWorklist": True,
    "AllowGet": True,
    "AllowMove": True,
    "AllowNAction": True,
    "AllowStore": True,
    "AllowTranscoding": True,
    "Host": "127.0.0.1",
    "LocalAet": "",
    "Manufacturer": "Generic",
    "Port": 14146,
    "RetrieveMethod": "SystemDefault",
    "Timeout": 0,
    "UseDicomTls": False,
}
SHORT = ["STORESCP", "127.0.0.1", 14146]
NOBODY = {
    f"DicomAlwaysAllow{right}": False
    for right in ("Echo", "Find", "FindWorklist", "Get", "Move", "Store")
}


def server(folder: Path, **configuration: Any) -> OurServer:
    return OurServer(
        folder,
        {
            "DicomServerEnabled": True,
            "DicomPort": free_port(),
            "DicomWorkers": 2,
            "HttpWorkers": 2,
            **NOBODY,
            **configuration,
        },
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with server(
        tmp_path_factory.mktemp("server"), DicomModalities={"b": ["B", "h", 104], "a": SHORT}
    ) as started:
        yield started


def test_reading(running: OurServer) -> None:
    assert httpx.get(f"{running.url}/modalities").json()[:2] == ["a", "b"]
    assert httpx.get(f"{running.url}/modalities?expand").json()["a"] == FULL
    assert "store-straight" in httpx.get(f"{running.url}/modalities/a").json()
    answer = httpx.get(f"{running.url}/modalities/a/configuration")
    assert answer.json() == FULL


def test_unknown_ones(running: OurServer) -> None:
    answer = httpx.get(f"{running.url}/modalities/nope")
    assert (answer.status_code, answer.content) == (404, b"")
    for answer in (
        httpx.get(f"{running.url}/modalities/nope/configuration"),
        httpx.delete(f"{running.url}/modalities/nope"),
    ):
        assert answer.status_code == 404
        assert answer.json()["OrthancStatus"] == 7
        assert answer.json()["Details"] == "No modality with symbolic name: nope"


def test_put_in_both_formats(running: OurServer) -> None:
    for body in (SHORT, FULL, [*SHORT[:2], "14146", "Generic"]):
        answer = httpx.put(f"{running.url}/modalities/new", json=body)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "text/plain"
        found = [httpx.get(f"{running.url}/modalities/new/configuration").json() for _ in range(8)]
        assert found == [FULL] * 8
        assert httpx.delete(f"{running.url}/modalities/new").status_code == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("x", b"nonsense"),
        ("x", b"3"),
        ("x", b'["A", "h"]'),
        ("x", b'["A", "h", 0]'),
        ("x", b'["A", "h", 65535]'),
        ("x", b'["A", "h", "y"]'),
        ("x", b'["A", "h", 104, "NoSuchMaker"]'),
        ("x", b'{"AET": "A", "Host": "h"}'),
        ("x", b'{"AET": "A", "Host": "h", "Port": 104, "AllowFind": "yes"}'),
        ("x", b'{"AET": "A", "Host": "h", "Port": 104, "RetrieveMethod": "X"}'),
        ("a%20b", b'["A", "h", 104]'),
    ],
)
def test_put_refuses(running: OurServer, name: str, body: bytes) -> None:
    before = httpx.get(f"{running.url}/modalities").json()
    assert httpx.put(f"{running.url}/modalities/{name}", content=body).status_code == 400
    assert httpx.get(f"{running.url}/modalities").json() == before


def may_associate(running: OurServer, calling: str) -> bool:
    """Asked often enough to meet every worker."""
    answers = set()
    for _ in range(6):
        with peer(int(running.configuration["DicomPort"])) as client:
            try:
                client.associate(calling=calling)
                answers.add(True)
                client.release()
            except Rejected:
                answers.add(False)
    assert len(answers) == 1
    return answers.pop()


def test_every_dicom_worker_hears_of_a_change_at_once(running: OurServer) -> None:
    assert may_associate(running, "STORESCP")
    assert not may_associate(running, "LATER")
    httpx.put(f"{running.url}/modalities/later", json=["LATER", "127.0.0.1", 104])
    assert may_associate(running, "LATER")
    httpx.delete(f"{running.url}/modalities/later")
    assert not may_associate(running, "LATER")


@pytest.mark.parametrize("persistent", [False, True])
def test_changes_and_a_restart(tmp_path: Path, persistent: bool) -> None:
    started = server(tmp_path, DicomModalities={"a": SHORT}, DicomModalitiesInDatabase=persistent)
    with started:
        assert httpx.get(f"{started.url}/modalities").json() == ([] if persistent else ["a"])
        httpx.put(f"{started.url}/modalities/later", json=["LATER", "127.0.0.1", 104])
    time.sleep(0.1)
    with started:
        expected = ["later"] if persistent else ["a"]
        assert httpx.get(f"{started.url}/modalities").json() == expected
        assert may_associate(started, "LATER") is persistent


def test_obsolete_manufacturers_and_the_alias_of_two_rights() -> None:
    base = {"AET": "A", "Host": "h", "Port": 1}
    parsed = parse_modality("x", {**base, "Manufacturer": "AgfaImpax", "Unknown": 1})
    assert parsed.manufacturer == "GenericNoWildcardInDates"
    assert parse_modality("x", ["A", "h", 1, "Dcm4Chee"]).manufacturer == "Generic"
    parsed = parse_modality("x", {**base, "AllowStorageCommitment": False})
    assert (parsed.allow_n_action, parsed.allow_event_report) == (False, False)
    parsed = parse_modality("x", {**base, "AllowStorageCommitment": False, "AllowNAction": True})
    assert (parsed.allow_n_action, parsed.allow_event_report) == (False, False)


@pytest.mark.parametrize("port", [0, 65535, True, 1.5, None, "", "-1"])
def test_ports(port: Any) -> None:
    with pytest.raises(OrthancError):
        parse_modality("x", ["A", "h", port])
