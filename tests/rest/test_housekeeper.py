"""Housekeeper and delayed deletion over HTTP, compared with Orthanc's plugins."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.transfer_syntaxes import JPEG_LS_LOSSLESS, RLE

PLUGINS = ("libDelayedDeletion.so", "libHousekeeper.so")
PATHS = ("/housekeeper/status", "/plugins/housekeeper/status", "/plugins/delayed-deletion/status")
DEADLINE = 60.0


def settled(url: str) -> dict[str, Any]:
    """The status once the work is done."""
    deadline = time.monotonic() + DEADLINE
    while True:
        found: dict[str, Any] = httpx.get(f"{url}/housekeeper/status").json()
        if found["LastProcessedConfiguration"] and not found["CurrentlyProcessingConfiguration"]:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_both_tell_the_same(needs_reference: None, tmp_path: Path) -> None:
    section = {"DelayedDeletion": {}, "Housekeeper": {"Enable": True, "ThrottleDelay": 0}}
    ours = OurServer(tmp_path / "ours", section)
    theirs = ReferenceServer(tmp_path / "theirs", section, PLUGINS)
    with ours, theirs:
        left, right = settled(ours.url), settled(theirs.url)
        assert left.keys() == right.keys()
        for name in ("Version", "LastProcessedChange", "LastChangeToProcess"):
            assert left[name] == right[name]
        assert len(left["LastTimeStarted"]) == len(right["LastTimeStarted"])
        assert left["LastProcessedConfiguration"] == right["LastProcessedConfiguration"]
        for path in PATHS:
            answers = [httpx.get(f"{server.url}{path}") for server in (ours, theirs)]
            assert [each.status_code for each in answers] == [200, 200]
            assert answers[0].json().keys() == answers[1].json().keys()
            for method in ("POST", "PUT", "DELETE"):
                found = [httpx.request(method, f"{each.url}{path}") for each in (ours, theirs)]
                assert found[0].status_code == found[1].status_code
        plugins = [httpx.get(f"{server.url}/plugins").json() for server in (ours, theirs)]
        assert {"delayed-deletion", "housekeeper"} <= set(plugins[0]) & set(plugins[1])
        stored = httpx.post(f"{ours.url}/instances", content=generated.small().number(1, 1, 1, 1))
        httpx.delete(f"{ours.url}/patients/{stored.json()['ParentPatient']}").raise_for_status()
        deadline = time.monotonic() + DEADLINE
        while httpx.get(f"{ours.url}{PATHS[2]}").json()["FilesPendingDeletion"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_new_main_tags_after_a_restart(tmp_path: Path) -> None:
    dataset = generated.base()
    dataset.AdditionalPatientHistory = "history"
    section = {"Housekeeper": {"Enable": True, "ThrottleDelay": 0}}
    with OurServer(tmp_path, section) as server:
        settled(server.url)
        stored = httpx.post(
            f"{server.url}/instances", content=generated.encode(dataset).number(1, 1, 1, 1)
        ).json()
    extra = {"ExtraMainDicomTags": {"Study": ["AdditionalPatientHistory"]}}
    with OurServer(tmp_path, {**section, **extra}) as server:
        deadline = time.monotonic() + DEADLINE
        while True:
            study = httpx.get(f"{server.url}/studies/{stored['ParentStudy']}").json()
            if study["MainDicomTags"].get("AdditionalPatientHistory") == "history":
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)


def stored_slice(server: OurServer | ReferenceServer) -> str:
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(16))
    data = generated.encode(dataset).number(1, 1, 1, 1)
    return str(httpx.post(f"{server.url}/instances", content=data).json()["ID"])


def awaited_syntax(server: OurServer | ReferenceServer, identifier: str, wanted: str) -> None:
    """Once the housekeeper has brought it there."""
    deadline = time.monotonic() + DEADLINE
    while True:
        path = f"{server.url}/instances/{identifier}/metadata/TransferSyntax"
        if httpx.get(path).text == wanted:
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_both_transcode_what_is_stored(needs_reference: None, tmp_path: Path) -> None:
    section = {"Housekeeper": {"Enable": True, "ThrottleDelay": 0}}
    seen = []
    for kind, name in ((OurServer, "ours"), (ReferenceServer, "theirs")):
        plugins = (PLUGINS,) if kind is ReferenceServer else ()
        with kind(tmp_path / name, section, *plugins) as server:
            settled(server.url)
            identifier = stored_slice(server)
        transcoding = {**section, "IngestTranscoding": JPEG_LS_LOSSLESS}
        with kind(tmp_path / name, transcoding, *plugins) as server:
            awaited_syntax(server, identifier, JPEG_LS_LOSSLESS)
            found = settled(server.url)["LastProcessedConfiguration"]
            seen.append((identifier, found["IngestTranscoding"]))
    assert seen[0] == seen[1]


def test_without_http(tmp_path: Path) -> None:
    """A server of DICOM alone keeps its house, too."""
    with OurServer(tmp_path) as server:
        identifier = stored_slice(server)
    port = free_port()
    server.configuration |= {
        "HttpServerEnabled": False,
        "DicomServerEnabled": True,
        "DicomPort": port,
        "IngestTranscoding": RLE,
        "Housekeeper": {"Enable": True, "ThrottleDelay": 0},
    }
    server.config_path.write_text(json.dumps(server.configuration))
    with server.log_path.open("wb") as log:
        process = subprocess.Popen(server.arguments(), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + DEADLINE
        while "all studies are reconstructed" not in server.log_path.read_text():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        assert f"serves DICOM on localhost:{port}" in server.log_path.read_text()
        subprocess.run(["echoscu", "127.0.0.1", str(port)], check=True, timeout=DEADLINE)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}/system")
    finally:
        process.terminate()
        assert process.wait(DEADLINE) == 0
    for name in ("HttpServerEnabled", "DicomServerEnabled", "IngestTranscoding", "Housekeeper"):
        del server.configuration[name]
    with server:
        awaited_syntax(server, identifier, RLE)


@pytest.mark.parametrize("path", PATHS)
def test_without_them_nothing_is_there(our_server: OurServer, path: str) -> None:
    assert httpx.get(f"{our_server.url}{path}").status_code == 404


def test_delayed_deletion_may_be_switched_off(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"DelayedDeletion": {"Enable": False}}) as server:
        assert httpx.get(f"{server.url}{PATHS[2]}").status_code == 404
