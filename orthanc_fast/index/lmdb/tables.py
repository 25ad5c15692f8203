"""The tables of the index in one LMDB write transaction: see `rules/tables.py`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orthanc_fast.errors import StorageFault
from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction
from orthanc_fast.index.lmdb.properties import some_properties
from orthanc_fast.index.lmdb.records import encoder, resource_decoder, totals_decoder
from orthanc_fast.index.rules.tables import Tables
from orthanc_fast.model import Change, Export, Level, Resource, Totals


class LmdbTables(Tables):
    """Each method is a lookup or a change in the transaction at once: there is no round trip to
    save."""

    def __init__(self, env: Environment, txn: WriteTransaction) -> None:
        self._env = env
        self._txn = txn

    # Resources

    def find(self, wanted: Sequence[tuple[Level, bytes]]) -> list[int | None]:
        get, database = self._txn.get, self._env.public
        found = [get(keys.public_key(level, public), db=database) for level, public in wanted]
        return [None if each is None else keys.unpack_id(each) for each in found]

    def records(self, ids: Sequence[int]) -> list[Resource]:
        return [self._record(each) for each in ids]

    def _record(self, resource_id: int) -> Resource:
        found = self._txn.get(keys.pack_id(resource_id), db=self._env.resource)
        if found is None:
            raise StorageFault(f"the index has lost the record of resource {resource_id}")
        return resource_decoder.decode(found)

    def add(self, resource: Resource, image: bytes) -> None:
        env, put = self._env, self._txn.put
        id_key = keys.pack_id(resource.id)
        put(keys.public_key(resource.level, resource.public), id_key, db=env.public)
        if resource.parent:
            put(keys.pack_id(resource.parent), resource.public, db=env.child)
        if image:
            put(id_key, image, db=env.image)

    def put_image(self, resource: Resource, image: bytes) -> None:
        id_key, database = keys.pack_id(resource.id), self._env.image
        if image:
            self._txn.put(id_key, image, db=database)
        else:
            self._txn.delete(id_key, db=database)

    def put_records(self, resources: Sequence[Resource]) -> None:
        put, database, encode = self._txn.put, self._env.resource, encoder.encode
        for resource in resources:
            put(keys.pack_id(resource.id), encode(resource), db=database)

    def remove(self, resource: Resource) -> None:
        env, delete = self._env, self._txn.delete
        id_key = keys.pack_id(resource.id)
        delete(keys.public_key(resource.level, resource.public), db=env.public)
        delete(id_key, db=env.resource)
        delete(id_key, db=env.image)
        delete(id_key, db=env.child)

    def unlink(self, resource: Resource) -> None:
        self._txn.delete(keys.pack_id(resource.parent), resource.public, db=self._env.child)

    def children(self, parent: int) -> list[bytes]:
        cursor = self._txn.cursor(db=self._env.child)
        if not cursor.set_key(keys.pack_id(parent)):
            return []
        return [bytes(public) for public in cursor.iternext_dup()]

    def count_children(self, parent: int) -> int:
        cursor = self._txn.cursor(db=self._env.child)
        return int(cursor.count()) if cursor.set_key(keys.pack_id(parent)) else 0

    # Terms

    def put_terms(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        put, database = self._txn.put, self._env.value
        for key, public in pairs:
            put(key, public, db=database)

    def delete_terms(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        delete, database = self._txn.delete, self._env.value
        for key, public in pairs:
            delete(key, public, db=database)

    # What is not stable yet

    def add_unstable(self, second: int, resource: Resource) -> None:
        key = keys.unstable_key(second, resource.level, resource.id)
        self._txn.put(key, b"", db=self._env.unstable)

    def remove_unstable(self, second: int, resource: Resource) -> None:
        key = keys.unstable_key(second, resource.level, resource.id)
        self._txn.delete(key, db=self._env.unstable)

    def unstable(self, before: int, at_most: int) -> list[int]:
        found: list[int] = []
        for key in self._txn.cursor(db=self._env.unstable).iternext(keys=True, values=False):
            second, resource_id = keys.unpack_unstable(key)
            if second >= before or len(found) == at_most:
                break
            found.append(resource_id)
        return found

    # The order of recycling

    def add_recycling(self, position: int, patient: Resource) -> None:
        self._txn.put(keys.pack_id(position), keys.pack_id(patient.id), db=self._env.recycling)

    def remove_recycling(self, position: int) -> None:
        self._txn.delete(keys.pack_id(position), db=self._env.recycling)

    def recycling(self) -> Iterator[int]:
        for value in self._txn.cursor(db=self._env.recycling).iternext(keys=False, values=True):
            yield keys.unpack_id(value)

    # The logs

    def put_change(self, sequence: int, resource: Resource, change: Change) -> None:
        key = keys.pack_id(sequence)
        self._txn.put(key, encoder.encode(change), db=self._env.change, append=True)
        self._txn.put(keys.pack_id(resource.id), key, db=self._env.change_of)

    def remove_changes(self, resource: Resource) -> None:
        key = keys.pack_id(resource.id)
        cursor = self._txn.cursor(db=self._env.change_of)
        if cursor.set_key(key):
            for sequence in [bytes(value) for value in cursor.iternext_dup()]:
                self._txn.delete(sequence, db=self._env.change)
            self._txn.delete(key, db=self._env.change_of)

    def clear_changes(self) -> None:
        self._txn.drop(self._env.change, delete=False)
        self._txn.drop(self._env.change_of, delete=False)

    def put_export(self, sequence: int, export: Export) -> None:
        key, value = keys.pack_id(sequence), encoder.encode(export)
        self._txn.put(key, value, db=self._env.export, append=True)

    def clear_exports(self) -> None:
        self._txn.drop(self._env.export, delete=False)

    # The rest

    def signatures(self) -> Mapping[int, str]:
        rows = self._txn.cursor(db=self._env.signature).iternext()
        return {int.from_bytes(key, "big"): bytes(text).decode() for key, text in rows}

    def put_signature(self, number: int, text: str) -> None:
        self._txn.put(keys.signature_key(number), text.encode(), db=self._env.signature)

    def put_doomed(self, uuid: str) -> None:
        self._txn.put(uuid.encode(), b"", db=self._env.doomed)

    def remove_doomed(self, uuid: str) -> None:
        self._txn.delete(uuid.encode(), db=self._env.doomed)

    def property(self, name: str) -> bytes | None:
        found = self._txn.get(keys.property_key(name), db=self._env.globals)
        return None if found is None else bytes(found)

    def some_properties(
        self, prefix: str, after: str | None, limit: int, descending: bool
    ) -> list[tuple[str, bytes]]:
        cursor = self._txn.cursor(db=self._env.globals)
        return some_properties(cursor, prefix, after, limit, descending)

    def set_property(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._txn.delete(keys.property_key(name), db=self._env.globals)
        else:
            self._txn.put(keys.property_key(name), value, db=self._env.globals)

    def totals(self) -> Totals:
        found = self._txn.get(keys.TOTALS, db=self._env.globals)
        return Totals() if found is None else totals_decoder.decode(found)

    def put_totals(self, totals: Totals) -> None:
        self._txn.put(keys.TOTALS, encoder.encode(totals), db=self._env.globals)
