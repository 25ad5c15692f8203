"""What an implementation of the index gives to the rules: reading and changing its tables within
one transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from orthanc_fast.model import Change, Export, Level, Resource, Totals


class Tables(Protocol):
    """The tables of the index within one transaction. Each method sees what those before it have
    changed; those that return nothing may be sent together later. Numbers called `id` are
    `Resource.id`."""

    # Resources. A record is written at the end of the transaction; until then the rules keep it.

    def find(self, wanted: Sequence[tuple[Level, bytes]]) -> list[int | None]:
        """The ids of resources, each in its place; None for those that do not exist."""

    def records(self, ids: Sequence[int]) -> list[Resource]:
        """The records, each in its place. Raises StorageFault if one is missing."""

    def add(self, resource: Resource, image: bytes) -> None:
        """A new resource, its place among the children of its parent, and its image where that is
        not empty; the record follows with `put_records`."""

    def put_image(self, resource: Resource, image: bytes) -> None:
        """Replaces an image; an empty one removes it."""

    def put_records(self, resources: Sequence[Resource]) -> None:
        """Writes records, new and changed ones."""

    def remove(self, resource: Resource) -> None:
        """Removes a resource with its record, its image and the list of its children."""

    def unlink(self, resource: Resource) -> None:
        """Takes a resource off the list of its parent's children."""

    def children(self, parent: int) -> list[bytes]:
        """The public identifiers of the children, ascending; none of what was removed."""

    def count_children(self, parent: int) -> int: ...

    # Terms

    def put_terms(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Puts identifiers under keys, (key, identifier) each; those that are there stay."""

    def delete_terms(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Takes identifiers away from keys; those that are not there do not matter."""

    # What is not stable yet, by the second of its last instance

    def add_unstable(self, second: int, resource: Resource) -> None: ...

    def remove_unstable(self, second: int, resource: Resource) -> None: ...

    def unstable(self, before: int, at_most: int) -> list[int]:
        """The ids of the first `at_most` of a second before `before`: by second, then series before
        studies before patients, then by id (reference chapter 1, section 4.4)."""

    # The order of recycling

    def add_recycling(self, position: int, patient: Resource) -> None: ...

    def remove_recycling(self, position: int) -> None: ...

    def recycling(self) -> Iterator[int]:
        """The ids of the patients by position; for who may stop early."""

    # The logs

    def put_change(self, sequence: int, resource: Resource, change: Change) -> None: ...

    def remove_changes(self, resource: Resource) -> None:
        """Removes the changes of one resource."""

    def clear_changes(self) -> None: ...

    def put_export(self, sequence: int, export: Export) -> None: ...

    def clear_exports(self) -> None: ...

    # The rest

    def signatures(self) -> Mapping[int, str]:
        """All main tags signatures by number. They are few."""

    def put_signature(self, number: int, text: str) -> None: ...

    def put_doomed(self, uuid: str) -> None: ...

    def remove_doomed(self, uuid: str) -> None: ...

    def property(self, name: str) -> bytes | None: ...

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool
    ) -> list[tuple[str, bytes]]:
        """See `Snapshot.some_properties`."""

    def set_property(self, name: str, value: bytes | None) -> None:
        """Sets or (None) removes a property."""

    def totals(self) -> Totals:
        """The counters, a copy; those of an empty index where there are none."""

    def put_totals(self, totals: Totals) -> None: ...
