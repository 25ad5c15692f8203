"""Stores that are taken over by several processes, on a disk that is full, without checksums, and
with an Orthanc that goes on."""

import hashlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import xxhash
from click.testing import CliRunner
from support.adopting import adopt, configured, copied, refused
from support.index_content import content_of
from support.orthanc_store import CONFIGURATION, fill, state_of
from support.reference_server import ReferenceServer
from support.small_disk import small_disk

from orthanc_fast.cli import main
from orthanc_fast.cli.common import settings_of
from orthanc_fast.errors import StorageFault
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import Attachment, Level, Resource
from orthanc_fast.orthanc_store import sqlite_parts
from orthanc_fast.orthanc_store.model import StoredResource
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.moving import adopt as adopting
from orthanc_fast.services.moving.records import Records
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.terms import terms


@pytest.fixture(scope="module")
def made(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of Orthanc 1.13 without MD5s, not to be changed."""
    folder = tmp_path_factory.mktemp("theirs")
    with ReferenceServer(folder, {**CONFIGURATION, "StoreMD5ForAttachments": False}) as server:
        fill(server.url)
    return folder / "storage"


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return copied(made, tmp_path / "store")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_parts, "PART", 3)


def adopt_by(processes: int, config: Path) -> None:
    report = adopting.adopt(settings_of((config,)), adopting.Options(processes=processes))
    assert report.adopted


@pytest.mark.usefixtures("small_parts")
def test_several_processes_make_the_same_index(store: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "ours", store).config_path
    found = []
    for processes in (1, 2, 5):
        adopt_by(processes, config)
        found.append(content_of(store / INDEX_FOLDER))
        for left in (store / INDEX_FOLDER).iterdir():
            left.unlink()
        (store / INDEX_FOLDER).rmdir()
    assert len(found[0][b"resource"]) > 20
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.usefixtures("small_parts")
def test_what_several_processes_find_is_one_report(store: Path, tmp_path: Path) -> None:
    config = configured(tmp_path / "ours", store).config_path
    files = sorted(store.glob("??/??/*"))
    for path in files[:7]:
        path.unlink()
    options = adopting.Options(dry_run=True, processes=3)
    (finding,) = adopting.adopt(settings_of((config,)), options).findings
    assert (finding.kind, finding.count) == ("missing file", 7)
    assert {each[:36] for each in finding.subjects} == {path.name for path in files[:7]}


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("ends", ["killed", "damaged"])
def test_a_process_that_ends_early_changes_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    record = Records.record

    def broken(records: Records, stored: StoredResource) -> Resource:
        if stored.id > 12:
            if ends == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise StorageFault("the index of the Orthanc is damaged: here")
        return record(records, stored)

    monkeypatch.setattr(Records, "record", broken)
    config = configured(tmp_path / "ours", store).config_path
    before = state_of(store)
    reason = "was ended from outside" if ends == "killed" else "is damaged: here"
    with pytest.raises(StorageFault, match=reason):
        adopt_by(2, config)
    assert state_of(store) == before
    monkeypatch.undo()
    adopt_by(2, config)


@pytest.fixture
def on_small_disk(made: Path, tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "small", 8) as disk:
        yield copied(made, disk / "store")


@pytest.mark.parametrize("room", [100, 16, 60, 88])
def test_a_full_disk_changes_nothing(on_small_disk: Path, tmp_path: Path, room: int) -> None:
    """Kilobytes that are free: too few for the copy of the index, for our empty index, for its
    rows."""
    store = on_small_disk
    temporary = {} if room == 100 else {"TemporaryDirectory": str(tmp_path)}
    config = configured(tmp_path / "ours", store, **temporary).config_path
    before = state_of(store)
    free = os.statvfs(store).f_bavail * os.statvfs(store).f_frsize
    padding = store.parent / "padding"
    padding.write_bytes(bytes(free - room * 1024))
    said = refused(config)
    assert ("no room for a copy of the index" if room == 100 else "no space left") in said
    assert state_of(store) == before
    padding.unlink()
    assert adopt(config).exit_code == 0


def test_a_store_without_md5s(store: Path, tmp_path: Path) -> None:
    """What it has no checksum of is served as it is, and gets its checksums when it is read."""
    server = configured(tmp_path / "ours", store)
    assert adopt(server.config_path).exit_code == 0
    with server, httpx.Client(base_url=server.url) as client:
        instance = client.get("/instances?expand").json()[0]
        path = f"/instances/{instance['ID']}"
        content = client.get(f"{path}/file").content
        assert len(content) == instance["FileSize"]
        place = f"/dicom-web/studies/{place_of(client, path)}"
        accepted = {"Accept": "application/dicom; transfer-syntax=*"}
        answer = client.get(place, headers=accepted)
        assert answer.status_code == 200
        etag = answer.headers["etag"]
        again = client.get(place, headers={**accepted, "If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
    assert stored_file(store, instance["ID"]).md5 is None
    done = CliRunner().invoke(main, ["check", "--deep", str(server.config_path)])
    assert done.exit_code == 0, done.output
    file = stored_file(store, instance["ID"])
    assert file.digest == xxhash.xxh3_128_digest(content)
    assert file.md5 == file.stored_md5 == hashlib.md5(content).hexdigest()


def stored_file(store: Path, instance: str) -> Attachment:
    """What the index says of the DICOM file of an instance."""
    index = LmdbIndex(store / INDEX_FOLDER, terms, 1 << 28)
    try:
        public = bytes.fromhex(instance.replace("-", ""))
        resource = index.read(lambda view: view.resource(Level.INSTANCE, public))
    finally:
        index.close()
    assert resource is not None
    return resource.attachments[DICOM_ATTACHMENT]


def place_of(client: httpx.Client, path: str) -> str:
    """Its path below the studies of DICOMweb."""
    uids = client.get(f"{path}/simplified-tags").json()
    series = f"{uids['StudyInstanceUID']}/series/{uids['SeriesInstanceUID']}"
    return f"{series}/instances/{uids['SOPInstanceUID']}"


def test_an_orthanc_that_goes_on_is_warned_of_once(store: Path, tmp_path: Path) -> None:
    server = configured(tmp_path / "ours", store)
    assert adopt(server.config_path).exit_code == 0
    warning = "The index of the Orthanc that was taken over on"

    def started() -> int:
        with server:
            return server.log_path.read_text().count(warning)

    assert started() == 0
    with sqlite3.connect(store / "index") as database:
        database.execute("INSERT INTO GlobalProperties VALUES(1031, 'later')")
    database.close()
    assert started() == 1
    assert started() == 1  # that of the start before
    (store / "index").unlink()
    assert started() == 1
