"""Frames that cannot be decoded, of files stored as they are and compressed: the statuses compared
with Orthanc 1.13, and the warning W003."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import generate_uid
from support.files import file_named
from support.pair import Pair, started_pair
from support.server import OurServer

FILES = {
    "rle": "MR_small_RLE.dcm",
    "lossless": "JPEG-LL.dcm",
    "jpeg-ls": "MR_small_jpeg_ls_lossless.dcm",
    "jpeg-2000": "MR_small_jp2klossless.dcm",
    "native": "CT_small.dcm",
}
DAMAGES = ("cut", "zeros")
PICTURES = ("preview", "image-uint8", "image-int16", "rendered", "frames/0/preview")
RAW = ("frames/0/raw", "frames/0/raw.gz")
NUMPY = ("numpy", "frames/0/numpy")


def damaged(name: str, damage: str) -> bytes:
    """The first frame without its second half, or of zeros."""
    dataset = pydicom.dcmread(file_named(FILES[name]))
    is_native = name == "native"
    frame = (
        dataset.PixelData
        if is_native
        else next(generate_frames(dataset.PixelData, number_of_frames=1))
    )
    half = len(frame) // 4 * 2
    content = frame[:half] if damage == "cut" else bytes(half)
    dataset.PixelData = content if is_native else encapsulate([content])
    return saved(dataset)


def saved(dataset: pydicom.Dataset) -> bytes:
    """As an instance of its own."""
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module", params=[True, False], ids=["compressed", "plain"])
def pair(
    request: pytest.FixtureRequest, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    options = {"StorageCompression": request.param}
    with started_pair(tmp_path_factory.mktemp("damaged"), options) as started:
        yield started


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_statuses(pair: Pair, name: str, damage: str) -> None:
    content = damaged(name, damage)
    ours, theirs = (
        client.post("/instances", content=content).json() for client in (pair.ours, pair.theirs)
    )
    assert ours["ID"] == theirs["ID"]
    url = f"/instances/{ours['ID']}"

    def statuses(route: str) -> tuple[int, int]:
        return pair.ours.get(route).status_code, pair.theirs.get(route).status_code

    # Of an RLE frame that is cut Orthanc shows what is left.
    fills = (name, damage) == ("rle", "cut")
    for route in PICTURES:
        assert statuses(f"{url}/{route}") == (415, 200 if fills else 415), route
    raw = 400 if name == "native" else 200
    for route in RAW:
        assert statuses(f"{url}/{route}") == (raw, raw), route
    # Its decoder of JPEG 2000 fails in another way.
    numpy = 200 if fills else 500 if name == "jpeg-2000" else 400
    for route in (*(f"{url}/{route}" for route in NUMPY), f"/series/{ours['ParentSeries']}/numpy"):
        assert statuses(route) == (400, numpy), route
    assert statuses(f"{url}/matlab") == (500, 200 if fills else 500)
    assert statuses(f"{url}/file") == (200, 200)
    assert pair.ours.get(f"{url}/file").content == content
    for client in (pair.ours, pair.theirs):
        client.delete(f"/patients/{ours['ParentPatient']}").raise_for_status()


# Changed attributes, None to leave them out; the status of both, and of Orthanc alone
# where there is a row in docs/deviations.md.
UNUSABLE: dict[str, tuple[dict[str, object], int, int | None]] = {
    "no Rows": ({"Rows": None}, 500, None),
    "no Columns": ({"Columns": None}, 500, None),
    "no BitsAllocated": ({"BitsAllocated": None}, 500, None),
    "odd BitsAllocated": ({"BitsAllocated": 12}, 500, None),
    "too many BitsStored": ({"BitsStored": 20}, 500, None),
    "no sample": ({"SamplesPerPixel": 0}, 500, None),
    "odd planes": ({"SamplesPerPixel": 3, "PlanarConfiguration": 2}, 500, None),
    "no pixels": ({"PixelData": None}, 400, None),
    "empty pixels": ({"PixelData": b""}, 400, None),
    "no image": ({"PixelData": None, "Rows": None, "Columns": None}, 400, 500),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_statuses_of_unusable_attributes(pair: Pair, name: str) -> None:
    changes, status, theirs_alone = UNUSABLE[name]
    dataset = pydicom.dcmread(file_named("CT_small.dcm"))
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    content = saved(dataset)
    stored = [client.post("/instances", content=content).json() for client in pair[:2]]
    assert stored[0]["ID"] == stored[1]["ID"]
    raw = f"/instances/{stored[0]['ID']}/frames/0/raw"
    assert [client.get(raw).status_code for client in pair[:2]] == [status, status]
    paths = [f"/instances/{stored[0]['ID']}/{route}" for route in NUMPY]
    for path in (*paths, f"/series/{stored[0]['ParentSeries']}/numpy"):
        statuses = [client.get(path).status_code for client in pair[:2]]
        assert statuses == [status, theirs_alone or status], path
    for route in PICTURES:
        url = f"/instances/{stored[0]['ID']}/{route}"
        assert [client.get(url).status_code for client in pair[:2]] == [415, 415], route
    for client in pair[:2]:
        client.delete(f"/patients/{stored[0]['ParentPatient']}").raise_for_status()


def test_decoded_from_compressed_storage_as_from_plain(tmp_path: Path) -> None:
    contents = [file_named(name).read_bytes() for name in FILES.values()]
    answers = []
    for compressed in (True, False):
        options = {"StorageCompression": compressed}
        with OurServer(tmp_path / str(compressed), options) as server:
            found = []
            with httpx.Client(base_url=server.url) as client:
                for content in contents:
                    stored = client.post("/instances", content=content).json()
                    for route in (*PICTURES, *RAW, *NUMPY, "matlab"):
                        answer = client.get(f"/instances/{stored['ID']}/{route}")
                        found.append((answer.status_code, answer.content))
            answers.append(found)
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {200}


@pytest.mark.parametrize("shown", [True, False])
def test_the_warning(shown: bool, tmp_path: Path) -> None:
    options = {"Warnings": {"W003_DecoderFailure": shown}}
    with OurServer(tmp_path, options) as server:
        content = damaged("rle", "cut")
        stored = httpx.post(f"{server.url}/instances", content=content).json()
        url = f"{server.url}/instances/{stored['ID']}"
        assert httpx.get(f"{url}/frames/0/raw").status_code == 200
        assert httpx.get(f"{url}/frames/1/preview").status_code == 415
        assert "W003" not in server.log_path.read_text()
        assert httpx.get(f"{url}/preview").status_code == 415
        text = server.log_path.read_text()
    assert (f"W003: frame 0 of instance {stored['ID']} cannot be decoded" in text) is shown
    assert ("W003" in text) is shown
