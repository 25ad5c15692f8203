"""Deletion and protection."""

import pytest
from support.small_store import SmallStore

from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.model import Caller, Level
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.retention.deletion import Deletion
from orthanc_fast.services.retention.protection import Protection


def test_what_remains(small_store: SmallStore, caller: Caller) -> None:
    deletion = Deletion(small_store.writes)
    patient, study, _, instance = small_store.add(1, 1, 1, 1)
    other = small_store.add(1, 1, 2, 1)
    record = small_store.resource(Level.INSTANCE, instance)
    assert record is not None
    file = record.attachments[DICOM_ATTACHMENT].uuid
    outcome = small_store.run(deletion.delete(caller, Level.INSTANCE, instance))
    assert outcome.found and outcome.remaining == (Level.STUDY, study)
    assert outcome.doomed == [file]
    assert not small_store.storage.exists(file)
    outcome = small_store.run(deletion.delete(caller, Level.SERIES, other[2]))
    assert outcome.found and outcome.remaining is None
    assert small_store.resource(Level.PATIENT, patient) is None
    assert not small_store.run(deletion.delete(caller, Level.PATIENT, patient)).found
    assert not small_store.run(deletion.delete(caller, Level.PATIENT, b"")).found


def test_a_list_names_levels_or_not(small_store: SmallStore, caller: Caller) -> None:
    first = small_store.add(1, 1, 1, 1)
    second = small_store.add(2, 1, 1, 1)
    third = small_store.add(3, 1, 1, 1)
    wanted = [
        (None, first[1]),
        (Level.STUDY, second[2]),  # that is a series
        (Level.SERIES, third[2]),
        (None, bytes(20)),
        (None, b""),
    ]
    small_store.run(Deletion(small_store.writes).delete_listed(caller, wanted))
    left = [small_store.resource(Level.PATIENT, each[0]) for each in (first, second, third)]
    assert [each is not None for each in left] == [False, True, False]


def test_protection(small_store: SmallStore, caller: Caller) -> None:
    protection = Protection(small_store.reads, small_store.writes)
    patient, study, *_ = small_store.add(1, 1, 1, 1)
    assert not protection.is_protected(caller, patient)
    for protected in (True, True, False):
        small_store.run(protection.protect(caller, patient, protected))
        assert protection.is_protected(caller, patient) is protected
    for public in (study, bytes(20), b""):
        with pytest.raises(ParameterOutOfRange):
            protection.is_protected(caller, public)
        with pytest.raises(ParameterOutOfRange):
            small_store.run(protection.protect(caller, public, True))
