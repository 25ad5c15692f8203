"""The storage area on a real file system: what the contract does not know of."""

import resource
import shutil
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from orthanc_fast.errors import FullStorage, StorageFault
from orthanc_fast.storage.arriving import Body
from orthanc_fast.storage.conformance import OWNER, spooled, stored
from orthanc_fast.storage.contract import Spool
from orthanc_fast.storage.files.area import StorageArea
from orthanc_fast.storage.files.spool import FileSpool
from orthanc_fast.storage.memory import MemoryStorage


@pytest.fixture
def area(tmp_path: Path) -> StorageArea:
    return StorageArea(tmp_path, "http-0")


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_layout_is_orthancs(area: StorageArea, tmp_path: Path) -> None:
    uuid = stored(area, b"content")
    assert (tmp_path / uuid[:2] / uuid[2:4] / uuid).read_bytes() == b"content"


def test_nothing_is_left_on_the_disk(area: StorageArea, tmp_path: Path) -> None:
    file = area.new_file(OWNER, str(uuid4()), b"x")
    area.put([file])
    area.abandon([file])
    uuid = stored(area, b"x")
    area.delete([uuid, uuid])
    assert files_below(tmp_path) == []


def test_listing_goes_on_where_folders_go_meanwhile(area: StorageArea) -> None:
    uuids = {f"{number:02x}{'0' * 6}-0000-4000-8000-{'0' * 12}" for number in range(3)}
    files = [area.new_file(OWNER, uuid, b"x") for uuid in sorted(uuids)]
    assert area.put(files) == [None] * 3
    area.publish(files)
    found = []
    for uuid in area.listing():
        found.append(uuid)
        area.delete(sorted(uuids))
    assert len(found) == 1


def test_recovery_of_one_worker(area: StorageArea, tmp_path: Path) -> None:
    known, unknown = str(uuid4()), str(uuid4())
    area.put([area.new_file(OWNER, known, b"known"), area.new_file(OWNER, unknown, b"unknown")])
    half = spooled(area, b"half of an upload")
    other = StorageArea(tmp_path, "http-1")
    other_uuid = str(uuid4())
    other.put([other.new_file(OWNER, other_uuid, b"other")])

    counts = area.recover(lambda owner, uuid: owner == OWNER and uuid == known, "http-0")

    assert counts == (1, 2)
    assert list(area.listing()) == [known]
    assert area.read(other_uuid) == b"other", "a living worker's files are not touched"
    assert area.recover(lambda owner, uuid: False) == (0, 1)
    half.drop()


def test_unusable_folder_is_a_clear_error(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_bytes(b"")
    with pytest.raises(StorageFault, match="cannot write to the storage folder"):
        StorageArea(occupied, "http-0")


def test_the_error_of_a_file_says_why(area: StorageArea) -> None:
    file = area.new_file(OWNER, str(uuid4()), b"content")
    assert area.put([file]) == [None]
    (error,) = area.put([file])
    assert isinstance(error, StorageFault)
    assert "File exists" in str(error)


# Folders that somebody else changes


def test_removed_folders_are_made_again(area: StorageArea, tmp_path: Path) -> None:
    before = stored(area, b"before")
    shutil.rmtree(tmp_path / "incoming")
    shutil.rmtree(tmp_path / before[:2])
    uuid = stored(area, b"after")
    assert area.read(uuid) == b"after"
    shutil.rmtree(tmp_path / "incoming")
    spooled(area, b"large").drop()
    shutil.rmtree(tmp_path / "incoming")
    assert area.gather("name", 6, b"abc") is None
    content = area.gather("name", 6, b"def")
    assert isinstance(content, Spool)
    with content:
        assert content.read() == b"abcdef"
    assert files_below(tmp_path / "incoming") == [tmp_path / "incoming" / "chunks.lock"]


def test_a_body_that_somebody_removed_is_the_error_of_its_file(
    area: StorageArea, tmp_path: Path
) -> None:
    spool = spooled(area, b"large")
    shutil.rmtree(tmp_path / "incoming")
    files = [
        area.new_file(OWNER, str(uuid4()), spool),
        area.new_file(OWNER, str(uuid4()), b"another"),
    ]
    first, second = area.put(files)
    assert isinstance(first, StorageFault)
    assert second is None


def test_nothing_stays_of_a_body_that_cannot_be_moved(area: StorageArea, tmp_path: Path) -> None:
    file = area.new_file(OWNER, str(uuid4()), spooled(area, b"large"))
    (tmp_path / "incoming" / file.name).mkdir()
    (error,) = area.put([file])
    assert isinstance(error, StorageFault)
    assert len(files_below(tmp_path)) == 1
    area.abandon([file])
    assert files_below(tmp_path) == []


def test_a_spool_is_moved_not_copied(area: StorageArea, tmp_path: Path) -> None:
    spool = spooled(area, b"large")
    spool.flush()
    (path,) = files_below(tmp_path)
    inode = path.stat().st_ino
    file = area.new_file(OWNER, str(uuid4()), spool)
    assert area.put([file]) == [None]
    area.publish([file])
    assert Path(area.path(file.uuid)).stat().st_ino == inode
    assert files_below(tmp_path) == [Path(area.path(file.uuid))]


def test_a_buffer_of_a_file_is_no_copy(area: StorageArea) -> None:
    """Neither that of a spool nor that of an object: what changes in the file changes in it."""
    with spooled(area, b"large") as spool:
        buffer = spool.buffer()
        file = area.new_file(OWNER, str(uuid4()), spool)
    area.put([file])
    area.publish([file])
    with area.open(file.uuid) as handle:
        other = handle.buffer()
    with open(area.path(file.uuid), "r+b") as changed:
        changed.write(b"LARGE")
    assert bytes(buffer) == bytes(other) == b"LARGE"


@pytest.mark.parametrize("large", [False, True])
def test_a_spool_that_finds_no_room_says_so_and_goes(
    area: StorageArea, tmp_path: Path, large: bool
) -> None:
    """Small parts wait for each other; they are noticed when they are flushed."""
    bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, bounds[1]))
    try:
        with pytest.raises(StorageFault, match="File too large"):
            spooled(area, bytes((1 << 20) if large else 2000)).flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, bounds)
    assert files_below(tmp_path) == []


def test_a_full_disk_is_a_full_storage(area: StorageArea) -> None:
    (area.root / "incoming" / "full").symlink_to("/dev/full")
    spool = FileSpool(area.root / "incoming" / "full", exists=True)
    with pytest.raises(FullStorage) as caught:
        spool.write(bytes(1 << 20))
    assert caught.value.http_status == 507
    assert not (area.root / "incoming" / "full").is_symlink()


def test_a_spool_of_another_storage_is_refused(area: StorageArea) -> None:
    with MemoryStorage().new_spool() as spool, pytest.raises(TypeError):
        area.new_file(OWNER, str(uuid4()), spool)


@pytest.mark.parametrize("in_file", [False, True])
def test_a_chunk_that_finds_no_room_can_be_sent_again(area: StorageArea, in_file: bool) -> None:
    def chunk(content: bytes) -> Body:
        if not in_file:
            return content
        spool = spooled(area, content)
        spool.flush()
        return spool

    first, second = b"a" * 100_000, b"b" * 200_000
    assert area.gather("name", 300_000, chunk(first)) is None
    refused = chunk(second)
    bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, bounds[1]))
    try:
        with pytest.raises(StorageFault, match="File too large"):
            area.gather("name", 300_000, refused)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, bounds)
    complete = area.gather("name", 300_000, chunk(second))
    assert isinstance(complete, Spool)
    with complete:
        assert complete.read() == first + second


def test_empty_folders_go_with_their_last_file(area: StorageArea, tmp_path: Path) -> None:
    first, second = "aabb1111-" + str(uuid4())[9:], "aabb2222-" + str(uuid4())[9:]
    for uuid in (first, second):
        file = area.new_file(OWNER, uuid, b"x")
        area.put([file])
        area.publish([file])
    area.delete([first])
    assert (tmp_path / "aa" / "bb").is_dir()
    area.delete([second])
    assert not (tmp_path / "aa").exists()
    assert (tmp_path / "incoming" / "http-0").is_dir()
    assert tmp_path.is_dir()


def test_foreign_files_harm_nobody(area: StorageArea, tmp_path: Path) -> None:
    uuid = stored(area, b"ours")
    inner = tmp_path / uuid[:2] / uuid[2:4]
    foreign = [
        inner / "Thumbs.db",
        inner.parent / ".DS_Store",
        inner.parent / "ff",  # a file where a folder would be
        tmp_path / "notes.txt",
        tmp_path / "incoming" / "http-0" / "notes.txt",
        tmp_path / "incoming" / "http-0" / "zz.notes",
        inner / str(uuid4()).replace("-", "_"),
    ]
    for path in foreign:
        path.write_bytes(b"foreign")
    (tmp_path / "00" / "11" / "22").mkdir(parents=True)
    assert list(area.listing()) == [uuid]
    assert area.recover(lambda owner, uuid: False) == (0, 0)
    area.delete([uuid])
    assert list(area.listing()) == []
    assert all(path.read_bytes() == b"foreign" for path in foreign)


def test_folders_are_made_and_removed_at_the_same_time(tmp_path: Path) -> None:
    """Two processes, of which one finds a folder empty that the other has just made."""
    areas = [StorageArea(tmp_path, f"http-{number}") for number in range(2)]
    errors: list[BaseException] = []

    def work(area: StorageArea) -> None:
        try:
            for _ in range(300):
                uuid = "aabb" + str(uuid4())[4:]
                file = area.new_file(OWNER, uuid, b"x")
                assert area.put([file]) == [None]
                area.publish([file])
                assert area.read(uuid) == b"x"
                area.delete([uuid])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(area,)) for area in areas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not (tmp_path / "aa").exists()
