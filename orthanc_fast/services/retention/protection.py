"""Protecting patients from recycling. Source: reference chapter 1, section 8.3."""

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes


class Protection:
    """Which patients are never recycled."""

    def __init__(self, reads: Reads, writes: Writes) -> None:
        self._read = reads
        self._write = writes

    def is_protected(self, caller: Caller, public: bytes) -> bool:
        """Raises ParameterOutOfRange where there is no such patient."""
        patient = self._read(caller, lambda view: view.resource(Level.PATIENT, public))
        if patient is None:
            raise _no_patient()
        return patient.protected

    async def protect(self, caller: Caller, public: bytes, protected: bool) -> None:
        """Protects a patient, or lets it be the last one to be recycled. Raises
        ParameterOutOfRange."""
        await self._write(caller, _SetProtected(public, protected))


def _no_patient() -> ParameterOutOfRange:
    return ParameterOutOfRange("there is no such patient")


class _SetProtected(Write[None]):
    """Fails with ParameterOutOfRange."""

    def __init__(self, public: bytes, protected: bool) -> None:
        self._public = public
        self._protected = protected

    def apply(self, transaction: Transaction) -> None:
        patient = transaction.resource(Level.PATIENT, self._public)
        if patient is None:
            raise _no_patient()
        transaction.set_protected(patient, self._protected)
