"""Transcoding over HTTP and at reception: what Orthanc 1.13 makes of the same files; its rules for
ingest, over both doors."""

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from support.files import file_named
from support.images import greatest_difference, image_in
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast import transfer_syntaxes as syntaxes

CT, COLOR, EIGHT_BITS = "CT_small.dcm", "SC_rgb.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm"
LOSSLESS = (
    syntaxes.IMPLICIT_LITTLE,
    syntaxes.EXPLICIT_LITTLE,
    syntaxes.DEFLATED,
    syntaxes.EXPLICIT_BIG,
    syntaxes.JPEG_LOSSLESS,
    syntaxes.JPEG_LOSSLESS_SV1,
    syntaxes.JPEG_LS_LOSSLESS,
)


def read(data: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(data))


def frames(data: bytes) -> list[np.ndarray]:
    with image_in(data) as image:
        return [image.decode(index) for index in range(image.number_of_frames)]


@pytest.fixture
def client(our_server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=our_server.url, timeout=30) as client:
        yield client


def post(client: httpx.Client, data: bytes) -> str:
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ID"])


# GET /instances/{id}/file?transcode=


def test_a_file_in_another_syntax(client: httpx.Client) -> None:
    data = file_named(CT).read_bytes()
    instance = post(client, data)
    answer = client.get(f"/instances/{instance}/file", params={"transcode": syntaxes.RLE})
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.headers["content-disposition"] == f'filename="{instance}.dcm"'
    dataset = read(answer.content)
    assert dataset.file_meta.TransferSyntaxUID == syntaxes.RLE
    np.testing.assert_array_equal(dataset.pixel_array, read(data).pixel_array)


def test_lossy_files_have_one_uid_whoever_asks(client: httpx.Client) -> None:
    instance = post(client, file_named(EIGHT_BITS).read_bytes())
    path = f"/instances/{instance}/file?transcode={syntaxes.JPEG_BASELINE}"
    uids = set()
    for quality in ("", "&lossy-quality=90", "&lossy-quality=50", "&lossy-quality=50"):
        with httpx.Client(base_url=str(client.base_url), timeout=30) as other:
            uids.add(read(other.get(path + quality).content).SOPInstanceUID)
    assert len(uids) == 2


def test_quality_is_clamped_and_empty_is_the_worst(client: httpx.Client) -> None:
    instance = post(client, file_named(EIGHT_BITS).read_bytes())
    path = f"/instances/{instance}/file?transcode={syntaxes.JPEG_BASELINE}&lossy-quality="
    assert client.get(path).content == client.get(path + "1").content
    assert client.get(path + "1000").content == client.get(path + "100").content
    for bad in ("-1", "x", "1.5"):
        assert client.get(path + bad).status_code == 400
    plain = client.get(f"/instances/{instance}/file?lossy-quality=x")
    assert plain.status_code == 200  # only read together with `transcode`


def test_refusals(client: httpx.Client) -> None:
    instance = post(client, file_named(CT).read_bytes())
    for uid in ("", "nope", "LittleEndianExplicit"):
        answer = client.get(f"/instances/{instance}/file?transcode={uid}")
        assert answer.status_code == 400
        assert answer.json()["OrthancStatus"] == 3
        assert answer.json()["Details"] == f"Unknown transfer syntax: {uid}"
    for uid in (syntaxes.JPEG_BASELINE, "1.2.840.10008.1.2.4.100"):
        answer = client.get(f"/instances/{instance}/file?transcode={uid}")
        assert answer.status_code == 500
        assert answer.json()["OrthancStatus"] == 2
    unknown = "0" * 8 + "-00000000" * 4
    assert client.get(f"/instances/{unknown}/file?transcode={syntaxes.RLE}").status_code == 404


def test_compressed_storage(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"StorageCompression": True}) as server:
        data = file_named(CT).read_bytes()
        instance = httpx.post(f"{server.url}/instances", content=data).json()["ID"]
        path = f"{server.url}/instances/{instance}/file?transcode={syntaxes.JPEG_2000_LOSSLESS}"
        made = httpx.get(path).content
        assert greatest_difference(frames(made), frames(data)) == 0


# The same with Orthanc 1.13


@pytest.fixture(scope="module")
def theirs(
    needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """An Orthanc 1.13."""
    server = ReferenceServer(tmp_path_factory.mktemp("theirs"))
    # Its connections end between two requests now and then.
    headers = {"Connection": "close"}
    with server, httpx.Client(base_url=server.url, timeout=30, headers=headers) as client:
        yield client


def transcoded(client: httpx.Client, data: bytes, uid: str) -> bytes:
    """What a server makes of a file."""
    path = f"/instances/{post(client, data)}/file"
    answer = client.get(path, params={"transcode": uid})
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.parametrize("uid", LOSSLESS)
@pytest.mark.parametrize("name", [CT, COLOR, EIGHT_BITS])
def test_lossless_as_orthanc(
    client: httpx.Client, theirs: httpx.Client, name: str, uid: str
) -> None:
    data = file_named(name).read_bytes()
    mine, other = transcoded(client, data, uid), transcoded(theirs, data, uid)
    assert greatest_difference(frames(mine), frames(other)) == 0
    before, left, right = read(data), read(mine), read(other)
    assert _changes(before, left) == _changes(before, right)


_LOSSY_TEXTS = {"DerivationDescription", "LossyImageCompressionRatio", "SOPInstanceUID"}


@pytest.mark.parametrize("uid", [syntaxes.JPEG_BASELINE, syntaxes.JPEG_EXTENDED])
@pytest.mark.parametrize("name", [COLOR, EIGHT_BITS])
def test_lossy_as_orthanc(client: httpx.Client, theirs: httpx.Client, name: str, uid: str) -> None:
    data = file_named(name).read_bytes()
    mine, other = transcoded(client, data, uid), transcoded(theirs, data, uid)
    before, left, right = read(data), read(mine), read(other)
    assert _changes(before, left) == _changes(before, right)
    assert set(_changes(before, left)) >= _LOSSY_TEXTS
    for left_frame, right_frame in zip(frames(mine), frames(other), strict=True):
        mean = np.abs(left_frame.astype(float) - right_frame).mean()
        assert mean < 2


_OF_EACH_MAKER = {
    "SOPInstanceUID",
    "DerivationDescription",
    "LossyImageCompressionRatio",
    "SourceImageSequence",
    "DerivationCodeSequence",
}


def _changes(before: pydicom.Dataset, after: pydicom.Dataset) -> dict[str, str]:
    """What differs; the values too, unless each maker has its own."""
    found: dict[str, str] = {}
    for tag in sorted({*before.keys(), *after.keys()}):
        element = after.get(tag)
        name = pydicom.datadict.keyword_for_tag(tag)
        if name in ("PixelData", "DataSetTrailingPadding") or pydicom.tag.Tag(tag).is_private:
            continue
        if element is None:
            found[name] = "removed"
        elif tag not in before or str(before[tag].value) != str(element.value):
            found[name] = "" if name in _OF_EACH_MAKER else str(element.value)
    return found


# IngestTranscoding


@pytest.fixture(scope="module")
def ingesting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {
        "IngestTranscoding": syntaxes.JPEG_BASELINE,
        "DicomServerEnabled": True,
        "DicomPort": free_port(),
        "MaximumUploadMemoryMB": 0,
    }
    with OurServer(tmp_path_factory.mktemp("ingesting"), configuration) as server:
        yield server


def syntax_of(server: OurServer, instance: str) -> str:
    return httpx.get(f"{server.url}/instances/{instance}/metadata/TransferSyntax").text


def test_ingest_by_http(ingesting: OurServer) -> None:
    assert httpx.get(f"{ingesting.url}/system").json()["IngestTranscoding"] == (
        syntaxes.JPEG_BASELINE
    )
    data = file_named(EIGHT_BITS).read_bytes()
    first = httpx.post(f"{ingesting.url}/instances", content=data).json()
    assert syntax_of(ingesting, first["ID"]) == syntaxes.JPEG_BASELINE
    stored = read(httpx.get(f"{ingesting.url}/instances/{first['ID']}/file").content)
    assert stored.SOPInstanceUID != read(data).SOPInstanceUID
    again = httpx.post(f"{ingesting.url}/instances", content=data).json()
    assert (again["ID"], again["Status"]) == (first["ID"], "AlreadyStored")


def test_ingest_of_what_cannot_be_transcoded(ingesting: OurServer) -> None:
    data = file_named(CT).read_bytes()
    answer = httpx.post(f"{ingesting.url}/instances", content=data).json()
    assert syntax_of(ingesting, answer["ID"]) == syntaxes.EXPLICIT_LITTLE
    assert httpx.get(f"{ingesting.url}/instances/{answer['ID']}/file").content == data
    refused = httpx.post(f"{ingesting.url}/instances", content=b"no DICOM")
    assert refused.status_code == 400


def test_ingest_by_c_store(ingesting: OurServer) -> None:
    port = str(ingesting.configuration["DicomPort"])
    path = file_named("SC_rgb.dcm")
    done = subprocess.run(
        ["storescu", "127.0.0.1", port, str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    query = {
        "Level": "Instance",
        "Query": {"PatientID": read(path.read_bytes()).PatientID},
        "Expand": True,
    }
    (found,) = httpx.post(f"{ingesting.url}/tools/find", json=query).json()
    assert syntax_of(ingesting, found["ID"]) == syntaxes.JPEG_BASELINE
    stored = httpx.get(f"{ingesting.url}/instances/{found['ID']}/file").content
    assert read(stored).PhotometricInterpretation == "YBR_FULL_422"


@pytest.mark.parametrize("compressed", [False, True])
def test_ingest_options(compressed: bool, tmp_path: Path) -> None:
    configuration = {
        "IngestTranscoding": syntaxes.JPEG_2000_LOSSLESS,
        "IngestTranscodingOfCompressed": compressed,
        "IngestTranscodingOfUncompressed": not compressed,
    }
    with OurServer(tmp_path, configuration) as server:
        found = {}
        for name in (CT, "MR_small_RLE.dcm", "rtplan.dcm"):
            data = file_named(name).read_bytes()
            answer = httpx.post(f"{server.url}/instances", content=data).json()
            found[name] = syntax_of(server, answer["ID"])
    target = syntaxes.JPEG_2000_LOSSLESS
    assert found == {
        CT: syntaxes.EXPLICIT_LITTLE if compressed else target,
        "MR_small_RLE.dcm": target if compressed else syntaxes.RLE,
        "rtplan.dcm": syntaxes.IMPLICIT_LITTLE,  # no pixel data
    }


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("IngestTranscoding", "nope"),
        ("DicomLossyTranscodingQuality", 0),
        ("BuiltinDecoderTranscoderOrder", "after"),
    ],
)
def test_options_that_stop_the_start(option: str, value: object, tmp_path: Path) -> None:
    server = OurServer(tmp_path, {option: value})
    with pytest.raises(RuntimeError, match=option):
        server.start()
