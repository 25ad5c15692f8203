"""What is known of stored files that are damaged: a list in the index, of which nothing is removed
but what is sound again, or gone."""

from collections.abc import Iterable, Iterator

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.index.contract import Snapshot, Transaction
from orthanc_fast.model import Attachment, Level, Resource
from orthanc_fast.services.attachments.parts import Checksums
from orthanc_fast.services.attachments.verifying import Fault

DAMAGED = "damaged/"
"""Prefix of the properties, which the level, the identifier and the attachment follow."""

_PATIENT_ID, _PATIENT_NAME = 0x00100020, 0x00100010
_STUDY_UID, _STUDY_DATE, _STUDY_DESCRIPTION = 0x0020000D, 0x00080020, 0x00081030


class Damage(msgspec.Struct, array_like=True, frozen=True):
    """One file that is not what was stored, and whose it is. `found` is in seconds since the epoch,
    UTC; identifiers are Orthanc's, "" where a resource stands above."""

    level: Level
    public: bytes
    attachment: int
    uuid: str
    kind: str
    explanation: str
    found: int
    patient: str
    patient_id: str
    patient_name: str
    study: str
    study_uid: str
    study_date: str
    study_description: str

    @property
    def owner(self) -> str:
        """Patient and study, for an administrator."""
        text = f"patient {self.patient_id} ({self.patient_name})"
        if self.study:
            about = f"{self.study_date} {self.study_description}".strip()
            text += f", study {self.study_uid} ({about})"
        return text


class Note(msgspec.Struct, frozen=True):
    """The checksums that a reading of a file has shown."""

    level: Level
    public: bytes
    attachment: int
    uuid: str
    checksums: Checksums
    digest: bytes = b""  # where the index has none


def damage_of(
    view: Snapshot, resource: Resource, number: int, attachment: Attachment, fault: Fault, now: int
) -> Damage:
    """With the names of patient and study as they are in this snapshot."""
    chain = {each.level: each for each in (resource, *view.ancestors(resource))}
    patient, study = chain.get(Level.PATIENT), chain.get(Level.STUDY)
    tags = {} if patient is None else patient.tags
    of_study = {} if study is None else study.tags
    return Damage(
        resource.level,
        resource.public,
        number,
        attachment.uuid,
        fault.kind,
        fault.explanation,
        now,
        "" if patient is None else to_text(patient.public),
        tags.get(_PATIENT_ID, ""),
        tags.get(_PATIENT_NAME, ""),
        "" if study is None else to_text(study.public),
        of_study.get(_STUDY_UID, ""),
        of_study.get(_STUDY_DATE, ""),
        of_study.get(_STUDY_DESCRIPTION, ""),
    )


def damages(view: Snapshot) -> list[Damage]:
    """Those of files that resources still have."""
    found = view.properties(DAMAGED)
    return [
        damage
        for damage in (_decode(found[name]) for name in sorted(found))
        if _is_there(view.resource(damage.level, damage.public), damage.attachment, damage.uuid)
    ]


def note(transaction: Transaction, notes: Iterable[Note], found: Iterable[Damage]) -> None:
    """Keeps checksums where the index has none, strikes the files that were sound off the list, and
    adds those that were not. What has been replaced or deleted meanwhile is left alone."""
    for each in notes:
        resource = transaction.resource(each.level, each.public)
        if not _is_there(resource, each.attachment, each.uuid):
            continue
        assert resource is not None
        known = resource.attachments[each.attachment]
        if known.md5 is None or known.stored_md5 is None:
            transaction.set_md5(resource, each.attachment, *each.checksums)
        if each.digest and not known.digest:
            transaction.set_digest(resource, each.attachment, each.digest)
        name = _name(each.level, each.public, each.attachment)
        if transaction.property(name) is not None:
            transaction.set_property(name, None)
    for damage in found:
        resource = transaction.resource(damage.level, damage.public)
        if _is_there(resource, damage.attachment, damage.uuid):
            name = _name(damage.level, damage.public, damage.attachment)
            transaction.set_property(name, _encode(damage))


def forget_gone(transaction: Transaction, names: Iterable[str]) -> None:
    """Strikes off the list, of these properties, the files that no resource has any more."""
    for name in names:
        value = transaction.property(name)
        if value is not None:
            damage = _decode(value)
            resource = transaction.resource(damage.level, damage.public)
            if not _is_there(resource, damage.attachment, damage.uuid):
                transaction.set_property(name, None)


def attachments_of(resources: Iterable[Resource]) -> Iterator[tuple[Resource, int, Attachment]]:
    """All files, each with the number of its kind."""
    for resource in resources:
        for number, attachment in sorted(resource.attachments.items()):
            yield resource, number, attachment


def _is_there(resource: Resource | None, number: int, uuid: str) -> bool:
    if resource is None:
        return False
    attachment = resource.attachments.get(number)
    return attachment is not None and attachment.uuid == uuid


def _name(level: Level, public: bytes, number: int) -> str:
    return f"{DAMAGED}{level}{public.hex()}/{number}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Damage).decode
