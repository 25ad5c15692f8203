"""Stores that are left: what this server has said of one, Orthanc 1.13 says of it too, and works on
with it."""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support import generated
from support.adopting import adopt, configured, copied, leave
from support.orthanc_store import CONFIGURATION, answers, fill
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.small_disk import small_disk

from orthanc_fast.config import load
from orthanc_fast.errors import IncompatibleDatabase
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import Level
from orthanc_fast.registries import ROUTING_DELAYED
from orthanc_fast.services.moving.departure import refuse_stale_index
from orthanc_fast.services.moving.placing import KEPT
from orthanc_fast.services.processes.supervisor import GuardedStore
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.terms import terms

OURS = {"HttpWorkers": 1, "ConcurrentJobs": 1}
ODD = {
    "PatientName": "M\u00fcller%_\u00a0Stra\u00dfe^\u5c71\u7530",
    "PatientID": "\u00e9_50%",
    "StudyDescription": " \u00e9t\u00e9 50% a_b ",
    "AccessionNumber": "",
    "PatientBirthDate": "",
}


def odd_instance() -> bytes:
    """With texts that are searched for in another form than they are shown in."""
    dataset = generated.base()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for name, value in ODD.items():
        setattr(dataset, name, value)
    del dataset.StudyDate
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()


def tables_of(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, texts as bytes."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        db.text_factory = bytes
        names = [
            name.decode()
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = {
            name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names
        }
    db.close()
    return found


def structure_of(database: Path) -> dict[str, Any]:
    """Columns, keys, references and indexes of all tables, and the names of the triggers."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        found: dict[str, Any] = {}
        for name in tables_of(database):
            for pragma in ("table_info", "foreign_key_list", "index_list"):
                rows = db.execute(f"PRAGMA {pragma}({name})").fetchall()
                if pragma == "index_list":
                    rows = sorted(row[1:] for row in rows)
                    for index, *_ in rows:
                        columns = db.execute(f"PRAGMA index_info({index})").fetchall()
                        found[index] = columns
                found[f"{name} {pragma}"] = rows
        found["triggers"] = db.execute(
            "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        ).fetchall()
        found["pages"] = db.execute("PRAGMA page_size").fetchall()
    db.close()
    return found


def post(client: httpx.Client, path: str, content: bytes = b"", method: str = "POST") -> Any:
    answer = client.request(method, path, content=content)
    assert answer.status_code == 200, (path, answer.text)
    return answer.json() if answer.text.startswith("{") else answer.content


def change(url: str) -> None:
    """What clients of our server do to a store that it has taken over."""
    template = generated.small()
    with httpx.Client(base_url=url, timeout=30) as client:
        post(client, "/instances", template.number(1, 1, 1, 9))
        post(client, "/instances", template.number(7, 1, 1, 1))
        gone = post(client, "/instances", template.number(8, 1, 1, 1))
        post(client, f"/instances/{gone['ID']}", method="DELETE")
        study = post(client, "/instances", template.number(9, 1, 1, 1))["ParentStudy"]
        post(client, f"/studies/{study}/labels/new", method="PUT")
        post(client, f"/studies/{study}/metadata/note", b"of ours", method="PUT")
        post(client, f"/studies/{study}/attachments/1028", b"report" * 99, method="PUT")
        patients = client.get("/patients?expand").json()
        protected = [each["ID"] for each in patients if each.get("IsProtected")]
        for patient in protected:
            post(client, f"/patients/{patient}/protected", b"0", method="PUT")
        post(client, f"/patients/{patients[-1]['ID']}/protected", b"1", method="PUT")


def settled(found: Any) -> Any:
    """For an Orthanc that has just been started everything is stable."""
    if isinstance(found, dict):
        return {key: settled(value) for key, value in found.items() if key != "IsStable"}
    return [settled(each) for each in found] if isinstance(found, list) else found


class Moved(NamedTuple):
    """The answers of ours and of an Orthanc, what leaving said, and the store."""

    ours: dict[str, Any]
    theirs: dict[str, Any]
    report: dict[str, Any]
    store: Path
    options: dict[str, Any]


@pytest.fixture(scope="module")
def made_by_orthanc(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of an Orthanc, not to be changed."""
    folder = tmp_path_factory.mktemp("theirs")
    with ReferenceServer(folder, CONFIGURATION) as server:
        fill(server.url)
        httpx.post(f"{server.url}/instances", content=odd_instance()).raise_for_status()
    with sqlite3.connect(folder / "storage" / "index") as database:  # as plugins would
        database.execute("INSERT INTO GlobalProperties VALUES(1030, 'of a plugin')")
        database.execute("INSERT INTO KeyValueStores VALUES('notes', 'a', X'00ff')")
        database.execute("INSERT INTO KeyValueStores VALUES('other', 'a', X'01')")
        for queue, value in (("a", b"first"), ("a", b"second"), ("q", b"third")):
            database.execute("INSERT INTO Queues(queueId, value) VALUES(?, ?)", (queue, value))
    database.close()
    return folder / "storage"


@pytest.fixture(scope="module", params=["theirs", "ours-compressed"])
def moved(
    request: pytest.FixtureRequest, made_by_orthanc: Path, tmp_path_factory: pytest.TempPathFactory
) -> Moved:
    folder = tmp_path_factory.mktemp("moved")
    options = {**CONFIGURATION, "StorageCompression": request.param == "ours-compressed"}
    store = folder / "store"
    if request.param == "theirs":
        copied(made_by_orthanc, store)
    server = configured(folder / "ours", store, **options, **OURS)
    if request.param == "theirs":
        assert adopt(server.config_path).exit_code == 0
    with server:
        if request.param != "theirs":
            fill(server.url)
            httpx.post(f"{server.url}/instances", content=odd_instance()).raise_for_status()
        change(server.url)
    done = leave(server.config_path)
    assert done.exit_code == 0, done.output
    with server:
        ours = answers(server.url)
    with orthanc_on(store, folder / "later", options) as later:
        theirs = answers(later.url)
    return Moved(ours, theirs, json.loads(done.stdout), store, options)


def orthanc_on(store: Path, folder: Path, options: dict[str, Any]) -> ReferenceServer:
    place = {"StorageDirectory": str(store), "IndexDirectory": str(store)}
    return ReferenceServer(folder, {**options, **place})


def test_orthanc_answers_the_same(moved: Moved) -> None:
    assert len(moved.ours) > 400
    assert moved.theirs.keys() == moved.ours.keys()
    ours, theirs = settled(moved.ours), settled(moved.theirs)
    different = [path for path in ours if ours[path] != theirs[path]]
    assert different == [], "\n".join(
        f"{path}\n  {ours[path]}\n  {theirs[path]}"[:900] for path in different[:10]
    )


def test_the_report_counts_what_there_is(moved: Moved) -> None:
    statistics = moved.theirs["/statistics"]["body"]
    taken = moved.report["taken"]
    assert moved.report["left"] is True
    assert moved.report["findings"] == []
    for name in ("patients", "studies", "series", "instances"):
        assert taken[name] == statistics[f"Count{name.title()}"]
    assert taken["bytes"] == int(statistics["TotalDiskSize"])
    assert taken["protected"] == 1
    assert taken["changes"] == len(moved.theirs["/changes?limit=1000"]["body"]["Changes"])
    assert moved.report["md5s_computed"] > 3  # what ours has stored
    (unstable,) = moved.report["not_held"]
    assert "not stable yet" in unstable["explanation"] and unstable["count"] > 3


def test_orthanc_works_on(moved: Moved, tmp_path: Path) -> None:
    """Its counters, triggers and numbers go on where ours have ended; nothing is an error."""
    store = copied(moved.store, tmp_path / "store")
    last = moved.ours["/changes?last"]["body"]["Last"]
    template = generated.small()
    server = orthanc_on(store, tmp_path / "later", moved.options)
    with server, httpx.Client(base_url=server.url, timeout=30) as client:
        added = post(client, "/instances", template.number(1, 1, 2, 1))
        other = post(client, "/instances", template.number(77, 1, 1, 1))
        first = client.get(f"/changes?since={last}&limit=1").json()["Changes"][0]
        assert (first["Seq"], first["ID"]) == (last + 1, added["ID"])
        note = client.get(f"/studies/{added['ParentStudy']}/metadata/note")
        answer = client.put(
            f"/studies/{added['ParentStudy']}/metadata/note",
            content=b"third",
            headers={"If-Match": note.headers["etag"]},
        )
        assert answer.status_code == 200
        post(client, f"/studies/{added['ParentStudy']}/modify", b'{"Replace":{"StudyID":"5"}}')
        found = client.post("/tools/find", json={"Level": "Study", "Query": {"PatientID": "*50%"}})
        assert len(found.json()) == 1
        post(client, f"/patients/{other['ParentPatient']}/protected", b"1", method="PUT")
        for patient in client.get("/patients").json()[:3]:
            post(client, f"/patients/{patient}", method="DELETE")
        before = client.get("/statistics").json()
    with server, httpx.Client(base_url=server.url, timeout=30) as client:
        assert client.get("/statistics").json() == before
        patients = client.get("/patients?expand").json()
    rows = tables_of(store / "index")
    sizes = [sum(row[column] for row in rows["AttachedFiles"]) for column in (3, 4)]
    assert [int(before["TotalDiskSize"]), int(before["TotalUncompressedSize"])] == sizes
    files = {path.name for path in store.glob("??/??/*")}
    assert files == {row[2].decode() for row in rows["AttachedFiles"]}
    # What is protected has no place in the order of recycling; no patient has two.
    order = [row[1] for row in rows["PatientRecyclingOrder"]]
    unprotected = [each["ID"] for each in patients if not each["IsProtected"]]
    assert len(order) == len(set(order)) == len(unprotected) < len(patients)
    lines = server.log_path.read_text().splitlines()
    assert [line for line in lines if line.startswith("E")] == []


def test_an_index_that_was_taken_over_comes_back_as_it_was(
    made_by_orthanc: Path, tmp_path: Path
) -> None:
    store = copied(made_by_orthanc, tmp_path / "store")
    server = configured(tmp_path / "ours", store)
    assert adopt(server.config_path).exit_code == 0
    before = (store / "index").read_bytes()
    done = leave(server.config_path, "--dry-run")
    assert done.exit_code == 0, done.output
    planned = json.loads(done.stdout)
    assert planned["left"] is False
    assert (store / "index").read_bytes() == before
    assert not list(store.glob(f"*{KEPT}*"))
    done = leave(server.config_path)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert planned["taken"] == report["taken"]
    kept = store / report["kept"]
    assert kept.read_bytes() == before
    theirs, ours = tables_of(kept), tables_of(store / "index")
    jobs = 5
    theirs["GlobalProperties"] = [row for row in theirs["GlobalProperties"] if row[0] != jobs]
    peers = {21, 20}  # JSON
    for rows in (theirs, ours):
        rows["GlobalProperties"] = [
            (number, json.loads(value) if number in peers else value)
            for number, value in rows["GlobalProperties"]
        ]
    for rows in (theirs, ours):  # numbers ascend within each queue
        waiting = sorted(rows["Queues"], key=lambda row: (row[1], row[0]))
        rows["Queues"] = [row[1:] for row in waiting]
    for name in theirs:
        assert ours[name] == theirs[name], name
    assert theirs["DicomIdentifiers"] and theirs["sqlite_sequence"]
    assert structure_of(store / "index") == structure_of(kept)


@pytest.fixture
def store(made_by_orthanc: Path, tmp_path: Path) -> Iterator[tuple[Path, OurServer]]:
    """A store that was taken over, and our server on it, which does not run."""
    folder = copied(made_by_orthanc, tmp_path / "store")
    server = configured(tmp_path / "ours", folder, **OURS)
    assert adopt(server.config_path).exit_code == 0
    yield folder, server


def refused(server: OurServer, *arguments: str) -> str:
    done = leave(server.config_path, *arguments)
    assert done.exit_code == 3, done.output
    answer = json.loads(done.stdout)
    assert answer["left"] is False
    return str(answer["refused"])


def test_killed_at_any_moment_and_repeated(store: tuple[Path, OurServer]) -> None:
    """What is there afterwards is the new index or the old one, which is never lost."""
    folder, server = store
    index = folder / "index"
    old = index.read_bytes()
    for suffix in ("-wal", "-shm"):
        (folder / f"index{suffix}").write_bytes(b"of the old one")
    forget_md5s(folder)
    began = time.monotonic()
    assert leave(server.config_path).exit_code == 0
    whole = time.monotonic() - began
    expected = tables_of(index)

    def put_back() -> None:
        kept = {each.read_bytes() for each in folder.glob(f"index{KEPT}*") if is_index(each)}
        assert kept <= {old}
        if index.read_bytes() != old:
            assert tables_of(index) == expected
            assert kept == {old}
            assert not (folder / "index-wal").exists()
        for path in folder.glob(f"index{KEPT}*"):
            path.unlink()
        index.unlink()
        index.write_bytes(old)
        (folder / "index-wal").write_bytes(b"of the old one")
        forget_md5s(folder)

    put_back()
    numbers = random.Random(18)
    killed = 0
    for _ in range(20):
        child = os.fork()
        if not child:
            leave(server.config_path)
            os._exit(0)
        time.sleep(numbers.uniform(0, whole * 1.2))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        put_back()
    assert killed >= 5
    assert leave(server.config_path).exit_code == 0
    assert tables_of(index) == expected
    left = {path.name for path in folder.iterdir() if path.name.startswith("index")}
    (kept,) = (path for path in folder.glob(f"index{KEPT}*") if is_index(path))
    assert left == {"index", kept.name, f"{kept.name}-wal"}
    assert kept.read_bytes() == old


def is_index(path: Path) -> bool:
    return not path.name.endswith(("-wal", "-shm", "-journal"))


def test_interrupted_between_keeping_and_renaming(store: tuple[Path, OurServer]) -> None:
    """The old index has two names then, and is not kept a second time."""
    folder, server = store
    name = f"index{KEPT}20200101T000000"
    os.link(folder / "index", folder / name)
    (folder / "index.leaving").write_bytes(b"unfinished")
    done = leave(server.config_path)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["kept"] == name
    assert [path.name for path in folder.glob(f"index{KEPT}*")] == [name]
    assert not (folder / "index.leaving").exists()


def test_servers_that_run_are_not_disturbed(store: tuple[Path, OurServer], tmp_path: Path) -> None:
    folder, server = store
    with server:
        for arguments in ([], ["--dry-run"]):
            assert "a server, or another command, uses the store" in refused(server, *arguments)
    with orthanc_on(folder, tmp_path / "theirs", CONFIGURATION) as theirs:
        assert theirs.process is not None
        said = refused(server)
        assert f"an Orthanc runs on the index that is there (process {theirs.process.pid})" in said
    assert not list(folder.glob(f"*{KEPT}*"))


def test_without_a_store_there_is_nothing_to_leave(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    server = configured(tmp_path / "ours", tmp_path / "store")
    assert "there is no index of this server" in refused(server)
    assert list((tmp_path / "store").iterdir()) == []


def test_the_index_may_lie_elsewhere(store: tuple[Path, OurServer], tmp_path: Path) -> None:
    folder, server = store
    before = (folder / "index").read_bytes()
    target = tmp_path / "fast" / "disk"
    assert leave(server.config_path, "--dry-run", "--to", str(target)).exit_code == 0
    assert not target.exists()
    done = leave(server.config_path, "--to", str(target))
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["kept"] is None
    assert report["notes"] == [f"IndexDirectory has to name {target}"]
    assert [path.name for path in target.iterdir()] == ["index"]
    assert (folder / "index").read_bytes() == before
    assert len(tables_of(target / "index")["Resources"]) > 30


def test_a_full_disk_changes_nothing(store: tuple[Path, OurServer], tmp_path: Path) -> None:
    _, server = store
    with small_disk(tmp_path / "small", 1) as target:
        (target / "filler").write_bytes(bytes((1 << 20) - (64 << 10)))
        assert "no room for the index of Orthanc" in refused(server, "--to", str(target))
        assert [path.name for path in target.iterdir()] == ["filler"]


def test_files_that_are_missing_or_damaged_are_named(
    store: tuple[Path, OurServer], tmp_path: Path
) -> None:
    folder, server = store
    with server:
        change(server.url)
    rows = {}
    assert leave(server.config_path, "--to", str(tmp_path / "first")).exit_code == 0
    for row in tables_of(tmp_path / "first" / "index")["AttachedFiles"]:
        uuid = row[2].decode()
        rows[uuid] = folder / uuid[:2] / uuid[2:4] / uuid
    forget_md5s(folder)
    stored = sorted(each for each in rows if rows[each].stat().st_size > 1000)
    ours = [each for each in stored if digest_is_known(folder, each)]
    rows[ours[0]].unlink()
    content = bytearray(rows[ours[1]].read_bytes())
    content[-1] ^= 1
    rows[ours[1]].write_bytes(content)
    rows[ours[2]].write_bytes(b"cut")
    done = leave(server.config_path)
    assert done.exit_code == 1, done.output
    report = json.loads(done.stdout)
    found = {each["kind"]: each for each in report["findings"]}
    assert found.keys() == {"missing file", "damaged file", "size of a file"}
    for kind, uuid in zip(("missing file", "damaged file", "size of a file"), ours, strict=False):
        assert found[kind]["subjects"][0].startswith(uuid)
    written = {row[2].decode(): row for row in tables_of(folder / "index")["AttachedFiles"]}
    assert written.keys() == rows.keys()
    assert {uuid for uuid, row in written.items() if not row[6]} == set(ours[:3])


def opened(folder: Path) -> LmdbIndex:
    return LmdbIndex(folder / INDEX_FOLDER, terms, 1 << 28)


def forget_md5s(folder: Path) -> None:
    """As where nobody has asked for one yet."""
    index = opened(folder)

    def work(transaction: Any) -> None:
        for public in index.read(lambda view: view.listing(Level.INSTANCE)):
            resource = transaction.resource(Level.INSTANCE, public)
            for kind in resource.attachments:
                transaction.set_md5(resource, kind, None, None)

    index.write(work)
    index.close()


def digest_is_known(folder: Path, uuid: str) -> bool:
    index = opened(folder)
    found = [
        attachment
        for resource in index.read(lambda view: view.created_after(0, 1000))
        for attachment in resource.attachments.values()
        if attachment.uuid == uuid
    ]
    index.close()
    return bool(found[0].digest) and found[0].uuid == uuid


def test_what_a_crash_has_left_is_put_in_order(tmp_path: Path) -> None:
    """Files on their way come to their place, those of what was deleted go."""
    store = tmp_path / "store"
    server = configured(tmp_path / "ours", store, **OURS, StorageCompression=True)
    template = generated.small()
    server.start()
    with httpx.Client(base_url=server.url, timeout=30) as client:
        stored = [
            post(client, "/instances", template.number(1, 1, 1, number)) for number in range(1, 9)
        ]
        post(client, f"/instances/{stored[0]['ID']}", method="DELETE")
    server.kill_all()
    lost = next(path for path in store.glob("??/??/*") if path.is_file())
    on_its_way = store / "incoming" / "http-0"
    index = opened(store)
    (owner,) = (
        resource.public.hex()
        for resource in index.read(lambda view: view.created_after(0, 100))
        if any(each.uuid == lost.name for each in resource.attachments.values())
    )
    index.close()
    on_its_way.mkdir(parents=True, exist_ok=True)
    lost.rename(on_its_way / f"{owner}.{lost.name}")
    done = leave(server.config_path)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["taken"]["instances"] == 7
    assert report["md5s_computed"] == report["taken"]["attachments"] == 14
    rows = {row[2].decode(): row for row in tables_of(store / "index")["AttachedFiles"]}
    assert {path.name for path in store.glob("??/??/*")} == rows.keys()
    for uuid, row in rows.items():
        content = (store / uuid[:2] / uuid[2:4] / uuid).read_bytes()
        assert row[7].decode() == hashlib.md5(content).hexdigest()
        assert row[6].decode() == hashlib.md5(zlib.decompress(content[8:])).hexdigest()


def test_what_orthanc_cannot_hold_is_counted(store: tuple[Path, OurServer]) -> None:
    folder, server = store
    index = opened(folder)
    (public,) = index.read(lambda view: view.listing(Level.STUDY, 0, 1))

    def work(transaction: Any) -> None:
        study = transaction.resource(Level.STUDY, public)
        transaction.log_change(ROUTING_DELAYED, study, 1)
        for name in ("session/a", "session/b", "share/c", "routing/entry/archive/01"):
            transaction.set_property(name, b"x")

    index.write(work)
    index.close()
    server.configuration["Users"] = {"reader": {"Permissions": ["browse"]}}
    server.configuration["AuthenticationEnabled"] = True
    server.configuration["PostgreSQL"] = {"EnableIndex": True}
    server.configuration["RegisteredUsers"] = {"reader": "secret"}
    server.config_path.write_text(json.dumps(server.configuration))
    for arguments in (["--dry-run"], []):
        done = leave(server.config_path, *arguments)
        assert done.exit_code == 0, done.output
        report = json.loads(done.stdout)
        assert "take the section PostgreSQL out" in report["notes"][0]
        found = {each["explanation"]: each for each in report["not_held"]}
        counts = {text.partition(":")[0]: each["count"] for text, each in found.items()}
        assert counts == {
            "sessions of users": 2,
            "share links": 1,
            "entries of routing that wait to be sent, by destination": 1,
            "users with rights or labels of their own": 1,
            "changes RoutingDelayed, which Orthanc does not have": 1,
        }
        assert ["archive"] in [each["subjects"] for each in found.values()]
    kinds = {row[1] for row in tables_of(folder / "index")["Changes"]}
    assert ROUTING_DELAYED not in kinds


def test_what_an_orthanc_has_done_since_is_not_forgotten(
    store: tuple[Path, OurServer], tmp_path: Path
) -> None:
    folder, server = store
    assert leave(server.config_path).exit_code == 0
    index = opened(folder)
    refuse_stale_index(index)  # as it was left
    index.close()
    with orthanc_on(folder, tmp_path / "theirs", CONFIGURATION):
        pass
    with pytest.raises(IncompatibleDatabase, match="an Orthanc has worked on this store since"):
        GuardedStore(load([server.config_path], print))
    shutil.rmtree(folder / INDEX_FOLDER)
    assert adopt(server.config_path).exit_code == 0
    GuardedStore(load([server.config_path], print)).close()
