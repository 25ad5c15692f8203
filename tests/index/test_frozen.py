"""What an old program stored, today's reads: see frozen/README.md."""

import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.server import OurServer

from orthanc_fast.index.lmdb.records import SCHEMA_VERSION

FROZEN = Path(__file__).parent / "frozen"
STORES = sorted(path.name.removesuffix(".tar.xz") for path in FROZEN.glob("*.tar.xz"))
LEVELS = ("patients", "studies", "series", "instances")
SINGULAR = {"patients": "Patient", "studies": "Study", "series": "Series", "instances": "Instance"}


class Thawed:
    """A server on a copy of a frozen store, and what was said about it."""

    def __init__(self, server: OurServer, http: httpx.Client, expected: dict[str, Any]) -> None:
        self.server = server
        self.http = http
        self.expected = expected

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()


@pytest.fixture(scope="module", params=STORES)
def thawed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Thawed]:
    folder = tmp_path_factory.mktemp(request.param)
    with tarfile.open(FROZEN / f"{request.param}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    expected = json.loads((FROZEN / f"{request.param}.json").read_text())
    server = OurServer(folder, {"StableAge": 1})
    with server, httpx.Client(base_url=server.url, timeout=30) as http:
        yield Thawed(server, http, expected)
    checked = subprocess.run(
        [sys.executable, "-m", "orthanc_fast.cli", "check", str(server.config_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_schema_is_frozen() -> None:
    versions = {json.loads((FROZEN / f"{name}.json").read_text())["Version"] for name in STORES}
    assert versions == {str(version) for version in range(1, SCHEMA_VERSION + 1)}


@pytest.mark.parametrize("level", LEVELS)
def test_resources(thawed: Thawed, level: str) -> None:
    listed = {entry["ID"]: entry for entry in thawed.get(f"/{level}?expand")}
    resources = thawed.expected["Resources"][level]
    late = thawed.expected.get("Late")
    if late is None:
        assert listed.keys() == resources.keys()
    else:
        assert listed.keys() > resources.keys()
        assert late in {entry["ID"] for entry in thawed.get("/instances?expand")}
    for identifier, said in resources.items():
        shown = listed[identifier]
        assert {key: shown.get(key) for key in said["Answer"]} == said["Answer"]


def test_metadata(thawed: Thawed) -> None:
    seen = 0
    for level in LEVELS:
        for identifier, said in thawed.expected["Resources"][level].items():
            if said["Metadata"] is not None:
                shown = thawed.get(f"/{level}/{identifier}/metadata?expand")
                assert {name: shown.get(name) for name in said["Metadata"]} == said["Metadata"]
                seen += 1
    assert seen or thawed.expected["Version"] == "1"


def test_files(thawed: Thawed) -> None:
    for level in LEVELS:
        for identifier, said in thawed.expected["Resources"][level].items():
            if "File" in said:
                file = thawed.http.get(f"/instances/{identifier}/file").content
                assert hashlib.sha256(file).hexdigest() == said["File"]
            for name, digest in said["Attachments"].items():
                content = thawed.http.get(f"/{level}/{identifier}/attachments/{name}/data").content
                assert hashlib.sha256(content).hexdigest() == digest, name


def test_protection(thawed: Thawed) -> None:
    for identifier, said in thawed.expected["Resources"]["patients"].items():
        if "protected" in thawed.expected["Done"]:
            assert thawed.http.get(f"/patients/{identifier}/protected").text == said["Protected"]


def test_changes(thawed: Thawed) -> None:
    said = thawed.expected["Changes"]
    shown = thawed.get("/changes?limit=1000")["Changes"]
    assert shown[: len(said)] == said


def test_statistics(thawed: Thawed) -> None:
    shown = thawed.get("/statistics")
    if "Late" not in thawed.expected:
        assert shown == {**shown, **thawed.expected["Statistics"]}


@pytest.mark.parametrize("level", LEVELS)
def test_everything_is_found_by_its_terms(thawed: Thawed, level: str) -> None:
    key = {
        "patients": "PatientID",
        "studies": "StudyInstanceUID",
        "series": "SeriesInstanceUID",
        "instances": "SOPInstanceUID",
    }[level]
    for identifier, said in thawed.expected["Resources"][level].items():
        value = said["Answer"]["MainDicomTags"][key]
        query = {"Level": SINGULAR[level], "Query": {key: value}}
        assert thawed.http.post("/tools/find", json=query).json() == [identifier]
        for label in said["Answer"].get("Labels", ()):
            query = {"Level": SINGULAR[level], "Query": {}, "Labels": [label]}
            assert thawed.http.post("/tools/find", json=query).json() == [identifier]
