"""Downloads to the disk. They are never in memory as a whole, and have their name once they are
whole. What breaks off goes on where it was, also in another run, if the server gives ranges:
orthanc_fast does for arrays and for archives that are not compressed."""

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

from orthanc_fast.client.answers import Level, Resource
from orthanc_fast.client.call import Call, Flow, Pause, Together
from orthanc_fast.client.errors import ServerError
from orthanc_fast.client.resources import address, members, resource
from orthanc_fast.client.system import require_ours, system

# Called with what has come, and all that is to come if that is known.
Progress = Callable[[int, int | None], None]

BUFFER = 1 << 20
ATTEMPTS = 5  # without a byte in between
FIRST_PAUSE = 0.5  # seconds, doubled each time

# Arguments of arrays that Orthanc passes over.
ONLY_OURS = ("dtype", "window-center", "slices", "frames")

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_RANGE = re.compile(r"bytes (\d+)-\d+/\d+")


class _Part:
    """The file beside the target that takes what comes. Its name has the ETag of the content, as
    it must not be continued with another one's."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._before = f".{target.name}."

    def path(self, etag: str | None) -> Path:
        return self.target.with_name(f"{self._before}{quote(etag or '', safe='')}.part")

    def resumable(self) -> tuple[Path, str] | None:
        """What an earlier attempt has left, and its ETag."""
        for path in self.target.parent.glob(f"{_escaped(self._before)}*.part"):
            etag = unquote(path.name[len(self._before) : -len(".part")])
            if etag and path.stat().st_size:
                return path, etag
        return None

    def clear(self) -> None:
        for path in self.target.parent.glob(f"{_escaped(self._before)}*.part"):
            path.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


class FileBody:
    """An answer on its way to a file, which gets its name at the end."""

    blocks = True

    def __init__(
        self, part: _Part, progress: Progress | None, status: int, headers: Mapping[str, str]
    ) -> None:
        self._target = part.target
        self._progress = progress
        self._buffer = memoryview(bytearray(BUFFER))
        self._written = 0
        etag = headers.get("etag") if headers.get("accept-ranges") == "bytes" else None
        self._keep = etag is not None and not etag.startswith("W/")
        self._path = part.path(etag if self._keep else None)
        if status == 206:
            match = _RANGE.fullmatch(headers.get("content-range", ""))
            if match is None or int(match[1]) != self._path.stat().st_size:
                raise ServerError(0, "the answer is another range than was asked for")
            self._written = int(match[1])
        else:
            part.clear()
        length = headers.get("content-length")
        self._size = None if length is None else self._written + int(length)
        self._file: IO[bytes] = self._path.open("ab" if status == 206 else "wb")

    def room(self) -> memoryview:
        return self._buffer

    def filled(self, count: int) -> None:
        self._file.write(self._buffer[:count])
        self._written += count
        if self._progress is not None:
            self._progress(self._written, self._size)

    def done(self) -> Path:
        self._file.close()
        if self._size is not None and self._written != self._size:
            text = f"the answer broke off after {self._written} of {self._size} bytes"
            raise ServerError(0, text)
        os.replace(self._path, self._target)
        return self._target

    def close(self) -> None:
        """Also after an error: what can be continued stays."""
        self._file.close()
        if not self._keep:
            self._path.unlink(missing_ok=True)


def download(
    path: str, target: Path, progress: Progress | None = None, **arguments: Any
) -> Flow[Path]:
    """The answer of a GET as a file; one that is there is replaced once the new one is whole. Of
    what breaks off the rest is asked for again, until five attempts have brought nothing."""
    part = _Part(target)
    failures, reached = 0, 0
    while True:
        headers = {}
        found = part.resumable()
        if found is not None:
            reached = found[0].stat().st_size
            headers = {"Range": f"bytes={reached}-", "If-Range": found[1]}
        receive = partial(FileBody, part, progress)
        call = Call("GET", path, arguments=arguments, headers=headers, receive=receive)
        try:
            return (yield from call)
        except ServerError as error:
            left = part.resumable()
            if error.status == 416 and found is not None:
                part.clear()  # it had all bytes: nobody knows whether they are right
                continue
            if error.status or left is None:
                raise
            failures = 0 if left[0].stat().st_size > reached else failures + 1
            if failures == ATTEMPTS:
                raise
        yield from Pause(FIRST_PAUSE * 2**failures)


def save_array(
    level: Level, identifier: str, target: Path, progress: Progress | None = None, **arguments: Any
) -> Flow[Path]:
    """Pixels as .npy, or with `compress=1` as .npz; of a study as .npz with a member for each
    series, which needs orthanc_fast. The `arguments` are those of docs/volumes.md."""
    if level == "Study":
        yield from require_ours("a study as one file of arrays")
    elif only := [name for name in ONLY_OURS if arguments.get(name) is not None]:
        yield from require_ours(" and ".join(only))
    path = address(level, identifier, "numpy")
    return (yield from download(path, target, progress, **arguments))


def save_nifti(
    series: str, target: Path, progress: Progress | None = None, **arguments: Any
) -> Flow[Path]:
    """A series as NIfTI, compressed where the name of the target ends with .gz. Needs
    orthanc_fast."""
    yield from require_ours("NIfTI")
    compress = "1" if target.name.endswith(".gz") else None
    path = address("Series", series, "nifti")
    return (yield from download(path, target, progress, compress=compress, **arguments))


def save_archive(
    level: Level,
    identifier: str,
    target: Path,
    progress: Progress | None = None,
    *,
    transcode: str | None = None,
) -> Flow[Path]:
    """A patient, study or series as a ZIP of DICOM files. orthanc_fast is asked for one without
    compression, which can be continued, unless it is to `transcode` (the UID of a syntax)."""
    stored = "0" if transcode is None and (yield from system()).is_ours else None
    path = address(level, identifier, "archive")
    return (yield from download(path, target, progress, transcode=transcode, compression=stored))


def save_file(instance: str, target: Path, progress: Progress | None = None) -> Flow[Path]:
    """An instance as a DICOM file."""
    return (yield from download(address("Instance", instance, "file"), target, progress))


def save_files(
    level: Level,
    identifier: str,
    folder: Path,
    progress: Progress | None = None,
    *,
    at_once: int = 4,
) -> Flow[list[Path]]:
    """The DICOM files of a resource in a folder, of patients and studies in one for each series.
    What is there with the right size is not asked for again. `progress` counts files."""
    if level == "Instance":
        found = [(yield from resource("Instance", identifier))]
    else:
        found = yield from members(level, identifier)
    one_each = level in ("Patient", "Study")
    counted = 0

    def save(each: Resource) -> Flow[Path]:
        nonlocal counted
        target = folder / (each.parent_series or "") / _name(each)
        if not one_each:
            target = folder / _name(each)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.exists() and target.stat().st_size == each.file_size):
            yield from save_file(each.id, target)
        counted += 1
        if progress is not None:
            progress(counted, len(found))
        return target

    return (yield from Together([save(each) for each in found], at_once))


def _name(instance: Resource) -> str:
    """By its UID, unless the file has something else there."""
    uid = instance.tag("SOPInstanceUID")
    return f"{uid if _UID.fullmatch(uid) else instance.id}.dcm"
