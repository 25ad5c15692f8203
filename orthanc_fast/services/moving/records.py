"""From what the index of an Orthanc says to the records of ours."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Final

import msgspec

from orthanc_fast.dicom.main_tags import DEFAULTS
from orthanc_fast.model import Attachment, Change, Export, Level, Resource
from orthanc_fast.orthanc_store.model import (
    ZLIB_WITH_SIZE,
    Ancestor,
    Sizes,
    StoredAttachment,
    StoredChange,
    StoredExport,
    StoredResource,
)
from orthanc_fast.registries import (
    DICOM_ATTACHMENT,
    LAST_UPDATE,
    MAIN_DICOM_TAGS_SIGNATURE,
    RECEPTION_DATE,
)

_DAY: Final = 86_400


class _Above(msgspec.Struct, gc=False):
    """A patient, study or series, with what lies below it."""

    public: bytes
    level: Level
    parent: int
    counts: list[int]
    stored: int = 0
    size: int = 0
    dicom_stored: int = 0
    dicom_size: int = 0
    recycling: int = 0


class Hierarchy:
    """All that stands above instances, by id: what a record says of what lies below it is known
    before the record is made."""

    def __init__(self, ancestors: Iterable[Ancestor], sizes: Iterable[Sizes]) -> None:
        self._all = {
            each.id: _Above(each.public, each.level, each.parent, [0, 0, 0]) for each in ancestors
        }
        for own in self._all.values():
            for above in self._above(own.parent):
                above.counts[own.level - 1] += 1
        for found in sizes:
            for above in self._above(found.owner):
                above.counts[2] += found.instances
                above.stored += found.stored
                above.size += found.size
                above.dicom_stored += found.dicom_stored
                above.dicom_size += found.dicom_size

    def _above(self, number: int) -> Iterator[_Above]:
        while number:
            found = self._all[number]
            yield found
            number = found.parent

    def __getitem__(self, number: int) -> _Above:
        return self._all[number]

    def set_recycling(self, patient: int, position: int) -> None:
        """A patient that is not protected."""
        self._all[patient].recycling = position


class Records:
    """Makes the records of resources; `signatures` are numbered from 1."""

    def __init__(self, hierarchy: Hierarchy, signatures: Sequence[str]) -> None:
        self._hierarchy = hierarchy
        self._signatures = {text: number for number, text in enumerate(signatures, 1)}

    def record(self, stored: StoredResource) -> Resource:
        """Of a resource, stable as everything is when an Orthanc has been started."""
        level, metadata = stored.level, stored.metadata
        text = metadata.pop(MAIN_DICOM_TAGS_SIGNATURE, "")
        updated = metadata.pop(LAST_UPDATE, None)
        attachments = {each.kind: attachment(each) for each in stored.attachments}
        tags = stored.tags
        patient_tags: dict[int, str] = {}
        counts, protected, recycling = [0, 0, 0], False, 0
        if level == Level.INSTANCE:
            sizes = _sizes(attachments)
            updated = updated or metadata.get(RECEPTION_DATE)
        else:
            above = self._hierarchy[stored.id]
            counts = above.counts
            sizes = (above.stored, above.size, above.dicom_stored, above.dicom_size)
            if level == Level.STUDY:
                tags, patient_tags = _split(tags, text)
            elif level == Level.PATIENT:
                recycling = above.recycling
                protected = not recycling
        return Resource(
            level=level,
            public=stored.public,
            id=stored.id,
            parent=stored.parent,
            parent_public=self._hierarchy[stored.parent].public if stored.parent else b"",
            tags=tags,
            patient_tags=patient_tags,
            metadata=metadata,
            user_metadata=stored.user_metadata,
            revisions=stored.revisions,
            attachments=attachments,
            labels=stored.labels,
            signature=self._signatures[text] if text else 0,
            counts=counts,
            disk_size=sizes[0],
            uncompressed_size=sizes[1],
            dicom_disk_size=sizes[2],
            dicom_uncompressed_size=sizes[3],
            last_update=instant(updated) if updated else 0,
            unstable_since=0,
            protected=protected,
            recycling=recycling,
        )


def attachment(stored: StoredAttachment) -> Attachment:
    """Its checksum of ours is not known before the file is read."""
    return Attachment(
        stored.uuid,
        stored.size,
        stored.stored_size,
        stored.compression == ZLIB_WITH_SIZE,
        b"",
        stored.md5 or None,
        stored.stored_md5 or None,
        stored.revision,
    )


def change(stored: StoredChange) -> tuple[int, Change]:
    """With its number."""
    date = instant(stored.date)
    return stored.sequence, Change(stored.kind, stored.level, stored.public, date)


def export(stored: StoredExport) -> tuple[int, Export]:
    """With its number."""
    return stored.sequence, Export(
        stored.level,
        stored.public,
        instant(stored.date),
        stored.modality,
        stored.patient_id,
        stored.study_uid,
        stored.series_uid,
        stored.sop_uid,
    )


def _sizes(attachments: dict[int, Attachment]) -> tuple[int, int, int, int]:
    stored = size = 0
    for each in attachments.values():
        stored += each.stored_size
        size += each.size
    dicom = attachments.get(DICOM_ATTACHMENT)
    return (stored, size, dicom.stored_size, dicom.size) if dicom else (stored, size, 0, 0)


def _split(tags: dict[int, str], signature: str) -> tuple[dict[int, str], dict[int, str]]:
    """A study's own tags, and those of its patient, which the signature does not list. Before 1.11
    there are no signatures, and no other tags than the default ones."""
    listed = _tags_of(signature) if signature else frozenset(DEFAULTS[Level.STUDY])
    own: dict[int, str] = {}
    of_patient: dict[int, str] = {}
    for tag, value in tags.items():
        (own if tag in listed else of_patient)[tag] = value
    return own, of_patient


@lru_cache(64)
def _tags_of(signature: str) -> frozenset[int]:
    return frozenset(int(text.replace(",", ""), 16) for text in signature.split(";"))


@lru_cache(4096)
def instant(text: str) -> int:
    """Seconds since the epoch of a moment in UTC, YYYYMMDDThhmmss; 0 for what is none."""
    try:
        return _day(text[:8]) + int(text[9:11]) * 3600 + int(text[11:13]) * 60 + int(text[13:15])
    except ValueError:
        return 0


@lru_cache(4096)
def _day(text: str) -> int:
    moment = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    return (moment - date(1970, 1, 1)).days * _DAY
