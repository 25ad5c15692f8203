"""The order in which patients give way when the storage is full: the one that got an instance
longest ago is first, protected patients are not in it. Source: reference chapter 1, section 8.3."""

from orthanc_fast.index.rules.tables import Tables
from orthanc_fast.model import Resource, Totals


class RecyclingOrder:
    """The order within one transaction. Whoever calls writes the record of the patient."""

    def __init__(self, tables: Tables, totals: Totals) -> None:
        self._tables = tables
        self._totals = totals

    def to_end(self, patient: Resource) -> None:
        """The patient is the last one to go."""
        if patient.recycling and patient.recycling == self._totals.next_recycling - 1:
            return  # is the last one already
        self.leave(patient)
        patient.recycling = self._totals.next_recycling
        self._totals.next_recycling += 1
        self._tables.add_recycling(patient.recycling, patient)

    def leave(self, patient: Resource) -> None:
        """The patient is protected, or gone."""
        if patient.recycling:
            self._tables.remove_recycling(patient.recycling)
            patient.recycling = 0
