"""GET /{studies,series,instances}/{id}/thumbnail, which is this server's own."""

import io

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import UID
from support import generated
from support.files import file_named

SLICES = 9


def slice_of(number: int, series: int = 1) -> bytes:
    """A picture of 512 pixels in which only the column of its number is bright."""
    data = generated.base()
    pixels = np.zeros((512, 512), np.uint16)
    pixels[:, number * 50 : number * 50 + 50] = 1000
    generated.add_pixels(data, pixels)
    data.PatientID = "thumbnails"
    data.StudyInstanceUID = UID(f"{generated.ROOT}.88")
    data.SeriesInstanceUID = UID(f"{data.StudyInstanceUID}.{series}")
    data.SOPInstanceUID = UID(f"{data.SeriesInstanceUID}.{number}")
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.InstanceNumber, data.SeriesNumber = number, series
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def stored(ours: httpx.Client) -> dict[str, str]:
    """What the server says of the last slice, which comes first."""
    for number in reversed(range(SLICES)):
        answer = ours.post("/instances", content=slice_of(number))
    found: dict[str, str] = answer.json()
    return found


def brightest(answer: httpx.Response) -> float:
    """Where in the width of the picture it is bright."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"))
    assert max(picture.shape) == 256
    return float(picture.mean(axis=0).argmax()) / 256 * 512


@pytest.mark.parametrize("level", ["series", "studies"])
def test_the_slice_in_the_middle(ours: httpx.Client, stored: dict[str, str], level: str) -> None:
    parent = stored["ParentSeries" if level == "series" else "ParentStudy"]
    middle = SLICES // 2 * 50
    assert middle <= brightest(ours.get(f"/{level}/{parent}/thumbnail")) <= middle + 50


def test_an_instance(ours: httpx.Client, stored: dict[str, str]) -> None:
    assert brightest(ours.get(f"/instances/{stored['ID']}/thumbnail")) <= 50
    png = ours.get(f"/instances/{stored['ID']}/thumbnail", headers={"Accept": "image/png"})
    assert png.headers["content-type"] == "image/png"


def test_browsers_keep_it(ours: httpx.Client, stored: dict[str, str]) -> None:
    path = f"/series/{stored['ParentSeries']}/thumbnail"
    answer = ours.get(path)
    assert answer.headers["cache-control"] == "private, max-age=300"
    again = ours.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_what_has_no_image_has_a_symbol(ours: httpx.Client) -> None:
    stored = ours.post("/instances", content=file_named("test-SR.dcm").read_bytes()).json()
    answer = ours.get(f"/series/{stored['ParentSeries']}/thumbnail")
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).format == "JPEG"


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_unknown(ours: httpx.Client, stored: dict[str, str], level: str) -> None:
    other = "instances" if level != "instances" else "series"
    identifier = stored["ID" if other == "instances" else "ParentSeries"]
    for name in ("nonsense", identifier):
        assert ours.get(f"/{level}/{name}/thumbnail").status_code == 404
