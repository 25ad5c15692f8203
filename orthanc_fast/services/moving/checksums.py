"""MD5s of stored files that nobody has asked for yet, computed before the store is left: Orthanc
computes them when it stores a file, and never later."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final

from orthanc_fast._ext.ids import to_text
from orthanc_fast.index.contract import Index, Snapshot
from orthanc_fast.model import Attachment, Resource
from orthanc_fast.services.administration.damages import Note, attachments_of, note
from orthanc_fast.services.attachments.verifying import Verified, verify
from orthanc_fast.services.moving.report import Finding
from orthanc_fast.storage.contract import Storage

PART: Final = 1000  # resources that are looked at together, and kept in one transaction
_THREADS: Final = 4

Wanted = tuple[Resource, int, Attachment]


def lacks_md5(attachment: Attachment) -> bool:
    return attachment.md5 is None or attachment.stored_md5 is None


def complete_checksums(
    index: Index, storage: Storage, progress: Callable[[int], None]
) -> tuple[int, Finding]:
    """Keeps in the index what is missing, part by part, so that who is interrupted goes on; tells
    `progress` how many resources are done. How many were computed, and the files that are not what
    was stored, whose MD5s stay unknown. Files that cannot be read are left to others."""
    damaged = Finding("damaged file", "its bytes are not those that were stored: no MD5")
    computed, done = 0, 0
    threads = ThreadPoolExecutor(_THREADS, "md5")
    try:
        for part in _parts(index):
            wanted = [each for each in attachments_of(part) if lacks_md5(each[2])]
            notes = []
            for (resource, kind, attachment), verified in _verified(threads, storage, wanted):
                if verified.checksums is not None:
                    notes.append(
                        Note(
                            *(resource.level, resource.public, kind, attachment.uuid),
                            *(verified.checksums, verified.digest),
                        )
                    )
                elif verified.fault is not None and verified.fault.kind == "checksum":
                    text = f"{attachment.uuid} of {to_text(resource.public)}"
                    damaged.add(f"{text}: {verified.fault.explanation}")
            if notes:
                index.write(partial(note, notes=notes, found=()))
            computed += len(notes)
            done += len(part)
            progress(done)
    finally:  # who is interrupted does not wait for what has not begun
        threads.shutdown(cancel_futures=True)
    return computed, damaged


def _parts(index: Index) -> Iterator[list[Resource]]:
    last = 0
    while part := index.read(partial(_part, after=last)):
        yield part
        last = part[-1].id


def _part(view: Snapshot, after: int) -> list[Resource]:
    return view.created_after(after, PART)


def _verified(
    threads: ThreadPoolExecutor, storage: Storage, wanted: list[Wanted]
) -> Iterator[tuple[Wanted, Verified]]:
    """In the same order."""
    running: deque[tuple[Wanted, Future[Verified]]] = deque(
        (each, threads.submit(verify, storage, each[2], True)) for each in wanted
    )
    while running:
        each, future = running.popleft()
        yield each, future.result()
