"""Instances that are modified and anonymized, tag by tag beside Orthanc 1.13."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import FileDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from support import created, generated
from support.edited import Canonical, file_bytes, item, read, sequence

Both = tuple[httpx.Client, httpx.Client]

NAME = "General^Nested"


def sample(number: int = 1) -> FileDataset:
    """References and identifiers at several depths, private elements, a text of Latin 1."""
    dataset = generated.base()
    study, series = f"1.2.3.{number}", f"1.2.3.{number}.2"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{series}.3")
    dataset.PatientID = f"P{number}"
    dataset.PatientName = "Müller^Jörg"
    dataset.FrameOfReferenceUID = "1.2.3.9"
    dataset.file_meta.SourceApplicationEntityTitle = "SOURCE"
    block = dataset.private_block(0x0029, "ORTHANC FAST BENCH", create=True)
    block.add_new(1, "LO", "private")
    nested = item(
        PatientID=dataset.PatientID,
        StudyDescription="described",
        StudyInstanceUID=study,
        SeriesInstanceUID=series,
        SOPInstanceUID=dataset.SOPInstanceUID,
        FrameOfReferenceUID="1.2.3.9",
        PatientBirthDate="20000101",
        Rows=7,
    )
    nested.private_block(0x0029, "ORTHANC FAST BENCH", create=True).add_new(1, "LO", "inside")
    reference = item(ReferencedSOPClassUID="1.2", ReferencedSOPInstanceUID=dataset.SOPInstanceUID)
    reference.PurposeOfReferenceCodeSequence = sequence(item(CodeValue="1"), item(CodeValue="2"))
    other = item(ReferencedSOPInstanceUID="1.2.3.77")
    dataset.ReferencedImageSequence = sequence(reference, other)
    dataset.SourceImageSequence = sequence(nested)
    dataset.ReferencedFrameOfReferenceSequence = sequence(
        item(RTReferencedStudySequence=sequence(item(ReferencedSOPInstanceUID=study)))
    )
    dataset.RequestAttributesSequence = sequence(item(RequestedProcedureID="1"))
    dataset.Rows, dataset.Columns = 2, 2
    dataset.PixelRepresentation, dataset.BitsAllocated = 0, 16
    dataset.PixelData = bytes(range(8))
    return dataset


def stored(both: Both, data: bytes) -> str:
    """The servers are those of other modules too: what they have is replaced by what is sent."""
    answers = []
    for client in both:
        answer = client.post("/instances", content=data).json()
        if answer["Status"] == "AlreadyStored":
            client.delete(answer["Path"])
            answer = client.post("/instances", content=data).json()
        assert answer["Status"] == "Success"
        answers.append(answer)
    assert answers[0]["ID"] == answers[1]["ID"]
    return str(answers[0]["ID"])


@pytest.fixture(scope="module")
def instance(both: Both) -> str:
    return stored(both, file_bytes(sample()))


def send(both: Both, path: str, body: Any) -> tuple[httpx.Response, httpx.Response]:
    content = body if isinstance(body, str) else json.dumps(body)
    ours, theirs = (client.post(path, content=content) for client in both)
    return ours, theirs


def assert_same(both: Both, path: str, body: Any) -> None:
    ours, theirs = send(both, path, body)
    assert ours.status_code == theirs.status_code, (ours.text, theirs.text)
    if ours.status_code >= 400:
        left, right = ours.json(), theirs.json()
        assert left["OrthancStatus"] == right["OrthancStatus"], (left, right)
        if right.get("Details") is not None:
            assert left.get("Details") == right["Details"]
        return
    assert ours.headers["content-type"] == theirs.headers["content-type"] == "application/dicom"
    left, right = read(ours.content), read(theirs.content)
    assert Canonical().tree(left) == Canonical().tree(right)
    assert left.file_meta.MediaStorageSOPInstanceUID == left.SOPInstanceUID
    assert left.file_meta.MediaStorageSOPClassUID == right.file_meta.MediaStorageSOPClassUID
    assert left.file_meta.TransferSyntaxUID == right.file_meta.TransferSyntaxUID


def binary(data: bytes) -> str:
    return "data:application/octet-stream;base64," + base64.b64encode(data).decode()


MODIFICATIONS: list[Any] = [
    {},
    {"Replace": {"PatientName": "Élan^Vital", "StudyDescription": "new"}},
    {"Replace": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "Ελένη", "0008,1030": "Ж"}},
    {"Replace": {"PatientName": "Ελένη a"}},
    {"Remove": ["PatientName", "SourceImageSequence", "Rows"]},
    {"Remove": ["PatientName"], "Replace": {"PatientName": "wins"}},
    {"Remove": ["SOPClassUID"]},
    {"Replace": {"SOPClassUID": ""}},
    {"Replace": {"PatientName": "loses"}, "Keep": ["PatientName"]},
    {"RemovePrivateTags": True},
    {"RemovePrivateTags": True, "Keep": ["0029,0010", "0029,1001"]},
    {"RemovePrivateTags": True, "Keep": ["0029,1001"]},
    {"Replace": {"StudyInstanceUID": "9.1"}, "Force": True},
    {"Replace": {"SeriesInstanceUID": "9.2"}, "Force": True},
    {"Replace": {"PatientID": "other"}, "Force": True},
    {"Replace": {"SOPInstanceUID": "9.3", "SOPClassUID": "9.4"}, "Force": True},
    {"Keep": ["SOPInstanceUID"], "Force": True},
    {"Replace": {"PatientID": "x"}, "Keep": ["StudyInstanceUID"], "Force": True},
    {"Remove": ["SourceImageSequence[0].PatientID", "ReferencedImageSequence[*].0008,1155"]},
    {"Replace": {"SourceImageSequence[0].PatientName": NAME, "SourceImageSequence[0].Rows": "9"}},
    {"Replace": {"ReferencedImageSequence[1].PatientName": NAME}},
    {"Replace": {"ReferencedImageSequence[*].PurposeOfReferenceCodeSequence[1].CodeValue": "x"}},
    {"Replace": {"ReferencedImageSequence[5].PatientName": NAME, "Rows[0].PatientName": NAME}},
    {"Replace": {"ReferencedImageSequence[*].PatientName": "a", "0008,1140[0].PatientName": "b"}},
    {
        "Replace": {
            "SourceImageSequence[0].ReferencedImageSequence": [{"PatientName": "a"}],
            "SourceImageSequence[0].ReferencedImageSequence[0].PatientID": "b",
        }
    },
    {"Replace": {"SourceImageSequence": [{"PatientName": NAME, "Rows": "5"}, [], {}]}},
    {"Replace": {"SourceImageSequence": [{"ReferencedImageSequence": [{"PatientID": "x"}]}]}},
    {"Replace": {"SourceImageSequence": []}},
    {"Replace": {"SourceImageSequence": [{"0002,0010": "x", "Rows": "1"}]}},
    {"Replace": {"SourceImageSequence[0].0002,0010": "x", "SourceImageSequence[0].0008,0000": "1"}},
    {"Replace": {"SourceImageSequence": ""}},
    {"Replace": {"PatientName": None, "PatientComments": ""}},
    {"Replace": {"Rows": "3", "ImagerPixelSpacing": "1\\2", "0018,9073": "1.5"}},
    {"Replace": {"Rows": "-1"}},
    {"Replace": {"FrameIncrementPointer": "0028,0010\\RescaleSlope"}},
    {"Replace": {"FrameIncrementPointer": " 0028,0010 "}},
    *({"Replace": {"0018,9073": text}} for text in ("NaN", "-inf", "Infinity", "1e5", ".5")),
    {"Replace": {"6000,3000": "1\\2\\3", "SmallestImagePixelValue": "5"}},
    {"Replace": {"PatientName": binary(b"1^2"), "0072,006d": binary(b"\x00\x01")}},
    {"Replace": {"PixelData": binary(b"\1\2\3\4")}},
    {"Replace": {"0029,1001": "known", "0029,1077": "unknown"}, "PrivateCreator": "nobody"},
    {"Replace": {"0031,0010": "SIEMENS"}},
    {"Replace": {"0008,0000": "1", "0002,0010": "1.2"}},
    {"Replace": {"PatientName": "x" * 70000}},
    {"Transcode": "1.2.840.10008.1.2"},
    {"Transcode": "1.2.840.10008.1.2.2", "Replace": {"PatientName": NAME}},
    {"Remove": ["ReferencedImageSequence[ 0 ] . 0008,1155 ", " (0010-0010)"]},
]

# A new sequence, which the profile acts on as well.
NEW = [
    {
        **{"PatientBirthDate": "20000101", "PatientID": "x", "StudyDescription": "y", "Rows": "5"},
        **{"StudyInstanceUID": "1.2.3", "ReferencedSOPInstanceUID": "1.2.4", "0029,0010": "z"},
        "SourceImageSequence": [{"FrameOfReferenceUID": "1.2.3.9", "PatientName": "w"}],
    }
]
FOR_NEW: list[dict[str, Any]] = [
    {"Keep": ["ReferencedImageSequence[0].PatientID", "StudyDescription"]},
    {"KeepPrivateTags": True, "Remove": ["ReferencedImageSequence[0].Rows"]},
    {"DicomVersion": "2008", "Remove": ["Rows"]},
]

ANONYMIZATIONS: list[Any] = [
    {},
    *({"DicomVersion": version} for version in ("2008", "2017c", "2021b", "2023b")),
    {"KeepPrivateTags": True},
    {"Keep": ["0029,0010", "0029,1001"]},
    {"Keep": ["PatientName", "PatientBirthDate", "StudyDescription"]},
    {"Keep": ["ReferencedImageSequence"]},
    {"Keep": ["SourceImageSequence[0].PatientID", "SourceImageSequence[*].0029,1001"]},
    {"Keep": ["SourceImageSequence[1].PatientID"]},
    {"Keep": ["FrameOfReferenceUID"]},
    {"Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"], "Force": True},
    {"Keep": ["PatientID"], "Force": True},
    {"Replace": {"PatientName": "me", "DeidentificationMethod": "mine"}},
    {"Replace": {"StudyInstanceUID": "9.1", "SOPInstanceUID": "9.3"}, "Force": True},
    {"Replace": {"FrameOfReferenceUID[0].PatientName": "x"}},
    *({"Replace": {"ReferencedImageSequence": NEW}, **more} for more in ({}, *FOR_NEW)),
    {
        "Replace": {"SourceImageSequence": NEW, "StudyDescription": "s", "SOPInstanceUID": "9.3"},
        "Force": True,
    },
    {"Replace": {"SourceImageSequence[0].PatientBirthDate": "20010101"}},
    {"Remove": ["Rows", "PatientName", "DeidentificationMethod"]},
    {"Remove": ["SourceImageSequence[0].Rows"]},
    {"Remove": ["FrameOfReferenceUID", "PatientIdentityRemoved"]},
    {"Replace": {}, "KeepPrivateTags": False, "Transcode": "1.2.840.10008.1.2"},
]


@pytest.mark.parametrize("body", MODIFICATIONS, ids=lambda body: json.dumps(body)[:60])
def test_modify(both: Both, instance: str, body: Any) -> None:
    assert_same(both, f"/instances/{instance}/modify", body)


@pytest.mark.parametrize("body", ANONYMIZATIONS, ids=lambda body: json.dumps(body)[:60])
def test_anonymize(both: Both, instance: str, body: Any) -> None:
    assert_same(both, f"/instances/{instance}/anonymize", body)


GRAY_16 = created.data_uri("image/png", created.image("PNG", created.GRAY.astype("u2") * 200))
COLOR = created.data_uri("image/png", created.image("PNG", created.GRAY, "RGB"))
COLOR_JPEG = created.data_uri("image/jpeg", created.image("JPEG", created.GRAY, "RGB"))
STL = created.data_uri("model/stl", b"solid a")
MODULE = ["Modality", "SOPClassUID", "PhotometricInterpretation", "Rows"]
CONTENT: list[Any] = [
    *({"PixelData": uri} for uri in (created.PNG, created.JPEG, COLOR, COLOR_JPEG, GRAY_16)),
    *({"PixelData": uri} for uri in (created.PDF, STL, created.RAW)),
    *({"EncapsulatedDocument": uri} for uri in (created.PDF, STL, COLOR)),
    {"PixelData": created.PNG.replace("image/png", "IMAGE/PNG")},
    {"PixelData": COLOR, "Rows": "3", "PlanarConfiguration": "1", "NumberOfFrames": "5"},
    {"PixelData": created.PNG, "PhotometricInterpretation": "X"},
    {"PixelData": GRAY_16, "EncapsulatedDocument": COLOR},
    {"EncapsulatedDocument": created.PDF, "Modality": "ZZ", "MIMETypeOfEncapsulatedDocument": "x"},
    {"EncapsulatedDocument": created.PDF, "PixelData": COLOR, "DocumentTitle": "t"},
    {"SourceImageSequence[0].EncapsulatedDocument": created.PDF},
    {"SourceImageSequence[0].PixelData": created.PNG},
    {"SourceImageSequence": [{"EncapsulatedDocument": STL}]},
    {"PixelData": created.data_uri("text/plain", b"abc")},
    {"PixelData": created.data_uri("image/png", b"abc")},
    {"PixelData": created.data_uri("a/b", b"abc")},
    {"EncapsulatedDocument": created.data_uri("application/pdf", b"abc")},
]


@pytest.mark.parametrize("what", ["modify", "anonymize"])
@pytest.mark.parametrize("removed", [[], MODULE], ids=["", "removed"])
@pytest.mark.parametrize("replaced", CONTENT, ids=lambda body: json.dumps(body)[:60])
def test_images_and_documents(
    both: Both, instance: str, what: str, removed: list[str], replaced: Any
) -> None:
    body = {"Replace": replaced, "Remove": removed}
    assert_same(both, f"/instances/{instance}/{what}", body)


@pytest.mark.parametrize("uri", [created.PNG, COLOR, GRAY_16, created.RAW, created.PDF])
@pytest.mark.parametrize("name", ["MR_small_bigendian.dcm", "image_dfl.dcm", "rtplan.dcm"])
def test_images_and_documents_in_other_encodings(both: Both, name: str, uri: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    public = stored(both, Path(path).read_bytes())
    assert_same(both, f"/instances/{public}/modify", {"Replace": {"PixelData": uri}})


@pytest.mark.parametrize("uri", [COLOR, binary(bytes(7 * 9 * 3 + 1))])
def test_an_image_instead_of_a_compressed_one(ours: httpx.Client, uri: str) -> None:
    path = get_testdata_file("SC_rgb_rle.dcm")
    assert isinstance(path, str)
    public = ours.post("/instances", content=Path(path).read_bytes()).json()["ID"]
    answer = ours.post(f"/instances/{public}/modify", json={"Replace": {"PixelData": uri}})
    made = read(answer.content)
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert len(made.PixelData) == 7 * 9 * 3 + 1


SEQUENCE = "ReferencedImageSequence"
WRONG: dict[str, list[Any]] = {  # values that no field takes
    "Remove": ["x", [1], {}],
    "Replace": ["x", []],
    "Keep": ["x", [2], {}],
    **{name: [1] for name in ("Force", "RemovePrivateTags", "KeepPrivateTags", "KeepLabels")},
    **{name: [1] for name in ("KeepSource", "PrivateCreator", "Transcode", "DicomVersion")},
}
BAD_PATHS = [
    *("Nope", "", ".", "PatientID", "0010,0020", "10,20", "[0].PatientName"),
    *(f"{SEQUENCE}{path}" for path in (".Rows", "[-1].Rows", "[x].Rows", "[0.Rows", "[0]")),
    *(f"{SEQUENCE}{path}" for path in ("[].Rows", "[1x].Rows", "[0].")),
    f"{SEQUENCE}[{'9' * 5000}].Rows",
]
BAD_VALUES: dict[str, list[Any]] = {
    "Nope": ["x", 1],
    "Rows": ["abc", 12, None, "70000", "1.5", "1\\x", " 1", binary(b"abc"), True, {}, [], "٣"],
    "PatientName": [12, True, {}, [], ["a"], "data:application/octet-stream;base64,M?I="],
    SEQUENCE: [
        *(None, "x", [1], ["x"], {}, binary(b"")),
        *([{"Nope": "x"}], [{"PatientName": 1}], [{"Rows": "abc"}]),
    ],
    "FrameIncrementPointer": ["zz", None, "٣", "(0028,0010)", binary(b"")],
    "0018,9073": ["infx", "1,5", "٣", binary(b"")],
    "PixelData": ["x"],
    "SOPInstanceUID": ["1.2"],
}
BAD: list[Any] = [
    *("[]", '"x"', "", "{", "null"),
    *({name: value} for name, values in WRONG.items() for value in values),
    *({"Transcode": value} for value in ("nope", "")),
    *({"Transcode": "1.2.840.10008.1.2.1", "LossyQuality": value} for value in (-1, 1.5, None)),
    {"DicomVersion": "x"},
    {"Priority": "x", "Permissive": 3, "Synchronous": 3, "LossyQuality": "x"},
    *({"Remove": [path]} for path in BAD_PATHS),
    {"Remove": ["PatientID"], "Force": True},
    *({"Replace": {f"SOP{what}UID": None}, "Force": True} for what in ("Class", "Instance")),
    {"Keep": ["SOPInstanceUID"]},
    *({"Replace": {name: value}} for name, values in BAD_VALUES.items() for value in values),
]


@pytest.mark.parametrize("what", ["modify", "anonymize"])
@pytest.mark.parametrize("body", BAD, ids=lambda body: json.dumps(body)[:60])
def test_bad_requests(both: Both, instance: str, what: str, body: Any) -> None:
    assert_same(both, f"/instances/{instance}/{what}", body)


@pytest.mark.parametrize("what", ["modify", "anonymize"])
def test_unknown_instance(both: Both, what: str) -> None:
    ours, theirs = send(both, f"/instances/{generated.identifier('nobody')}/{what}", {})
    assert ours.status_code == theirs.status_code == 404
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 17
