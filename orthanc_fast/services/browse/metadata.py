"""Metadata of resources: reading, and the writes that change those of users. Source: reference
chapter 1, section 6.1."""

import time

from orthanc_fast.config import Settings
from orthanc_fast.errors import ReadOnly, UnknownResource
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.registries import UPDATED_METADATA
from orthanc_fast.services.store.lookup import found_or_raise
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.revisions import Version, check, digest
from orthanc_fast.services.store.writes import Writes


class Metadata:
    """The metadata of resources, by number."""

    def __init__(self, reads: Reads, writes: Writes, settings: Settings) -> None:
        self._read = reads
        self._write = writes
        self._settings = settings

    def texts(self, caller: Caller, level: Level, public: bytes) -> dict[int, str]:
        """All metadata of a resource; what is no UTF-8 is replaced. Raises UnknownResource."""
        return {
            number: value if isinstance(value, str) else value.decode("utf-8", "replace")
            for number, value in self._all(caller, level, public)[1].items()
        }

    def value(
        self, caller: Caller, level: Level, public: bytes, number: int
    ) -> tuple[bytes, Version] | None:
        """One value with its version, None if it is not set. Raises UnknownResource."""
        resource, values = self._all(caller, level, public)
        found = values.get(number)
        if found is None:
            return None
        content = found.encode() if isinstance(found, str) else found
        return content, Version(resource.revisions.get(number, 0), digest(content))

    def _all(
        self, caller: Caller, level: Level, public: bytes
    ) -> tuple[Resource, dict[int, str | bytes]]:
        def read(view: Snapshot) -> tuple[Resource, dict[int, str | bytes]]:
            resource = found_or_raise(view.resource(level, public))
            return resource, view.metadata(resource)

        return self._read(caller, read)

    async def put(
        self,
        caller: Caller,
        public: bytes,
        number: int,
        content: bytes,
        expected: Version | None,
    ) -> Version:
        """Sets a value of a resource of any level; its new version. `expected` is the one that the
        client knows. Raises ReadOnly, UnknownResource, Revision."""
        self._refuse_read_only()
        demanded = self._settings.check_revisions
        write = _PutMetadata(public, number, content, expected, demanded)
        version: Version = await self._write(caller, write)
        return version

    async def delete(
        self, caller: Caller, public: bytes, number: int, expected: Version | None
    ) -> None:
        """Removes a value of a resource of any level. Raises ReadOnly, Revision, and
        UnknownResource also where the value is not set."""
        self._refuse_read_only()
        demanded = self._settings.check_revisions
        await self._write(caller, _DeleteMetadata(public, number, expected, demanded))

    def _refuse_read_only(self) -> None:
        if self._settings.read_only:
            raise ReadOnly("this server is read-only")


class _PutMetadata(Write[Version]):
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
        resource = found_or_raise(transaction.resource_of_any_level(self._public))
        current = _current(resource, self._number)
        if current is not None:
            check(self._expected, current, self._demanded)
        revision = transaction.set_metadata(resource, self._number, self._content)
        transaction.log_change(UPDATED_METADATA, resource, int(time.time()))
        return Version(revision, digest(self._content))


class _DeleteMetadata(Write[None]):
    """Removes a value of a resource of any level. Fails with UnknownResource, also where the value
    is not set, or Revision."""

    def __init__(self, public: bytes, number: int, expected: Version | None, demanded: bool):
        self._public = public
        self._number = number
        self._expected = expected
        self._demanded = demanded

    def apply(self, transaction: Transaction) -> None:
        resource = found_or_raise(transaction.resource_of_any_level(self._public))
        current = _current(resource, self._number)
        if current is None:
            raise UnknownResource("this metadata is not set")
        check(self._expected, current, self._demanded)
        transaction.remove_metadata(resource, self._number)
        transaction.log_change(UPDATED_METADATA, resource, int(time.time()))


def _current(resource: Resource, number: int) -> Version | None:
    content = resource.user_metadata.get(number)
    if content is None:
        return None
    return Version(resource.revisions.get(number, 0), digest(content))
