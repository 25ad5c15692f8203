"""Metadata of resources: reading, and the writes that change those of users. Source: reference
chapter 1, section 6.1."""

import time

from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.index.lmdb.metadata import remove_metadata, set_metadata
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.index.lmdb.view import View
from orthanc_fast.model import Resource
from orthanc_fast.services.browse.revisions import Version, check, digest

UPDATED_METADATA = 16


def texts(view: View, resource: Resource) -> dict[int, str]:
    """All metadata by number, for answers in JSON; what is no UTF-8 is replaced."""
    return {
        number: value if isinstance(value, str) else value.decode("utf-8", "replace")
        for number, value in view.metadata(resource).items()
    }


def value(view: View, resource: Resource, number: int) -> tuple[bytes, Version] | None:
    """One value with its version, None if it is not set."""
    found = view.metadata(resource).get(number)
    if found is None:
        return None
    content = found.encode() if isinstance(found, str) else found
    return content, Version(resource.revisions.get(number, 0), digest(content))


class PutMetadata(Write[Version]):
    """Sets a value of a resource of any level; results in its new version.

    Fails with UnknownResource or Revision.
    """

    def __init__(
        self, public: bytes, number: int, content: bytes, expected: Version | None, demanded: bool
    ) -> None:
        self._public = public
        self._number = number
        self._content = content
        self._expected = expected
        self._demanded = demanded

    def apply(self, transaction: Transaction) -> Version:
        resource = _resource(transaction, self._public)
        current = _current(resource, self._number)
        if current is not None:
            check(self._expected, current, self._demanded)
        revision = set_metadata(transaction, resource, self._number, self._content)
        transaction.log_change(UPDATED_METADATA, resource, int(time.time()))
        return Version(revision, digest(self._content))


class DeleteMetadata(Write[None]):
    """Removes a value of a resource of any level. Fails with UnknownResource, also where the value
    is not set, or Revision."""

    def __init__(self, public: bytes, number: int, expected: Version | None, demanded: bool):
        self._public = public
        self._number = number
        self._expected = expected
        self._demanded = demanded

    def apply(self, transaction: Transaction) -> None:
        resource = _resource(transaction, self._public)
        current = _current(resource, self._number)
        if current is None:
            raise UnknownResource("this metadata is not set")
        check(self._expected, current, self._demanded)
        remove_metadata(transaction, resource, self._number)
        transaction.log_change(UPDATED_METADATA, resource, int(time.time()))


def _resource(transaction: Transaction, public: bytes) -> Resource:
    found = transaction.resource_of_any_level(public)
    if found is None:
        raise UnknownResource
    return found


def _current(resource: Resource, number: int) -> Version | None:
    content = resource.user_metadata.get(number)
    if content is None:
        return None
    return Version(resource.revisions.get(number, 0), digest(content))
