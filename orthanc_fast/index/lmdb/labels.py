"""Labels of resources, and those of the whole index."""

from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.index.terms import Kind, field_prefix, value_of
from orthanc_fast.model import Level, Resource


def add_label(transaction: Transaction, resource: Resource, label: str) -> None:
    """Adds a label; one that is there stays."""
    if label not in resource.labels:
        with transaction.editing(resource):
            resource.labels.append(label)


def remove_label(transaction: Transaction, resource: Resource, label: str) -> None:
    """Removes a label; one that is not there does not matter."""
    if label in resource.labels:
        with transaction.editing(resource):
            resource.labels.remove(label)


def labels_in_use(view: View) -> list[str]:
    """The labels of all resources, sorted. Costs one step per label and level."""
    found: set[str] = set()
    cursor = view.transaction().cursor(db=view.environment().value)
    for level in Level:
        prefix = field_prefix(Kind.LABEL, level, 0)
        if not cursor.set_range(prefix):
            continue
        for key in cursor.iternext_nodup(keys=True, values=False):
            key = bytes(key)
            label = value_of(key) if key.startswith(prefix) else None
            if label is None:  # labels are short: the keys of another field have begun
                break
            found.add(label)
    return sorted(found)
