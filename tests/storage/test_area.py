"""The storage area on a real file system."""

from pathlib import Path
from uuid import uuid4

import pytest

from orthanc_fast.errors import OrthancError, StorageFault
from orthanc_fast.storage.files.area import StorageArea

OWNER = bytes(range(20))


def store(area: StorageArea, data: bytes) -> str:
    uuid = str(uuid4())
    file = area.new_file(OWNER, uuid, data)
    assert area.write([file]) == [None]
    area.publish([file])
    return uuid


@pytest.fixture
def area(tmp_path: Path) -> StorageArea:
    return StorageArea(tmp_path, "http-0")


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_layout_is_orthancs(area: StorageArea, tmp_path: Path) -> None:
    uuid = store(area, b"content")
    assert (tmp_path / uuid[:2] / uuid[2:4] / uuid).read_bytes() == b"content"
    assert list(area.files()) == [uuid]
    assert area.size(uuid) == 7


def test_ranges(area: StorageArea) -> None:
    uuid = store(area, b"0123456789")
    assert area.read(uuid) == b"0123456789"
    assert area.read(uuid, 3) == b"3456789"
    assert area.read(uuid, 3, 4) == b"3456"
    assert area.read_if_cached(uuid, 0, 10) == b"0123456789"
    with area.map(uuid) as mapped:
        assert mapped[2:5] == b"234"


def test_readers_find_a_file_that_is_not_published_yet(area: StorageArea) -> None:
    uuid = str(uuid4())
    file = area.new_file(OWNER, uuid, b"early")
    area.write([file])
    assert area.read(uuid) == b"early"
    area.publish([file])
    assert area.read(uuid) == b"early"


def test_abandoned_files_leave_nothing(area: StorageArea, tmp_path: Path) -> None:
    file = area.new_file(OWNER, str(uuid4()), b"x")
    area.write([file])
    area.abandon([file])
    assert files_below(tmp_path) == []


def test_missing_file_has_orthancs_code(area: StorageArea) -> None:
    with pytest.raises(OrthancError) as raised:
        area.read(str(uuid4()))
    assert raised.value.code == 2006


def test_removing_twice_is_harmless(area: StorageArea, tmp_path: Path) -> None:
    uuid = store(area, b"x")
    area.remove([uuid, uuid])
    assert files_below(tmp_path) == []


def test_adopts_large_uploads(area: StorageArea, tmp_path: Path) -> None:
    partial = area.new_partial()
    partial.write_bytes(b"large")
    uuid = str(uuid4())
    file = area.new_file(OWNER, uuid, None, partial)
    assert area.write([file]) == [None]
    area.publish([file])
    assert area.read(uuid) == b"large"
    assert len(files_below(tmp_path)) == 1


def test_recovery_asks_the_index_about_each_file(area: StorageArea, tmp_path: Path) -> None:
    known, unknown = str(uuid4()), str(uuid4())
    area.write([area.new_file(OWNER, known, b"known"), area.new_file(OWNER, unknown, b"unknown")])
    area.new_partial().write_bytes(b"half of an upload")
    other = StorageArea(tmp_path, "http-1")
    other_uuid = str(uuid4())
    other.write([other.new_file(OWNER, other_uuid, b"other")])

    counts = area.recover(lambda owner, uuid: owner == OWNER and uuid == known, "http-0")

    assert counts == (1, 2)
    assert list(area.files()) == [known]
    assert area.read(other_uuid) == b"other", "a living worker's files are not touched"
    assert area.recover(lambda owner, uuid: False) == (0, 1)


def test_unusable_folder_is_a_clear_error(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_bytes(b"")
    with pytest.raises(StorageFault, match="cannot write to the storage folder"):
        StorageArea(occupied, "http-0")


def test_each_file_of_a_group_has_its_own_error(area: StorageArea) -> None:
    good, twice = str(uuid4()), str(uuid4())
    files = [area.new_file(OWNER, uuid, b"content") for uuid in (twice, good, twice)]
    errors = area.write(files)
    assert errors[:2] == [None, None]
    assert isinstance(errors[2], StorageFault)
    assert "File exists" in str(errors[2])
