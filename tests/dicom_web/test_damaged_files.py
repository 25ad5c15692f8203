"""Files that have been cut on the disk, and headers that promise what is not there: never an answer
that looks whole, and nothing that keeps the server from the others."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import UID
from support.files import file_named
from support.server import OurServer

STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
OCTETS = "multipart/related; type=application/octet-stream; transfer-syntax=*"
XML = 'multipart/related; type="application/dicom+xml"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    """No metadata are kept, so that they are always made from the file."""
    configuration = {"HttpWorkers": 1, "DicomWeb": {"EnableMetadataCache": False}}
    with (
        OurServer(folder, configuration) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        yield client


def stored(client: httpx.Client, dataset: FileDataset, uid: str) -> tuple[str, str]:
    """Its path, and its identifier in the REST API."""
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{uid}.1", f"{uid}.2"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    out = io.BytesIO()
    dataset.save_as(out)
    answer = client.post("/instances", content=out.getvalue())
    path = f"/dicom-web/studies/{uid}.1/series/{uid}.2/instances/{uid}"
    return path, answer.json()["ID"]


def ends_of(data: bytes) -> list[int]:
    """Nothing, in the middle of an element, between two elements, and short of some pixels:
    CT_small.dcm has padding behind them."""
    between = data.index(b"\x10\x00\x10\x00PN")
    return [0, between + 3, between, len(data) - 500]


@pytest.mark.parametrize("name", ["CT_small.dcm", "SC_rgb_rle_2frame.dcm"])
@pytest.mark.parametrize("at", range(4))
def test_cut_files(client: httpx.Client, folder: Path, name: str, at: int) -> None:
    path, public = stored(client, pydicom.dcmread(file_named(name)), f"1.2.3.{len(name)}.{at}")
    uuid = client.get(f"/instances/{public}/attachments/dicom/info").json()["Uuid"]
    (file,) = folder.rglob(uuid)
    file.write_bytes(file.read_bytes()[: ends_of(file.read_bytes())[at]])
    series, study = path.rpartition("/instances")[0], path.partition("/series")[0]
    wado = {"requestType": "WADO", "objectUID": path.rpartition("/")[2]}
    asked = [
        (path, "*/*"),
        (path, STORED),
        (path, "application/dicom; transfer-syntax=*"),
        (study, "*/*"),
        (study, STORED),
        (study, "application/zip"),
        (f"{path}/bulk/00080018", "*/*"),
        (f"{path}/bulk/7fe00010", "application/octet-stream"),
        (f"{path}/frames/1", "*/*"),
        (f"{path}/frames", OCTETS),
        (f"{path}/rendered", "*/*"),
    ]
    if at < 3:  # what stands before the pixels is whole
        asked += [(f"{place}/metadata", "*/*") for place in (path, series, study)]
        asked += [(f"{path}/metadata", XML)]
    for address, accept in asked:
        try:
            answer = client.get(address, headers={"accept": accept})
        except httpx.RemoteProtocolError:
            continue  # aborted
        assert answer.status_code in (400, 500), (address, accept, answer.status_code)
    for kind in ("image/png", "application/dicom"):
        answer = client.get("/wado", params=wado | {"contentType": kind})
        assert answer.status_code in (400, 415, 500), kind


@pytest.mark.parametrize("count", ["2147483647", "100000000", "0"])
@pytest.mark.parametrize("name", ["CT_small.dcm", "SC_rgb_rle_2frame.dcm"])
def test_frames_that_are_not_there(client: httpx.Client, name: str, count: str) -> None:
    dataset = pydicom.dcmread(file_named(name))
    dataset.NumberOfFrames = count
    path, _ = stored(client, dataset, f"1.2.4.{len(name)}.{count}")
    for place, accept in (
        ("frames", OCTETS),
        ("frames", "*/*"),
        ("rendered", "image/gif"),
        ("rendered", 'multipart/related; type="image/png"'),
    ):
        answer = client.get(f"{path}/{place}", headers={"accept": accept})
        assert answer.status_code == 400, (place, accept, answer.text)
