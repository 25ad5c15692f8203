"""`orthanc-fast check`: the index against the storage area, and the files against their checksums.

Runs beside a working server: what a running server is about to finish by itself (files in
`incoming`, deleted files it has not unlinked yet) is no finding.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import IncompatibleDatabase
from orthanc_fast.index.contract import Index, Snapshot, Transaction
from orthanc_fast.model import Attachment, Level, Resource, Totals
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.administration.damages import (
    Damage,
    Note,
    attachments_of,
    damage_of,
    note,
)
from orthanc_fast.services.attachments.verifying import verify
from orthanc_fast.services.browse.describe import NAMES
from orthanc_fast.services.store.foreign import has_index, refuse_foreign_store
from orthanc_fast.services.store.opening import (
    INDEX_FOLDER,
    SUPERVISOR_SLOT,
    open_index,
    open_storage,
)
from orthanc_fast.storage.contract import Storage

# Resources whose records are read in one go.
AT_ONCE = 1000


class Finding(msgspec.Struct, frozen=True):
    """One fault. `kind` is "missing" (no file), "unreadable", "size", "checksum", "stray" (a file
    that no resource owns) or "counter" (a number in the index that is not what the resources add
    up to)."""

    kind: str
    subject: str
    explanation: str
    repaired: bool = False


class Report(msgspec.Struct, frozen=True):
    """What a check saw."""

    instances: int
    files: int
    findings: list[Finding]

    @property
    def clean(self) -> bool:
        return not self.findings

    @property
    def repaired(self) -> bool:
        """Whether nothing is left to do."""
        return all(finding.repaired for finding in self.findings)


Progress = Callable[[int, int], None]
"""Told how many of how many files are done."""


def run(
    settings: Settings,
    repair: bool,
    deep: bool = False,
    progress: Progress = lambda done, of: None,
) -> Report:
    """Compares everything; with `repair` removes from the index instances whose DICOM file is
    lost, and other attachments whose file is. A `deep` check compares the MD5s too, keeps those
    that are not known yet, and enters what is damaged into the list of `/tools/scrubber`.

    No file is ever removed: one that no resource owns may belong to another program, or to an
    index that was there before this one; one that is damaged may still be of use to someone.
    Raises IncompatibleDatabase where there is no index of this server.
    """
    folder = settings.index_directory / INDEX_FOLDER
    refuse_foreign_store(settings, folder)
    if not has_index(folder):
        raise IncompatibleDatabase(
            "there is no index: nothing to check", private=settings.index_directory
        )
    storage = open_storage(settings, SUPERVISOR_SLOT)
    index = open_index(settings, storage)
    try:
        return compare(index, storage, repair, deep, progress)
    finally:
        index.close()


def compare(
    index: Index,
    storage: Storage,
    repair: bool,
    deep: bool = False,
    progress: Progress = lambda done, of: None,
) -> Report:
    """The same for an index and a storage that are open already. Others may change both meanwhile:
    what they do is no finding."""
    return _Check(index, storage, repair, deep, progress).run()


def _parts(publics: list[bytes]) -> Iterator[list[bytes]]:
    return (publics[at : at + AT_ONCE] for at in range(0, len(publics), AT_ONCE))


def _records(snapshot: Snapshot, level: Level, publics: list[bytes]) -> list[Resource]:
    """Those that are still there."""
    return [each for each in snapshot.resources(level, publics) if each is not None]


class _Check:
    def __init__(
        self, index: Index, storage: Storage, repair: bool, deep: bool, progress: Progress
    ) -> None:
        self._deep = deep
        self._progress = progress
        self._notes: list[Note] = []
        self._damages: list[Damage] = []
        self._index = index
        self._storage = storage
        self._repair = repair
        self._findings: list[Finding] = []
        self._known: set[str] = set()
        self._size = 0  # bytes of all attachments in the snapshot of the counters
        self._files = 0

    def run(self) -> Report:
        # The files first: what is stored or deleted while we look must not become a finding.
        on_disk = set(self._storage.listing())
        totals, doomed, publics = self._index.read(self._survey)
        if self._size != totals.uncompressed_size:
            self._found(
                "counter",
                "TotalUncompressedSize",
                f"{totals.uncompressed_size} bytes counted, the attachments have {self._size}",
            )
        for level in Level:
            for part in _parts(publics[level]):
                resources = self._index.read(partial(_records, level=level, publics=part))
                for resource, number, attachment in attachments_of(resources):
                    self._check_file(resource, number, attachment)
        self._note()
        for uuid in sorted(on_disk - self._known - doomed):
            self._check_stray(uuid)
        return Report(totals.resources[Level.INSTANCE], self._files, self._findings)

    def _survey(self, snapshot: Snapshot) -> tuple[Totals, set[str], list[list[bytes]]]:
        """The counters, the doomed files and the identifiers of each level; notes which files are
        known, and their size."""
        publics = [snapshot.listing(level) for level in Level]
        for level in Level:
            for part in _parts(publics[level]):
                for resource in _records(snapshot, level, part):
                    for attachment in resource.attachments.values():
                        self._known.add(attachment.uuid)
                        self._size += attachment.size
        return snapshot.totals(), set(snapshot.doomed()), publics

    def _check_file(self, resource: Resource, number: int, attachment: Attachment) -> None:
        self._files += 1
        self._progress(self._files, len(self._known))
        level, public = resource.level, resource.public
        subject = f"file {attachment.uuid} of {NAMES[level].lower()} {public.hex()}"
        result = verify(self._storage, attachment, self._deep)
        fault = result.fault
        if fault is None:
            if result.checksums is not None:
                sums = result.checksums
                self._notes.append(
                    Note(level, public, number, attachment.uuid, sums, result.digest)
                )
                if len(self._notes) >= AT_ONCE:
                    self._note()
            return
        now = int(time.time())
        damage = self._index.read(
            lambda view: damage_of(view, resource, number, attachment, fault, now)
        )
        self._damages.append(damage)
        subject = f"{subject}, {damage.owner}"
        if fault.kind == "missing":
            self._lost(level, public, attachment, subject)
        else:
            self._found(fault.kind, subject, fault.explanation)

    def _note(self) -> None:
        """Only a deep check keeps what it has seen."""
        notes, found = self._notes, self._damages
        self._notes, self._damages = [], []
        if self._deep:
            self._index.write(lambda transaction: note(transaction, notes, found))

    def _lost(self, level: Level, public: bytes, attachment: Attachment, subject: str) -> None:
        """What was deleted or replaced while the check ran is no finding."""
        if self._repair:
            is_owned = self._index.write(lambda txn: _forget(txn, level, public, attachment))
        else:
            resource = self._index.read(lambda snapshot: snapshot.resource(level, public))
            is_owned = _number(resource, attachment) is not None
        if is_owned:
            self._found("missing", subject, "the file is not in the storage area", self._repair)

    def _check_stray(self, uuid: str) -> None:
        if not self._storage.exists(uuid):
            return  # it has been deleted since it was listed
        text = "no resource owns it: import it (orthanc-fast import), or move it away by hand"
        self._found("stray", f"file {uuid}", text)

    def _found(self, kind: str, subject: str, explanation: str, repaired: bool = False) -> None:
        self._findings.append(Finding(kind, subject, explanation, repaired))


def _number(resource: Resource | None, attachment: Attachment) -> int | None:
    """Under which number a resource has this very attachment."""
    if resource is not None:
        for number, other in resource.attachments.items():
            if other.uuid == attachment.uuid:
                return number
    return None


def _forget(transaction: Transaction, level: Level, public: bytes, attachment: Attachment) -> bool:
    """Removes an attachment whose file is lost, with its instance where it is the DICOM file. False
    where there is none any more: it may have been replaced by one that is there."""
    resource = transaction.resource(level, public)
    number = _number(resource, attachment)
    if resource is None or number is None:
        return False
    if number == DICOM_ATTACHMENT:
        transaction.delete(level, public, int(time.time()))
    else:
        transaction.remove_attachment(resource, number)
    return True
