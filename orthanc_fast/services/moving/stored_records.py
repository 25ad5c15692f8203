"""From the records of our index to what the index of an Orthanc says: the way back of
`records.py`."""

from collections.abc import Iterable, Sequence

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.model import Attachment, Change, Export, Level, Resource, timestamp
from orthanc_fast.orthanc_store.model import (
    NOT_COMPRESSED,
    ZLIB_WITH_SIZE,
    StoredAttachment,
    StoredChange,
    StoredExport,
    StoredResource,
)
from orthanc_fast.registries import LAST_UPDATE, MAIN_DICOM_TAGS_SIGNATURE
from orthanc_fast.services.store.custom_data import PREFIX as CUSTOM_DATA


def stored_resources(view: Snapshot, part: Sequence[Resource]) -> list[StoredResource]:
    """With all that belongs to each."""
    signatures = view.signatures({each.signature for each in part})
    has_custom_data = bool(view.some_properties(CUSTOM_DATA, None, 1))
    found = [_resource(each, signatures.get(each.signature, "")) for each in part]
    if has_custom_data:
        for resource in found:
            for each in resource.attachments:
                each.custom_data = view.property(CUSTOM_DATA + each.uuid) or b""
    return found


def _resource(resource: Resource, signature: str) -> StoredResource:
    metadata = dict(resource.metadata)
    if resource.level != Level.INSTANCE:
        metadata[LAST_UPDATE] = timestamp(resource.last_update)
    if resource.signature:
        metadata[MAIN_DICOM_TAGS_SIGNATURE] = signature
    return StoredResource(
        resource.id,
        resource.level,
        resource.public,
        resource.parent,
        {**resource.patient_tags, **resource.tags},
        metadata,
        resource.user_metadata,
        resource.revisions,
        [_attachment(kind, each) for kind, each in resource.attachments.items()],
        resource.labels,
    )


def _attachment(kind: int, attachment: Attachment) -> StoredAttachment:
    return StoredAttachment(
        kind,
        attachment.uuid,
        attachment.size,
        attachment.stored_size,
        ZLIB_WITH_SIZE if attachment.compressed else NOT_COMPRESSED,
        attachment.md5 or "",
        attachment.stored_md5 or "",
        attachment.revision,
    )


def stored_changes(
    view: Snapshot, part: Iterable[tuple[int, Change]]
) -> tuple[list[StoredChange], int]:
    """Those of resources that are there, and how many others there are."""
    entries = list(part)
    ids: dict[tuple[int, bytes], int] = {}
    for level in Level:
        wanted = {change.public for _, change in entries if change.level == level}
        for number, public in view.creation_numbers(level, b"".join(sorted(wanted))):
            ids[level, public] = number
    found = []
    for sequence, change in entries:
        resource = ids.get((change.level, change.public))
        if resource is not None:
            level, date = Level(change.level), timestamp(change.date)
            found.append(StoredChange(sequence, change.type, resource, level, change.public, date))
    return found, len(entries) - len(found)


def stored_export(sequence: int, export: Export) -> StoredExport:
    return StoredExport(
        sequence,
        Level(export.level),
        export.public,
        export.modality,
        export.patient_id,
        export.study_uid,
        export.series_uid,
        export.sop_uid,
        timestamp(export.date),
    )
