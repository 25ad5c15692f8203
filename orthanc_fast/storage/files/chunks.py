"""Files that arrive in chunks, each by a request of its own, whichever worker gets it. They grow in
`incoming` and are gone at the next start. Source: reference chapter 1, section 1.7."""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1
from pathlib import Path

from orthanc_fast.storage.arriving import Body
from orthanc_fast.storage.contract import GATHERED_AT_ONCE
from orthanc_fast.storage.files.faults import fault
from orthanc_fast.storage.files.spool import PARTIAL, FileSpool

_STEP = 1 << 20


class ChunkedFiles:
    """The files under way of one server. All of it waits for the disk: use it in a thread."""

    def __init__(self, folder: Path, new_path: Callable[[], Path]) -> None:
        """They grow in `folder`; `new_path` names the place of a complete one."""
        self._folder = folder
        self._new_path = new_path

    def add(self, name: str, size: int, chunk: Body) -> Body | None:
        """See `Storage.gather`."""
        length = len(chunk) if isinstance(chunk, bytes) else chunk.size
        if length == size:
            return chunk
        try:
            if isinstance(chunk, bytes):
                return self._appended(name, size, (chunk,))
            with chunk:
                return self._appended(name, size, chunk.parts(_STEP))
        except OSError as error:
            raise fault(error.errno, error.filename, "a chunk of a file") from error

    def _appended(self, name: str, size: int, parts: Iterable[bytes]) -> FileSpool | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = sha1(f"{size} {name}".encode("utf-8", "replace"), usedforsecurity=False)
        path = self._folder / f"{digest.hexdigest()}{PARTIAL}"
        with self._alone():
            length = _append(path, parts)
            if length < size:
                self._make_room()
                return None
            if length > size:
                path.unlink()
                return None
            complete = self._new_path()
            os.rename(path, complete)
        return FileSpool(complete, exists=True)

    def _make_room(self) -> None:
        waiting = sorted(self._folder.glob(f"*{PARTIAL}"), key=lambda path: path.stat().st_mtime_ns)
        for path in waiting[:-GATHERED_AT_ONCE]:
            path.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process works on the files meanwhile."""
        with self._folder.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _append(path: Path, parts: Iterable[bytes]) -> int:
    """The length of the file then. A chunk that cannot be written as a whole leaves nothing of
    itself, so that it can be sent again."""
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.writelines(parts)
            return file.tell()
    except BaseException:
        with suppress(FileNotFoundError):
            os.truncate(path, before)
        raise
