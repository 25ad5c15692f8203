"""The order in which patients give way when the storage is full: the one that got an instance
longest ago is first, protected patients are not in it. Source: reference chapter 1, section 8.3."""

from collections.abc import Iterator

from orthanc_fast.index.lmdb import keys
from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction
from orthanc_fast.model import Resource, Totals


class RecyclingOrder:
    """The order within one write transaction. Whoever calls marks the patient as touched."""

    def __init__(self, env: Environment, txn: WriteTransaction, totals: Totals) -> None:
        self._db = env.recycling
        self._txn = txn
        self._totals = totals

    def to_end(self, patient: Resource) -> None:
        """The patient is the last one to go."""
        if patient.recycling and patient.recycling == self._totals.next_recycling - 1:
            return  # is the last one already
        self.leave(patient)
        patient.recycling = self._totals.next_recycling
        self._totals.next_recycling += 1
        self._txn.put(keys.pack_id(patient.recycling), keys.pack_id(patient.id), db=self._db)

    def leave(self, patient: Resource) -> None:
        """The patient is protected, or gone."""
        if patient.recycling:
            self._txn.delete(keys.pack_id(patient.recycling), db=self._db)
            patient.recycling = 0

    def oldest_first(self) -> Iterator[int]:
        """The internal ids of the patients; nothing may be changed while it is walked."""
        for value in self._txn.cursor(db=self._db).iternext(keys=False, values=True):
            yield keys.unpack_id(value)
