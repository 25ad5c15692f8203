"""The names in the folder of uploads, by a clock of the test's own."""

import asyncio
from typing import Any, cast

import pytest

from orthanc_fast.errors import BadFileFormat, FullStorage, ParameterOutOfRange
from orthanc_fast.model import Caller
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.ingest.uploads import Uploads
from orthanc_fast.services.webdav import uploads
from orthanc_fast.services.webdav.uploads import IDLE, SHOWN_FOR, Place, UploadFolder

CALLER = Caller(origin="WebDav")


class Refusing:
    """An ingest to which nothing is a DICOM file."""

    async def store(self, caller: Caller, body: bytes, gzipped: bool = False) -> Any:
        raise BadFileFormat("no DICOM file")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime() -> MemoryRuntime:
    return MemoryRuntime()


@pytest.fixture
def folder(runtime: MemoryRuntime, clock: Clock) -> UploadFolder:
    return UploadFolder(runtime, cast(Uploads, Refusing()), clock)


def put(folder: UploadFolder, path: list[str], body: bytes) -> Place:
    return asyncio.run(folder.put(CALLER, path, body))


def names(folder: UploadFolder, *path: str) -> list[str]:
    return [item.name for item in folder.items(list(path))]


def test_files_go_after_a_while_and_empty_ones_stay(folder: UploadFolder, clock: Clock) -> None:
    assert put(folder, ["a"], b"1") == Place.FREE
    assert put(folder, ["b"], b"") == Place.FREE
    clock.now += SHOWN_FOR
    assert names(folder) == ["a", "b"]
    clock.now += 1
    assert names(folder) == ["b"]
    clock.now += 1_000_000
    assert names(folder) == ["b"]


def test_empty_folders_go_after_a_while(folder: UploadFolder, clock: Clock) -> None:
    for path in (["a"], ["b"], ["b", "c"]):
        assert folder.make_folder(path) == Place.FREE
    put(folder, ["b", "c", "empty"], b"")
    clock.now += IDLE + 1
    assert names(folder) == ["b"]
    assert names(folder, "b") == ["c"]
    assert folder.find(["a"]) is None
    assert folder.make_folder(["a", "x"]) == Place.NOWHERE
    assert folder.delete(["b", "c", "empty"])
    clock.now += IDLE
    assert names(folder, "b") == ["c"]
    clock.now += 1
    assert names(folder) == []


def test_what_is_forgotten_is_removed(
    folder: UploadFolder, clock: Clock, runtime: MemoryRuntime
) -> None:
    for number in range(50):
        put(folder, [f"{number}"], b"1")
        folder.make_folder([f"d{number}"])
    clock.now += IDLE + 1
    folder.make_folder(["last"])
    assert len(runtime.read(lambda view: view.below("webdav"))) == 2  # with the time of the sweep


def test_there_is_an_end(folder: UploadFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST", 10)
    for number in range(10):
        assert folder.make_folder([f"{number}"]) == Place.FREE
    with pytest.raises(FullStorage) as caught:
        folder.make_folder(["more"])
    assert caught.value.http_status == 507
    assert folder.delete(["3"])
    assert folder.make_folder(["more"]) == Place.FREE


def test_deletion_takes_all_below(folder: UploadFolder, runtime: MemoryRuntime) -> None:
    for path in (["a"], ["a", "b"], ["a", "b", "c"], ["ab"]):
        folder.make_folder(path)
    assert folder.delete(["a"])
    assert not folder.delete(["a"])
    assert not folder.delete([])
    assert names(folder) == ["ab"]
    assert len(runtime.read(lambda view: view.below("webdav/"))) == 1


def test_the_folder_itself_cannot_be_made(folder: UploadFolder) -> None:
    with pytest.raises(ParameterOutOfRange):
        folder.make_folder([])
    with pytest.raises(ParameterOutOfRange):
        folder.place([])
