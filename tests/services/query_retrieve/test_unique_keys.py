"""What the identifiers of C-MOVE and C-GET name."""

import io
from collections.abc import Iterator
from functools import cache

import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from support import generated
from support.small_store import KINDS, USER, SmallStore

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.errors import BadRequest, InexistentItem, OrthancError
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import Level
from orthanc_fast.services.query_retrieve.identifier import Identifier, read_identifier
from orthanc_fast.services.query_retrieve.unique_keys import (
    instances_in_order,
    resources_to_get,
    resources_to_move,
)
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE

MOVE, GET = resources_to_move, resources_to_get
TEMPLATE = generated.small()
DICTIONARY = Dictionary({}, False)


def identifier(**values: str) -> Identifier:
    """As it is read, in UTF-8."""
    tags = sorted((tag_for_keyword(keyword) or 0, text) for keyword, text in values.items())
    writer = Writer(True, False)
    data = writer.text(0x00080005, "CS", "ISO_IR 192")
    for tag, text in tags:
        data += writer.element(tag, "LO", text.encode())
    return read_identifier(data, EXPLICIT_LITTLE, DICTIONARY, "Latin1")


@cache
def numbered(patient: int, study: int, series: int, instance: int, **values: object) -> bytes:
    """A generated file with other values."""
    data_set = pydicom.dcmread(io.BytesIO(TEMPLATE.number(patient, study, series, instance)))
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return generated.encode_once(data_set)


def uid(study: int, series: int | None = None, instance: int | None = None) -> str:
    found = f"{generated.ROOT}.4{study:09d}"
    if series is not None:
        found += f".5{series:09d}"
    return found if instance is None else f"{found}.6{instance:09d}"


ALIKE = ("A_B", "A B", "A%B", "JÉRÔME", "JRME")


@pytest.fixture(scope="module", params=KINDS)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallStore]:
    """Patient 1 with two studies, one of them with two series, patient 2 with one; others, of odd
    PatientIDs. Tests only read it."""
    filled = SmallStore(tmp_path_factory.mktemp("store"), request.param)
    for instance in (1, 2):
        filled.put(numbered(1, 1, 1, instance, AccessionNumber="ONE"))
    filled.put(numbered(1, 1, 2, 1, AccessionNumber="ONE"))
    filled.put(numbered(1, 2, 1, 1, AccessionNumber=""))
    filled.put(numbered(2, 3, 1, 1, AccessionNumber="THREE"))
    filled.put(numbered(5, 5, 1, 1, PatientID=" Padded"))
    filled.put(numbered(6, 6, 1, 1, PatientID=" Padded too"))
    filled.put(numbered(1, 7, 1, 1))
    filled.put(numbered(2, 7, 1, 1))
    for number, patient in enumerate(ALIKE, start=10):
        filled.put(numbered(number, number, 1, 1, PatientID=patient))
    yield filled
    filled.close()


def found(store: SmallStore, rule: object, asked: Identifier) -> list[str]:
    """The UIDs (PatientIDs) of what is found."""
    tags = {Level.PATIENT: 0x00100020, Level.STUDY: 0x0020000D}
    tags |= {Level.SERIES: 0x0020000E, Level.INSTANCE: 0x00080018}
    assert callable(rule)
    resources = store.reads(USER, lambda view: rule(view, asked))
    return sorted(each.tags[tags[each.level]] for each in resources)


@pytest.mark.parametrize("rule", [MOVE, GET])
@pytest.mark.parametrize(
    ("level", "keyword", "value", "expected"),
    [
        ("PATIENT", "PatientID", "PATIENT0000000001", ["PATIENT0000000001"]),
        ("patients", "PatientID", "patient0000000001", ["PATIENT0000000001"]),
        ("STUDY", "StudyInstanceUID", uid(2), [uid(2)]),
        ("Studies", "StudyInstanceUID", f"{uid(2)}\\{uid(1)}", [uid(1), uid(2)]),
        ("STUDY", "AccessionNumber", "one", [uid(1)]),
        ("STUDY", "AccessionNumber", "ONE\\THREE", [uid(1), uid(3)]),
        ("SERIES", "SeriesInstanceUID", uid(1, 2), [uid(1, 2)]),
        ("IMAGE", "SOPInstanceUID", uid(1, 1, 2), [uid(1, 1, 2)]),
        ("Instances", "SOPInstanceUID", uid(1, 1, 2), [uid(1, 1, 2)]),
    ],
)
def test_the_key_of_the_level_names(
    store: SmallStore, rule: object, level: str, keyword: str, value: str, expected: list[str]
) -> None:
    asked = identifier(QueryRetrieveLevel=level, **{keyword: value})
    assert found(store, rule, asked) == expected


@pytest.mark.parametrize("rule", [MOVE, GET])
def test_keys_of_parents_do_not_count(store: SmallStore, rule: object) -> None:
    asked = identifier(
        QueryRetrieveLevel="SERIES",
        PatientID="nobody",
        StudyInstanceUID="9.9",
        SeriesInstanceUID=uid(1, 2),
    )
    assert found(store, rule, asked) == [uid(1, 2)]


@pytest.mark.parametrize("rule", [MOVE, GET])
@pytest.mark.parametrize(
    "values",
    [
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "9.9"},
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": uid(1), "AccessionNumber": "TWO"},
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": f"{generated.ROOT}.4*"},
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""},
        {"QueryRetrieveLevel": "STUDY", "PatientID": "PATIENT0000000001"},
        {"QueryRetrieveLevel": "FRAME", "SOPInstanceUID": uid(1, 1, 1)},
        {"QueryRetrieveLevel": "STUDY"},
        {},
    ],
)
def test_what_names_nothing_is_refused(
    store: SmallStore, rule: object, values: dict[str, str]
) -> None:
    with pytest.raises(OrthancError):
        found(store, rule, identifier(**values))


def test_of_a_list_a_move_skips_what_is_unknown_and_a_get_refuses_all(store: SmallStore) -> None:
    asked = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=f"{uid(1)}\\9.9\\{uid(3)}")
    assert found(store, MOVE, asked) == [uid(1), uid(3)]
    with pytest.raises(InexistentItem, match=r"9\.9"):
        found(store, GET, asked)


def test_an_empty_accession_number_counts_for_a_get_only(store: SmallStore) -> None:
    asked = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=uid(1), AccessionNumber="")
    assert found(store, MOVE, asked) == [uid(1)]
    assert found(store, GET, asked) == [uid(2)]


def test_without_a_level_a_move_takes_the_lowest_key_that_is_there(
    store: SmallStore,
) -> None:
    keys = {"PatientID": "PATIENT0000000002", "StudyInstanceUID": uid(1)}
    assert found(store, MOVE, identifier(**keys)) == [uid(1)]
    assert found(store, MOVE, identifier(**keys, SeriesInstanceUID="")) == [uid(1)]
    assert found(store, MOVE, identifier(**keys, SOPInstanceUID=uid(1, 2, 1))) == [uid(1, 2, 1)]
    with pytest.raises(InexistentItem):
        found(store, MOVE, identifier(**keys, SeriesInstanceUID="9.9"))
    with pytest.raises(OrthancError):
        found(store, MOVE, identifier(**keys, QueryRetrieveLevel=""))
    with pytest.raises(BadRequest):
        found(store, GET, identifier(**keys))


@pytest.mark.parametrize("rule", [MOVE, GET])
@pytest.mark.parametrize("asked", ["padded", " padded", "PADDED "])
def test_blanks_around_a_value_do_not_count(store: SmallStore, rule: object, asked: str) -> None:
    named = identifier(QueryRetrieveLevel="PATIENT", PatientID=asked)
    assert found(store, rule, named) == [" Padded"]


@pytest.mark.parametrize("rule", [MOVE, GET])
def test_alike_is_not_equal(store: SmallStore, rule: object) -> None:
    """For Orthanc the last two are one patient."""
    for patient in ALIKE:
        asked = identifier(QueryRetrieveLevel="PATIENT", PatientID=patient)
        assert found(store, rule, asked) == [patient]


def test_one_uid_under_two_patients_is_two_resources(store: SmallStore) -> None:
    asked = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=uid(7))
    assert found(store, MOVE, asked) == [uid(7), uid(7)]
    assert found(store, GET, asked) == [uid(7), uid(7)]


def test_instances_come_series_by_series_in_the_order_of_their_numbers(
    small_store: SmallStore,
) -> None:
    numbers = {1: 10, 2: 9, 3: 100, 4: None}
    placed: dict[int, list[bytes]] = {}
    for series in (1, 2):
        by_number = []
        for instance, number in numbers.items():
            publics = small_store.put(numbered(1, 1, series, instance, InstanceNumber=number))
            by_number.append((number or 0, publics[3]))
        placed[series] = [public for _, public in sorted(by_number)]
    study = small_store.resource(Level.STUDY, publics[1])
    assert study is not None
    packed = small_store.reads(USER, lambda view: instances_in_order(view, [study]))
    assert list(unpack(packed)) in (placed[1] + placed[2], placed[2] + placed[1])
    assert small_store.reads(USER, lambda view: instances_in_order(view, [study, study])) == (
        packed + packed
    )
