"""Files that arrive in chunks, each by a request of its own, whichever worker gets it. They grow in
`incoming` and are gone at the next start. Source: reference chapter 1, section 1.7."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path

from orthanc_fast.storage.files.area import INCOMING, PARTIAL

AT_ONCE = 10  # files under way; the one that has waited longest gives way


class ChunkedFiles:
    """The files under way of one server."""

    def __init__(self, root: Path) -> None:
        self._folder = root / INCOMING / "chunks"

    def add(self, name: str, size: int, chunk: bytes) -> bytes | None:
        """Appends to the file of this name and announced size; gives its content once it is
        complete. One that outgrows its size is forgotten."""
        if len(chunk) == size:
            return chunk
        self._folder.mkdir(exist_ok=True)
        digest = sha1(f"{size} {name}".encode("utf-8", "replace"), usedforsecurity=False)
        path = self._folder / f"{digest.hexdigest()}{PARTIAL}"
        with self._alone():
            with path.open("ab") as file:
                file.write(chunk)
                length = file.tell()
            if length < size:
                self._make_room()
                return None
            content = path.read_bytes() if length == size else None
            path.unlink()
        return content

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
