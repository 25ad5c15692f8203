"""Writing the change log: one entry per event, in the order of the events."""

from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction
from orthanc_fast.index.lmdb.records import encoder
from orthanc_fast.model import Change, Resource, Totals


class ChangeLog:
    """The log within one write transaction."""

    def __init__(self, env: Environment, txn: WriteTransaction, totals: Totals) -> None:
        self._env = env
        self._txn = txn
        self._totals = totals

    def append(self, kind: int, resource: Resource, now: int) -> int:
        """Adds an entry and returns its sequence number."""
        sequence = self._totals.next_change
        self._totals.next_change += 1
        key = keys.pack_id(sequence)
        change = Change(kind, resource.level, resource.public, now)
        self._txn.put(key, encoder.encode(change), db=self._env.change, append=True)
        self._txn.put(keys.pack_id(resource.id), key, db=self._env.change_of)
        return sequence

    def forget(self, resource: Resource) -> None:
        """Removes the entries of a resource."""
        key = keys.pack_id(resource.id)
        cursor = self._txn.cursor(db=self._env.change_of)
        if cursor.set_key(key):
            for sequence in [bytes(value) for value in cursor.iternext_dup()]:
                self._txn.delete(sequence, db=self._env.change)
            self._txn.delete(key, db=self._env.change_of)

    def clear(self) -> None:
        """Removes all entries; sequence numbers go on."""
        self._txn.drop(self._env.change, delete=False)
        self._txn.drop(self._env.change_of, delete=False)
