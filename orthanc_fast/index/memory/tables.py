"""The tables of the index in memory within one transaction: see `rules/tables.py`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.memory.state import State, Undo, some_properties
from orthanc_fast.index.rules.tables import Tables
from orthanc_fast.model import Change, Export, Level, Resource, Totals

_encode = msgspec.msgpack.Encoder().encode
decode_record = msgspec.msgpack.Decoder(Resource).decode
_decode_totals = msgspec.msgpack.Decoder(Totals).decode


def totals_of(state: State) -> Totals:
    """The counters, a copy."""
    found = state.totals.get("")
    return Totals() if found is None else _decode_totals(found)


class MemoryTables(Tables):
    """Changes the dictionaries at once, so that `undo` can take it back."""

    def __init__(self, state: State, undo: Undo) -> None:
        self._state = state
        self._undo = undo

    # Resources

    def find(self, wanted: Sequence[tuple[Level, bytes]]) -> list[int | None]:
        return [self._state.ids[level].get(public) for level, public in wanted]

    def records(self, ids: Sequence[int]) -> list[Resource]:
        try:
            return [decode_record(self._state.records[each]) for each in ids]
        except KeyError as error:
            raise StorageFault(f"the index has lost the record of resource {error}") from error

    def add(self, resource: Resource, image: bytes) -> None:
        state, put = self._state, self._undo.put
        put(state.ids[resource.level], resource.public, resource.id)
        if resource.parent:
            put(state.children.setdefault(resource.parent, {}), resource.public, None)
        if image:
            put(state.images, resource.id, image)

    def put_image(self, resource: Resource, image: bytes) -> None:
        if image:
            self._undo.put(self._state.images, resource.id, image)
        else:
            self._undo.remove(self._state.images, resource.id)

    def put_records(self, resources: Sequence[Resource]) -> None:
        for resource in resources:
            self._undo.put(self._state.records, resource.id, _encode(resource))

    def remove(self, resource: Resource) -> None:
        state, remove = self._state, self._undo.remove
        remove(state.ids[resource.level], resource.public)
        remove(state.records, resource.id)
        remove(state.images, resource.id)
        remove(state.children, resource.id)

    def unlink(self, resource: Resource) -> None:
        self._undo.remove(self._state.children.get(resource.parent, {}), resource.public)

    def children(self, parent: int) -> list[bytes]:
        return sorted(self._state.children.get(parent, ()))

    def count_children(self, parent: int) -> int:
        return len(self._state.children.get(parent, ()))

    # Terms

    def put_terms(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        for key, public in pairs:
            self._undo.put(self._state.terms.setdefault(key, {}), public, None)

    def delete_terms(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        for key, public in pairs:
            self._undo.remove(self._state.terms.get(key, {}), public)

    # What is not stable yet

    def add_unstable(self, second: int, resource: Resource) -> None:
        self._undo.put(self._state.unstable, _unstable_key(second, resource), None)

    def remove_unstable(self, second: int, resource: Resource) -> None:
        self._undo.remove(self._state.unstable, _unstable_key(second, resource))

    def unstable(self, before: int, at_most: int) -> list[int]:
        due = sorted(key for key in self._state.unstable if key[0] < before)
        return [resource_id for _, _, resource_id in due[:at_most]]

    # The order of recycling

    def add_recycling(self, position: int, patient: Resource) -> None:
        self._undo.put(self._state.recycling, position, patient.id)

    def remove_recycling(self, position: int) -> None:
        self._undo.remove(self._state.recycling, position)

    def recycling(self) -> Iterator[int]:
        return iter([patient for _, patient in sorted(self._state.recycling.items())])

    # The logs

    def put_change(self, sequence: int, resource: Resource, change: Change) -> None:
        self._undo.put(self._state.changes, sequence, change)
        self._undo.put(self._state.changes_of.setdefault(resource.id, {}), sequence, None)

    def remove_changes(self, resource: Resource) -> None:
        for sequence in self._state.changes_of.get(resource.id, ()):
            self._undo.remove(self._state.changes, sequence)
        self._undo.remove(self._state.changes_of, resource.id)

    def clear_changes(self) -> None:
        self._undo.clear(self._state.changes)
        self._undo.clear(self._state.changes_of)

    def put_export(self, sequence: int, export: Export) -> None:
        self._undo.put(self._state.exports, sequence, export)

    def clear_exports(self) -> None:
        self._undo.clear(self._state.exports)

    # The rest

    def signatures(self) -> Mapping[int, str]:
        return self._state.signatures

    def put_signature(self, number: int, text: str) -> None:
        self._undo.put(self._state.signatures, number, text)

    def put_doomed(self, uuid: str) -> None:
        self._undo.put(self._state.doomed, uuid, None)

    def remove_doomed(self, uuid: str) -> None:
        self._undo.remove(self._state.doomed, uuid)

    def property(self, name: str) -> bytes | None:
        return self._state.properties.get(name)

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool
    ) -> list[tuple[str, bytes]]:
        return some_properties(self._state, prefix, after, limit, descending)

    def set_property(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._undo.remove(self._state.properties, name)
        else:
            self._undo.put(self._state.properties, name, value)

    def totals(self) -> Totals:
        return totals_of(self._state)

    def put_totals(self, totals: Totals) -> None:
        self._undo.put(self._state.totals, "", _encode(totals))


def _unstable_key(second: int, resource: Resource) -> tuple[int, int, int]:
    """Orders series before studies before patients."""
    return second, Level.SERIES - resource.level, resource.id
