"""The options of PS3.15: no identifying value survives in texts, intervals stay what they are, keys
give the same again, tables are followed, and what was used is recorded."""

import re
import unicodedata
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import ImplicitVRLittleEndian
from support import generated
from support.edited import file_bytes, item, read, sequence

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.edits import Tables
from orthanc_fast.errors import BadParameterType, ParameterOutOfRange
from orthanc_fast.services.modification.apply import Modified, Modifier
from orthanc_fast.services.modification.cleaning import NOT_NAMES
from orthanc_fast.services.modification.identifiers import Identifiers, secret_of
from orthanc_fast.services.modification.identifying import Collector
from orthanc_fast.services.modification.options import Option, column, read_options, safe_private
from orthanc_fast.services.modification.plan import Planner
from orthanc_fast.services.modification.profiles import profile
from orthanc_fast.services.modification.request import read_anonymization
from orthanc_fast.services.modification.studies import Studies

pytestmark = pytest.mark.filterwarnings(
    "ignore:Invalid value", "ignore:The value length", "ignore:The PN"
)

DICTIONARY = Dictionary()
TABLES = Tables(DICTIONARY)
PLANNER = Planner(TABLES, "1.13.0")
COLLECTOR = Collector(TABLES, DICTIONARY)


def modifier(
    *options: str, secret: bytes = b"secret", keyed: bool = False, **body: Any
) -> Modifier:
    asked = read_anonymization({"Options": list(options), **body}, DICTIONARY)
    plan = PLANNER.plan(asked, None, None if keyed else "Anonymized1")
    studies = Studies(COLLECTOR, lambda: "Latin1")
    return Modifier(plan, Identifiers(secret), DICTIONARY, lambda: "Latin1", studies)


def made(dataset: FileDataset, *options: str, **body: Any) -> FileDataset:
    return read(modifier(*options, **body).modified(file_bytes(dataset)).data)


def texts(dataset: Dataset) -> list[str]:
    """All that is text, at any depth; what is unknown as Latin 1."""
    found: list[str] = []
    for element in dataset:
        if element.VR == "SQ":
            for each in element.value:
                found += texts(each)
        elif isinstance(element.value, bytes):
            found.append(element.value.decode("latin-1"))
        elif element.value is not None and element.VR not in (
            "UI",
            "DA",
            "TM",
            "DT",
            "IS",
            "DS",
            "CS",
        ):
            found.append(str(element.value))
    return found


# Cleaning

# What this server writes into each file: the profile and its codes (PS3.16, CID 7050).
OWN = {
    *("generated", "anonymized", "orthanc", "basic", "application", "confidentiality", "profile"),
    *("clean", "descriptors", "option", "dcm", "somebody", "113100", "113105"),
}
letters = st.sampled_from("abcdefghijklmnopqrstuvwxyzäöüéñçß")
words = (
    st.text(letters, min_size=3, max_size=12)
    .map(str.capitalize)
    .filter(lambda word: word.casefold() not in NOT_NAMES | OWN)
)
numbers = st.from_regex(r"[A-Z]{0,3}[0-9]{4,9}", fullmatch=True).filter(
    lambda number: number not in OWN
)
gaps = st.sampled_from([" ", ", ", "_", "-", "; ", " / "])
MARKS = ("chest", "axial", "contrast")


@st.composite
def written(draw: st.DrawFn, values: list[str]) -> str:
    parts = draw(st.lists(st.sampled_from([*values, *MARKS]), min_size=1, max_size=6))
    changed = [
        getattr(part, draw(st.sampled_from(["strip", "upper", "lower"])))() for part in parts
    ]
    return draw(gaps).join(changed)


@settings(max_examples=120, deadline=None)
@given(
    st.data(),
    st.tuples(words, words, words, words),
    numbers,
    numbers,
    st.dates(date(1910, 1, 1), date(2020, 12, 31)),
    st.booleans(),
)
def test_no_identifying_value_survives(
    data: st.DataObject,
    names: tuple[str, str, str, str],
    patient: str,
    accession: str,
    born: date,
    implicit: bool,
) -> None:
    family, given_name, doctor, operator = names
    institution = f"{doctor}burg Clinic"
    birth = [born.strftime(form) for form in ("%Y%m%d", "%d.%m.%Y", "%Y-%m-%d", "%d %B %Y")]
    values = [*names, f"{given_name}{family}", patient, accession, institution, *birth]
    dataset = generated.base()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = f"{family}^{given_name}", patient
    dataset.ReferringPhysicianName, dataset.OperatorsName = f"{doctor}^X", operator
    dataset.AccessionNumber, dataset.InstitutionName = accession, institution
    dataset.PatientBirthDate = born.strftime("%Y%m%d")
    for keyword in ("StudyDescription", "SeriesDescription", "ImageComments", "ProtocolName"):
        setattr(dataset, keyword, data.draw(written(values))[:64])
    note = data.draw(written(values))
    dataset.RequestAttributesSequence = sequence(
        item(ScheduledProcedureStepDescription=data.draw(written(values))[:64], ReasonForStudy=note)
    )
    block = dataset.private_block(0x0029, "SOMEBODY", create=True)
    block.add_new(1, "LO", data.draw(written(values))[:64])
    block.add_new(2, "UN", data.draw(written(values)).encode())
    block.add_new(3, "OB", b"\x01\x02" + data.draw(written(values)).encode() + b"\0\0\x03")
    if implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    result = made(dataset, "CleanDescriptors", KeepPrivateTags=True)
    found = "\n".join(texts(result)).casefold()
    found += unicodedata.normalize("NFKD", found)
    for value in values:
        pattern = rf"(?<![^\W_]){re.escape(value.casefold())}(?![^\W_])"
        assert re.search(pattern, found) is None, (value, found)
        assert len(value) < 5 or value.casefold() not in found, (value, found)


def test_the_rest_of_a_text_stays() -> None:
    dataset = generated.base()
    dataset.PatientName, dataset.PatientID = "Dr Li^Ann", "12"
    dataset.StudyDescription = "CT of Ann Li, scanner 12, linear"
    dataset.PatientBirthDate = "19700102"
    dataset.ImageComments = "born 2 Jan 1970 or 1/2/70, not 19700103; General  hospital"
    result = made(dataset, "CleanDescriptors")
    assert result.StudyDescription == "CT of , scanner 12, linear"
    assert result.ImageComments == "born or , not 19700103;"


def test_who_is_named_in_another_data_set_of_the_study() -> None:
    one, other = generated.base(), generated.base()
    other.OperatorsName = "Hopper^Grace"
    one.SeriesDescription = "repeated by Hopper"
    cleaning = modifier("CleanDescriptors")
    for each in (one, other):
        cleaning.look_at(file_bytes(each))
    assert read(cleaning.modified(file_bytes(one)).data).SeriesDescription == "repeated by"


def test_very_long_names() -> None:
    dataset = generated.base()
    dataset.PatientComments = "x" * 65000
    dataset.add_new(0x00100010, "PN", "LONG" + "^y z" * 16000)
    dataset.add_new(0x00100020, "LO", "ABC123" * 10000)
    dataset.StudyDescription = "Long ago: abc-123"
    result = made(dataset, "CleanDescriptors")
    assert result.StudyDescription == "ago: abc-123"


def test_what_is_kept_is_no_secret() -> None:
    dataset = generated.base()
    dataset.StudyDescription = "General Hospital, Test"
    result = made(dataset, "CleanDescriptors", Keep=["StudyDescription"])
    assert result.StudyDescription == "General Hospital, Test"


def test_characters_of_other_sets() -> None:
    dataset = generated.base()
    dataset.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    dataset.PatientName = "Yamada^Tarou=山田^太郎"
    dataset.StudyDescription = "胸部 山田 CT"
    result = made(dataset, "CleanDescriptors")
    assert "山田" not in str(result.StudyDescription)


# Dates


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.dates(date(1950, 1, 1), date(2090, 12, 31)), min_size=4, max_size=4),
    st.booleans(),
)
def test_intervals_are_preserved(days: list[date], implicit: bool) -> None:
    dataset = generated.base()
    form = [day.strftime("%Y%m%d") for day in days]
    dataset.StudyDate, dataset.SeriesDate = form[0], form[1]
    dataset.AcquisitionDateTime = f"{form[2]}101530.250+0100"
    dataset.InstanceCreationDate = form[3]  # which the table of the column does not have
    dataset.DateOfManufacture = form[3]  # which no profile knows
    dataset.RequestAttributesSequence = sequence(item(ScheduledProcedureStepStartDate=form[3]))
    if implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    result = made(
        dataset, "RetainLongitudinalModifiedDates", "CleanDescriptors", DicomVersion="2023b"
    )
    new = [result.StudyDate, result.SeriesDate, result.AcquisitionDateTime[:8]]
    new += [result.InstanceCreationDate, result.DateOfManufacture]
    new += [result.RequestAttributesSequence[0].ScheduledProcedureStepStartDate]
    moved = {
        (date(int(text[:4]), int(text[4:6]), int(text[6:])) - day).days
        for text, day in zip(new, [*days, days[3], days[3]], strict=True)
    }
    assert len(moved) == 1
    assert -3650 <= moved.pop() <= -30
    assert result.AcquisitionDateTime[8:] == "101530.250+0100"
    assert result.StudyTime == dataset.StudyTime
    assert result.LongitudinalTemporalInformationModified == "MODIFIED"
    assert result.PatientBirthDate == ""


def test_days_that_the_request_gives() -> None:
    dataset = generated.base()
    dataset.StudyDate, dataset.SeriesDate = "20240301", "soon"
    result = made(dataset, "RetainLongitudinalModifiedDates", DateShift=-1)
    assert (result.StudyDate, result.SeriesDate) == ("20240229", "")


def test_full_dates() -> None:
    result = made(generated.base(), "RetainLongitudinalFullDates")
    assert (result.StudyDate, result.StudyTime) == ("20240115", "101530.250")
    assert result.LongitudinalTemporalInformationModified == "UNMODIFIED"


# Keys


def test_a_key_gives_the_same_again() -> None:
    data = file_bytes(generated.base())

    def run(key: str) -> Modified:
        return modifier(
            "RetainLongitudinalModifiedDates", secret=secret_of(key), keyed=True
        ).modified(data)

    first, second, other = run("one"), run("one"), run("two")
    assert first.data == second.data
    one, two = read(first.data), read(other.data)
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "SOPInstanceUID", "StudyDate"):
        assert one[name].value != two[name].value
        assert one[name].value != generated.base()[name].value
    assert str(one.PatientName).startswith("Anonymized")


# Tables


def test_columns_belong_to_the_profile() -> None:
    table = profile("2023b")
    known = table.removed | table.cleared | table.uids
    for option in Option:
        if option is not Option.RetainSafePrivate:
            row = column(option)
            assert row.kept | row.cleaned
            assert len((row.kept | row.cleaned) - known) <= 4, option


def test_safe_private_attributes() -> None:
    rows = safe_private()
    assert sum(map(len, rows.values())) == 479  # as in the table
    dataset = generated.base()
    safe = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    safe.add_new(0x0D, "FL", 1.5)
    safe.add_new(0x0F, "LO", "not in the table")
    other = dataset.private_block(0x2005, "Philips Imaging DD 001", create=True)
    other.add_new(0x0D, "FL", 2.5)
    wrong = dataset.private_block(0x0029, "Philips MR Imaging DD 001", create=True)
    wrong.add_new(0x0E, "FL", 3.5)
    inside = Dataset()
    nested = inside.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    nested.add_new(0x0E, "FL", 4.5)
    dataset.ReferencedImageSequence = sequence(inside)
    stack = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    stack.add_new(0x5F, "SQ", sequence(item(PatientName="Test^Person", StackID="1")))
    result = made(dataset, "RetainSafePrivate")
    assert result.private_block(0x2005, "Philips MR Imaging DD 001")[0x0D].value == 1.5
    private = {int(each.tag) for each in result if each.tag.is_private}
    assert {tag for tag in private if tag & 0xFFFF >= 0x1000} == {0x2005100D, 0x2001105F}
    assert 0x0029 not in {tag >> 16 for tag in private}
    item_of = result.ReferencedImageSequence[0]
    assert item_of.private_block(0x2005, "Philips MR Imaging DD 001")[0x0E].value == 4.5
    assert result[0x2001105F].value[0].PatientName == "Anonymized1"


def test_identities() -> None:
    dataset = generated.base()
    dataset.StationName, dataset.DeviceSerialNumber = "CT07", "SN-44812"
    dataset.PatientAge, dataset.EthnicGroup, dataset.Allergies = "054Y", "X", "Test is allergic"
    dataset.FrameOfReferenceUID = "1.2.3.4"
    plain = made(dataset)
    for name in ("StationName", "InstitutionName", "PatientAge", "Allergies", "EthnicGroup"):
        assert not plain.get(name)
    assert made(dataset, "RetainDeviceIdentity").DeviceSerialNumber == "SN-44812"
    assert made(dataset, "RetainDeviceIdentity").StationName == "CT07"
    assert made(dataset, "RetainInstitutionIdentity").InstitutionName == "General Hospital"
    patient = made(dataset, "RetainPatientCharacteristics")
    assert (patient.PatientAge, patient.EthnicGroup) == ("054Y", "X")
    assert patient.Allergies == "is allergic"
    kept = made(dataset, "RetainUIDs")
    assert kept.SOPInstanceUID == dataset.SOPInstanceUID
    assert kept.StudyInstanceUID == dataset.StudyInstanceUID
    assert kept.FrameOfReferenceUID == "1.2.3.4"
    assert kept.PatientID != dataset.PatientID


def test_what_was_used_is_recorded() -> None:
    names = [name for name in Option.__members__ if name != "RetainLongitudinalFullDates"]
    result = made(generated.base(), *names)
    codes = [each.CodeValue for each in result.DeidentificationMethodCodeSequence]
    assert codes == ["113100", *sorted(Option[name].code[0] for name in names)]
    assert {each.CodingSchemeDesignator for each in result.DeidentificationMethodCodeSequence} == {
        "DCM"
    }
    assert (
        list(result.DeidentificationMethod)[1:]
        == [each.CodeMeaning for each in result.DeidentificationMethodCodeSequence][1:]
    )
    assert "DeidentificationMethodCodeSequence" not in made(generated.base())


def test_what_could_not_be_judged() -> None:
    dataset = generated.base(generated.US_MULTIFRAME, "US")
    generated.add_private(dataset, 2)
    dataset.add_new(0x00082222, "UN", b"what?")
    dataset.PatientName = "Q"
    dataset.PixelData = b"\0\0"
    dataset.BitsAllocated = 8
    found = modifier("CleanDescriptors", KeepPrivateTags=True).modified(file_bytes(dataset))
    reasons = ("PrivateElements", "UnknownElements", "BurnedInAnnotation", "ShortIdentifiers")
    assert found.not_judged == set(reasons)
    assert modifier().modified(file_bytes(dataset)).not_judged == frozenset()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"Options": "CleanDescriptors"}, BadParameterType),
        ({"Options": [1]}, BadParameterType),
        ({"Options": ["Nothing"]}, ParameterOutOfRange),
        (
            {"Options": ["RetainLongitudinalFullDates", "RetainLongitudinalModifiedDates"]},
            ParameterOutOfRange,
        ),
        ({"DateShift": 5}, ParameterOutOfRange),
        ({"Options": ["RetainLongitudinalModifiedDates"], "DateShift": "5"}, BadParameterType),
        ({"Options": ["RetainLongitudinalModifiedDates"], "DateShift": 0}, ParameterOutOfRange),
    ],
)
def test_wrong_requests(body: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_options(body)
    for key, wrong in (("", ParameterOutOfRange), (5, BadParameterType)):
        with pytest.raises(wrong):
            read_anonymization({"PseudonymKey": key}, DICTIONARY)
