"""Which resources there are, and what they show."""

import pytest
from support.small_store import SmallStore

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.browse.describe import Describer, InstanceAnswer, StudyAnswer
from orthanc_fast.services.browse.resources import Resources
from orthanc_fast.services.store.terms import PATIENT_ID, STUDY_INSTANCE_UID

UNKNOWN = bytes(20)
NO_IDENTIFIER = b""


@pytest.fixture
def resources(small_store: SmallStore) -> Resources:
    return Resources(small_store.reads, Describer(small_store.dictionary))


def test_pages_are_in_the_order_of_identifiers(
    small_store: SmallStore, resources: Resources, caller: Caller
) -> None:
    instances = sorted(small_store.add(1, 1, 1, number)[3] for number in range(5))
    whole = resources.page(caller, Level.INSTANCE)
    assert whole == (b"".join(instances), 5)
    assert resources.page(caller, Level.INSTANCE, 1, 3) == (b"".join(instances[1:4]), 5)
    assert resources.page(caller, Level.INSTANCE, 5, 3) == (b"", 5)
    assert resources.page(caller, Level.STUDY).total == 1


def test_one_resource(small_store: SmallStore, resources: Resources, caller: Caller) -> None:
    patient, study, _, instance = small_store.add(1, 2, 3, 4)
    found = resources.find(caller, Level.STUDY, study)
    assert found is not None and found.parent_public == patient
    assert resources.require(caller, Level.INSTANCE, instance).public == instance
    for public in (UNKNOWN, NO_IDENTIFIER, instance):  # the last one is no study
        assert resources.find(caller, Level.STUDY, public) is None
        assert resources.expanded(caller, Level.STUDY, public, "simplify") is None
        with pytest.raises(UnknownResource):
            resources.require(caller, Level.STUDY, public)


def test_what_an_instance_shows(
    small_store: SmallStore, resources: Resources, caller: Caller
) -> None:
    *_, series, instance = small_store.add(1, 1, 1, 7)
    answer = resources.expanded(caller, Level.INSTANCE, instance, "simplify")
    assert isinstance(answer, InstanceAnswer)
    assert to_text(instance) == answer.ID
    assert answer.ParentSeries == to_text(series)
    assert answer.MainDicomTags["SOPInstanceUID"]
    short = resources.expanded(caller, Level.INSTANCE, instance, "short")
    assert short is not None
    assert short.MainDicomTags["0008,0018"] == answer.MainDicomTags["SOPInstanceUID"]


def test_ancestors(small_store: SmallStore, resources: Resources, caller: Caller) -> None:
    patient, study, series, instance = small_store.add(1, 1, 1, 1)
    answer = resources.ancestor(caller, Level.INSTANCE, instance, Level.STUDY, "simplify")
    assert isinstance(answer, StudyAnswer)
    assert (answer.ID, answer.ParentPatient) == (to_text(study), to_text(patient))
    # The identifier of another level is known, but has no such ancestor: an empty 404.
    assert resources.ancestor(caller, Level.INSTANCE, series, Level.STUDY, "simplify") is None
    with pytest.raises(UnknownResource):
        resources.ancestor(caller, Level.INSTANCE, UNKNOWN, Level.STUDY, "simplify")


def test_descendants_are_sorted_across_their_parents(
    small_store: SmallStore, resources: Resources, caller: Caller
) -> None:
    added = [small_store.add(1, 1, series, number) for series in (1, 2) for number in (1, 2, 3)]
    study = added[0][1]
    found = resources.descendants(caller, Level.STUDY, study, Level.INSTANCE)
    assert found == sorted(publics[3] for publics in added)
    with pytest.raises(UnknownResource):
        resources.descendants(caller, Level.STUDY, UNKNOWN, Level.INSTANCE)


def test_by_what_dicom_calls_them(
    small_store: SmallStore, resources: Resources, caller: Caller
) -> None:
    patient, study, *_ = small_store.add(1, 1, 1, 1)
    small_store.add(2, 2, 1, 1)
    name = resources.require(caller, Level.PATIENT, patient).tags[PATIENT_ID]
    uid = resources.require(caller, Level.STUDY, study).tags[STUDY_INSTANCE_UID]
    assert resources.with_dicom_identifier(caller, name.lower()) == [(Level.PATIENT, patient)]
    assert resources.with_dicom_identifier(caller, uid) == [(Level.STUDY, study)]
    assert resources.with_dicom_identifier(caller, f"{uid}.1") == []


def test_totals(small_store: SmallStore, resources: Resources, caller: Caller) -> None:
    small_store.add(1, 1, 1, 1)
    small_store.add(1, 1, 2, 1)
    assert resources.totals(caller).resources == [1, 1, 2, 2]
