"""How groups of files come onto the disk."""

import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orthanc_fast._ext.durable import Syncs, kind_of_file_system, write_files
from orthanc_fast.storage.files.handle import FileHandle
from orthanc_fast.storage.meters import StorageMeters

SIZE = 1 << 20
TMPFS = 0x01021994


@pytest.fixture
def pages() -> Iterator[memoryview]:
    """Memory that begins at a page."""
    with mmap.mmap(-1, SIZE) as memory, memoryview(memory) as view:
        view[:] = bytes(range(256)) * (SIZE // 256)
        yield view


def cached(path: Path) -> bool:
    """Whether the middle of a file is in the memory of the system."""
    fd = os.open(path, os.O_RDONLY)
    try:
        handle = FileHandle(fd, StorageMeters())
        return handle.read_now(SIZE // 2, 1) is not None
    finally:
        del handle


def test_what_is_cold_takes_no_memory_of_the_system(tmp_path: Path, pages: memoryview) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    kind = kind_of_file_system(folder)
    os.close(folder)
    if kind == TMPFS:
        pytest.skip("the folder of the tests is memory")
    cold, warm, odd = (tmp_path / name for name in ("cold", "warm", "odd"))
    paths = [os.fsencode(path) for path in (cold, warm, odd)]
    contents = [pages, pages, pages[1:]]  # what begins within a page is written as ever
    assert write_files(paths, contents, [True] * 3, [True, False, True]) == [0] * 3
    assert [cached(path) for path in (cold, warm, odd)] == [False, True, True]
    assert cold.read_bytes() == warm.read_bytes() == pages
    assert odd.read_bytes() == pages[1:]


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 130])
def test_files_are_synced_together(tmp_path: Path, count: int) -> None:
    """More than one call to the system takes."""
    together = Syncs()
    assert together.works
    paths = [os.fsencode(tmp_path / str(number)) for number in range(count)]
    contents = [b"%d" % number for number in range(count)]
    syncs = [number % 5 != 3 for number in range(count)]
    assert write_files(paths, contents, syncs, None, together) == [0] * count
    for path, content in zip(paths, contents, strict=True):
        assert Path(os.fsdecode(path)).read_bytes() == content


@pytest.mark.parametrize("is_together", [True, False])
def test_what_cannot_be_synced_is_told_of_that_file(tmp_path: Path, is_together: bool) -> None:
    """A pipe can be opened and not synced; a folder that is a file takes no files."""
    pipe, folder = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    folder.touch()
    names = [tmp_path / "1", pipe, tmp_path / "2", folder / "3", tmp_path / "4"]
    contents = [b"1", None, b"2", b"3", b"4"]
    together = Syncs() if is_together else None
    for _ in range(2):  # it can be used again
        found = write_files([os.fsencode(n) for n in names], contents, [True] * 5, None, together)
        assert found == [0, errno.EINVAL, 0, errno.ENOTDIR, 0]
        for name in ("1", "2", "4"):
            (tmp_path / name).unlink()
