"""WADO-URI, against Orthanc's plugin where that follows PS3.18: reference chapter 5, section 10."""

import io

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageSequence
from support import web_pictures
from support.dicom_web import DicomWebPair
from support.files import file_named
from support.images import image_file, item
from support.server import OurServer
from support.web_pictures import GIF, JPEG, PNG, ROOT, assert_same_picture, pixels

DICOM = "application/dicom"
CASES = sorted(web_pictures.cases())
MPEG4 = "1.2.840.10008.1.2.4.102"


def uids(number: str) -> dict[str, str]:
    """The arguments for what `renamed` has made."""
    study = f"{ROOT}.{number}"
    return {"studyUID": study, "seriesUID": f"{study}.1", "objectUID": f"{study}.1.1"}


def ask(number: str, **more: object) -> str:
    given = {"requestType": "WADO", **uids(number), **more}
    return "/wado?" + "&".join(f"{name}={value}" for name, value in given.items())


@pytest.fixture(scope="module")
def names(pair: DicomWebPair) -> dict[str, str]:
    web_pictures.stored(pair, web_pictures.cases())
    return {name: str(number) for number, name in enumerate(web_pictures.cases(), start=1)}


@pytest.fixture(scope="module")
def ct(ours: httpx.Client) -> pydicom.Dataset:
    """A CT slice with a window, as the study 500 of our server."""
    dataset = pydicom.dcmread(file_named("CT_small.dcm"))
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    put(ours, written(dataset), "500")
    return dataset


def written(dataset: pydicom.Dataset) -> bytes:
    target = io.BytesIO()
    dataset.save_as(target)
    return target.getvalue()


def put(client: httpx.Client, data: bytes, number: str) -> bytes:
    content = web_pictures.renamed(data, number)
    assert client.post("/instances", content=content).status_code == 200
    return content


@pytest.mark.parametrize("name", CASES)
def test_pictures(pair: DicomWebPair, names: dict[str, str], name: str) -> None:
    """Through the window of the object."""
    assert_same_picture(*pair.get(ask(names[name], contentType=PNG)))
    ours, theirs = pair.get(ask(names[name]))
    assert ours.headers["content-type"] == JPEG  # the plugin says PNG
    assert_same_picture(ours, theirs, tolerance=40)


@pytest.mark.parametrize(
    ("kind", "answer"), [("image/jpg", JPEG), (JPEG, JPEG), (PNG, PNG), (DICOM, DICOM)]
)
def test_content_types(pair: DicomWebPair, names: dict[str, str], kind: str, answer: str) -> None:
    path = ask(names["CT_small.dcm"], contentType=kind)
    ours, theirs = pair.get(path, headers={"Accept": "text/html"})  # which does not count
    assert (ours.status_code, theirs.status_code) == (200, 200)
    assert ours.headers["content-type"] == answer
    if kind == DICOM:
        assert ours.content == theirs.content


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?requestType=WADO",
        "?objectUID={objectUID}",
        "?requestType=wado&objectUID={objectUID}",
        "?requestType=WADO&objectUID=",
        "?requestType=WADO&objectUID={objectUID}9",
        "?requestType=WADO&objectUID={objectUID}&studyUID=1.2",
        "?requestType=WADO&objectUID={objectUID}&seriesUID={studyUID}",
        "?requestType=WADO&objectUID={objectUID}&studyUID={studyUID}&seriesUID=1.2",
        "?requestType=WADO&objectUID={objectUID}&contentType=text/html",
        "?requestType=WADO&objectUID={objectUID}&contentType=",
        "?requestType=WADO&objectUID={objectUID}",
        "?requestType=WADO&objectUID={objectUID}&studyUID=&seriesUID=",
        "?requestType=WADO&objectUID={objectUID}&studyUID=1.2&studyUID={studyUID}",
        "/?requestType=WADO&objectUID={objectUID}",
    ],
)
def test_statuses(pair: DicomWebPair, names: dict[str, str], query: str) -> None:
    path = "/wado" + query.format(**uids(names["CT_small.dcm"]))
    ours, theirs = pair.get(path)
    assert ours.status_code == theirs.status_code
    if theirs.status_code != 200:
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_same_object_twice(pair: DicomWebPair) -> None:
    """In two studies: which of them is meant has to be said, as PS3.18 demands anyway."""
    data = web_pictures.renamed(file_named("CT_small.dcm").read_bytes(), "510")
    other = pydicom.dcmread(io.BytesIO(data))
    other.StudyInstanceUID += "9"
    pair.store(data, written(other))
    ours, theirs = pair.get(f"/wado?requestType=WADO&objectUID={uids('510')['objectUID']}")
    assert (ours.status_code, theirs.status_code) == (404, 404)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 17
    assert pair.ours.get(ask("510")).status_code == 200


def test_what_is_no_picture(pair: DicomWebPair) -> None:
    video = image_file(item(b"") + item(b"\0\0\0\1ab"), MPEG4, "OB")
    report = file_named("reportsi.dcm").read_bytes()
    for number, data in (("511", video), ("512", report)):
        pair.store(web_pictures.renamed(data, number))
        ours, theirs = pair.get(ask(number))
        assert (ours.status_code, theirs.status_code) == (415, 415)
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 3000


def test_other_methods(pair: DicomWebPair) -> None:
    ours, theirs = (client.post("/wado") for client in pair)
    assert (ours.status_code, theirs.status_code) == (405, 405)
    assert ours.headers["allow"] == theirs.headers["allow"]


# What the plugin ignores: PS3.18, section 9


@pytest.mark.parametrize(
    ("kinds", "answer"),
    [
        ("image/webp,image/png", PNG),
        ("image/png;q=0.5,image/jpeg", JPEG),
        ("image/*", JPEG),
        ("*/*", JPEG),
        ("IMAGE/PNG", PNG),
        (GIF, GIF),
        ("video/mp4,application/dicom", DICOM),
        ("application/pdf,image/png", PNG),
    ],
)
def test_lists_of_content_types(
    ours: httpx.Client, ct: pydicom.Dataset, kinds: str, answer: str
) -> None:
    found = ours.get(ask("500", contentType=kinds))
    assert (found.status_code, found.headers["content-type"]) == (200, answer)


def expected(dataset: pydicom.Dataset, center: float, width: float) -> np.ndarray:
    values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    found: np.ndarray = np.clip((values - center + width / 2) / width, 0, 1) * 255
    return found


def test_window(ours: httpx.Client, ct: pydicom.Dataset) -> None:
    for more, window in (
        ({}, (40, 400)),
        ({"windowCenter": "-100.5", "windowWidth": "1e3"}, (-100.5, 1000)),
    ):
        picture = pixels(ours.get(ask("500", contentType=PNG, **more)))
        assert np.abs(picture - expected(ct, *window)).max() <= 1


@pytest.mark.parametrize(
    ("more", "shape"),
    [
        ({"rows": 64}, (64, 64)),
        ({"columns": 300}, (300, 300)),
        ({"rows": 64, "columns": 200}, (64, 64)),
        ({"region": "0,0,1,0.5"}, (64, 128)),
        ({"region": "0.25,0.5,0.75,0.75", "columns": 32}, (16, 32)),
        ({"region": "0.999,0.999,1,1"}, (1, 1)),
    ],
)
def test_size(
    ours: httpx.Client, ct: pydicom.Dataset, more: dict[str, object], shape: tuple[int, int]
) -> None:
    assert pixels(ours.get(ask("500", contentType=PNG, **more))).shape == shape


def test_region(ours: httpx.Client, ct: pydicom.Dataset) -> None:
    part = pixels(ours.get(ask("500", contentType=PNG, region="0.25,0.5,0.75,1")))
    np.testing.assert_array_equal(part, pixels(ours.get(ask("500", contentType=PNG)))[64:, 32:96])


def test_frames(ours: httpx.Client) -> None:
    put(ours, file_named("emri_small.dcm").read_bytes(), "501")
    path = web_pictures.path("501")
    listed = ours.post("/tools/lookup", content=uids("501")["objectUID"]).json()[0]["Path"]
    for number in (1, 7, 10):
        found = ours.get(ask("501", contentType=PNG, frameNumber=number))
        core = ours.get(f"{listed}/frames/{number - 1}/rendered")
        np.testing.assert_array_equal(pixels(found), pixels(core))
    assert ours.get(ask("501", frameNumber=11)).status_code == 400
    animation = Image.open(io.BytesIO(ours.get(ask("501", contentType=GIF)).content))
    assert len(list(ImageSequence.Iterator(animation))) == 10
    one = Image.open(io.BytesIO(ours.get(ask("501", contentType=GIF, frameNumber=2)).content))
    assert len(list(ImageSequence.Iterator(one))) == 1
    assert ours.get(f"{path}/rendered").status_code == 200


def test_quality(ours: httpx.Client, ct: pydicom.Dataset) -> None:
    sizes = [len(ours.get(ask("500", imageQuality=q)).content) for q in (10, 50, 100)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": "0"},
        {"rows": "a"},
        {"columns": "-1"},
        {"columns": ""},
        {"region": "0,0,1"},
        {"region": "0,0,1,1,1"},
        {"region": "0.5,0,0.5,1"},
        {"region": "0,0,1,1.5"},
        {"region": "a,0,1,1"},
        {"windowCenter": "40"},
        {"windowWidth": "40"},
        {"windowCenter": "a", "windowWidth": "40"},
        {"frameNumber": "0"},
        {"frameNumber": "2"},
        {"imageQuality": "0"},
        {"imageQuality": "101"},
        {"anonymize": "true"},
        {"anonymize": "yes"},  # of a picture
        {"contentType": DICOM, "transferSyntax": "1.2.3"},
    ],
)
def test_bad_arguments(ours: httpx.Client, ct: pydicom.Dataset, wrong: dict[str, object]) -> None:
    answer = ours.get(ask("500", **wrong))
    assert answer.status_code == 400
    assert answer.json()["Details"]


def test_transfer_syntaxes(ours: httpx.Client, ct: pydicom.Dataset) -> None:
    for asked, syntax in (
        ("*", "1.2.840.10008.1.2.1"),
        ("1.2.840.10008.1.2", "1.2.840.10008.1.2"),
        ("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.70"),
    ):
        answer = ours.get(ask("500", contentType=DICOM, transferSyntax=asked))
        found = pydicom.dcmread(io.BytesIO(answer.content))
        assert found.file_meta.TransferSyntaxUID == syntax
        np.testing.assert_array_equal(found.pixel_array, ct.pixel_array)
        assert found.SOPInstanceUID == uids("500")["objectUID"]
    answer = ours.get(ask("500", contentType=DICOM, transferSyntax=MPEG4))
    assert answer.status_code == 406


def test_anonymous(ours: httpx.Client, ct: pydicom.Dataset) -> None:
    answer = ours.get(ask("500", contentType=DICOM, anonymize="yes"))
    found = pydicom.dcmread(io.BytesIO(answer.content))
    assert found.PatientIdentityRemoved == "YES"
    assert str(ct.PatientName) not in str(found)
    assert found.StudyInstanceUID != uids("500")["studyUID"]
    np.testing.assert_array_equal(found.pixel_array, ct.pixel_array)
    other = ours.get(
        ask("500", contentType=DICOM, anonymize="yes", transferSyntax="1.2.840.10008.1.2.5")
    )
    assert pydicom.dcmread(io.BytesIO(other.content)).file_meta.TransferSyntaxUID.endswith(".2.5")


def test_what_is_not_drawn_is_said(ours: httpx.Client, ct: pydicom.Dataset) -> None:
    answer = ours.get(ask("500", annotation="patient,technique", presentationUID="1.2"))
    assert answer.status_code == 200
    assert "annotation, presentationUID" in answer.headers["warning"]
    assert "warning" not in ours.get(ask("500")).headers


def test_video(ours: httpx.Client) -> None:
    stream = bytes(range(256)) * 20
    data = image_file(item(b"") + item(stream[:1000]) + item(stream[1000:]), MPEG4, "OB")
    put(ours, data, "502")
    whole = ours.get(ask("502", contentType="video/mp4"))
    assert (whole.headers["content-type"], whole.content) == ("video/mp4", stream)
    part = ours.get(ask("502", contentType="video/mp4"), headers={"Range": "bytes=990-1009"})
    assert (part.status_code, part.content) == (206, stream[990:1010])
    assert part.headers["content-range"] == f"bytes 990-1009/{len(stream)}"


def test_etag(ours: httpx.Client, ct: pydicom.Dataset) -> None:
    for kind in (PNG, DICOM):
        first = ours.get(ask("500", contentType=kind))
        again = ours.get(
            ask("500", contentType=kind), headers={"If-None-Match": first.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")


# Options


def test_options(tmp_path_factory: pytest.TempPathFactory) -> None:
    """WADO-URI has switches and an address of its own."""
    data = file_named("CT_small.dcm").read_bytes()
    for section, path, status in (
        ({"Enable": False}, "/wado", 200),
        ({"EnableWado": False}, "/wado", 404),
        ({"WadoRoot": "/a/b"}, "/a/b", 200),
        ({"WadoRoot": "/a/b"}, "/wado", 404),
    ):
        folder = tmp_path_factory.mktemp("options")
        with (
            OurServer(folder, {"DicomWeb": section}) as server,
            httpx.Client(base_url=server.url, timeout=60) as client,
        ):
            put(client, data, "1")
            assert client.get(ask("1").replace("/wado", path)).status_code == status
            rendered = client.get(f"{web_pictures.path('1')}/rendered")
            assert rendered.status_code == (200 if section.get("Enable", True) else 404)
