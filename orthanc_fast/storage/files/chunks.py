"""Files that arrive in chunks, each by a request of its own, whichever worker gets it. They grow in
`incoming` and are gone at the next start. Source: reference chapter 1, section 1.7."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1
from pathlib import Path

from orthanc_fast.errors import DISK_FULL, FullStorage
from orthanc_fast.storage.files.area import INCOMING, PARTIAL

AT_ONCE = 10  # files under way; the one that has waited longest gives way

_STEP = 1 << 20


class ChunkedFiles:
    """The files under way of one server. All of it waits for the disk: use it in a thread."""

    def __init__(self, root: Path, new_partial: Callable[[], Path]) -> None:
        """`new_partial` names the place of a complete file."""
        self._folder = root / INCOMING / "chunks"
        self._new_partial = new_partial

    def add(self, name: str, size: int, chunk: bytes | Path) -> bytes | Path | None:
        """Appends to the file of this name and announced size; gives its content once it is
        complete. One that outgrows its size is forgotten. Files belong to this method when they are
        given and to the caller when they are returned. Raises FullStorage."""
        length = len(chunk) if isinstance(chunk, bytes) else chunk.stat().st_size
        if length == size:
            return chunk
        try:
            return self._appended(name, size, chunk)
        except OSError as error:
            if error.errno in DISK_FULL:
                raise FullStorage("no space left for a chunk of a file", http_status=507) from error
            raise
        finally:
            if isinstance(chunk, Path):
                chunk.unlink(missing_ok=True)

    def _appended(self, name: str, size: int, chunk: bytes | Path) -> Path | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = sha1(f"{size} {name}".encode("utf-8", "replace"), usedforsecurity=False)
        path = self._folder / f"{digest.hexdigest()}{PARTIAL}"
        with self._alone():
            length = _append(path, chunk)
            if length < size:
                self._make_room()
                return None
            if length > size:
                path.unlink()
                return None
            complete = self._new_partial()
            os.rename(path, complete)
        return complete

    def _make_room(self) -> None:
        waiting = sorted(self._folder.glob(f"*{PARTIAL}"), key=lambda path: path.stat().st_mtime_ns)
        for path in waiting[:-AT_ONCE]:
            path.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process works on the files meanwhile."""
        with self._folder.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _append(path: Path, chunk: bytes | Path) -> int:
    """The length of the file then. A chunk that cannot be written as a whole leaves nothing of
    itself, so that it can be sent again."""
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            if isinstance(chunk, bytes):
                file.write(chunk)
            else:
                with chunk.open("rb") as source:
                    shutil.copyfileobj(source, file, _STEP)
            return file.tell()
    except BaseException:
        with suppress(FileNotFoundError):
            os.truncate(path, before)
        raise
