"""The limits of the store, and how patients give way to keep them. Source: reference chapter 1,
section 8.3."""

import time

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import FullStorage
from orthanc_fast.index.contract import Index, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Attachment, Level, NewInstance, Resource, Totals

RECYCLE, REJECT = "Recycle", "Reject"

# Patients that one transaction removes when a server starts with lower limits than before.
PATIENTS_AT_ONCE = 16


class Quota(msgspec.Struct, frozen=True):
    """`size` in bytes of stored attachments and `patients`; 0 is no limit. `rejects`: what is new
    is refused, instead of what is old being deleted.

    All is decided inside the transaction that stores, hence holds for all processes together.
    """

    size: int = 0
    patients: int = 0
    rejects: bool = False

    @property
    def is_limited(self) -> bool:
        return self.size > 0 or self.patients > 0

    def room_for_instance(
        self, transaction: Transaction, new: NewInstance, replaced: Resource | None
    ) -> list[str] | None:
        """Makes room for an instance that may take the place of another one. Returns the files of
        the patients that were deleted for it, or None, with nothing changed, if there is no room
        to be had."""
        patient = transaction.resource(Level.PATIENT, new.publics[Level.PATIENT])
        added = _stored_size(new.attachments)
        if self.size and added > self.size:
            return None
        if replaced is not None:
            added -= _stored_size(replaced.attachments)
        bytes_over = self._bytes_over(transaction.totals, added)
        patients_over = self._patients_over(transaction.totals, 1) if patient is None else 0
        if self.rejects:
            return None if bytes_over > 0 or patients_over > 0 else []
        return _recycle(transaction, bytes_over, patients_over, patient)

    def room_for_attachment(
        self,
        transaction: Transaction,
        owner: Resource,
        new: Attachment,
        replaced: Attachment | None,
    ) -> list[str]:
        """The same for an attachment of `owner`, for which older patients go in the mode Reject
        too. Raises FullStorage."""
        found: list[str] | None = None
        if not self.size or new.stored_size <= self.size:
            added = new.stored_size - (0 if replaced is None else replaced.stored_size)
            patient = (transaction.ancestors(owner) or [owner])[-1]
            found = _recycle(transaction, self._bytes_over(transaction.totals, added), 0, patient)
        if found is None:
            raise FullStorage(
                f"MaximumStorageSize ({self.size >> 20} MB) would be exceeded and no other patient "
                "can be recycled: raise it, or unprotect or delete patients"
            )
        return found

    def shrink(self, transaction: Transaction) -> int:
        """Removes some patients if a limit is exceeded; how many. To be repeated until none."""
        totals = transaction.totals
        victims = _oldest(
            transaction, self._bytes_over(totals, 0), self._patients_over(totals, 0), None
        )[:PATIENTS_AT_ONCE]
        _delete(transaction, victims)
        return len(victims)

    def is_exceeded(self, totals: Totals) -> bool:
        """Whether the store holds more than it should."""
        return self._bytes_over(totals, 0) > 0 or self._patients_over(totals, 0) > 0

    def _bytes_over(self, totals: Totals, added: int) -> int:
        """By how much the limit would be exceeded."""
        return totals.disk_size + added - self.size if self.size else 0

    def _patients_over(self, totals: Totals, added: int) -> int:
        present = totals.resources[Level.PATIENT]
        return present + added - self.patients if self.patients else 0


def quota_of(settings: Settings) -> Quota:
    """The limits that the configuration sets."""
    return Quota(
        settings.maximum_storage_size << 20,
        settings.maximum_patient_count,
        settings.maximum_storage_mode == REJECT,
    )


def recycle_at_start(settings: Settings, index: Index) -> None:
    """Before the workers of a new run start, since the limits may be lower than those of the last
    run. The files of what is deleted are listed as doomed."""
    mode = settings.maximum_storage_mode
    if mode not in (RECYCLE, REJECT):
        logger.error(
            Category.GENERIC,
            f'MaximumStorageMode must be "{RECYCLE}" or "{REJECT}", not {mode!r}, which is taken '
            f'for "{RECYCLE}"',
        )
    quota = quota_of(settings)
    if settings.read_only or quota.rejects:
        return
    while exceeded := quota.is_exceeded(index.read(lambda snapshot: snapshot.totals())):
        if not index.write(quota.shrink):
            break
    if exceeded:
        logger.warning(
            Category.GENERIC,
            "The store exceeds MaximumStorageSize or MaximumPatientCount and all patients are "
            "protected: no new patient can be stored",
        )


def _recycle(
    transaction: Transaction, bytes_over: int, patients_over: int, spared: Resource | None
) -> list[str] | None:
    """Deletes the oldest patients until that much is gone; None, with nothing changed, if they are
    too few."""
    victims = _oldest(transaction, bytes_over, patients_over, spared)
    freed = sum(patient.disk_size for patient in victims)
    if freed < bytes_over or len(victims) < patients_over:
        return None
    return _delete(transaction, victims)


def _oldest(
    transaction: Transaction, bytes_over: int, patients_over: int, spared: Resource | None
) -> list[Resource]:
    """As many of the oldest patients as it takes, as far as there are so many."""
    found: list[Resource] = []
    for patient in transaction.oldest_patients():
        if bytes_over <= 0 and patients_over <= 0:
            break
        if spared is not None and patient.id == spared.id:
            continue
        found.append(patient)
        bytes_over -= patient.disk_size
        patients_over -= 1
    return found


def _delete(transaction: Transaction, patients: list[Resource]) -> list[str]:
    """Deletes patients; their files."""
    now = int(time.time())
    doomed: list[str] = []
    for patient in patients:
        logger.info(Category.GENERIC, f"Recycling the patient {to_text(patient.public)}")
        doomed += transaction.delete(Level.PATIENT, patient.public, now).doomed
    return doomed


def _stored_size(attachments: dict[int, Attachment]) -> int:
    return sum(attachment.stored_size for attachment in attachments.values())
