"""Stores of real Orthancs that are taken over: nothing that a client can ask for is another
answer than that of Orthanc itself, which looks at a copy of the same store."""

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from support.adopting import adopt, configured, copied, refused
from support.index_content import content_of
from support.orthanc_store import CONFIGURATION, answers, fill, state_of
from support.reference_server import DebianServer, ReferenceServer

from orthanc_fast.cli import main
from orthanc_fast.cli.common import settings_of
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import SERVER
from orthanc_fast.services.key_values.global_properties import GlobalProperties
from orthanc_fast.services.key_values.queues import Queues
from orthanc_fast.services.key_values.stores import KeyValueStores
from orthanc_fast.services.moving.adopt import Options
from orthanc_fast.services.moving.adopt import adopt as adopt_store
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.terms import terms
from orthanc_fast.services.store.writes import Writes


class Moved(NamedTuple):
    """The answers of an Orthanc and of ours, and what adopting said and left."""

    theirs: dict[str, Any]
    ours: dict[str, Any]
    report: dict[str, Any]
    before: dict[str, tuple[str, int, int]]
    after: dict[str, tuple[str, int, int]]


SERVERS = {
    "1.13": (ReferenceServer, {}),
    "1.13-compressed": (ReferenceServer, {"StorageCompression": True}),
    "1.10.1-compressed": (DebianServer, {"StorageCompression": True}),
}


@pytest.fixture(scope="module")
def stores(
    request: pytest.FixtureRequest, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The store that a server of SERVERS has made, each made once: not to be changed."""

    @cache
    def made(name: str) -> Path:
        kind, options = SERVERS[name]
        if kind is DebianServer:
            request.getfixturevalue("needs_debian_orthanc")
        folder = tmp_path_factory.mktemp("theirs")
        with kind(folder, {**CONFIGURATION, **options}) as server:
            fill(server.url, has_labels=kind is ReferenceServer)
        return folder / "storage"

    return made


@pytest.fixture(scope="module", params=SERVERS)
def moved(
    request: pytest.FixtureRequest,
    stores: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Moved]:
    made, options = stores(request.param), {**CONFIGURATION, **SERVERS[request.param][1]}
    folder = tmp_path_factory.mktemp("moved")
    store = copied(made, folder / "store")
    before = state_of(store)
    server = configured(folder / "ours", store, **options)
    done = adopt(server.config_path)
    assert done.exit_code == 0, done.output
    after = state_of(store)
    copy = str(copied(made, folder / "copy"))
    on_copy = {**options, "StorageDirectory": copy, "IndexDirectory": copy}
    with ReferenceServer(folder / "later", on_copy) as later:
        expected = answers(later.url)
    with server:
        yield Moved(expected, answers(server.url), json.loads(done.stdout), before, after)


def test_every_answer_is_the_same(moved: Moved) -> None:
    assert len(moved.theirs) > 400
    assert moved.ours.keys() == moved.theirs.keys()
    different = [path for path in moved.theirs if moved.ours[path] != moved.theirs[path]]
    assert different == [], "\n".join(
        f"{path}\n  {moved.ours[path]}\n  {moved.theirs[path]}"[:600] for path in different[:10]
    )


def test_the_source_is_as_it_was(moved: Moved) -> None:
    assert {path: moved.after[path] for path in moved.before} == moved.before
    added = moved.after.keys() - moved.before.keys()
    assert {path.partition("/")[0] for path in added} == {"orthanc-fast.lmdb"}


def test_the_report_counts_what_there_is(moved: Moved) -> None:
    statistics = moved.theirs["/statistics"]["body"]
    taken = moved.report["taken"]
    assert moved.report["adopted"] is True
    assert moved.report["findings"] == []
    for name in ("patients", "studies", "series", "instances"):
        assert taken[name] == statistics[f"Count{name.title()}"]
    assert taken["bytes"] == int(statistics["TotalDiskSize"])
    assert taken["protected"] == 1
    assert taken["changes"] == len(moved.theirs["/changes?limit=1000"]["body"]["Changes"])


@pytest.fixture
def store(stores: Callable[[str], Path], tmp_path: Path) -> Path:
    """One of Orthanc 1.13 to be changed."""
    return copied(stores("1.13"), tmp_path / "store")


def test_a_dry_run_changes_nothing(store: Path, tmp_path: Path) -> None:
    before = state_of(store)
    server = configured(tmp_path / "ours", store)
    done = adopt(server.config_path, "--dry-run")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["adopted"] is False
    assert report["taken"]["instances"] > 10
    assert state_of(store) == before


def test_killed_at_any_moment_and_repeated(store: Path, tmp_path: Path) -> None:
    """What is there afterwards is the whole index or none; nobody has touched the source."""
    server = configured(tmp_path / "ours", store)
    settings = settings_of((server.config_path,))
    before = state_of(store)
    began = time.monotonic()
    assert adopt(server.config_path).exit_code == 0
    whole = time.monotonic() - began
    expected = content_of(store / INDEX_FOLDER)
    shutil.rmtree(store / INDEX_FOLDER)
    numbers = random.Random(17)
    killed = 0
    for _ in range(30):
        child = os.fork()
        if not child:  # not the command: its bar has a lock that all forks share, held when killed
            adopt_store(settings, Options())
            os._exit(0)
        time.sleep(numbers.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        if (store / INDEX_FOLDER).exists():
            assert content_of(store / INDEX_FOLDER) == expected
            shutil.rmtree(store / INDEX_FOLDER)
    assert killed >= 10
    assert adopt(server.config_path).exit_code == 0
    assert content_of(store / INDEX_FOLDER) == expected
    after = state_of(store)
    assert {path: after[path] for path in before} == before
    left = {path.partition("/")[0] for path in after.keys() - before.keys()}
    assert left == {INDEX_FOLDER}


def test_files_that_are_missing_or_cut_are_named(store: Path, tmp_path: Path) -> None:
    files = sorted(path for path in store.glob("??/??/*") if path.stat().st_size > 1000)
    files[0].unlink()
    files[1].write_bytes(b"cut")
    server = configured(tmp_path / "ours", store)
    for arguments in (["--dry-run"], []):
        done = adopt(server.config_path, *arguments)
        assert done.exit_code == 1
        found = {each["kind"]: each for each in json.loads(done.stdout)["findings"]}
        assert found.keys() == {"missing file", "size of a file"}
        assert files[0].name in found["missing file"]["subjects"][0]
        assert files[1].name in found["size of a file"]["subjects"][0]
    text = CliRunner().invoke(main, ["check", str(server.config_path)]).stdout
    assert f"missing: file {files[0].name}" in text


def test_an_orthanc_that_runs_is_not_disturbed(needs_reference: None, tmp_path: Path) -> None:
    with ReferenceServer(tmp_path / "theirs") as theirs:
        server = configured(tmp_path / "ours", tmp_path / "theirs" / "storage")
        assert theirs.process is not None
        said = refused(server.config_path)
        assert f"an Orthanc runs on this index (process {theirs.process.pid})" in said


def test_an_index_of_ours_is_not_replaced(store: Path, tmp_path: Path) -> None:
    server = configured(tmp_path / "ours", store)
    assert adopt(server.config_path).exit_code == 0
    assert "there is an index of this server already" in refused(server.config_path)


def test_a_schema_that_is_not_known_is_named(store: Path, tmp_path: Path) -> None:
    with sqlite3.connect(store / "index") as database:
        database.execute("UPDATE GlobalProperties SET value = '5' WHERE property = 1")
    database.close()
    said = refused(configured(tmp_path / "ours", store).config_path)
    assert "the index has the schema 5, Orthanc 1.10 to 1.13 have 6" in said


def test_other_databases_are_none_of_an_orthanc(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    server = configured(tmp_path / "ours", tmp_path / "store")
    assert "there is no index of an Orthanc" in refused(server.config_path)
    with sqlite3.connect(tmp_path / "store" / "index") as database:
        database.execute("CREATE TABLE GlobalProperties(property INTEGER, value TEXT)")
    database.close()
    assert "this is no index of an Orthanc" in refused(server.config_path)


def test_a_damaged_index_is_refused(store: Path, tmp_path: Path) -> None:
    path = store / "index"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 12] = b"\xa5" * (4096 * 9)
    path.write_bytes(content)
    said = refused(configured(tmp_path / "ours", store).config_path)
    assert "the index of the Orthanc is damaged" in said
    assert not (store / INDEX_FOLDER).exists()


def test_rows_that_belong_to_nothing_are_left_out_and_counted(store: Path, tmp_path: Path) -> None:
    with sqlite3.connect(store / "index") as database:
        row = (4, "01234567-" * 4 + "01234567", 9999)
        database.execute(
            "INSERT INTO Resources(resourceType, publicId, parentId) VALUES(?, ?, ?)", row
        )
        database.execute("INSERT INTO Metadata VALUES(8888, 3, 'x', 0)")
    database.close()
    server = configured(tmp_path / "ours", store)
    done = adopt(server.config_path)
    assert done.exit_code == 1
    found = {each["explanation"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["resources without a parent: left out"]["subjects"] == [row[1]]
    assert found["rows of Metadata that belong to nothing: left out"]["count"] == 1
    assert CliRunner().invoke(main, ["check", str(server.config_path)]).exit_code == 0


def test_plugins_without_a_counterpart_are_named(store: Path, tmp_path: Path) -> None:
    options = {"Authorization": {"WebService": "http://a"}, "Plugins": ["libOrthancTransfers.so"]}
    server = configured(tmp_path / "ours", store, **options, Transfers={})
    said = refused(server.config_path)
    assert "Authorization: instead there is users with rights" in said
    assert "Transfers: instead there is peers" in said
    assert adopt(server.config_path, "--without-plugins").exit_code == 0


def test_files_in_a_cloud_are_not_forgotten(store: Path, tmp_path: Path) -> None:
    server = configured(tmp_path / "ours", store, AwsS3Storage={"BucketName": "b"})
    for arguments in ([], ["--without-plugins"]):
        assert "AwsS3Storage: files are in S3" in refused(server.config_path, *arguments)
    assert not (store / INDEX_FOLDER).exists()


def test_what_scripts_keep_is_taken_over(store: Path, tmp_path: Path) -> None:
    with sqlite3.connect(store / "index") as database:
        database.execute("INSERT INTO GlobalProperties VALUES(1030, 'of a plugin')")
        database.execute("INSERT INTO KeyValueStores VALUES('notes', 'a', X'00ff')")
        for value in (b"first", b"second"):
            database.execute("INSERT INTO Queues(queueId, value) VALUES('q', ?)", (value,))
    database.close()
    server = configured(tmp_path / "ours", store)
    assert adopt(server.config_path).exit_code == 0
    index = LmdbIndex(store / INDEX_FOLDER, terms, 1 << 28)
    loop = asyncio.new_event_loop()
    writer = index.writer(loop=loop)
    reads, writes = Reads(index), Writes(writer, loop)
    assert GlobalProperties(reads, writes).get(SERVER, 1030) == "of a plugin"
    assert KeyValueStores(reads, writes).get(SERVER, "notes", "a") == b"\0\xff"
    queues = Queues(reads, writes)
    taken = [loop.run_until_complete(queues.take(SERVER, "q", False)) for _ in range(3)]
    assert taken == [b"first", b"second", None]
    writer.stop()
    loop.close()
    index.close()
