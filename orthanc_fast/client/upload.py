"""Recursive upload of DICOM files to a server over REST, for `orthanc-fast import` and
`Server.upload`."""

import http.client
import json
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from tqdm import tqdm

from orthanc_fast.client.connection import Connections

# Reading goes this many files ahead of the slowest upload.
WINDOW_PER_CONNECTION = 4


class Summary(msgspec.Struct):
    """What became of an import; `refused` lists the names by reason."""

    stored: int = 0
    already: int = 0
    refused: dict[str, list[str]] = msgspec.field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0

    @property
    def refusals(self) -> int:
        return sum(len(names) for names in self.refused.values())

    def refuse(self, name: str, reason: str) -> None:
        self.refused.setdefault(reason, []).append(name)


def import_paths(
    paths: Sequence[Path], server: str, user: str | None, connections: int = 4
) -> Summary:
    """Uploads everything below `paths`; archives are unpacked here, member by member."""
    summary = Summary()
    lock = threading.Lock()
    begin = time.monotonic()
    window = threading.BoundedSemaphore(connections * WINDOW_PER_CONNECTION)
    progress = tqdm(unit=" files", disable=None)
    with (
        Connections(server, user) as uploader,
        ThreadPoolExecutor(connections) as pool,
        progress,
    ):

        def upload(name: str, data: bytes) -> None:
            try:
                outcome, reason = _send(uploader, data)
            finally:
                window.release()
            with lock:
                progress.update()
                summary.bytes += len(data)
                if outcome == "Success":
                    summary.stored += 1
                elif outcome == "AlreadyStored":
                    summary.already += 1
                else:
                    summary.refuse(name, reason)

        for name, data in _files(paths, summary):
            window.acquire()
            pool.submit(upload, name, data)
    summary.seconds = time.monotonic() - begin
    return summary


def _files(paths: Sequence[Path], summary: Summary) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        entries = sorted(path.rglob("*")) if path.is_dir() else [path]
        for entry in entries:
            if entry.is_file():
                yield from _contents(entry, summary)


def _contents(path: Path, summary: Summary) -> Iterator[tuple[str, bytes]]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if not member.is_dir():
                        yield f"{path}:{member.filename}", archive.read(member)
        elif path.name.endswith((".tar.gz", ".tgz", ".tar")):
            with tarfile.open(path) as tar:
                for entry in tar:
                    file = tar.extractfile(entry) if entry.isfile() else None
                    if file is not None:
                        yield f"{path}:{entry.name}", file.read()
        else:
            yield str(path), path.read_bytes()
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        summary.refuse(str(path), f"cannot read: {error}")


def _send(server: Connections, data: bytes) -> tuple[str, str]:
    """(status, reason of a refusal)."""
    try:
        answer = server.send("POST", "/instances", data, {"Content-Type": "application/dicom"})
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        server.drop()
        return "Failure", f"cannot reach the server: {error}"
    if answer.status == 200:
        return str(json.loads(body)["Status"]), ""
    return "Failure", _reason(answer.status, body)


def _reason(status: int, body: bytes) -> str:
    try:
        return f"{status} {json.loads(body)['Message']}"
    except (ValueError, KeyError):
        return str(status)
