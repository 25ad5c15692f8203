"""User-defined metadata of resources, with their revisions. Source: reference chapter 1, section
1.12."""

from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.model import Resource


def set_metadata(transaction: Transaction, resource: Resource, number: int, value: bytes) -> int:
    """Adds or replaces a value; returns its revision, which starts at 0."""
    with transaction.editing(resource):
        revision = 0
        if number in resource.user_metadata:
            revision = resource.revisions.get(number, 0) + 1
            resource.revisions[number] = revision
        resource.user_metadata[number] = value
    return revision


def remove_metadata(transaction: Transaction, resource: Resource, number: int) -> None:
    """Removes a value that is there; its revisions start again."""
    with transaction.editing(resource):
        del resource.user_metadata[number]
        resource.revisions.pop(number, None)
