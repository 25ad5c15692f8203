"""What was sent to other servers: the log of LogExportedResources, and instances written to files.
Source: reference chapter 1, sections 4.5 and 7.3."""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import OrthancError, ReadOnly
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller, Export, Level, Resource, timestamp
from orthanc_fast.services.attachments.parts import ContentParts
from orthanc_fast.services.attachments.reading import dicom_attachment
from orthanc_fast.services.browse.describe import NAMES, PLURALS
from orthanc_fast.services.store.lookup import found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes

CANNOT_WRITE_FILE = 14
# PatientID, StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID
_IDENTIFIERS = {
    Level.PATIENT: 0x00100020,
    Level.STUDY: 0x0020000D,
    Level.SERIES: 0x0020000E,
    Level.INSTANCE: 0x00080018,
}
EXPORTED = 0o644  # for other programs, unlike the files of the store


class ExportEntry(msgspec.Struct, omit_defaults=True, gc=False):
    """One entry as answers show it; the UIDs below its level are missing."""

    Date: str
    ID: str
    Path: str
    PatientID: str
    RemoteModality: str
    ResourceType: str
    Seq: int
    StudyInstanceUID: str = ""
    SeriesInstanceUID: str = ""
    SOPInstanceUID: str = ""


def export_entry(sequence: int, export: Export) -> ExportEntry:
    level = Level(export.level)
    public = to_text(export.public)
    return ExportEntry(
        Date=timestamp(export.date),
        ID=public,
        Path=f"/{PLURALS[level]}/{public}",
        PatientID=export.patient_id,
        RemoteModality=export.modality,
        ResourceType=NAMES[level],
        Seq=sequence,
        StudyInstanceUID=export.study_uid,
        SeriesInstanceUID=export.series_uid,
        SOPInstanceUID=export.sop_uid,
    )


class Exports:
    """The log of what was sent to other servers, and what is written to files of this one."""

    def __init__(
        self, reads: Reads, writes: Writes, settings: Settings, contents: ContentParts
    ) -> None:
        self._read = reads
        self._write = writes
        self._settings = settings
        self._contents = contents

    def page(self, caller: Caller, since: int, limit: int) -> tuple[list[tuple[int, Export]], bool]:
        """Up to `limit` entries after the sequence number `since`, and whether these are all."""
        return self._read(caller, lambda view: view.exports(since, limit))

    def newest(self, caller: Caller) -> tuple[int, Export] | None:
        """The newest entry with its sequence number."""
        return self._read(caller, lambda view: view.last_export())

    async def clear(self, caller: Caller) -> None:
        """Empties the log; sequence numbers go on. Raises ReadOnly."""
        if self._settings.read_only:
            raise ReadOnly
        await self._write(caller, _Clear())

    async def log(self, caller: Caller, remote: str, publics: Sequence[bytes]) -> None:
        """Notes that resources of any level are sent to the server with the symbolic name
        `remote`, where LogExportedResources asks for that; those that are gone are left out."""
        if self._settings.log_exported_resources:
            await self._write(caller, _Log(remote, publics))

    async def write_instance(self, caller: Caller, public: bytes, target: Path) -> None:
        """Writes the DICOM file of an instance to a file of the server's disks, which is replaced
        if it exists. Raises UnknownResource, OrthancError 14 where that is impossible."""
        instance = await self._read.run(self._instance, caller, public)
        parts = self._contents.content(dicom_attachment(instance))
        await asyncio.to_thread(_write_file, target, parts)

    def _instance(self, caller: Caller, public: bytes) -> Resource:
        found = self._read(caller, lambda view: view.resource(Level.INSTANCE, public))
        return found_or_raise(found)


class _Log(Write[None]):
    def __init__(self, remote: str, publics: Sequence[bytes]) -> None:
        self._remote = remote
        self._publics = publics

    def apply(self, transaction: Transaction) -> None:
        now = int(time.time())
        for public in self._publics:
            resource = transaction.resource_of_any_level(public)
            if resource is not None:
                transaction.log_export(export_of(transaction, resource, self._remote, now))


def export_of(transaction: Transaction, resource: Resource, remote: str, now: int) -> Export:
    """The entry for a resource that is sent to the server with this symbolic name."""
    line = {each.level: each.tags for each in (resource, *transaction.ancestors(resource))}
    uids = [line.get(level, {}).get(tag, "") for level, tag in _IDENTIFIERS.items()]
    return Export(resource.level, resource.public, now, remote, *uids)


class _Clear(Write[None]):
    def apply(self, transaction: Transaction) -> None:
        transaction.clear_exports()


def _write_file(target: Path, parts: Iterable[bytes]) -> None:
    try:
        is_new = not target.exists()
        with target.open("wb") as file:
            if is_new:
                os.fchmod(file.fileno(), EXPORTED)
            file.writelines(parts)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no path"
        raise OrthancError(
            f"cannot write the file: {reason}", private=target, code=CANNOT_WRITE_FILE
        ) from error
