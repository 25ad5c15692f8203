"""From the fields of a body to a plan: what becomes of each tag."""

from typing import Any

import msgspec
import pytest

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.edits import Action, Tables
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.json_values import Elements
from orthanc_fast.dicom.tag_paths import EVERY_ITEM, TagPath, parse_path
from orthanc_fast.dicom.text import CharacterSet
from orthanc_fast.errors import BadFileFormat, ParameterOutOfRange
from orthanc_fast.model import Level
from orthanc_fast.services.modification.identifiers import Identifiers, Kind, new_secret
from orthanc_fast.services.modification.plan import Plan, Planner
from orthanc_fast.services.modification.profiles import profile
from orthanc_fast.services.modification.request import read_anonymization, read_modification

DICTIONARY = Dictionary()
PLANNER = Planner(Tables(DICTIONARY), "1.13.0")
NAME, BIRTH_DATE, STUDY, SERIES, SOP = 0x00100010, 0x00100030, 0x0020000D, 0x0020000E, 0x00080018


def modification(level: Level | None = None, **body: Any) -> Plan:
    return PLANNER.plan(read_modification(body, DICTIONARY), level)


def anonymization(**body: Any) -> Plan:
    return PLANNER.plan(read_anonymization(body, DICTIONARY), None, "Anonymized7")


def written(plan: Plan, tag: int) -> Any:
    action, number = plan.root[tag]
    assert action is Action.REPLACE
    return plan.replacements[number].value


def test_paths() -> None:
    found = parse_path("0008,1140[ 3 ] . (0040,a170)[*].CodeValue", DICTIONARY)
    assert found == TagPath(((0x00081140, 3), (0x0040A170, EVERY_ITEM)), 0x00080100)
    assert parse_path("PatientName", DICTIONARY).is_root
    with pytest.raises(ParameterOutOfRange, match="Not a valid index"):
        parse_path("0008,1140[99999999999].CodeValue", DICTIONARY)


@pytest.mark.parametrize(
    "level, new",
    [
        (Level.PATIENT, {STUDY, SERIES, SOP}),
        (Level.STUDY, {STUDY, SERIES, SOP}),
        (Level.SERIES, {SERIES, SOP}),
        (Level.INSTANCE, {SOP}),
        (None, {SOP}),
    ],
)
def test_new_uids_by_level(level: Level | None, new: set[int]) -> None:
    found = modification(level).root
    assert {tag for tag, (action, _) in found.items() if action is Action.MAP} == new


def test_the_last_mention_counts() -> None:
    plan = modification(Remove=["PatientName"], Replace={"PatientName": "a"})
    assert written(plan, NAME) == "a"
    plan = modification(Replace={"PatientName": "a"}, Keep=["0010,0010"])
    assert NAME not in plan.root


def test_the_profile_and_what_amends_it() -> None:
    plan = anonymization()
    assert written(plan, NAME) == "Anonymized7"
    assert plan.nested[NAME] == plan.root[NAME]
    assert plan.root[BIRTH_DATE] == plan.nested[BIRTH_DATE] == (Action.CLEAR, 0)
    assert "2023b" in written(plan, 0x00120063)
    plan = anonymization(Keep=["PatientBirthDate"])
    assert plan.root[BIRTH_DATE] == (Action.KEEP, 0)
    assert BIRTH_DATE not in plan.nested
    assert written(plan, 0x00120063) == "Orthanc 1.13.0"
    plan = anonymization(Replace={"PatientBirthDate": "19990101"})
    assert written(plan, BIRTH_DATE) == "19990101"
    assert plan.nested[BIRTH_DATE] == (Action.CLEAR, 0)  # Orthanc leaves those
    plan = anonymization(Remove=["PatientName"])
    assert plan.root[NAME] == plan.nested[NAME] == (Action.REMOVE, 0)


def test_tables_are_those_of_the_reference() -> None:
    """Their sizes, without what no data set holds."""
    sizes = {}
    for version in ("2008", "2017c", "2021b", "2023b"):
        table = profile(version)
        assert not table.removed & table.cleared
        assert not table.uids & (table.removed | table.cleared)
        sizes[version] = (len(table.removed), len(table.cleared), len(table.uids))
    assert sizes == {
        "2008": (39, 0, 8),
        "2017c": (215, 20, 28),
        "2021b": (316, 85, 44),
        "2023b": (407, 138, 48),
    }
    with pytest.raises(ParameterOutOfRange):
        profile("_notes")


def test_identifiers() -> None:
    secret = new_secret()
    one, again, other = Identifiers(secret), Identifiers(secret), Identifiers(new_secret())
    uid = one.new(Kind.STUDY, b"1.2.3\0")
    assert uid == again.new(Kind.STUDY, b" 1.2.3 ")
    assert uid.startswith(b"2.25.")
    assert len(uid) <= 64
    assert len({uid, one.new(Kind.INSTANCE, b"1.2.3"), other.new(Kind.STUDY, b"1.2.3")}) == 3
    assert one.new(Kind.STUDY, b"", b"a") != one.new(Kind.STUDY, b"", b"b")
    patient = one.new(Kind.PATIENT, b"me").decode()
    assert [len(part) for part in patient.split("-")] == [8, 4, 4, 4, 12]
    assert patient[14] == "4"
    assert patient[19] in "89ab"
    one.give(Kind.STUDY, b"1.2.3 ", "9.9")
    assert one.new(Kind.STUDY, b"1.2.3") == b"9.9"


def test_values_of_any_depth() -> None:
    """200 levels in a request: an error, and no crash."""
    value: Any = "x"
    for _ in range(200):
        value = [{"ReferencedImageSequence": value}]
    elements = Elements(
        dictionary=DICTIONARY,
        character_set=CharacterSet("Latin1"),
        write=Writer(explicit=True, big=False),
    )
    with pytest.raises(BadFileFormat, match="too many levels"):
        elements.element(0x00081140, value)


def test_a_plan_can_be_told() -> None:
    """What a plan does is plain data."""
    told = msgspec.to_builtins(dict(sorted(anonymization().root.items())), str_keys=True)
    assert told[str(BIRTH_DATE)] == (3, 0)
