"""Which terms a resource has, and what its changes take from and give to them."""

from collections.abc import Callable, Iterable

from orthanc_fast.index.rules.tables import Tables
from orthanc_fast.index.terms import Kind, Terms, term_key
from orthanc_fast.model import Level, Resource, timestamp
from orthanc_fast.registries import LAST_UPDATE


def term_keys(terms: Terms, resource: Resource) -> set[tuple[bytes, bytes]]:
    """The (key, identifier) pairs of a resource. Those of kind OF_CHILD name its parent."""
    level = resource.level
    found = {
        (term_key(kind, level - 1, number, value), resource.parent_public)
        if kind == Kind.OF_CHILD
        else (term_key(kind, level, number, value), resource.public)
        for kind, number, value in terms(resource)
    }
    if level != Level.INSTANCE:
        found.add((_update_key(resource), resource.public))
    return found


class TermWriter:
    """Keeps the terms of resources in one transaction."""

    def __init__(self, tables: Tables, terms: Terms) -> None:
        self._tables = tables
        self._terms = terms

    def keys(self, resource: Resource) -> set[tuple[bytes, bytes]]:
        """See `term_keys`."""
        return term_keys(self._terms, resource)

    def add(self, resource: Resource) -> None:
        self._tables.put_terms(self.keys(resource))

    def remove(self, resource: Resource, siblings: Callable[[], Iterable[Resource]]) -> None:
        """Takes away the terms; what a sibling gives its parent too stays."""
        self._delete(self.keys(resource), resource, siblings)

    def change(
        self,
        before: set[tuple[bytes, bytes]],
        resource: Resource,
        siblings: Callable[[], Iterable[Resource]],
    ) -> None:
        """From the terms that the resource had to those that it has now."""
        after = self.keys(resource)
        self._delete(before - after, resource, siblings)
        self._tables.put_terms(after - before)

    def set_last_update(self, resource: Resource, now: int) -> None:
        """Changes `last_update` with its term."""
        if resource.last_update != now:
            self._tables.delete_terms(((_update_key(resource), resource.public),))
            resource.last_update = now
            self._tables.put_terms(((_update_key(resource), resource.public),))

    def _delete(
        self,
        pairs: set[tuple[bytes, bytes]],
        resource: Resource,
        siblings: Callable[[], Iterable[Resource]],
    ) -> None:
        of_child = {pair for pair in pairs if pair[0][0] >> 4 == Kind.OF_CHILD}
        self._tables.delete_terms(pairs - of_child)
        if of_child:
            for sibling in siblings():
                if sibling.id != resource.id:
                    of_child -= self.keys(sibling)
                    if not of_child:
                        return
        self._tables.delete_terms(of_child)


def _update_key(resource: Resource) -> bytes:
    return term_key(Kind.METADATA, resource.level, LAST_UPDATE, timestamp(resource.last_update))
