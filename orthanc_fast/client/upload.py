"""Recursive upload of DICOM files to a server over REST, for `orthanc-fast import` and
`Server.upload`."""

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from tqdm import tqdm

from orthanc_fast.client.archives import Found, files
from orthanc_fast.client.connection import Connections

# What a server says of a file that it cannot read.
BAD_FILE_FORMAT = 15
NO_DICOM = "NoDicom"

# What reading an answer raises that no DICOM server gives.
_NOT_ORTHANC = (ValueError, KeyError, TypeError)

# Reading goes this many files ahead of the slowest upload.
WINDOW_PER_CONNECTION = 4


class Summary(msgspec.Struct, rename="pascal"):
    """What became of an import; `refused` lists the names by reason, `others` counts what archives
    hold beside DICOM files."""

    stored: int = 0
    already: int = 0
    others: int = 0
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

        def upload(found: Found) -> None:
            try:
                outcome, reason = _send(uploader, found.data)
            except Exception as error:  # nobody asks the pool for it, and each file counts
                outcome, reason = "Failure", f"{type(error).__name__}: {error}"
            finally:
                window.release()
            with lock:
                progress.update()
                summary.bytes += len(found.data)
                if outcome == "Success":
                    summary.stored += 1
                elif outcome == "AlreadyStored":
                    summary.already += 1
                elif outcome == NO_DICOM and found.is_member and not found.is_dicom:
                    summary.others += 1
                else:
                    summary.refuse(found.name, reason)

        for found in _files(paths, summary):
            window.acquire()
            pool.submit(upload, found)
    summary.seconds = time.monotonic() - begin
    return summary


def _files(paths: Sequence[Path], summary: Summary) -> Iterator[Found]:
    for path in paths:
        entries = sorted(path.rglob("*")) if path.is_dir() else [path]
        for entry in entries:
            if entry.is_file():
                yield from files(entry, summary.refuse)


def _send(server: Connections, data: bytes) -> tuple[str, str]:
    """(status, reason of a refusal)."""
    try:
        answer = server.send("POST", "/instances", data, {"Content-Type": "application/dicom"})
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        server.drop()
        return "Failure", f"cannot reach the server: {error}"
    if answer.status == 200:
        try:
            return str(json.loads(body)["Status"]), ""
        except _NOT_ORTHANC:
            return "Failure", "200 without the status of an upload: is this a DICOM server?"
    return _refusal(answer.status, body)


def _refusal(status: int, body: bytes) -> tuple[str, str]:
    try:
        answer = json.loads(body)
        outcome = NO_DICOM if answer["OrthancStatus"] == BAD_FILE_FORMAT else "Failure"
        return outcome, f"{status} {answer['Message']}"
    except _NOT_ORTHANC:
        return "Failure", str(status)
