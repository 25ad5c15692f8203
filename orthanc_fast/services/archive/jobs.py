"""Archives and media as kinds of jobs. Source: reference chapter 3, sections 3.7.2 and 3.9."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import BinaryIO, ClassVar, Final

import msgspec

from orthanc_fast.errors import DISK_FULL, FullStorage, OrthancError, StorageFault
from orthanc_fast.services.archive.archives import Archives, Planned, Wish
from orthanc_fast.services.archive.stream import Watch
from orthanc_fast.services.jobs.contract import Kind, Run, Stopped, Submission
from orthanc_fast.services.jobs.runs import LocalRun

ARCHIVE, MEDIA = "Archive", "Media"
OUTPUT: Final = "archive"  # the key of what the job makes
ZIP: Final = "application/zip"
NETWORK_PROTOCOL: Final = 9
CANCELED: Final = 37

_WRITTEN_AT_ONCE: Final = 1 << 20  # bytes


def submission(
    planned: Planned, description: str, priority: int, user_data: msgspec.Raw | None
) -> Submission:
    """The job that makes an archive."""
    return Submission(
        kind=MEDIA if planned.wish.is_media else ARCHIVE,
        payload=msgspec.json.encode(planned.wish),
        content={"Description": description, **planned.content()},
        priority=priority,
        user_data=user_data,
        is_saved=False,
        may_be_resubmitted=False,
    )


class ArchiveJob(Kind):
    """Makes a file of an archive."""

    name: ClassVar[str] = ARCHIVE

    def __init__(self, archives: Archives) -> None:
        self._archives = archives

    def run(self, run: Run) -> None:
        """Raises as `Archives.plan` and reading the files do, FullStorage, StorageFault."""
        wish = msgspec.json.decode(run.payload, type=Wish)
        planned = self._archives.plan(run.caller, wish)
        path = run.output(OUTPUT, wish.filename, ZIP)
        with as_store_faults(), path.open("wb") as file:
            size = asyncio.run(write(self._archives, planned, file, progress(run, planned)))
        run.tell(**planned.content(size))


class MediaJob(ArchiveJob):
    """Makes a file of an archive with a DICOMDIR."""

    name: ClassVar[str] = MEDIA


def progress(run: Run, planned: Planned) -> Watch:
    """Tells a run how far its archive is; the directory at the end is a step too."""
    steps = planned.tree.count + 1
    return lambda done: run.step(min(done, steps - 1), steps)


async def write(archives: Archives, planned: Planned, file: BinaryIO, watch: Watch) -> int:
    """Writes an archive to a file; its size in bytes. The disk is waited for in threads. Raises
    OSError."""
    size = 0
    async with aclosing(archives.stream(planned, watch)) as chunks:
        parts: list[bytes] = []
        waiting = 0
        async for chunk in chunks:
            parts.append(chunk)
            waiting += len(chunk)
            if waiting >= _WRITTEN_AT_ONCE:
                await asyncio.to_thread(file.writelines, parts)
                parts, waiting, size = [], 0, size + waiting
    await asyncio.to_thread(file.writelines, parts)
    await asyncio.to_thread(file.flush)
    return size + waiting


@contextmanager
def as_store_faults() -> Iterator[None]:
    """What the system refuses while a file of an archive is written becomes FullStorage or
    StorageFault."""
    try:
        yield
    except OSError as error:
        kind = FullStorage if error.errno in DISK_FULL else StorageFault
        raise kind("cannot write the archive", private=error) from error


class Ending:
    """Ends the job of an archive that this process sends while it makes it, whatever becomes of
    it."""

    def __init__(self, run: LocalRun, planned: Planned) -> None:
        self._run = run
        self._planned = planned

    def succeed(self, size: int) -> None:
        self._run.succeed(**self._planned.content(size))

    def fail(self, error: BaseException) -> OrthancError | None:
        """What the client is to be told instead of this error."""
        if isinstance(error, Stopped):
            self._run.fail(error)
            return OrthancError(code=CANCELED)
        if isinstance(error, Exception):
            self._run.fail(error)
        else:  # closed, or cancelled: nobody is there any more
            self._run.fail(OrthancError("the client has left", code=NETWORK_PROTOCOL))
        return None
