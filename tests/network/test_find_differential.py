"""C-FIND of our server and of Orthanc 1.13 over the same instances: statuses, and the answers as
sets of data sets, tag by tag, VR by VR. Deviations are in docs/dicom-network.md."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.config import disable_value_validation
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from support import archive, find_scu
from support.dicom_peer import EXPLICIT, IMPLICIT
from support.find_scu import (
    BIG_ENDIAN,
    PATIENT_ROOT,
    STUDY_ROOT,
    Answer,
    Element,
    FindScu,
    comparable,
)
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.character_sets import CHARACTER_SETS

OPTIONS: dict[str, Any] = {"DicomServerEnabled": True, "DicomAlwaysAllowFind": True}
SYNTAXES = (EXPLICIT, IMPLICIT, BIG_ENDIAN)

CHARACTER_SET, LEVEL = 0x00080005, 0x00080052
PATIENT = ((0x00100010, "PN"), (0x00100020, "LO"), (0x00100030, "DA"), (0x00100040, "CS"))
STUDY = (
    *((0x00080020, "DA"), (0x00080030, "TM"), (0x00080050, "SH"), (0x00080080, "LO")),
    *((0x00080090, "PN"), (0x00081030, "LO"), (0x0020000D, "UI"), (0x00200010, "SH")),
)
SERIES = (
    *((0x00080021, "DA"), (0x00080060, "CS"), (0x00080070, "LO"), (0x00180015, "CS")),
    *((0x00181030, "LO"), (0x00200011, "IS"), (0x0020000E, "UI"), (0x00081070, "PN")),
)
INSTANCE = ((0x00080018, "UI"), (0x00200013, "IS"), (0x00204000, "LT"), (0x00280008, "IS"))
BY_LEVEL = (PATIENT, STUDY, SERIES, INSTANCE)
NAMES = ("PATIENT", "STUDY", "SERIES", "IMAGE")
COMPUTED = (
    *((0x00080061, "CS"), (0x00080056, "CS"), (0x00201200, "IS"), (0x00201202, "IS")),
    *((0x00201204, "IS"), (0x00201206, "IS"), (0x00201208, "IS"), (0x00201209, "IS")),
)
IN_FILES = (
    *((0x00180060, "DS"), (0x00080008, "CS"), (0x00080022, "DA"), (0x00104000, "LT")),
    (0x00080016, "UI"),
)
ALL = (*PATIENT, *STUDY, *SERIES, *INSTANCE, *COMPUTED, *IN_FILES)
RANGES = frozenset({"DA", "TM"})
SEQUENCE: Element = (0x00400275, "SQ", [])

PEOPLE = (
    *("Müller^Ü", "Люкceмбypг", "Διονυσιος", "قباني^لنزار", "שרון^דבורה", "Łukasz^Żółć"),  # noqa: RUF001
    *("Yamada^Tarou=山田^太郎=やまだ^たろう", "ﾔﾏﾀﾞ^ﾀﾛｳ", "Hong^Gildong=洪^吉洞=홍^길동"),
    *("Wang^XiaoDong=王^小东", "Ðð€", "~^¥‾", "ภาษา^ไทย"),
)


class Both(NamedTuple):
    """The DICOM ports and the addresses of both servers."""

    ports: tuple[int, int]
    urls: tuple[str, str]


def outcomes(
    both: Both, query: bytes, syntax: str = EXPLICIT, model: str = STUDY_ROOT
) -> list[tuple[int, Counter[Answer]]]:
    """Status and answers of both."""
    found = []
    for port in both.ports:
        with FindScu(port, model, syntax) as scu:
            outcome = scu.find(query)
        decoded = (find_scu.decoded(each, syntax) for each in outcome.answers)
        found.append((outcome.status, Counter(map(comparable, decoded))))
    return found


def assert_same(
    both: Both, elements: list[Element], syntax: str = EXPLICIT, model: str = STUDY_ROOT
) -> int:
    """Returns the number of answers, -1 for a failure."""
    query = find_scu.encoded(sorted(elements, key=lambda each: each[0]), syntax)
    ours, theirs = outcomes(both, query, syntax, model)
    assert ours == theirs, elements
    return ours[1].total() if ours[0] == 0 else -1


def person(number: int, name: str) -> bytes:
    """An instance whose texts need other characters, with private elements, numbers and nested
    sequences."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = name, f"X{number}"
    dataset.StudyInstanceUID = f"1.2.3.{number}"
    dataset.SeriesInstanceUID = f"{dataset.StudyInstanceUID}.1"
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{number}.1.1")
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID = UID(archive.CT)
    dataset.StudyDescription, dataset.PatientComments = name[:60], name
    dataset.StudyDate = f"202001{number + 1:02d}"
    dataset.Rows, dataset.Columns = 512, number
    dataset.PixelSpacing = ["0.5", "0.5"]
    dataset.FrameIncrementPointer = 0x00181063
    dataset.RecommendedDisplayFrameRateInFloat = 1.5
    block = dataset.private_block(0x11, "ACME 1", create=True)
    block.add_new(1, "LO", f"private {number}")
    code, step = Dataset(), Dataset()
    code.CodeValue, code.FrameOfReferenceUID = "c", "9.9"
    step.ScheduledProcedureStepDescription, step.Rows = name[:60], 512
    step.ScheduledProtocolCodeSequence = [code, code]
    dataset.RequestAttributesSequence = [step, step]
    buffer = io.BytesIO()
    with disable_value_validation():
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def both(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    ports = free_port(), free_port()
    ours = OurServer(tmp_path_factory.mktemp("ours"), {**OPTIONS, "DicomPort": ports[0]})
    theirs = ReferenceServer(
        tmp_path_factory.mktemp("theirs"),
        {**OPTIONS, "DicomPort": ports[1], "SyncStorageArea": False},
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TCP_NODELAY", "1")  # else Orthanc takes 40 ms for each response
        with ours, theirs:
            for server in (ours, theirs):
                with httpx.Client(base_url=server.url, timeout=60) as client:
                    archive.upload(client)
                    for number, name in enumerate(PEOPLE):
                        data = person(number, name)
                        client.post("/instances", content=data).raise_for_status()
            yield Both(ports, (ours.url, theirs.url))


def stored() -> dict[int, list[str]]:
    """The values that the archive has of each tag."""
    found: dict[int, set[str]] = {}
    for members in archive.LEVELS:
        for attributes in members.values():
            for keyword, value in attributes.items():
                tag = tag_for_keyword(keyword)
                assert tag is not None
                text = "\\".join(value) if isinstance(value, list) else value
                found.setdefault(tag, set()).add(text)
    for number, tag in enumerate((0x00100020, 0x0020000D, 0x0020000E, 0x00080018)):
        found[tag] = {archive.uids(name)[number] for name in archive.INSTANCES}
    found |= {tag: {"1", "2", "3", "4"} for tag, vr in COMPUTED if vr == "IS"}
    found[0x00080061] = {"CT", "MR", "PT", "ct"}
    found[0x00080056] = {"ONLINE", "OFFLINE"}
    return {tag: sorted(values) for tag, values in found.items()}


STORED = stored()


@st.composite
def searched(draw: st.DrawFn, tag: int, vr: str) -> Element:
    """An element whose text is made of stored values."""
    values = STORED.get(tag, ["x", "1"])
    value, other = draw(st.sampled_from(values)), draw(st.sampled_from(values))
    at = draw(st.integers(0, len(value)))
    forms = [
        *(value, value.upper(), value.lower(), f"{value}\\{other}", f"\\{value}", "*", value[:at]),
        *(f"{value[:at]}*", f"*{value[at:]}", f"{value[:at]}?{value[at + 1 :]}", f" {value}"),
    ]
    if vr in RANGES:
        forms += [f"{value}-{other}", f"{value}-", f"-{value}", f"{value[:4]}-{other}", "-"] * 2
    return tag, vr, draw(st.sampled_from(forms)).encode()


@st.composite
def queries(draw: st.DrawFn) -> list[Element]:
    """Any level, conditions on its tags and those above it, what is computed and what only files
    have; and more that is asked for."""
    level = draw(st.integers(0, 3))
    own = [each for tags in BY_LEVEL[: level + 1] for each in tags]
    shown = draw(st.lists(st.sampled_from(ALL), max_size=6))
    found: dict[int, Element] = {tag: (tag, vr, "") for tag, vr in shown}
    conditions = draw(st.lists(st.sampled_from(own), max_size=2))
    conditions += draw(st.lists(st.sampled_from([*COMPUTED, *IN_FILES]), max_size=1))
    found |= {tag: draw(searched(tag, vr)) for tag, vr in conditions}
    if draw(st.booleans()):
        found[SEQUENCE[0]] = SEQUENCE
    found[CHARACTER_SET] = CHARACTER_SET, "CS", "ISO_IR 192"
    found[LEVEL] = LEVEL, "CS", NAMES[level]
    return list(found.values())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(queries(), st.sampled_from(SYNTAXES), st.sampled_from([PATIENT_ROOT, STUDY_ROOT]))
def test_made_queries(both: Both, elements: list[Element], syntax: str, model: str) -> None:
    assert_same(both, elements, syntax, model)


def of_persons(level: str, *elements: Element) -> list[Element]:
    """A query for the instances of `person`, or what they belong to."""
    found = {0x00100020: (0x00100020, "LO", "X*"), LEVEL: (LEVEL, "CS", level)}
    return list((found | {each[0]: each for each in elements}).values())


# Name -> query, and how many answers there must be at least.
CASES: dict[str, tuple[list[Element], int]] = {
    "level in lower case": (of_persons("study"), 13),
    "level in plural": (of_persons("PATIENTS"), 13),
    "level of instances": (of_persons("Instances"), 13),
    "no level": ([(0x00100020, "LO", "X*")], -1),
    "empty level": (of_persons(""), -1),
    "unknown level": (of_persons("FRAME"), -1),
    "two levels": (of_persons("STUDY\\SERIES"), -1),
    "numbers": (
        of_persons(
            "IMAGE",
            *((0x00280010, "US", ""), (0x00280011, "US", ""), (0x00280030, "DS", "")),
            *((0x00280009, "AT", ""), (0x00089459, "FL", "")),
        ),
        13,
    ),
    "a number": (of_persons("IMAGE", (0x00280010, "US", 512), (0x00280011, "US", 1)), 1),
    "a number as text": (of_persons("IMAGE", (0x00280010, "LO", "512")), 13),
    "a sequence": (of_persons("SERIES", SEQUENCE), 13),
    "a sequence with content": (
        of_persons("SERIES", (SEQUENCE[0], "SQ", [[(0x00400007, "LO", "nobody")]])),
        13,
    ),
    "a sequence of a lower level": (of_persons("STUDY", (0x00081140, "SQ", [])), 13),
    "a group length": (of_persons("STUDY", (0x00080000, "UL", 20)), 13),
    "file meta": (of_persons("STUDY", (0x00020010, "UI", "1.2.3")), 13),
    "an element twice": ([*of_persons("STUDY"), (0x00100020, "LO", "X2")], 1),
    "range of dates": (of_persons("STUDY", (0x00080020, "DA", "20200101-20200102")), 2),
    "list of dates": (of_persons("STUDY", (0x00080020, "DA", "20200101\\20200103")), 2),
    "a blank before a date": (of_persons("STUDY", (0x00080020, "DA", " 20200101")), 0),
    "wildcard in a date": (of_persons("STUDY", (0x00080020, "DA", "2020*")), -1),
    "wildcard in a UID": (of_persons("STUDY", (0x0020000D, "UI", "1.2.3.*")), -1),
    "list of UIDs": (of_persons("STUDY", (0x0020000D, "UI", "1.2.3.0\\1.2.3.2")), 2),
    "time zone": (of_persons("STUDY", (0x00080201, "SH", "+0100")), 13),
    "title": (of_persons("STUDY", (0x00080054, "AE", "")), 13),
    "unknown character set": (of_persons("STUDY", (CHARACTER_SET, "CS", "NOBODY'S")), 13),
    "SOP class": (of_persons("IMAGE", (0x00080016, "UI", archive.CT)), 13),
    "SOP class of studies": (of_persons("STUDY", (0x00080062, "UI", archive.CT)), 13),
    "SOP classes of instances": (of_persons("IMAGE", (0x00080062, "UI", "")), -1),
    "number of instances": (of_persons("STUDY", (0x00201208, "IS", "1")), 13),
    "another VR": ([(LEVEL, "CS", "STUDY"), (0x00100020, "SH", "X*")], 13),
    "another VR of a date": (of_persons("STUDY", (0x00080020, "LO", "202001*")), -1),
    "a text in UN": ([(LEVEL, "CS", "STUDY"), (0x00100020, "UN", b"X1")], 0),
    "unknown tag": (of_persons("IMAGE", (0x00187777, "LO", "")), 13),
    "unknown tag with a value": (of_persons("IMAGE", (0x00187777, "LO", "a")), 0),
    "several values": (of_persons("IMAGE", (0x00280030, "DS", "0.5\\0.5")), 0),
    "one of several values": (of_persons("IMAGE", (0x00280030, "DS", "0.5")), 0),
    "name with an empty part": (of_persons("STUDY", (0x00100010, "PN", "~^\xa5")), 0),
    "private": (of_persons("IMAGE", (0x00111001, "LO", "private 1")), 1),
    "private with a wildcard": (of_persons("IMAGE", (0x00111001, "LO", "private*")), -1),
    "instance tag of a patient": (of_persons("PATIENT", (0x00200013, "IS", "1")), -1),
    "modality of a patient": (of_persons("PATIENT", (0x00080060, "CS", "CT")), -1),
    "modalities of a patient": (of_persons("PATIENT", (0x00080061, "CS", "CT")), 0),
    "modalities": ([(LEVEL, "CS", "STUDY"), (0x00080061, "CS", "MR\\PT")], 2),
    "modalities with a wildcard": ([(LEVEL, "CS", "STUDY"), (0x00080061, "CS", "M*")], 0),
    "everything": ([(LEVEL, "CS", "IMAGE")], 22),
}


# Where the VR is the case, or pydicom warns of what it does not know.
EXPLICIT_ONLY = (
    "a number as text",
    "another VR of a date",
    "a text in UN",
    "private",
    "unknown tag",
)


@pytest.mark.parametrize("name", CASES)
def test_cases(both: Both, name: str) -> None:
    elements, amount = CASES[name]
    for syntax in SYNTAXES:
        if syntax != IMPLICIT or not name.startswith(EXPLICIT_ONLY):
            found = assert_same(both, elements, syntax)
            assert found == -1 if amount == -1 else found >= amount


QUERIES_IN_SETS: list[tuple[str, bytes]] = [
    ("", b"M\xfcller*"),
    ("ISO_IR 100", b"M\xfcller*"),
    ("ISO_IR 144", "Люкceмбypг".encode("iso8859-5")),  # noqa: RUF001
    ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎*".encode("iso2022_jp")),
    ("\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=*"),
    ("GB18030", "*王*".encode("gb18030")),
]


@pytest.mark.parametrize("character_set", CHARACTER_SETS)
def test_character_sets_of_answers_and_queries(both: Both, character_set: str) -> None:
    """A change of the default holds for the next query."""
    try:
        for url in both.urls:
            httpx.put(f"{url}/tools/default-encoding", content=character_set).raise_for_status()
        shown: list[Element] = [(0x00100010, "PN", ""), (0x00104000, "LT", ""), SEQUENCE]
        assert assert_same(both, of_persons("STUDY", *shown)) == len(PEOPLE)
        for term, name in QUERIES_IN_SETS:
            own = [(CHARACTER_SET, "CS", term)] if term else []
            found = assert_same(both, of_persons("STUDY", *own, (0x00100010, "PN", name)))
            assert found == 1 or not term
    finally:
        for url in both.urls:
            httpx.put(f"{url}/tools/default-encoding", content="Latin1").raise_for_status()
