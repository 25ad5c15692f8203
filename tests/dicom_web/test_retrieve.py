"""WADO-RS of studies, series and instances beside the plugin."""

import io
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import numpy as np
import pydicom
import pytest
from support import generated
from support.dicom_web import DicomWebPair, parts
from support.files import file_named
from support.images import image_file

MULTIPART = 'multipart/related; type="application/dicom"'
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"

NATIVE = ("CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "rtplan.dcm", "liver.dcm")
LOSSLESS = ("SC_rgb_rle_2frame.dcm", "emri_small_jpeg_ls_lossless.dcm")
LOSSY = ("SC_rgb_jpeg_dcmtk.dcm", "JPEG-lossy.dcm")
UNDECODABLE_THERE = ("JPEG2000.dcm", "US1_J2KR.dcm")
FILES = (*NATIVE, *LOSSLESS, *LOSSY, *UNDECODABLE_THERE)


class Uids(NamedTuple):
    study: str
    series: str
    instance: str

    @property
    def path(self) -> str:
        return f"/dicom-web/studies/{self.study}/series/{self.series}/instances/{self.instance}"


def uids_of(data: bytes) -> Uids:
    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    return Uids(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)


def accept(value: str) -> dict[str, str]:
    return {"accept": value}


@pytest.fixture(scope="module")
def files(pair: DicomWebPair) -> dict[str, bytes]:
    found = {name: file_named(name).read_bytes() for name in FILES}
    pair.store(*found.values())
    return found


@pytest.fixture(scope="module")
def study(pair: DicomWebPair) -> list[bytes]:
    """Five slices in two series, stored in another order than that of their numbers."""
    made = []
    for series, number in ((2, 1), (1, 10), (1, 2), (1, 3), (2, 7)):
        dataset = generated.base()
        generated.add_pixels(dataset, generated.anatomy(32, seed=number))
        dataset.SeriesNumber, dataset.InstanceNumber = str(series), str(number)
        made.append(generated.encode(dataset).number(31, 31, series, 100 - number))
    pair.store(*made)
    return [made[at] for at in (2, 3, 1, 0, 4)]


def only_part(answer: httpx.Response) -> bytes:
    assert answer.status_code == 200, answer.text
    (part,) = parts(answer)
    assert part.headers["content-type"] == "application/dicom"
    return part.content


# Equal to the plugin


@pytest.mark.parametrize("name", FILES)
def test_as_stored(pair: DicomWebPair, files: dict[str, bytes], name: str) -> None:
    ours, theirs = pair.get(
        uids_of(files[name]).path, headers=accept(f"{MULTIPART}; transfer-syntax=*")
    )
    assert only_part(ours) == files[name]
    assert only_part(theirs) == files[name]
    assert set(parts(ours)[0].headers) == set(parts(theirs)[0].headers)
    assert list(parts(ours)[0].headers) == list(parts(theirs)[0].headers)
    assert "content-length" in ours.headers


def pixels(data: bytes) -> np.ndarray:
    dataset = pydicom.dcmread(io.BytesIO(data))
    assert dataset.file_meta.TransferSyntaxUID == EXPLICIT
    if "PixelData" not in dataset:
        return np.zeros(0)
    array: np.ndarray = dataset.pixel_array
    return array


@pytest.mark.parametrize("name", [*NATIVE, *LOSSLESS, *LOSSY])
@pytest.mark.parametrize("syntax", ["", f"; transfer-syntax={EXPLICIT}"])
def test_explicit_little_endian(
    pair: DicomWebPair, files: dict[str, bytes], name: str, syntax: str
) -> None:
    answers = pair.get(uids_of(files[name]).path, headers=accept(MULTIPART + syntax))
    ours, theirs = map(only_part, answers)
    if name in LOSSY:  # decoders of JPEG differ by rounding
        difference = pixels(ours).astype(int) - pixels(theirs)
        assert np.abs(difference).max() <= 3
    else:
        np.testing.assert_array_equal(pixels(ours), pixels(theirs))
    for keyword in ("SOPInstanceUID", "PhotometricInterpretation", "Rows", "PatientID"):
        read = [pydicom.dcmread(io.BytesIO(data)) for data in (ours, theirs)]
        assert read[0].get(keyword) == read[1].get(keyword)


@pytest.mark.parametrize("name", ["CT_small.dcm", "liver.dcm"])
def test_stored_in_the_default_syntax(
    pair: DicomWebPair, files: dict[str, bytes], name: str
) -> None:
    answers = pair.get(uids_of(files[name]).path)
    assert [only_part(answer) for answer in answers] == [files[name]] * 2


def test_study_has_a_part_for_each_instance(pair: DicomWebPair, study: list[bytes]) -> None:
    path = f"/dicom-web/studies/{uids_of(study[0]).study}"
    ours, theirs = pair.get(path, headers=accept(MULTIPART))
    assert [part.content for part in parts(ours)] == study  # by series and instance number
    assert sorted(part.content for part in parts(theirs)) == sorted(study)
    assert ours.headers["content-type"].startswith(f"{MULTIPART}; boundary=")
    assert ours.headers["transfer-encoding"] == "chunked"
    assert ours.headers["connection"] == "keep-alive"


def test_series(pair: DicomWebPair, study: list[bytes]) -> None:
    uids = uids_of(study[0])
    path = f"/dicom-web/studies/{uids.study}/series/{uids.series}"
    ours, theirs = pair.get(path)
    assert [part.content for part in parts(ours)] == study[:3]
    assert sorted(part.content for part in parts(theirs)) == sorted(study[:3])


@pytest.mark.parametrize(
    "value",
    [
        "*/*",
        "multipart/*",
        "multipart/related",
        MULTIPART,
        "multipart/related; type=application/dicom",
        "text/html, */*",
        "multipart/related; TYPE=Application/DICOM",
        "text/html; q=0.9, multipart/related; q=0.1",
    ],
)
def test_accepted(pair: DicomWebPair, files: dict[str, bytes], value: str) -> None:
    answers = pair.get(uids_of(files["CT_small.dcm"]).path, headers=accept(value))
    assert [only_part(answer) for answer in answers] == [files["CT_small.dcm"]] * 2


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("text/html", 406),
        ("", 406),
        ("application/dicom+json", 406),
        ("multipart/related; type=application/octet-stream", 406),
        ('multipart/related; type="application/dicom+xml"', 406),
        (f"{MULTIPART}; q=2", 400),
        (f"{MULTIPART}; transfer-syntax=1.2.3", 400),
    ],
)
def test_not_acceptable(
    pair: DicomWebPair, files: dict[str, bytes], value: str, status: int
) -> None:
    ours, theirs = pair.get(uids_of(files["CT_small.dcm"]).path, headers=accept(value))
    assert (ours.status_code, theirs.status_code) == (status, 400)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 8


@pytest.mark.parametrize(
    "place",
    [
        "1.2.3",
        "nonsense",
        "1.2.3/series/4.5",
        "1.2.3/series/4.5/instances/6.7",
        "{0}/series/4.5",
        "{0}/series/4.5/instances/{2}",
        "4.5/series/{1}/instances/{2}",
        "{0}/series/{1}/instances/4.5",
    ],
)
def test_unknown(pair: DicomWebPair, files: dict[str, bytes], place: str) -> None:
    path = place.format(*uids_of(files["CT_small.dcm"]))
    ours, theirs = pair.get(f"/dicom-web/studies/{path}")
    assert (ours.status_code, theirs.status_code) == (404, 404)
    mine, expected = ours.json(), theirs.json()
    assert (mine["OrthancStatus"], mine["Details"]) == (7, expected["Details"])


def test_wrong_method(pair: DicomWebPair, files: dict[str, bytes]) -> None:
    path = uids_of(files["CT_small.dcm"]).path
    ours, theirs = (client.put(path, content=b"") for client in pair)
    assert (ours.status_code, theirs.status_code) == (405, 405)


# Beyond the plugin


@pytest.mark.parametrize("name", UNDECODABLE_THERE)
def test_transcoded_where_the_plugin_cannot(
    pair: DicomWebPair, files: dict[str, bytes], name: str
) -> None:
    ours, theirs = pair.get(uids_of(files[name]).path)
    assert theirs.status_code == 500
    assert pixels(only_part(ours)).size > 0


def test_encoded_where_the_plugin_cannot(ours: httpx.Client) -> None:
    data = file_named("MR_small.dcm").read_bytes()
    ours.post("/instances", content=data)
    value = f"{MULTIPART}; transfer-syntax={JPEG_2000_LOSSLESS}"
    made = only_part(ours.get(uids_of(data).path, headers=accept(value)))
    dataset = pydicom.dcmread(io.BytesIO(made))
    assert dataset.file_meta.TransferSyntaxUID == JPEG_2000_LOSSLESS
    expected = pydicom.dcmread(io.BytesIO(data)).pixel_array
    np.testing.assert_array_equal(dataset.pixel_array, expected)


@pytest.fixture(scope="module")
def video(ours: httpx.Client) -> bytes:
    items = bytes.fromhex("feff00e000000000") + bytes.fromhex("feff00e008000000") + b"\0\0\0\1abcd"
    data = image_file(
        items,
        "1.2.840.10008.1.2.4.102",
        "OB",
        NumberOfFrames=5,
        StudyInstanceUID="1.2.3.77",
        SOPInstanceUID="1.2.3.77.1",
    )
    assert ours.post("/instances", content=data).status_code == 200
    return data


@pytest.mark.parametrize("value", ["*/*", MULTIPART, "application/dicom"])
def test_what_cannot_be_decoded_is_sent_as_stored(
    ours: httpx.Client, video: bytes, value: str
) -> None:
    answer = ours.get(uids_of(video).path, headers=accept(value))
    content = answer.content if value == "application/dicom" else only_part(answer)
    assert content == video


def test_transfer_syntax_that_is_impossible(ours: httpx.Client, video: bytes) -> None:
    answer = ours.get(
        uids_of(video).path, headers=accept(f"{MULTIPART}; transfer-syntax={EXPLICIT}")
    )
    assert answer.status_code == 406
    assert "transfer-syntax=*" in answer.json()["Details"]


def test_single_part(ours: httpx.Client, study_of_mine: list[bytes]) -> None:
    data = study_of_mine[0]
    path = uids_of(data).path
    answer = ours.get(path, headers=accept("application/dicom; transfer-syntax=*"))
    assert answer.content == data
    assert answer.headers["content-type"] == "application/dicom"
    tag = answer.headers["etag"]
    again = ours.get(
        path, headers={"accept": "application/dicom; transfer-syntax=*", "if-none-match": tag}
    )
    assert (again.status_code, again.content) == (304, b"")
    part = ours.get(
        path, headers={"accept": "application/dicom; transfer-syntax=*", "range": "bytes=128-131"}
    )
    assert (part.status_code, part.content) == (206, b"DICM")
    assert part.headers["content-range"] == f"bytes 128-131/{len(data)}"
    beyond = ours.get(path, headers={"accept": "application/dicom", "range": "bytes=99999999-"})
    assert beyond.status_code == 416
    argument = ours.get(f"{path}?accept=application/dicom", headers=accept("*/*"))
    assert argument.content == data


def test_single_part_of_a_large_file(ours: httpx.Client) -> None:
    data = generated.multiframe(12).number(35, 35, 1, 1)
    assert len(data) > 6 << 20
    ours.post("/instances", content=data)
    path = uids_of(data).path
    whole = ours.get(path, headers=accept("application/dicom"))
    assert whole.content == data
    part = ours.get(path, headers={"accept": "application/dicom", "range": "bytes=1000000-5999999"})
    assert part.content == data[1000000:6000000]
    assert only_part(ours.get(path)) == data


@pytest.fixture(scope="module")
def study_of_mine(ours: httpx.Client) -> Iterator[list[bytes]]:
    template = generated.small()
    made = [template.number(33, 33, series, number) for series in (1, 2) for number in range(1, 41)]
    for data in made:
        assert ours.post("/instances", content=data).status_code == 200
    yield made


@pytest.mark.parametrize("place", ["", "/series/{1}", "/series/{1}/instances/{2}"])
def test_zip(ours: httpx.Client, study_of_mine: list[bytes], place: str) -> None:
    uids = uids_of(study_of_mine[0])
    path = f"/dicom-web/studies/{uids.study}" + place.format(*uids)
    answer = ours.get(path, headers=accept("application/zip"))
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {archive.read(name) for name in archive.namelist()}
    expected = {"": study_of_mine, "/series/{1}": study_of_mine[:40]}.get(place, study_of_mine[:1])
    assert found == set(expected)
    other = ours.get(path, headers=accept(f"application/zip; transfer-syntax={EXPLICIT}"))
    assert other.status_code == 406


@pytest.mark.parametrize("place", ["", "/series/{1}"])
def test_single_part_is_for_instances(
    ours: httpx.Client, study_of_mine: list[bytes], place: str
) -> None:
    uids = uids_of(study_of_mine[0])
    path = f"/dicom-web/studies/{uids.study}" + place.format(*uids)
    assert ours.get(path, headers=accept("application/dicom")).status_code == 406


@pytest.mark.parametrize(
    "value", ["Multipart/Related; Type=Application/Dicom", 'multipart/related; type="*/*"']
)
def test_case_and_wildcards(ours: httpx.Client, study_of_mine: list[bytes], value: str) -> None:
    answer = ours.get(uids_of(study_of_mine[3]).path, headers=accept(value))
    assert only_part(answer) == study_of_mine[3]


def test_study_of_two_patients(ours: httpx.Client) -> None:
    template = generated.small()
    made = [template.number(patient, 41, 1, patient) for patient in (41, 42)]
    for data in made:
        ours.post("/instances", content=data)
    answer = ours.get(f"/dicom-web/studies/{uids_of(made[0]).study}")
    assert {part.content for part in parts(answer)} == set(made)


def test_head(ours: httpx.Client, study_of_mine: list[bytes]) -> None:
    answer = ours.head(uids_of(study_of_mine[0]).path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > len(study_of_mine[0])
