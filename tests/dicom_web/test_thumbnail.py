"""Thumbnails: what the plugin does is the rendered picture in full size, so most is PS3.18."""

import io

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from support import web_pictures
from support.dicom_web import DicomWebPair
from support.files import file_named
from support.images import image_file, item
from support.web_pictures import GIF, JPEG, PNG, assert_same_picture, pixels

LEVELS = (4, 6, 8)


def level(path: str, count: int) -> str:
    return "/".join(path.split("/")[:count])


def put(client: httpx.Client, data: bytes, study: str, series: str = "1", number: int = 1) -> str:
    """Stores it, with these numbers; the path of the instance."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.SeriesNumber, dataset.InstanceNumber = int(series), number
    target = io.BytesIO()
    dataset.save_as(target)
    content = web_pictures.renamed(target.getvalue(), study, series, str(number))
    assert client.post("/instances", content=content).status_code == 200
    return web_pictures.path(study, series, str(number))


def flat(value: int, columns: int = 40, rows: int = 30) -> bytes:
    """An image of two colours: the first row is black, the others have this value."""
    pixels = bytes(3 * columns) + bytes([value]) * (3 * columns * (rows - 1))
    return image_file(
        pixels,
        Rows=rows,
        Columns=columns,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        vr="OB",
    )


def test_with_arguments_it_is_the_plugins(pair: DicomWebPair) -> None:
    """A viewport and a window that are asked for are used."""
    for number, name in enumerate(("CT_small.dcm", "SC_rgb.dcm", "emri_small.dcm"), start=400):
        data = web_pictures.renamed(file_named(name).read_bytes(), str(number))
        pair.store(data)
        path = f"{web_pictures.path(str(number))}/frames/1/thumbnail"
        arguments = "?viewport=100,64,5,5,-50,40&window=40,400,linear"
        assert_same_picture(*pair.get(path + arguments, headers={"Accept": PNG}))


def test_unknown(pair: DicomWebPair) -> None:
    ours, theirs = pair.get("/dicom-web/studies/1.2.3/thumbnail")
    assert (ours.status_code, theirs.status_code) == (404, 404)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


def test_size(ours: httpx.Client) -> None:
    """Small, of the same proportions; never larger than the image."""
    for name, shape in (
        ("examples_palette.dcm", (112, 256)),
        ("CT_small.dcm", (128, 128)),
        ("liver_1frame.dcm", (256, 256)),
    ):
        path = put(ours, file_named(name).read_bytes(), f"401.{shape[0]}")
        for count in LEVELS:
            answer = ours.get(f"{level(path, count)}/thumbnail")
            assert answer.headers["content-type"] == JPEG
            assert pixels(answer).shape[:2] == shape


def test_window_of_the_file(ours: httpx.Client) -> None:
    """A picture is shown as the file says; without a window from the smallest to the largest."""
    dataset = pydicom.dcmread(file_named("CT_small.dcm"))
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    target = io.BytesIO()
    dataset.save_as(target)
    thumbnail = ours.get(f"{put(ours, target.getvalue(), '402')}/thumbnail?accept={PNG}")
    values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    expected = np.clip((values + 160) / 400, 0, 1) * 255
    assert np.abs(pixels(thumbnail) - expected).max() <= 1
    del dataset.WindowCenter, dataset.WindowWidth
    target = io.BytesIO()
    dataset.save_as(target)
    path = put(ours, target.getvalue(), "403")
    plain = (ours.get(f"{path}/{name}?accept={PNG}") for name in ("thumbnail", "rendered"))
    assert len({each.content for each in plain}) == 1


def test_key_image(ours: httpx.Client) -> None:
    """That in the middle of the series in the middle, of those with images."""
    report = file_named("reportsi.dcm").read_bytes()
    put(ours, report, "404", "1")
    for place in (2, 3, 4):
        for number in (3, 1, 2):
            put(ours, flat(10 * place + number), "404", str(place), number)
    put(ours, report, "404", "5")
    put(ours, report, "404", "6")
    series = level(web_pictures.path("404", "4"), 6)
    assert pixels(ours.get(f"{series}/thumbnail?accept={PNG}")).max() == 42
    study = level(series, 4)
    assert pixels(ours.get(f"{study}/thumbnail?accept={PNG}")).max() == 32
    assert pixels(ours.get(f"{study}/rendered?accept={PNG}")).max() == 32


def test_frame_in_the_middle(ours: httpx.Client) -> None:
    path = put(ours, file_named("emri_small.dcm").read_bytes(), "405")
    middle, fifth = (
        ours.get(f"{path}{frame}/thumbnail?accept={PNG}") for frame in ("", "/frames/5")
    )
    assert middle.content == fifth.content
    assert ours.get(f"{path}/frames/11/thumbnail").status_code == 400


def test_etag(ours: httpx.Client) -> None:
    path = put(ours, flat(100), "406")
    for count in LEVELS:
        address = f"{level(path, count)}/thumbnail"
        first = ours.get(address)
        assert "max-age" in first.headers["cache-control"]
        assert "private" in first.headers["cache-control"]
        again = ours.get(address, headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
    put(ours, flat(50), "406", "0", 5)
    put(ours, flat(50), "406", "0", 6)
    study = f"{level(path, 4)}/thumbnail"
    # Another image stands for the study now.
    assert ours.get(study, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("kind", [JPEG, PNG, GIF])
def test_what_has_no_picture(pair: DicomWebPair, kind: str) -> None:
    """Videos, documents and reports have a symbol; the plugin has one for the first two."""
    mpeg4 = "1.2.840.10008.1.2.4.102"
    video = image_file(item(b"") + item(b"\0\0\0\1ab"), mpeg4, "OB")
    report = file_named("reportsi.dcm").read_bytes()
    symbols = []
    for number, data in (("407", video), ("408", report)):
        pair.store(web_pictures.renamed(data, number))
        ours = pair.ours.get(f"{web_pictures.path(number)}/thumbnail", headers={"Accept": kind})
        assert ours.headers["content-type"] == kind
        assert Image.open(io.BytesIO(ours.content)).size == (128, 128)
        symbols.append(ours.content)
    assert symbols[0] != symbols[1]


def test_a_large_image(ours: httpx.Client) -> None:
    """Each pixel is the mean of those that it stands for: fine stripes become grey."""
    rows, columns = 600, 1100
    pixels_of = np.zeros((rows, columns, 3), np.uint8)
    pixels_of[:, ::2] = 200
    data = image_file(
        pixels_of.tobytes(),
        Rows=rows,
        Columns=columns,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        vr="OB",
    )
    found = pixels(ours.get(f"{put(ours, data, '409')}/thumbnail?accept={PNG}"))
    assert found.shape == (140, 256, 3)
    assert abs(found - 100).max() <= 1
