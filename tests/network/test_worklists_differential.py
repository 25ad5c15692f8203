"""C-FIND on worklists of our server and of Orthanc 1.13 with its worklists plugin, over the same
folder: statuses, and the answers as sets of data sets, tag by tag, VR by VR."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from support import find_scu
from support.dicom_peer import EXPLICIT, IMPLICIT
from support.find_scu import BIG_ENDIAN, Answer, Element, FindScu, comparable
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.worklists import (
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    SOP_CLASS,
    START,
    STATION,
    STEP_ID,
    STEPS,
    file,
    step,
    worklist,
)

from orthanc_fast.character_sets import CHARACTER_SETS

PLUGIN = "libModalityWorklists.so"
SYNTAXES = (EXPLICIT, IMPLICIT, BIG_ENDIAN)
CHARACTER_SET, LEVEL, TIMEZONE, BIRTH, SEX = (
    0x00080005,
    0x00080052,
    0x00080201,
    0x00100030,
    0x00100040,
)
NAMES = 0x00101001  # other names of the patient
STUDY_REFERENCE, PATIENT_REFERENCE = 0x00081110, 0x00081120
CLASS, INSTANCE, CODES, CODE = 0x00081150, 0x00081155, 0x0040A170, 0x00080100
TIME, PERFORMER = 0x00400003, 0x00400006


class Both(NamedTuple):
    ports: tuple[int, int]
    urls: tuple[str, str]


def reference(uid: str, code: str = "") -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID = found.ReferencedSOPInstanceUID = uid
    if code:
        inner = Dataset()
        inner.CodeValue, inner.CodeMeaning = code, f"meaning of {code}"
        found.PurposeOfReferenceCodeSequence = [inner]
    return found


def fill(folder: Path) -> None:
    """Worklists of all kinds, and what is none."""
    other = [step(2, "MR", "MR01"), step(9, "CT", "CT02")]
    found = {
        "plain.wl": worklist(1),
        "two-steps.wl": worklist(2, "plain^b", [step(2), step(7, "MR", "MR01")]),
        "umlaut.wl": worklist(3, "Müller^Ä", character_set="ISO_IR 100", PatientSex=""),
        "kanji.wl": worklist(4, "Yamada^Tarou=山田^太郎", other, PatientComments="長い ünd"),
        "references.WL": worklist(
            5,
            "Ref^R",
            [step(5, "US", "US01")],
            ReferencedStudySequence=[reference("1.2", "C1"), reference("1.3", "C2")],
            ReferencedPatientSequence=[reference("")],
        ),
        "empty-references.wl": worklist(6, "Ref^S", ReferencedStudySequence=[reference("")]),
        "values.wl": worklist(
            7, Rows=512, PatientWeight="70.5", OtherPatientNames=["A^B", "C^D"], PregnancyStatus=4
        ),
        "no-step.wl": worklist(8, ScheduledProcedureStepSequence=None),
        "empty-step.wl": worklist(9, steps=[]),
        "level.wl": worklist(10, QueryRetrieveLevel="STUDY", TimezoneOffsetFromUTC="+0100"),
        "plain-ascii.wl": worklist(11, character_set=None),
    }
    for name, dataset in found.items():
        (folder / name).write_bytes(file(dataset))
    implicit = worklist(12, "Implicit^I")
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    (folder / "implicit.wl").write_bytes(file(implicit))
    (folder / "text.wl").write_text("hello")
    (folder / "half.wl").write_bytes(file(worklist(13))[:500])
    (folder / "other.dcm").write_bytes(file(worklist(14)))
    (folder / "below.wl").mkdir()
    (folder / "below.wl" / "deep.wl").write_bytes(file(worklist(15)))


WORKLISTS = 12


def started(folder: Path, files: Path, **options: Any) -> Iterator[Both]:
    ports = free_port(), free_port()
    shared = {
        "DicomServerEnabled": True,
        "DicomAlwaysAllowFindWorklist": True,
        "Worklists": {"Enable": True, "Database": str(files), **options},
    }
    ours = OurServer(folder / "ours", {**shared, "DicomPort": ports[0]})
    theirs = ReferenceServer(folder / "theirs", {**shared, "DicomPort": ports[1]}, (PLUGIN,))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TCP_NODELAY", "1")  # else Orthanc takes 40 ms for each response
        with ours, theirs:
            yield Both(ports, (ours.url, theirs.url))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worklists")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def both(
    needs_reference: None, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    yield from started(tmp_path_factory.mktemp("servers"), files)


@pytest.fixture(scope="module")
def strict(
    needs_reference: None, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """Servers that give each station its own, and few at a time."""
    folder = tmp_path_factory.mktemp("strict")
    yield from started(folder, files, FilterIssuerAet=True, LimitAnswers=3)


def outcomes(
    both: Both, elements: list[Element], syntax: str = EXPLICIT, calling: str = "CT01"
) -> list[tuple[int, Counter[Answer]]]:
    """Status and answers of both."""
    query = find_scu.encoded(sorted(elements, key=lambda each: each[0]), syntax)
    found = []
    for port in both.ports:
        with FindScu(port, SOP_CLASS, syntax, calling) as scu:
            outcome = scu.find(query)
        decoded = (find_scu.decoded(each, syntax) for each in outcome.answers)
        found.append((outcome.status, Counter(map(comparable, decoded))))
    return found


def assert_same(
    both: Both, elements: list[Element], syntax: str = EXPLICIT, calling: str = "CT01"
) -> int:
    """Returns the number of answers, -1 for a failure."""
    ours, theirs = outcomes(both, elements, syntax, calling)
    assert ours == theirs, elements
    return ours[1].total() if ours[0] == 0 else -1


ID: Element = (PATIENT_ID, "LO", "")


def steps(*elements: Element) -> Element:
    return STEPS, "SQ", [list(elements)]


# Name -> query, and how many answers there must be.
CASES: dict[str, tuple[list[Element], int]] = {
    "nothing": ([], WORKLISTS),
    "all": ([ID, (PATIENT_NAME, "PN", "")], WORKLISTS),
    "a name in other case": ([ID, (PATIENT_NAME, "PN", "PLAIN^B")], 1),
    "a pattern": ([ID, (PATIENT_NAME, "PN", "plain*")], 7),
    "any character": ([ID, (PATIENT_NAME, "PN", "p????^b")], 1),
    "a name in Latin-1": ([ID, (PATIENT_NAME, "PN", b"m\xfcller^*")], 1),
    "a name in UTF-8": (
        [(CHARACTER_SET, "CS", "ISO_IR 192"), (PATIENT_NAME, "PN", "MÜLLER^Ä".encode())],
        1,
    ),
    "a name in kanji": (
        [(CHARACTER_SET, "CS", "ISO_IR 192"), (PATIENT_NAME, "PN", "*太郎".encode())],
        1,
    ),
    "an identifier in other case": ([(PATIENT_ID, "LO", "p1")], 0),
    "a list": ([(PATIENT_ID, "LO", "P1\\P3\\P99")], 2),
    "any value": ([ID, (SEX, "CS", "*")], WORKLISTS),
    "a value where there is none": ([(PATIENT_ID, "LO", "P3"), (SEX, "CS", "F")], 0),
    "a range": ([ID, (BIRTH, "DA", "19020101-19040101")], 3),
    "an open range": ([ID, (BIRTH, "DA", "-")], WORKLISTS),
    "a range of what is absent": ([ID, (0x00080020, "DA", "20200101-")], 0),
    "an open range of what is absent": ([ID, (0x00080020, "DA", "-")], WORKLISTS),
    "any value of what is absent": ([ID, (0x00200010, "SH", "*")], 0),
    "what is absent": ([ID, (0x00200010, "SH", "")], WORKLISTS),
    "a pattern of a date": ([ID, (BIRTH, "DA", "19*")], -1),
    "a pattern of a UID": ([ID, (0x0020000D, "UI", "1.*")], -1),
    "a pattern of what no worklist has": ([ID, (0x00200013, "IS", "1*")], -1),
    "several values": ([ID, (NAMES, "PN", "A^B\\C^D")], 1),
    "one of several values": ([ID, (NAMES, "PN", "c^d")], 0),
    "one of several values in a list": ([ID, (NAMES, "PN", "c^d\\x")], 1),
    "a pattern over several values": ([ID, (NAMES, "PN", "a*d")], 1),
    "numbers": ([ID, (0x00280010, "US", 512), (0x001021C0, "US", b""), (0x00101030, "DS", "")], 1),
    "another number": ([ID, (0x00280010, "US", 511)], 0),
    "a decimal": ([ID, (0x00101030, "DS", "70.50")], 0),
    "level": ([ID, (LEVEL, "CS", "STUDY")], 1),
    "another level": ([ID, (LEVEL, "CS", "PATIENT")], 0),
    "time zone": ([ID, (TIMEZONE, "SH", "+0100")], 1),
    "instance": ([ID, (0x00080018, "UI", "1.2.9.4")], 1),
    "group length": ([ID, (0x00100000, "UL", 10)], WORKLISTS),
    "private": ([ID, (0x00110010, "LO", "X"), (0x00111001, "LO", "y")], 0),
    "private without a value": ([ID, (0x00110010, "LO", ""), (0x00111001, "LO", "")], WORKLISTS),
    "an element twice": ([(PATIENT_ID, "LO", "P1"), (PATIENT_ID, "LO", "P2")], 1),
    "an unknown character set": ([(CHARACTER_SET, "CS", "NOBODY'S"), ID], WORKLISTS),
    "blanks behind": ([(PATIENT_ID, "LO", "P1 ")], 1),
    "a blank before": ([(PATIENT_ID, "LO", " P1")], 0),
    "another VR": ([(PATIENT_ID, "CS", "P*")], WORKLISTS),
    "another VR of a pattern": ([ID, (BIRTH, "LO", "19*")], -1),
    "no item": ([ID, (STEPS, "SQ", [])], WORKLISTS),
    "an empty item": ([ID, steps()], WORKLISTS),
    "two items": ([ID, (STEPS, "SQ", [[], []])], -1),
    "two items with keys": ([ID, (STEPS, "SQ", [[(MODALITY, "CS", "")], [(START, "DA", "")]])], -1),
    "keys of an item": ([ID, steps((MODALITY, "CS", ""), (STEP_ID, "SH", ""))], WORKLISTS - 1),
    "an element of an item twice": (
        [ID, steps((MODALITY, "CS", ""), (MODALITY, "CS", ""))],
        WORKLISTS - 1,
    ),
    "one of the steps": ([ID, steps((MODALITY, "CS", "MR"), (STATION, "AE", ""))], 3),
    "both in one step": ([ID, steps((MODALITY, "CS", "MR"), (STATION, "AE", "CT02"))], 1),
    "range of days": ([ID, steps((START, "DA", "20260102-20260103"), (MODALITY, "CS", ""))], 4),
    "range of times": ([ID, steps((TIME, "TM", "030000-040000"))], 2),
    "a name in a step": ([ID, steps((PERFORMER, "PN", "doctor*"), (MODALITY, "CS", ""))], 11),
    "a pattern of a day": ([ID, steps((START, "DA", "2026*"))], -1),
    "a station with blanks": ([ID, steps((STATION, "AE", " CT01"))], 1),
    "two references to nothing": (
        [ID, (STUDY_REFERENCE, "SQ", [[(CLASS, "UI", ""), (INSTANCE, "UI", "")]])],
        WORKLISTS,
    ),
    "one reference to nothing": (
        [ID, (STUDY_REFERENCE, "SQ", [[(INSTANCE, "UI", "")]])],
        WORKLISTS,
    ),
    "a reference": ([ID, (STUDY_REFERENCE, "SQ", [[(INSTANCE, "UI", "1.3")]])], 11),
    "a reference of a patient": ([ID, (PATIENT_REFERENCE, "SQ", [[(INSTANCE, "UI", "1")]])], 11),
    "a nested code": (
        [
            ID,
            (
                STUDY_REFERENCE,
                "SQ",
                [[(INSTANCE, "UI", ""), (CODES, "SQ", [[(CODE, "SH", "C2")]])]],
            ),
        ],
        12,
    ),
    "another nested code": (
        [
            ID,
            (STUDY_REFERENCE, "SQ", [[(CLASS, "UI", "*"), (CODES, "SQ", [[(CODE, "SH", "C3")]])]]),
        ],
        -1,
    ),
    "nested, absent": (
        [ID, (STUDY_REFERENCE, "SQ", [[(0x00081111, "SQ", [[(CODE, "SH", "C3")]])]])],
        WORKLISTS,
    ),
    "nested, several items": ([ID, (STUDY_REFERENCE, "SQ", [[(CODES, "SQ", [[], []])]])], -1),
    "a sequence of a text": ([(PATIENT_NAME, "SQ", [[(MODALITY, "CS", "CT")]])], -1),
    "an empty sequence of a text": ([(PATIENT_NAME, "SQ", [])], -1),
}


@pytest.mark.parametrize("name", CASES)
def test_cases(both: Both, name: str) -> None:
    elements, amount = CASES[name]
    for syntax in SYNTAXES:
        if syntax != IMPLICIT or not name.startswith(("another VR", "an empty seq", "a sequence")):
            assert assert_same(both, elements, syntax) == amount


TOP: tuple[tuple[int, str], ...] = (
    (PATIENT_ID, "LO"),
    (PATIENT_NAME, "PN"),
    (BIRTH, "DA"),
    (SEX, "CS"),
    (0x00080050, "SH"),
)
TOP += ((0x0020000D, "UI"), (0x00401001, "SH"), (0x00321060, "LO"), (0x00200010, "SH"))
INNER: tuple[tuple[int, str], ...] = (
    (MODALITY, "CS"),
    (STATION, "AE"),
    (START, "DA"),
    (TIME, "TM"),
    (STEP_ID, "SH"),
)
INNER += ((PERFORMER, "PN"), (0x00400010, "SH"))
VALUES: dict[int, tuple[str, ...]] = {
    PATIENT_ID: ("P1", "P10", "P11", "p2"),
    PATIENT_NAME: ("Plain^A", "plain^b", "Ref^R", "IMPLICIT^I"),
    BIRTH: ("19010101", "19050101", "19120101"),
    SEX: ("M", "F", "O"),
    0x00080050: ("A1", "A7"),
    0x0020000D: ("1.2.3.1", "1.2.3.9"),
    0x00401001: ("R4", "R5"),
    0x00321060: ("Thorax", "THORAX"),
    MODALITY: ("CT", "MR", "US"),
    STATION: ("CT01", "CT02", "MR01"),
    START: ("20260102", "20260105", "20260110"),
    TIME: ("020000", "070000", "110000"),
    STEP_ID: ("S1", "S9"),
    PERFORMER: ("Doctor^X", "doctor^x"),
}


@st.composite
def conditions(draw: st.DrawFn, tags: tuple[tuple[int, str], ...]) -> list[Element]:
    """Elements of these tags, half of them with a value."""
    found: list[Element] = []
    for tag, vr in draw(st.lists(st.sampled_from(tags), max_size=4, unique=True)):
        values = VALUES.get(tag, ("x",))
        value, other = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        at = draw(st.integers(0, len(value)))
        forms = ["", "", "", value, f"{value}\\{other}", "*", f"{value[:at]}*", f"*{value[at:]}"]
        forms += [f"{value[:at]}?{value[at + 1 :]}", value.lower()]
        if vr in ("DA", "TM"):
            forms += [f"{value}-{other}", f"{value}-", f"-{value}"] * 2
        found.append((tag, vr, draw(st.sampled_from(forms)).encode()))
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(conditions(TOP), st.none() | conditions(INNER), st.sampled_from(SYNTAXES))
def test_made_queries(
    both: Both, top: list[Element], inner: list[Element] | None, syntax: str
) -> None:
    assert_same(both, top if inner is None else [*top, steps(*inner)], syntax)


# Windows-1251 has no name in DICOM: Orthanc answers no query then (docs/deviations.md).
@pytest.mark.parametrize("character_set", sorted({*CHARACTER_SETS} - {"Windows1251"}))
def test_character_sets(both: Both, character_set: str) -> None:
    """A change of the default holds for the next query."""
    query: list[Element] = [ID, (PATIENT_NAME, "PN", ""), (0x00104000, "LT", ""), steps()]
    try:
        for url in both.urls:
            httpx.put(f"{url}/tools/default-encoding", content=character_set).raise_for_status()
        assert assert_same(both, query) == WORKLISTS
    finally:
        for url in both.urls:
            httpx.put(f"{url}/tools/default-encoding", content="Latin1").raise_for_status()


# Calling title and query, and how many answers there must be: more than three end with 0xFE00.
STRICT: dict[str, tuple[str, list[Element], int]] = {
    "many": ("CT01", [ID], -1),
    "as many as are admitted": ("MR01", [(PATIENT_ID, "LO", "P2\\P4\\P8")], 3),
    "one": ("US01", [(PATIENT_ID, "LO", "P5")], 1),
    "nobody": ("NOBODY", [(PATIENT_ID, "LO", "P1")], 0),
    "nobody, without a step": ("NOBODY", [(PATIENT_ID, "LO", "P8")], 1),
    "another case": ("ct01", [(PATIENT_ID, "LO", "P1")], 0),
    "another station": ("MR01", [(PATIENT_ID, "LO", "P2"), steps((STATION, "AE", "CT01"))], 1),
    "an empty item": ("MR01", [(PATIENT_ID, "LO", "P2"), steps()], 1),
    "a modality": ("MR01", [(PATIENT_ID, "LO", "P2"), steps((MODALITY, "CS", ""))], 1),
    "another modality": ("MR01", [(PATIENT_ID, "LO", "P2"), steps((MODALITY, "CS", "CT"))], 0),
    "two items": ("MR01", [(STEPS, "SQ", [[], []])], -1),
}


@pytest.mark.parametrize("name", STRICT)
def test_own_worklists(strict: Both, name: str) -> None:
    calling, elements, amount = STRICT[name]
    ours, theirs = outcomes(strict, elements, calling=calling)
    assert (ours[0], ours[1].total()) == (theirs[0], theirs[1].total())
    if amount >= 0:
        assert ours == theirs
        assert (ours[0], ours[1].total()) == (0, amount)


def test_the_limit(strict: Both) -> None:
    """One more than is admitted, and the status of a cancelled query."""
    for status, answers in outcomes(strict, [ID]):
        assert (status, answers.total()) == (0xFE00, 4)
    four: list[Element] = [(PATIENT_ID, "LO", "P1\\P2\\P3\\P7")]
    for status, answers in outcomes(strict, four):
        assert (status, answers.total()) == (0xFE00, 4)


def test_an_empty_sequence_of_steps_may_be_filtered(strict: Both) -> None:
    """Orthanc refuses it: docs/deviations.md."""
    query: list[Element] = [(PATIENT_ID, "LO", "P2"), (STEPS, "SQ", [])]
    ours, theirs = outcomes(strict, query, calling="MR01")
    assert theirs[0] == 0xC000
    assert (ours[0], ours[1].total()) == (0, 1)


def test_what_the_servers_say_of_it(both: Both) -> None:
    plugins = [httpx.get(f"{url}/plugins/worklists").json() for url in both.urls]
    assert plugins[0].keys() <= plugins[1].keys()
    assert plugins[0]["ID"] == plugins[1]["ID"]
    for url in both.urls:
        assert "worklists" in httpx.get(f"{url}/plugins").json()


@pytest.mark.parametrize(
    "keys",
    [
        ("PatientID", "PatientName"),
        ("PatientID", "ScheduledProcedureStepSequence[0].Modality=MR"),
        (
            "PatientID",
            "PatientName=plain*",
            "ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate=20260101-20260103",
            "ScheduledProcedureStepSequence[0].ScheduledStationAETitle",
        ),
    ],
)
def test_findscu_gets_the_same_of_both(both: Both, keys: tuple[str, ...], tmp_path: Path) -> None:
    tool = shutil.which("findscu", path=os.defpath)  # pynetdicom has a tool of this name, too
    assert tool is not None
    found: list[list[str]] = []
    for number, port in enumerate(both.ports):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [tool, "-W", "-X", "-od", str(folder), "-aet", "CT01", "127.0.0.1", str(port)]
        command += [part for key in keys for part in ("-k", key)]
        subprocess.run(command, capture_output=True, timeout=60, check=True)
        files = (str(pydicom.dcmread(each)) for each in folder.iterdir())
        found.append(sorted(map(_without_meta, files)))
    assert found[0] == found[1]
    assert len(found[0]) > 1


def _without_meta(text: str) -> str:
    """findscu makes up what stands before the data set."""
    return text.partition("-" * 49)[2]
