"""C-FIND of modalities by our server and by Orthanc 1.13: both ask the same SCP, which remembers
what it was asked. Answers, errors and identifiers are the same."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom._dicom_dict import DicomDictionary
from pydicom.filereader import read_dataset
from support.dicom_peer import VERIFICATION
from support.find_scp import (
    PATIENT_ROOT,
    STUDY_ROOT,
    SYNTAXES,
    WORKLIST,
    Asked,
    FindScp,
    find_scp,
)
from support.pair import Pair, started_pair

from orthanc_fast.dicom.dictionary import TEXT_VRS

LEVELS = ("Patient", "Study", "Series", "Instance")
MAKERS = ("Generic", "GenericNoWildcardInDates", "GenericNoUniversalWildcard", "Vitrea", "GE")


class Both:
    """Both servers, and the SCP that they ask."""

    def __init__(self, pair: Pair, scp: FindScp) -> None:
        self.pair = pair
        self.scp = scp

    def modality(self, name: str = "scp", **fields: Any) -> str:
        """Adds one that is the SCP; the path of it."""
        value = {"AET": "FINDSCP", "Host": "127.0.0.1", "Port": self.scp.port, **fields}
        for client in (self.pair.ours, self.pair.theirs):
            assert client.put(f"/modalities/{name}", json=value).status_code == 200
        return f"/modalities/{name}"

    def send(self, method: str, path: str, body: Any = None) -> tuple[Any, Any]:
        """Sends to both; what they answer is the same, and what they have asked. The answers."""
        return self.send_each(method, (path, path), body)

    def send_each(self, method: str, paths: tuple[str, str], body: Any = None) -> tuple[Any, Any]:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        seen = []
        for client, path in zip((self.pair.ours, self.pair.theirs), paths, strict=True):
            answer = client.request(method, path, content=content)
            seen.append((answer, [comparable(each) for each in self.scp.taken()]))
        (ours, asked), (theirs, expected) = seen
        where = f"{method} {paths[0]} {body}: {ours.text[:400]}\n{theirs.text[:400]}"
        assert ours.status_code == theirs.status_code, where
        assert asked == expected, where
        assert bool(ours.content) == bool(theirs.content), where
        if theirs.status_code >= 400:
            if not theirs.content:
                return None, None
            for field in ("OrthancStatus", "ErrorPayload"):
                assert ours.json().get(field) == theirs.json().get(field), where
            if theirs.json()["OrthancStatus"] in (7, 9, 2015, 2016):
                assert ours.json()["Details"] == theirs.json()["Details"], where
            return None, None
        assert ours.headers.get("content-type") == theirs.headers.get("content-type"), where
        if not theirs.headers.get("content-type", "").startswith("application/json"):
            assert ours.text == theirs.text, where
            return ours.text, theirs.text
        if '"Path"' not in theirs.text:
            assert ours.json() == theirs.json(), where
        return ours.json(), theirs.json()

    def query(self, body: Any, path: str = "/modalities/scp/query") -> tuple[str, str]:
        """Asks the SCP; the paths of the two queries."""
        answers = self.send("POST", path, body)
        assert all(answer is not None for answer in answers), body
        return answers[0]["Path"], answers[1]["Path"]

    def compare_answers(self, paths: tuple[str, str]) -> None:
        """All that can be seen of a query."""
        self.get(paths, "", "/level", "/modality", "/query", "/query?short", "/query?simplify")
        for form in ("", "&simplify", "&short", "&full", "&simplify&short"):
            self.get(paths, f"/answers?expand{form}", f"/answers/0/content?{form}")

    def get(self, paths: tuple[str, str], *tails: str) -> None:
        for tail in tails:
            self.send_each("GET", (paths[0] + tail, paths[1] + tail))


def comparable(asked: Asked) -> Any:
    """With the elements of the identifier without padding. Group 2 has no place in it."""
    is_implicit = asked.syntax == "1.2.840.10008.1.2"
    big = asked.syntax == "1.2.840.10008.1.2.2"
    found = read_dataset(BytesIO(asked.identifier), is_implicit, not big)
    elements = [
        (tag, bytes(found.get_item(tag).value or b"").rstrip(b" \0"))
        for tag in found.keys()  # noqa: SIM118 - a data set is no mapping
        if tag >> 16 > 2
    ]
    return asked._replace(identifier=b""), elements


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), {}) as pair:
        yield pair


@pytest.fixture(scope="module")
def scp() -> Iterator[FindScp]:
    with find_scp() as scp:
        yield scp


@pytest.fixture
def both(pair: Pair, scp: FindScp) -> Both:
    scp.say(data_set(PatientID="P"))
    both = Both(pair, scp)
    both.modality()
    return both


def data_set(**values: Any) -> Dataset:
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize("level", [*LEVELS, "patients", "STUDY", "image", "Images", "x", ""])
def test_levels(both: Both, level: str) -> None:
    both.scp.say(data_set(PatientID="P"))
    both.send("POST", "/modalities/scp/query", {"Level": level, "Query": {}})


BODIES: list[Any] = [b"", b"{", b"[]", b"3", b"null", b'"x"', {}, {"Level": 3}, {"Level": None}]
QUERIES: list[Any] = [None, [], "x", 3, {"PatientName": None}, {"PatientName": 3}]
QUERIES += [{"PatientName": []}, {"PatientName": {}}, {"Nope": "x"}, {"": "x"}, {"10,10": "x"}]
QUERIES += [{"0010,0010": "x"}, {"00100010": "x"}, {"0010-0010": "x"}, {"0008,0000": "1"}]
QUERIES += [{"0008,0052": "x"}, {"RETIRED_OtherPatientIDs": "x"}, {"0002,0003": "1.2"}]
VALUES: list[Any] = [None, 3, 0, "", "x", [], {}, True, False, 1.5]
TIMEOUTS: list[Any] = [None, 0, 3, -1, 1.0, 1.5, True, "3", "", [], (1 << 32) - 1, 1 << 32]
TIMEOUTS += [1 << 63, 1 << 64, -(1 << 63)]


def test_bodies(both: Both) -> None:
    both.scp.say(data_set(PatientID="P"))
    for body in BODIES:
        both.send("POST", "/modalities/scp/query", body)
    for query in QUERIES:
        for normalize in (True, False):
            body = {"Level": "Study", "Query": query, "Normalize": normalize}
            both.send("POST", "/modalities/scp/query", body)
    both.send("POST", "/modalities/scp/query", {"Level": "Study"})
    for field, values in (("Normalize", VALUES), ("LocalAet", VALUES), ("Timeout", TIMEOUTS)):
        for value in values:
            both.send("POST", "/modalities/scp/query", {"Level": "Study", field: value})
    for name in ("X" * 17, "A B", "é"):
        both.send("POST", "/modalities/scp/query", {"Level": "Study", "LocalAet": name})
    for body in ({"Level": "Study"}, {}, b""):
        both.send("POST", "/modalities/nope/query", body)


VRS = {
    "0028,0010": ("1", "x", "", "1\\2", "-1", "65536", "1.5"),
    "0040,0100": ("", "x"),
    "7fe0,0010": ("x",),
    "0018,9073": ("", "1.5", "x"),
    "0028,0009": ("", "0010,0010", "PatientID", "x"),
    "0020,000d": ("1.2.3", " 1.2", "x y"),
    "0008,0020": ("20200101-20201231", " 2020 "),
    "0010,4000": ("a\\b", " a ", "a\0b", "a\nb", "data:application/octet-stream;base64,QUJD"),
}


@pytest.mark.parametrize("tag", VRS)
def test_values(both: Both, tag: str) -> None:
    for value in VRS[tag]:
        body = {"Level": "Study", "Query": {tag: value}, "Normalize": False}
        both.send("POST", "/modalities/scp/query", body)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("maker", MAKERS)
def test_manufacturers(both: Both, level: str, maker: str) -> None:
    path = both.modality("m", Manufacturer=maker, LocalAet="LOCAL") + "/query"
    query = {"PatientName": "*", "PatientBirthDate": "*", "StudyDate": "20*", "StudyTime": "*"}
    query |= {
        "SeriesDate": "*",
        "StudyDescription": "a*b",
        "Modality": "",
        "PatientBirthTime": "**",
    }
    both.send("POST", path, {"Level": level, "Query": query, "Normalize": False})
    both.send("POST", path, {"Level": level, "Query": query})
    given = {**query, "PatientID": "", "StudyInstanceUID": "1.2", "SOPInstanceUID": "1"}
    both.send("POST", path, {"Level": level, "Query": given})


TAGS = [
    f"{tag >> 16:04x},{tag & 0xFFFF:04x}"
    for tag, (vr, *_) in DicomDictionary.items()
    if tag >> 16 > 2 and vr in TEXT_VRS and tag != 0x00080005
]
OTHERS = ["0009,0010", "0009,1001", "0029,0109", "0008,0000", "0050,0099"]


@pytest.mark.parametrize("level", LEVELS)
def test_every_attribute_of_the_standard(both: Both, level: str) -> None:
    query = dict.fromkeys([*TAGS, *OTHERS], "")
    both.send("POST", "/modalities/scp/query", {"Level": level, "Query": query})


TERMS = ["", "ISO_IR 192", "iso_ir 192", " ISO_IR 192 ", "GBK", "ISO_IR 6", "ISO_IR 13", "x"]
TERMS += ["ISO 2022 IR 6\\ISO 2022 IR 87", "\\ISO 2022 IR 87"]


@pytest.mark.parametrize("term", TERMS)
def test_character_sets_of_queries(both: Both, term: str) -> None:
    query = {"PatientName": "é日", "SpecificCharacterSet": term}
    both.send("POST", "/modalities/scp/query", {"Level": "Study", "Query": query})
    both.send("POST", "/modalities/scp/find-worklist", query)
    both.send("POST", "/modalities/scp/find-patient", query)


@pytest.mark.parametrize("name", ["Utf8", "Ascii", "Latin1", "Greek", "Chinese", "Japanese"])
def test_default_encodings(both: Both, name: str) -> None:
    both.scp.say(data_set(SpecificCharacterSet="ISO_IR 192", PatientName="Abc"))
    try:
        for client in (both.pair.ours, both.pair.theirs):
            assert client.put("/tools/default-encoding", content=name).status_code == 200
        body = {"Level": "Study", "Query": {"PatientName": "A日Ж한"}}
        both.compare_answers(both.query(body))
        both.send("POST", "/modalities/scp/find-worklist", {"PatientName": "A日Ж"})
        both.send("POST", "/modalities/scp/find-patient", {"PatientName": "A日Ж"})
    finally:
        for client in (both.pair.ours, both.pair.theirs):
            client.put("/tools/default-encoding", content="Latin1")


def rich() -> Dataset:
    """Elements of all kinds."""
    found = data_set(StudyInstanceUID="1.2.3", PatientID="P ", PatientName="A^B", StudyDate="")
    found.SOPInstanceUID, found.AccessionNumber = "1.2.3.4", ""
    found.ImageComments, found.OtherPatientIDs = "y" * 300, ["a", "b"]
    found.StudyDescription, found.PatientComments = "  lead", "z" * 256
    found.ProcedureCodeSequence = [data_set(CodeValue="1")]
    found.ReferencedImageSequence = []
    for tag, vr, value in ELEMENTS:
        found.add_new(tag, vr, value)
    return found


ELEMENTS: list[tuple[int, str, Any]] = [
    *((0x00280010, "US", 512), (0x00280011, "US", None), (0x00720062, "IS", "3")),
    *((0x00186018, "UL", 4294967295), (0x00186022, "UL", None), (0x00189328, "FD", 0.1)),
    *((0x00189073, "FD", [1.5, 2.5]), (0x0018605A, "FL", 0.1), (0x00200013, "IS", "3")),
    *((0x00280009, "AT", [0x00100010, 0x00100020]), (0x00189004, "UN", b"")),
    *((0x00200099, "UN", b"abc "), (0x00100020, "UN", b"PIDUN "), (0x00080119, "UC", "uc")),
    *((0x00080120, "UR", "http://x"), (0x00409210, "SH", "a"), (0x00282000, "OB", b"abcd")),
    *((0x00100099, "LO", "nobody knows"), (0x00111010, "LO", "no creator")),
    *((0x00290010, "LO", "SIEMENS CSA HEADER"), (0x00291008, "CS", "IMAGE NUM 4")),
    *((0x00291009, "LO", "20"), (0x00291010, "OB", b"ab")),
    *((0x00290011, "LO", "NOBODY"), (0x00291110, "SL", 5), (0x00291111, "SQ", [Dataset()])),
]


def test_answers(both: Both) -> None:
    latin = data_set(SpecificCharacterSet="ISO_IR 100", PatientName="Ä^B", RetrieveAETitle="X")
    utf8 = data_set(SpecificCharacterSet="ISO_IR 192", PatientName="Ä", QueryRetrieveLevel="IMAGE")
    plain = data_set(SpecificCharacterSet="", StudyDescription="abc", SeriesInstanceUID="1.2")
    both.scp.say(rich(), latin, utf8, plain, data_set(PatientID="   "))
    query = {"PatientName": "x*", "0009,1001": "1", "SpecificCharacterSet": "ISO_IR 13"}
    paths = both.query({"Level": "Study", "Query": query})
    both.compare_answers(paths)
    for number in range(5):
        both.get(paths, f"/answers/{number}", f"/answers/{number}/content")
    arguments = ("", "?simplify", "?expand=true", "?expand=false", "?expand=x", "?expand=1&short")
    both.get(paths, *(f"/answers{each}" for each in arguments))


NUMBERS = ["5", "x", "-1", "+1", "1.0", "00", "%201", "99999999999", "9" * 23]


def test_what_there_is_not(both: Both) -> None:
    both.scp.say(data_set(PatientID="P"))
    paths = both.query({"Level": "Study", "Query": {}})
    for number in NUMBERS:
        both.get(paths, f"/answers/{number}", f"/answers/{number}/content")
    both.get(paths, "/nope", "/answers/0/nope", "/answers/0/query-series", "/answers/0/query-study")
    nope = "/queries/nope"
    both.get((nope, nope), "", "/level", "/modality", "/query", "/answers", "/answers?expand")
    both.get((nope, nope), "/answers/0", "/answers/x", "/answers/0/content", "/nope")
    for method in ("POST", "PUT", "DELETE"):
        for path in ("/queries", "/queries/nope", "/queries/nope/answers", "/queries/nope/nope"):
            both.send(method, path, b"")
    for tail in ("/answers/0", "/level", ""):
        both.send_each("DELETE", (paths[0] + tail, paths[1] + tail))
    both.get(paths, "", "/answers")


BELOW: list[Any] = [{}, b"null", b"", b"{", {"Query": {"PatientID": "O", "0020,000d": "9.9"}}]
BELOW += [{"Query": {"StudyDescription": "x", "0009,1001": "1"}}, {"Normalize": True}]
BELOW += [{"LocalAet": "LL"}, {"LocalAet": 3}, {"Normalize": 3}, {"Level": "x"}, {"Timeout": 5}]
BELOW += [{"Query": 3}, {"Query": None}, {"Query": {"x": "y"}}, {"Query": {"PatientID": 3}}]
BELOW += [{"Timeout": each} for each in ("x", -1, None)]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("normalize", [True, False])
def test_what_is_below_an_answer(both: Both, level: str, normalize: bool) -> None:
    both.scp.say(
        data_set(
            StudyInstanceUID="1.2.3",
            PatientID="P",
            PatientName="A",
            SeriesInstanceUID="1.2.3.4",
            SOPInstanceUID="1.2.3.4.5",
        )
    )
    body = {"Level": level, "Query": {}, "Normalize": normalize, "LocalAet": "MINE"}
    paths = both.query(body)
    both.get(paths, "/answers/0")
    for name in ("query-studies", "query-series", "query-instances", "query-patients"):
        for order in BELOW if level == "Study" else BELOW[:6]:
            tail = f"/answers/0/{name}"
            found = both.send_each("POST", (paths[0] + tail, paths[1] + tail), order)
            if found[0] is not None:
                both.get((found[0]["Path"], found[1]["Path"]), "/query", "/level", "/modality")
    for tail in ("/answers/7/query-instances", "/answers/x/query-instances"):
        both.send_each("POST", (paths[0] + tail, paths[1] + tail), b"{")


def test_below_an_answer_without_its_key(both: Both) -> None:
    both.scp.say(data_set(PatientID="P"))
    paths = both.query({"Level": "Study", "Query": {}})
    tail = "/answers/0/query-series"
    both.send_each("POST", (paths[0] + tail, paths[1] + tail), b"{}")
    both.send("POST", "/queries/nope/answers/0/query-series", b"{}")


def test_the_modality_changes(both: Both) -> None:
    both.scp.say(data_set(PatientID="P", StudyInstanceUID="1.2"))
    path = both.modality("changing", Manufacturer="GE", LocalAet="ONE")
    paths = both.query({"Level": "Study", "Query": {"PatientName": "*"}}, f"{path}/query")
    both.modality("changing", LocalAet="TWO")
    tail = "/answers/0/query-series"
    both.send_each("POST", (paths[0] + tail, paths[1] + tail), b"{}")
    both.send("DELETE", path)
    both.send_each("POST", (paths[0] + tail, paths[1] + tail), b"{}")
    both.get(paths, "/modality", "/answers?expand")


STATUSES = [0xA700, 0xA900, 0xC000, 0xC001, 0xC123, 0xFE00, 0xB000, 0xB001, 0x0122, 0x0001, 0x1234]


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(both: Both, status: int) -> None:
    found = data_set(PatientID="P", StudyInstanceUID="1.2")
    for answers in ((), (found,)):
        both.scp.say(*answers, status=status)
        both.send("POST", "/modalities/scp/query", {"Level": "Study", "Query": {}})
        both.send("POST", "/modalities/scp/find-worklist", {})
        both.send("POST", "/modalities/scp/find-patient", {})
        both.send("POST", "/modalities/scp/find", {})


@pytest.mark.parametrize("sop_class", [PATIENT_ROOT, STUDY_ROOT, WORKLIST, VERIFICATION])
def test_what_is_not_accepted(both: Both, sop_class: str) -> None:
    with find_scp([sop_class]) as other:
        other.say(data_set(PatientID="P", StudyInstanceUID="1.2"))
        path = both.modality("other", Port=other.port)
        for level in ("Patient", "Study"):
            both.send("POST", f"{path}/query", {"Level": level, "Query": {}})
        both.send("POST", f"{path}/find-worklist", {})
        both.send("POST", f"{path}/find-patient", {})
        both.send("POST", f"{path}/find-study", {"PatientID": "ABC"})


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_transfer_syntaxes(both: Both, syntax: str) -> None:
    with find_scp(syntaxes=[syntax]) as other:
        other.say(data_set(PatientID="P", Rows=3, PatientName="A", PatientComments="y" * 300))
        both = Both(both.pair, other)
        path = both.modality("other")
        query = {"PatientName": "x", "Rows": "258", "0018,9073": "1.5"}
        body = {"Level": "Study", "Query": query, "Normalize": False}
        both.compare_answers(both.query(body, f"{path}/query"))
        item = {"Modality": "CT", "0018,9073": "1.5"}
        both.send("POST", f"{path}/find-worklist", {"ScheduledProcedureStepSequence": [item]})


def worklist_item() -> Dataset:
    code = data_set(CodeValue="C", CodeMeaning="é")
    code.add_new(0x00100099, "LO", "nobody knows")
    code.add_new(0x00282000, "OB", b"abcd")
    step = data_set(Modality="CT", ScheduledStationAETitle="ST")
    step.ScheduledProtocolCodeSequence = [code, data_set(CodeValue="D")]
    found = rich()
    found.SpecificCharacterSet, found.PatientName = "ISO_IR 100", "Ä^B"
    found.ScheduledProcedureStepSequence = [step]
    return found


STEP = "ScheduledProcedureStepSequence"
WORKLIST_QUERY = {"PatientName": "*", STEP: [{"Modality": "CT", "0040,0008": []}]}
WORKLIST_BODIES: list[Any] = [{}, b"", b"{", {"Query": {}}, {"Query": None}, {"Query": 3}]
WORKLIST_BODIES += [{"Query": []}, {"x": "y"}, {"Query": {"x": "y"}}, {"PatientName": 3}]
WORKLIST_BODIES += [{"PatientName": None}, {STEP: []}, {STEP: [{}]}, {STEP: [{}, {}]}, {STEP: "x"}]
WORKLIST_BODIES += [{STEP: [3]}, {"PatientName": [{}]}, {"Rows": "512"}, {"Rows": "x"}]
WORKLIST_BODIES += [{"0008,0052": "x"}, {"0008,0000": "3"}, {STEP: None}]
WORKLIST_BODIES += [{"0009,0010": "CREATOR", "0009,1001": "x"}, {"PatientName": " a "}]
WORKLIST_BODIES += [{STEP: [{"Modality": " a ", "x": ""}]}, {STEP: [{"Modality": " é "}]}]
WORKLIST_BODIES += [{"PatientName": "data:application/octet-stream;base64,QUJD"}]


def test_worklists(both: Both) -> None:
    both.scp.say(worklist_item(), data_set(PatientID="P"))
    path = "/modalities/scp/find-worklist"
    for body in (WORKLIST_QUERY, *WORKLIST_BODIES):
        both.send("POST", path, body)
    forms: list[dict[str, Any]] = [{}, {"Full": True}, {"Short": True}, {"Simplify": True}]
    forms += [{"Full": False}, {"Full": True, "Short": True}, {"Full": True, "Simplify": True}]
    forms += [{"Full": 3}, {"Full": None}, {"Timeout": "x"}, {"Timeout": 5}, {"LocalAet": "LL"}]
    for form in forms:
        both.send("POST", path, {"Query": WORKLIST_QUERY, **form})
    both.send("POST", "/modalities/nope/find-worklist", {})
    for maker in MAKERS:
        other = both.modality("m", Manufacturer=maker, LocalAet="LOCAL")
        both.send("POST", f"{other}/find-worklist", {"PatientName": "*", "StudyDate": "*"})


UIDS = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
FINDS: list[Any] = [{}, [], b"", b"3", b"null", b"{", {"PatientID": "P"}, {"PatientID": "ABC"}]
FINDS += [{"AccessionNumber": "ABC"}, {"PatientName": "ABC"}, {"PatientID": "***"}, UIDS]
FINDS += [{"PatientID": "ABC", "StudyInstanceUID": "1.2.3"}, {"PatientID": "ABC", **UIDS}]
FINDS += [{"PatientID": "ABC", "StudyInstanceUID": "1"}, {"PatientID": "ABC", **UIDS, "Rows": "1"}]
FINDS += [{"AccessionNumber": "ABC", **UIDS, "Modality": "CT", "0009,1001": "x"}, {"Nope": "x"}]
FINDS += [{"PatientID": 3}, {"PatientID": 333}, {"PatientID": True}, {"PatientID": None}]
FINDS += [{"PatientID": "ABC", **UIDS, **dict.fromkeys(TAGS, "")}, {"Query": {}}, {"PatientID": []}]


@pytest.mark.parametrize("kind", ["", "-patient", "-study", "-series", "-instance"])
def test_deprecated_finds(both: Both, kind: str) -> None:
    found = worklist_item()
    found.PatientID = "P"
    both.scp.say(found, data_set(PatientID="Q", StudyInstanceUID="1.2"))
    for body in FINDS if kind else FINDS[::4]:
        both.send("POST", f"/modalities/scp/find{kind}", body)
    both.send("POST", f"/modalities/nope/find{kind}", {"PatientID": "ABC", **UIDS})
    for maker in ("GE", "GenericNoWildcardInDates"):
        path = both.modality("m", Manufacturer=maker, LocalAet="LOCAL")
        body = {"PatientID": "ABC", **UIDS, "StudyDate": "*", "SeriesDate": "*"}
        both.send("POST", f"{path}/find{kind}", body)
    both.scp.say()
    both.send("POST", f"/modalities/scp/find{kind}", {"PatientID": "ABC", **UIDS})
