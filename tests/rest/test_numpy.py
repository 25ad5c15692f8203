"""Arrays over HTTP: against Orthanc 1.13 and against pydicom. Source: reference chapter 2,
section 6."""

import io
import os
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from support import generated
from support.files import dicom_files, file_named
from support.pair import Pair, started_pair
from support.server import OurServer

from orthanc_fast.imaging.registry import CODINGS

LARGE = 1 << 20  # bytes of a file: Orthanc takes seconds for larger ones

# Files of which the values differ, and why; what this server gives is what pydicom gives.
DIFFERENT = {
    "mlut_18.dcm": "12 bits with a sign: Orthanc does not extend the sign",
}


def decodable(path: Path) -> bool:
    """Whether there is a codec for the file."""
    try:
        with warnings.catch_warnings(action="ignore"):
            uid = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
        codec = CODINGS[uid].codec
    except (pydicom.errors.InvalidDicomError, AttributeError, KeyError, ValueError, OSError):
        return False
    return codec is not None and find_spec(f"orthanc_fast.imaging.codecs.{codec}") is not None


COLLECTED = [path for path in dicom_files() if path.stat().st_size < LARGE and decodable(path)]


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("pair"), {"OverwriteInstances": True}) as started:
        yield started


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    configuration = {"OverwriteInstances": True, "HttpWorkers": 1}
    with (
        OurServer(tmp_path_factory.mktemp("numpy"), configuration) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield client


def encoded(dataset: Any, series: int, number: int) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return generated.Template(buffer.getvalue()).number(1, 1, series, number)


def image(pixels: np.ndarray, frames: int = 1, **attributes: Any) -> Any:
    dataset = generated.base()
    generated.add_pixels(dataset, pixels, frames)
    for name, value in attributes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def store(client: httpx.Client, data: bytes) -> dict[str, str]:
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    stored: dict[str, str] = answer.json()
    return stored


def series(client: httpx.Client, number: int, count: int, **attributes: Any) -> tuple[str, Any]:
    """A series whose slices lie in the reverse order of their numbers, and its stored values."""
    random = np.random.default_rng(number)
    stack = random.integers(0, 4096, (count, 20, 30)).astype("<i2")
    for place, pixels in enumerate(stack):
        position = [-10.5, 20.25, 1.5 * place]
        dataset = image(pixels, ImagePositionPatient=position, **attributes)
        parent = store(client, encoded(dataset, number, count - place))["ParentSeries"]
    return parent, stack


def array(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    loaded: np.ndarray = np.load(io.BytesIO(answer.content), allow_pickle=False)
    return loaded


QUERIES = ("", "?rescale=0")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of pydicom, about its own files
@pytest.mark.parametrize("path", COLLECTED, ids=lambda path: path.name)
def test_arrays_of_collected_files(pair: Pair, path: Path) -> None:
    """Wherever Orthanc answers, the same array in the same bytes."""
    data = path.read_bytes()
    ours, theirs = (client.post("/instances", content=data) for client in pair[:2])
    if ours.status_code != 200:
        assert theirs.status_code != 200
        return
    name = ours.json()["ID"]
    for route in ("numpy", "frames/0/numpy"):
        for query in QUERIES:
            left, right = (c.get(f"/instances/{name}/{route}{query}") for c in pair[:2])
            if right.status_code != 200 or path.name in DIFFERENT:
                continue
            assert left.status_code == 200, left.text
            assert left.headers["content-type"] == right.headers["content-type"]
            assert_same_array(left, right)


def assert_same_array(left: httpx.Response, right: httpx.Response) -> None:
    """Bit by bit."""
    assert left.content == right.content


def test_values_that_orthanc_reads_wrongly_are_pydicoms(client: httpx.Client) -> None:
    for name in DIFFERENT:
        path = file_named(name)
        stored = store(client, path.read_bytes())
        found = array(client.get(f"/instances/{stored['ID']}/numpy?rescale=0"))
        expected = pydicom.dcmread(path).pixel_array
        np.testing.assert_array_equal(found[0, :, :, 0], expected)


ERRORS = (
    "frames/foo/numpy",
    "frames/-1/numpy",
    "frames/1/numpy",
    "frames/99999999999/numpy",
    "frames/0/numpy?rescale=maybe",
    "numpy?compress=maybe",
    "numpy?rescale=2",
)


@pytest.mark.parametrize("path", ERRORS)
def test_errors_are_orthancs(pair: Pair, path: str) -> None:
    left, right = (c.get(f"/instances/{pair.names['instances']}/{path}") for c in pair[:2])
    assert left.status_code == right.status_code == 400, right.text
    assert left.json()["OrthancStatus"] == right.json()["OrthancStatus"]


@pytest.mark.parametrize("path", ["instances/{}/numpy", "series/{}/numpy", "studies/{}/numpy"])
def test_unknown_resources(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/{path.format(generated.identifier('nothing'))}")
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17)


FORMATS: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "u1": (np.arange(24, dtype="u1").reshape(4, 6), {}),
    "u2": (np.arange(24, dtype="<u2").reshape(4, 6) * 3, {}),
    "i2": (np.arange(-12, 12, dtype="<i2").reshape(4, 6) * 1000, {}),
    "no rescale": (np.arange(24, dtype="<u2").reshape(4, 6), {"RescaleSlope": None}),
    "fractions": (np.arange(24, dtype="<u2").reshape(4, 6), {"RescaleSlope": "2.5"}),
    "dose": (
        np.arange(24, dtype="<u2").reshape(4, 6),
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"},
    ),
    "rgb": (np.arange(72, dtype="u1").reshape(4, 6, 3), {}),
    "wide": (np.arange(1200, dtype="u1").reshape(1, 1200), {}),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("query", QUERIES)
def test_formats(pair: Pair, name: str, query: str) -> None:
    """Of frame, instance, and series of two instances of two frames."""
    pixels, attributes = FORMATS[name]
    number = 100 + list(FORMATS).index(name)
    for place in range(2):
        dataset = image(pixels, 2, ImagePositionPatient=[0, 0, 9 - place], **attributes)
        data = encoded(dataset, number, place)
        stored = [store(client, data) for client in pair[:2]][1]
    for path in (
        f"/instances/{stored['ID']}/frames/1/numpy",
        f"/instances/{stored['ID']}/numpy",
        f"/series/{stored['ParentSeries']}/numpy",
    ):
        left, right = (client.get(path + query) for client in pair[:2])
        assert right.status_code == 200, right.text
        assert_same_array(left, right)


def test_mixed_series_are_refused_as_orthanc_does(pair: Pair) -> None:
    gray = np.zeros((4, 6), "<u2")
    kinds = {
        "size": (gray, np.zeros((4, 7), "<u2")),
        "type": (gray, np.zeros((4, 6), "u1")),
        "sign": (gray, np.zeros((4, 6), "<i2")),
        "colour": (np.zeros((4, 6), "u1"), np.zeros((4, 6, 3), "u1")),
    }
    for number, (name, stack) in enumerate(kinds.items(), 200):
        for place, pixels in enumerate(stack):
            data = encoded(image(pixels, ImagePositionPatient=[0, 0, place]), number, place)
            stored = [store(client, data) for client in pair[:2]][1]
        for query in QUERIES:
            path = f"/series/{stored['ParentSeries']}/numpy{query}"
            left, right = (client.get(path) for client in pair[:2])
            assert left.status_code == right.status_code == 500, (name, query, right.text[:200])
            assert left.json()["OrthancStatus"] == right.json()["OrthancStatus"], name


def test_compressed_answers_are_archives_of_one_array(pair: Pair) -> None:
    name = pair.names["instances"]
    for path in (f"/instances/{name}/numpy", f"/series/{pair.names['series']}/numpy"):
        plain = pair.ours.get(path).content
        for client in pair[:2]:
            packed = client.get(f"{path}?compress=1")
            assert packed.headers["content-type"] == "application/octet-stream"
            with np.load(io.BytesIO(packed.content)) as members:
                np.testing.assert_array_equal(members["arr_0"], np.load(io.BytesIO(plain)))
            with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
                assert archive.testzip() is None
                assert [info.filename for info in archive.infolist()] == ["arr_0"]
                assert archive.read("arr_0") == plain


def test_unzip_reads_the_archive(client: httpx.Client, tmp_path: Path) -> None:
    """ZIP64 records, read by Info-ZIP too."""
    name, _ = series(client, 300, 60)
    path = tmp_path / "volume.zip"
    path.write_bytes(client.get(f"/series/{name}/numpy?compress=true").content)
    tool = shutil.which("unzip")
    if tool is not None:
        assert os.spawnl(os.P_WAIT, tool, "unzip", "-tqq", str(path)) == 0
    with np.load(path) as members:
        np.testing.assert_array_equal(members["arr_0"], array(client.get(f"/series/{name}/numpy")))


# Beyond Orthanc


def test_types(client: httpx.Client) -> None:
    name, stack = series(client, 400, 5, RescaleSlope="1.5", RescaleIntercept="-1024")
    values = np.float32(1.5) * stack.astype("f4") - np.float32(1024)
    path = f"/series/{name}/numpy?dtype="
    expected = {
        "float32": values,
        "float16": values.astype("f2"),
        "int16": np.rint(values).astype("i2"),
        "int16&rescale=0": stack,
        "float32&rescale=0": stack.astype("f4"),
    }
    for query, wanted in expected.items():
        found = array(client.get(path + query))
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found[..., 0], wanted)
    found = array(client.get(f"{path}uint8&window-center=300&window-width=1000"))[..., 0]
    exact = np.clip((values.astype("f8") - 300 + 500) * 255 / 1000, 0, 255)
    assert found.dtype == np.uint8
    assert (np.abs(found - np.floor(exact)) <= 1).all()
    assert (found != np.floor(exact)).mean() < 0.01
    declared = array(client.get(f"{path}uint8"))  # 40, 400
    given = array(client.get(f"{path}uint8&window-center=40&window-width=400"))
    np.testing.assert_array_equal(declared, given)
    for query in ("int8", "", "uint8&window-width=0", "uint8&window-center=x"):
        assert client.get(path + query).status_code == 400


def test_chosen_slices(client: httpx.Client) -> None:
    name, stack = series(client, 410, 7)
    path = f"/series/{name}/numpy?rescale=0&slices="
    for text, wanted in {
        "2:5": stack[2:5],
        ":3": stack[:3],
        "4:": stack[4:],
        "-1": stack[-1:],
        "-3:-1": stack[-3:-1],
        "0,5,1:3": stack[[0, 5, 1, 2]],
        "5:100": stack[5:],
    }.items():
        np.testing.assert_array_equal(array(client.get(path + text))[..., 0], wanted)
    for text in ("7", "5:2", "x", "1:2:3", "1,", ""):
        assert client.get(path + text).status_code == 400, text


def test_chosen_frames(client: httpx.Client) -> None:
    frames = np.arange(5 * 24, dtype="<u2").reshape(5, 4, 6)
    dataset = image(frames[0], NumberOfFrames=5, PixelData=frames.tobytes())
    name = store(client, encoded(dataset, 420, 1))["ID"]
    found = array(client.get(f"/instances/{name}/numpy?rescale=0&frames=3:5,0"))
    np.testing.assert_array_equal(found[..., 0], frames[[3, 4, 0]])


def test_any_range_is_that_part_of_the_whole(client: httpx.Client) -> None:
    """Also where it ends inside slices, the header, or beyond the end."""
    name, _ = series(client, 430, 9)
    random = np.random.default_rng(1)
    for path in (f"/series/{name}/numpy", f"/series/{name}/numpy?dtype=int16&slices=1:8"):
        answer = client.get(path)
        whole = answer.content
        assert answer.headers["accept-ranges"] == "bytes"
        size = len(whole)
        pairs = [tuple(sorted(random.integers(0, size, 2))) for _ in range(40)]
        pairs += [(0, 0), (0, size - 1), (size - 1, size - 1), (0, 127), (127, 128), (128, 128)]
        for first, last in pairs:
            part = client.get(path, headers={"Range": f"bytes={first}-{last}"})
            assert part.status_code == 206
            assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
            assert part.headers["content-length"] == str(last - first + 1)
            assert part.content == whole[first : last + 1]
        for text, wanted in {
            "bytes=-100": whole[-100:],
            "bytes=100-": whole[100:],
            f"bytes=100-{size + 5}": whole[100:],
            f"bytes=-{size + 5}": whole,
            f"bytes=3-{10**20}": whole[3:],
        }.items():
            part = client.get(path, headers={"Range": text})
            assert (part.status_code, part.content) == (206, wanted)
        for text in ("bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b"):
            part = client.get(path, headers={"Range": text})
            assert (part.status_code, part.content) == (200, whole)
        for text in (f"bytes={size}-", "bytes=-0"):
            part = client.get(path, headers={"Range": text})
            assert part.status_code == 416
            assert part.headers["content-range"] == f"bytes */{size}"


def test_a_range_of_something_that_has_changed_is_the_whole(client: httpx.Client) -> None:
    name, _ = series(client, 440, 3)
    path = f"/series/{name}/numpy"
    tag = client.get(path).headers["etag"]
    headers = {"Range": "bytes=0-9", "If-Range": tag}
    assert client.get(path, headers=headers).status_code == 206
    for place in (77, 78):
        dataset = image(np.zeros((20, 30), "<i2"), ImagePositionPatient=[-10.5, 20.25, place])
        store(client, encoded(dataset, 440, place))
    changed = client.get(path, headers=headers)
    assert changed.status_code == 200
    assert len(array(changed)) == 5
    assert changed.headers["etag"] != tag


def test_a_study_is_an_archive_of_its_series(client: httpx.Client) -> None:
    first, left = series(client, 450, 3)
    second, right = series(client, 451, 2)
    study = client.get(f"/series/{first}").json()["ParentStudy"]
    answer = client.get(f"/studies/{study}/numpy?rescale=0")
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
    with np.load(io.BytesIO(answer.content)) as members:
        np.testing.assert_array_equal(members[first][..., 0], left)
        np.testing.assert_array_equal(members[second][..., 0], right)
        assert set(members) | set(answer.headers.get("x-volume-skipped", "").split(",")) >= set(
            client.get(f"/studies/{study}").json()["Series"]
        )


# When something goes wrong


def damaged(client: httpx.Client, number: int, count: int, victim: int) -> str:
    """A series of which the file of one slice is cut short behind the server's back."""
    name, _ = series(client, number, count)
    order = client.get(f"/series/{name}/ordered-slices").json()["Dicom"]
    uuid = client.get(f"/{order[victim].removesuffix('/file')[1:]}").json()["FileUuid"]
    storage = next(Path(str(client.headers["x-storage"])).rglob(uuid))
    os.truncate(storage, storage.stat().st_size - 200)
    return name


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OurServer, httpx.Client]]:
    """A server with one worker whose storage the test may damage."""
    running = OurServer(tmp_path_factory.mktemp("own"), {"HttpWorkers": 1})
    headers = {"x-storage": str(running.folder / "storage")}
    with running, httpx.Client(base_url=running.url, timeout=60, headers=headers) as client:
        yield running, client


def test_a_damaged_first_slice_is_an_error(own: tuple[OurServer, httpx.Client]) -> None:
    client = own[1]
    name = damaged(client, 500, 4, 0)
    answer = client.get(f"/series/{name}/numpy")
    assert answer.status_code == 500
    assert answer.json()["OrthancStatus"] == 20  # the file is, not the request


def test_a_damaged_later_slice_aborts_the_connection(
    own: tuple[OurServer, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices of 1200 bytes fit into one piece; 2000 of them do not."""
    client = own[1]
    name = damaged(client, 501, 2000, 1900)
    for query in ("", "?rescale=0", "?compress=1"):
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"/series/{name}/numpy{query}")
    assert client.get(f"/series/{name}/numpy?slices=:1800").status_code == 200
