"""/exports and /instances/{id}/export against Orthanc 1.13, which really sends. Source:
reference chapter 1, sections 4.5 and 7.3."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support import generated
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.config import load
from orthanc_fast.dicom.identifiers import from_text
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Export, Level
from orthanc_fast.services.store.opening import open_index, open_storage
from orthanc_fast.services.store.terms import (
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)

IDENTIFIERS = (PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID)


class Both(NamedTuple):
    ours: httpx.Client
    theirs: httpx.Client
    folder: Path


@pytest.fixture(scope="module")
def both(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Orthanc has sent a resource of each level to ours, which has logged the same."""
    folder = tmp_path_factory.mktemp("exports")
    port = free_port()
    options = {"LogExportedResources": True, "RestApiWriteToFileSystemEnabled": True}
    ours = OurServer(
        folder / "ours", options | {"DicomServerEnabled": True, "DicomPort": port, "HttpWorkers": 1}
    )
    theirs = ReferenceServer(
        folder / "theirs", options | {"DicomModalities": {"target": ["ORTHANC", "127.0.0.1", port]}}
    )
    data = generated.small().number(1, 1, 1, 1)
    with ExitStack() as stack:
        clients = []
        for server in (ours, theirs):
            stack.enter_context(server)
            clients.append(stack.enter_context(httpx.Client(base_url=server.url, timeout=60)))
        answers = [client.post("/instances", content=data).json() for client in clients]
        assert answers[0] == answers[1]
        settings = load([ours.config_path])
        index = open_index(settings, open_storage(settings, "test"))
        names = ("ParentPatient", "ParentStudy", "ParentSeries", "ID")
        for level, name in zip(Level, names, strict=True):
            body = answers[1][name]
            clients[1].post("/modalities/target/store", content=body).raise_for_status()
            public = from_text(body)
            assert public is not None
            index.write(partial(log, level=level, public=public))
        index.close()
        yield Both(clients[0], clients[1], folder)


def log(transaction: Transaction, level: Level, public: bytes) -> None:
    """Logs that a resource was sent to the modality `target`."""
    resource = transaction.resource(level, public)
    assert resource is not None
    found = sorted((resource, *transaction.ancestors(resource)), key=lambda each: each.level)
    texts = [each.tags[IDENTIFIERS[each.level]] for each in found]
    transaction.log_export(Export(level, public, int(time.time()), "target", *texts))


def normalised(answer: dict[str, Any]) -> dict[str, Any]:
    """Without dates, and without the member First, which came with 1.12."""
    if "First" in answer:
        assert answer.pop("First") == answer["Exports"][0]["Seq"]
    for entry in answer["Exports"]:
        assert len(entry.pop("Date")) == 15
    return answer


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "?since=0",
        "?since=2",
        "?limit=2",
        "?since=1&limit=2",
        "?since=2&limit=2",
        "?limit=0",
        "?last",
        "?last&since=1",
        "?since=4",
        "?since=100",
        "?since=x",
        "?limit=x&since=2",
    ],
)
def test_pages(both: Both, arguments: str) -> None:
    ours, theirs = (client.get(f"/exports{arguments}") for client in both[:2])
    assert ours.status_code == theirs.status_code == 200
    assert normalised(ours.json()) == normalised(theirs.json())


def test_entries_outlive_what_was_sent(both: Both) -> None:
    patient = both.ours.get("/patients").json()[0]
    for client in both[:2]:
        client.delete(f"/patients/{patient}").raise_for_status()
        assert len(client.get("/exports").json()["Exports"]) == 4
    for client in both[:2]:
        cleared = client.delete("/exports")
        assert (cleared.status_code, cleared.content) == (200, b"")
    for arguments in ("", "?last", "?since=2"):
        ours, theirs = (client.get(f"/exports{arguments}").json() for client in both[:2])
        assert ours == theirs
    assert both.ours.post("/exports").headers["allow"] == "GET,DELETE"


def test_an_instance_to_a_file(both: Both) -> None:
    data = generated.small().number(2, 2, 2, 2)
    answers = [client.post("/instances", content=data).json() for client in both[:2]]
    path = f"/instances/{answers[0]['ID']}/export"
    for number, client in enumerate(both[:2]):
        target = both.folder / f"file{number}"
        for _ in range(2):  # it may exist
            answer = client.post(path, content=str(target))
            assert (answer.status_code, answer.text) == (200, "{}")
            assert answer.headers["content-type"] == "application/json"
            assert target.read_bytes() == data
    for call in (
        (path, str(both.folder / "no" / "such" / "folder")),
        (path, str(both.folder)),
        ("/instances/nope/export", str(both.folder / "nope")),
    ):
        ours, theirs = (client.post(call[0], content=call[1]) for client in both[:2])
        assert ours.status_code == theirs.status_code, call
        if theirs.status_code == 500:
            assert ours.json()["OrthancStatus"] == 14
    assert not (both.folder / "nope").exists()


def test_both_have_to_be_allowed(tmp_path: Path) -> None:
    with OurServer(tmp_path, {}) as running, httpx.Client(base_url=running.url) as client:
        data = generated.small().number(1, 1, 1, 1)
        identifier = client.post("/instances", content=data).json()["ID"]
        target = tmp_path / "file"
        for name in (identifier, "nope"):
            refused = client.post(f"/instances/{name}/export", content=str(target))
            assert (refused.status_code, refused.content) == (403, b"")
        assert not target.exists()
    with OurServer(tmp_path, {"ReadOnly": True}) as running:
        answer = httpx.delete(f"{running.url}/exports")
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 22)
        assert httpx.get(f"{running.url}/exports").json()["Exports"] == []
