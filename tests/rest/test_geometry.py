"""Where volumes lie: the JSON route, the headers of arrays, and NIfTI as nibabel reads it."""

import gzip
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from support import generated
from support.server import OurServer

OBLIQUE = np.array([0.8, 0.6, 0, -0.36, 0.48, 0.8])
ORIGIN = np.array([-100.25, 50.5, -20])
SPACING = (0.5, 0.75, 2.5)  # of columns, rows, slices


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        OurServer(tmp_path_factory.mktemp("geometry")) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield client


def store(client: httpx.Client, dataset: Any, series: int, number: int) -> str:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    data = generated.Template(buffer.getvalue()).number(1, 1, series, number)
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    name: str = answer.json()["ParentSeries"]
    return name


def oblique(client: httpx.Client, number: int, pixels: np.ndarray, gap: float = 0) -> str:
    """Slices of an oblique volume, the first one last."""
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    for place in reversed(range(len(pixels))):
        dataset = generated.base()
        generated.add_pixels(dataset, pixels[place])
        dataset.ImageOrientationPatient = OBLIQUE.tolist()
        shift = SPACING[2] * place + (gap if place == len(pixels) - 1 else 0)
        dataset.ImagePositionPatient = [f"{v:.10f}" for v in ORIGIN + shift * normal]
        dataset.PixelSpacing = [SPACING[1], SPACING[0]]
        dataset.SliceThickness = "1"
        name = store(client, dataset, number, place)
    return name


def expected_affine() -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 0] = OBLIQUE[:3] * SPACING[0]
    affine[:3, 1] = OBLIQUE[3:] * SPACING[1]
    affine[:3, 2] = np.cross(OBLIQUE[:3], OBLIQUE[3:]) * SPACING[2]
    affine[:3, 3] = ORIGIN
    return affine


def stack(dtype: str = "<i2") -> np.ndarray:
    return np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(dtype)


def test_geometry(client: httpx.Client) -> None:
    name = oblique(client, 1, stack())
    found = client.get(f"/series/{name}/geometry").json()
    np.testing.assert_allclose(found["Affine"], expected_affine(), atol=1e-6)
    np.testing.assert_allclose(found["Spacing"], SPACING, atol=1e-6)
    np.testing.assert_allclose(found["Origin"], ORIGIN)
    rotation = np.array(found["Direction"])
    np.testing.assert_allclose(rotation @ np.diag(SPACING), expected_affine()[:3, :3], atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-6)
    assert found["Size"] == [6, 5, 4]
    assert found["IsUniform"] is True


def test_headers_of_arrays(client: httpx.Client) -> None:
    name = oblique(client, 1, stack())
    for query in ("", "?compress=1", "?slices=1:"):
        answer = client.get(f"/series/{name}/numpy{query}")
        place = client.get(f"/series/{name}/geometry{query if 'slices' in query else ''}").json()
        for header, values in {
            "x-volume-origin": place["Origin"],
            "x-volume-spacing": place["Spacing"],
            "x-volume-direction": np.array(place["Direction"]).reshape(-1),
        }.items():
            found = [float(part) for part in answer.headers[header].split(",")]
            np.testing.assert_allclose(found, values, rtol=1e-7, atol=1e-9)


def test_uneven_slices_are_told(client: httpx.Client) -> None:
    name = oblique(client, 2, stack(), gap=1.5)
    assert client.get(f"/series/{name}/geometry").json()["IsUniform"] is False


def test_a_series_without_positions_has_an_array_and_no_geometry(client: httpx.Client) -> None:
    dataset = generated.base()
    generated.add_pixels(dataset, stack()[0])
    del dataset.ImagePositionPatient
    name = store(client, dataset, 3, 1)
    assert client.get(f"/series/{name}/geometry").status_code == 404
    answer = client.get(f"/series/{name}/numpy")
    assert answer.status_code == 200
    assert "x-volume-origin" not in answer.headers


def test_functional_groups(client: httpx.Client) -> None:
    """An enhanced image has the places of its frames in sequences."""
    frames = stack("<u2")
    dataset = generated.base("1.2.840.10008.5.1.4.1.1.2.1")
    generated.add_pixels(dataset, frames[0])
    dataset.NumberOfFrames, dataset.PixelData = len(frames), frames.tobytes()
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = OBLIQUE.tolist()
    measures.PixelSpacing = [SPACING[1], SPACING[0]]
    measures.SliceThickness = "9"
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelMeasuresSequence = Sequence([measures])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    items = []
    for place in range(len(frames)):
        item, position = Dataset(), Dataset()
        at = ORIGIN + SPACING[2] * place * np.cross(OBLIQUE[:3], OBLIQUE[3:])
        position.ImagePositionPatient = [f"{v:.10f}" for v in at]
        item.PlanePositionSequence = Sequence([position])
        items.append(item)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(items)
    name = store(client, dataset, 4, 1)
    found = client.get(f"/series/{name}/geometry").json()
    np.testing.assert_allclose(found["Affine"], expected_affine(), atol=1e-6)
    assert found["IsUniform"] is True


@pytest.mark.parametrize("dtype", ["<i2", "<u2", "u1"])
@pytest.mark.parametrize("query", ["", "rescale=0", "dtype=int16", "compress=1"])
def test_nifti(client: httpx.Client, dtype: str, query: str) -> None:
    name = oblique(client, 10 + ["<i2", "<u2", "u1"].index(dtype), stack(dtype))
    answer = client.get(f"/series/{name}/nifti?{query}")
    assert answer.status_code == 200, answer.text
    data = gzip.decompress(answer.content) if query == "compress=1" else answer.content
    if query != "compress=1":
        assert answer.headers["content-length"] == str(len(data))
    image: Any = Nifti1Image.from_bytes(data)
    lps = np.diag([-1, -1, 1, 1])
    np.testing.assert_allclose(image.affine, lps @ expected_affine(), atol=1e-5)
    np.testing.assert_allclose(image.header.get_zooms(), SPACING, rtol=1e-6)
    assert image.header["sform_code"] == 1
    values = stack(dtype).transpose(2, 1, 0)
    wanted = values if query == "rescale=0" else values.astype("f4") - 1024
    np.testing.assert_array_equal(np.asarray(image.dataobj), wanted)
    if query in ("", "compress=1"):
        assert image.get_data_dtype() == np.float32


def test_nifti_of_colour(client: httpx.Client) -> None:
    pixels = np.arange(3 * 4 * 5 * 3, dtype="u1").reshape(3, 4, 5, 3)
    name = oblique(client, 20, pixels)
    image = Nifti1Image.from_bytes(client.get(f"/series/{name}/nifti").content)
    found = np.asarray(image.dataobj)
    for place, channel in enumerate("RGB"):
        np.testing.assert_array_equal(found[channel], pixels[..., place].transpose(2, 1, 0))


def test_what_nifti_does_not_have(client: httpx.Client) -> None:
    name = oblique(client, 21, stack())
    assert client.get(f"/series/{name}/nifti?dtype=float16").status_code == 400
