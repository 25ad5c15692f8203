"""Orthancs whose index, and files, are in PostgreSQL."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.adopting import adopt, configured, refused
from support.orthanc_store import CONFIGURATION, answers, fill
from support.postgresql import PostgresServer
from support.reference_server import ReferenceServer

PLUGINS = ("libOrthancPostgreSQLIndex.so", "libOrthancPostgreSQLStorage.so")


@pytest.fixture(scope="module")
def postgresql(needs_reference: None, needs_postgresql: None) -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory() as folder:  # not below what only this user may enter
        Path(folder).chmod(0o755)
        with PostgresServer(Path(folder) / "postgresql") as server:
            yield server


def ordered(answer: dict[str, Any]) -> dict[str, Any]:
    """With the resources of a list by identifier."""
    body = answer["body"]
    return (
        {**answer, "body": sorted(json.dumps(each, sort_keys=True) for each in body)}
        if isinstance(body, list)
        else answer
    )


@pytest.mark.parametrize("keeps_files", [False, True], ids=["index", "index-and-files"])
def test_every_answer_is_the_same(
    postgresql: PostgresServer, tmp_path: Path, keeps_files: bool
) -> None:
    section = postgresql.create(f"orthanc_{keeps_files}".lower())
    options = {**CONFIGURATION, "PostgreSQL": {**section, "EnableStorage": keeps_files}}
    theirs = ReferenceServer(tmp_path / "theirs", options, PLUGINS)
    store = tmp_path / "theirs" / "storage"
    server = configured(tmp_path / "ours", store, PostgreSQL=options["PostgreSQL"])
    with theirs:
        fill(theirs.url, odd="é".encode())
        assert "the database is in use" in refused(server.config_path)
    for arguments in (["--dry-run"], []):
        done = adopt(server.config_path, *arguments)
        assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["taken"]["protected"] == 1
    assert bool(report["notes"]) == keeps_files
    with theirs:
        expected = answers(theirs.url)
    with server:
        found = answers(server.url)
    # Their plugin lists without an order, and cannot search by metadata.
    unable = [path for path, answer in expected.items() if answer["status"] == 500]
    assert len(unable) == 1 and "MetadataQuery" in unable[0]
    different = [
        path
        for path in expected
        if path not in unable and ordered(found[path]) != ordered(expected[path])
    ]
    assert different == [], "\n".join(
        f"{path}\n  {found[path]}\n  {expected[path]}"[:600] for path in different[:10]
    )


def test_a_database_of_something_else(postgresql: PostgresServer, tmp_path: Path) -> None:
    section = postgresql.create("empty")
    server = configured(tmp_path / "ours", tmp_path / "store", PostgreSQL=section)
    assert "holds no index of an Orthanc that is known here" in refused(server.config_path)
    section["Port"] = 1
    server = configured(tmp_path / "ours", tmp_path / "store", PostgreSQL=section)
    assert "PostgreSQL cannot be reached" in refused(server.config_path)
