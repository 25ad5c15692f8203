"""Protecting patients from recycling. Source: reference chapter 1, section 8.3."""

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.lmdb.commit import Write
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.model import Level


class SetProtected(Write[None]):
    """Protects a patient, or lets it be the last one to be recycled. Fails with
    ParameterOutOfRange."""

    def __init__(self, public: bytes, protected: bool) -> None:
        self._public = public
        self._protected = protected

    def apply(self, transaction: Transaction) -> None:
        patient = transaction.resource(Level.PATIENT, self._public)
        if patient is None:
            raise ParameterOutOfRange("there is no such patient")
        if patient.protected == self._protected:
            return
        patient.protected = self._protected
        if self._protected:
            transaction.recycling.leave(patient)
        else:
            transaction.recycling.to_end(patient)
        transaction.touch(patient)
