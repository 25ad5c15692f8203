"""What was sent to other servers: the log of LogExportedResources, and instances written to files.
Source: reference chapter 1, sections 4.5 and 7.3."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import OrthancError, UnknownResource
from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.index.lmdb.exports import clear_exports, log_export
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.model import Export, Level, timestamp
from orthanc_fast.services.browse.describe import NAMES, PLURALS
from orthanc_fast.services.store.terms import (
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)

CANNOT_WRITE_FILE = 14
EXPORTED = 0o644  # for other programs, unlike the files of the store

_IDENTIFIERS = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_INSTANCE_UID,
    Level.SERIES: SERIES_INSTANCE_UID,
    Level.INSTANCE: SOP_INSTANCE_UID,
}


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


class LogExport(Write[int]):
    """Logs that a resource was sent to `modality` (the name of a modality or a peer); results in
    the sequence number. Fails with UnknownResource."""

    def __init__(self, level: Level, public: bytes, modality: str) -> None:
        self._level = level
        self._public = public
        self._modality = modality

    def apply(self, transaction: Transaction) -> int:
        resource = transaction.resource(self._level, self._public)
        if resource is None:
            raise UnknownResource
        found = {
            each.level: each.tags.get(_IDENTIFIERS[each.level], "")
            for each in (resource, *transaction.ancestors(resource))
        }
        export = Export(
            level=self._level,
            public=self._public,
            date=int(time.time()),
            modality=self._modality,
            patient_id=found[Level.PATIENT],
            study_uid=found.get(Level.STUDY, ""),
            series_uid=found.get(Level.SERIES, ""),
            sop_uid=found.get(Level.INSTANCE, ""),
        )
        return log_export(transaction, export)


class ClearExports(Write[None]):
    """`DELETE /exports`."""

    def apply(self, transaction: Transaction) -> None:
        clear_exports(transaction)


def write_file(target: Path, parts: Iterable[bytes]) -> None:
    """Writes a content to a file, which is replaced if it exists. Waits for the disk. Raises
    OrthancError 14 where that is impossible."""
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
