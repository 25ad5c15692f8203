"""Attachments of resources: what becomes of counters, revisions and files when they change."""

from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.model import Attachment, Outcome, Resource


def put_attachment(
    transaction: Transaction, resource: Resource, kind: int, attachment: Attachment
) -> Outcome:
    """Adds or replaces an attachment, whose revision becomes 0 or one more than that of the old
    one; `Outcome.doomed` names the file of the old one."""
    outcome = Outcome(stored=True)
    chain = [resource, *transaction.ancestors(resource)]
    old = resource.attachments.get(kind)
    attachment.revision = 0
    if old is not None:
        attachment.revision = old.revision + 1
        transaction.add_sizes(chain, kind, old, -1)
        transaction.doom(old, outcome)
    resource.attachments[kind] = attachment
    transaction.add_sizes(chain, kind, attachment, 1)
    return outcome


def remove_attachment(transaction: Transaction, resource: Resource, kind: int) -> Outcome:
    """Removes an attachment that is there; `Outcome.doomed` names its file."""
    outcome = Outcome(found=True)
    attachment = resource.attachments.pop(kind)
    chain = [resource, *transaction.ancestors(resource)]
    transaction.add_sizes(chain, kind, attachment, -1)
    transaction.doom(attachment, outcome)
    return outcome
