"""What a file that was examined becomes in a new index: an instance, the head of one, or a finding
where two files are the same instance."""

import msgspec

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import OrthancError
from orthanc_fast.index.contract import Transaction
from orthanc_fast.model import Attachment, Level, NewInstance, Resource
from orthanc_fast.registries import (
    DICOM_ATTACHMENT,
    PIXEL_DATA_OFFSET,
    UNTIL_PIXEL_DATA_ATTACHMENT,
)
from orthanc_fast.services.upkeep.examining import Examined, is_head_of
from orthanc_fast.storage.contract import Storage


class Finding(msgspec.Struct, frozen=True):
    """A file that the new index does not have, and that was left where it is. `kind` is "duplicate"
    (another file of the same instance was taken), "unknown" (no DICOM file) or "unreadable"."""

    kind: str
    file: str
    explanation: str


class Entering:
    """Enters examined files, oldest first, within a transaction."""

    def __init__(self, storage: Storage, transaction: Transaction) -> None:
        self._storage = storage
        self._transaction = transaction
        self.findings: list[Finding] = []
        self.instances = 0  # more than before
        self.heads = 0

    def enter(self, examined: Examined) -> None:
        new = examined.new
        if new is None:
            kind = "unreadable" if examined.why.startswith("cannot be read") else "unknown"
            self.findings.append(Finding(kind, examined.uuid, examined.why))
            return
        known = self._transaction.resource(Level.INSTANCE, new.publics[Level.INSTANCE])
        if known is None:
            self._transaction.store_instance(new)
            self.instances += 1
            return
        mine, other = new.attachments[DICOM_ATTACHMENT], known.attachments[DICOM_ATTACHMENT]
        offset = known.metadata.get(PIXEL_DATA_OFFSET)
        if examined.offset is None and offset is not None:
            if int(offset) == mine.size and self._takes_head(known, mine, other):
                self._transaction.put_attachment(known, UNTIL_PIXEL_DATA_ATTACHMENT, mine)
                self.heads += 1
            else:  # one that has pixel data is worth more, whichever is newer
                self._duplicate(mine, other, new)
            return
        if offset is None and examined.offset == other.size and self._begins(other, mine):
            new.attachments[UNTIL_PIXEL_DATA_ATTACHMENT] = other
            self.heads += 1
        else:
            self._duplicate(other, mine, new)
            self._keep_head(known, new)
        self._replace(known, new)

    def _takes_head(self, known: Resource, head: Attachment, whole: Attachment) -> bool:
        return UNTIL_PIXEL_DATA_ATTACHMENT not in known.attachments and self._begins(head, whole)

    def _keep_head(self, known: Resource, new: NewInstance) -> None:
        """The head of the older file stays with the newer one where it begins alike."""
        head = known.attachments.get(UNTIL_PIXEL_DATA_ATTACHMENT)
        if head is None:
            return
        whole = new.attachments[DICOM_ATTACHMENT]
        if new.metadata[Level.INSTANCE].get(PIXEL_DATA_OFFSET) == str(head.size) and self._begins(
            head, whole
        ):
            new.attachments[UNTIL_PIXEL_DATA_ATTACHMENT] = head
            return
        self.heads -= 1
        self._duplicate(head, whole, new)

    def _begins(self, head: Attachment, whole: Attachment) -> bool:
        try:
            return is_head_of(self._storage, head, whole)
        except (OrthancError, OSError):
            return False

    def _replace(self, known: Resource, new: NewInstance) -> None:
        """The files of what is replaced stay on the disk: they are not the index's to delete."""
        transaction = self._transaction
        outcome = transaction.delete(Level.INSTANCE, known.public, new.received)
        transaction.forget_doomed(outcome.doomed)
        transaction.store_instance(new)

    def _duplicate(self, left: Attachment, taken: Attachment, new: NewInstance) -> None:
        instance = to_text(new.publics[Level.INSTANCE])
        text = f"another file of the instance {instance}: {taken.uuid} was taken"
        self.findings.append(Finding("duplicate", left.uuid, text))
