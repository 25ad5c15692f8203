"""Whether the files that an index names are there, looked at without opening or changing them."""

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from orthanc_fast._ext.ids import to_text
from orthanc_fast.orthanc_store.model import StoredResource
from orthanc_fast.services.moving.report import Finding

_THREADS: Final = 4  # a disk that is slow to answer can order what several ask
_WAITING: Final = 32  # parts that are waited for
_BY_ALL: Final = 0o444  # may be read by everybody

Wanted = tuple[str, int, bytes]  # UUID, bytes as stored, the resource


class FileCheck:
    """Looks at files in threads of its own while the index is read; `path` tells where a file
    is."""

    def __init__(self, path: Callable[[str], str]) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(_THREADS, "file-check")
        self._running: list[Future[list[tuple[str, str]]]] = []
        self._findings = {
            kind: Finding(kind, text)
            for kind, text in (
                ("missing file", "in the index, not in the storage area"),
                ("size of a file", "the file has another size than the index says"),
                ("unreadable file", "this user may not read it"),
            )
        }

    def add(self, part: Iterable[StoredResource]) -> None:
        """The files of some resources."""
        wanted = [
            (each.uuid, each.stored_size, resource.public)
            for resource in part
            for each in resource.attachments
        ]
        if wanted:
            self._running.append(self._threads.submit(self._look, wanted))
        if len(self._running) > _WAITING:
            self._collect(self._running.pop(0))

    def _look(self, wanted: Sequence[Wanted]) -> list[tuple[str, str]]:
        """In the order of the folders that they are in."""
        found = []
        for uuid, size, public in sorted(wanted):
            problem = _problem(self._path(uuid), size)
            if problem is not None:
                kind, text = problem
                found.append((kind, f"{uuid} of {to_text(public)}{text}"))
        return found

    def _collect(self, running: Future[list[tuple[str, str]]]) -> None:
        for kind, subject in running.result():
            self._findings[kind].add(subject)

    def close(self) -> list[Finding]:
        """What was found; waits for what is not done."""
        try:
            for running in self._running:
                self._collect(running)
        finally:
            self.cancel()
        return [each for each in self._findings.values() if each.count]

    def cancel(self) -> None:
        """Ends without a result."""
        self._running.clear()
        self._threads.shutdown(cancel_futures=True)


def _problem(path: str, size: int) -> tuple[str, str] | None:
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return "missing file", ""
        return "unreadable file", f": {error.strerror}"
    if status.st_size != size:
        return "size of a file", f": {status.st_size} instead of {size} bytes"
    if status.st_mode & _BY_ALL != _BY_ALL and not os.access(path, os.R_OK):
        return "unreadable file", ""
    return None
