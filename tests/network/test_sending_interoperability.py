"""Other people's DICOM software receives what we send: DCMTK's storescp and dcmqrscp, pynetdicom's
storescp, Orthanc 1.13; and a job worker that is killed while it sends."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid
from support import generated
from support.certificates import Authority
from support.files import file_named
from support.ports import free_port, wait_for_port
from support.process import workers
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.sink import Sink

from orthanc_fast.dicom.part10 import open_meta
from orthanc_fast.transfer_syntaxes import IMPLICIT_LITTLE

FILES = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "rtdose_1frame.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_rle.dcm",
    "image_dfl.dcm",
    "eCT_Supplemental.dcm",
)
PATIENCE = 60.0


@pytest.fixture(scope="module")
def client(our_server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=our_server.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def stored(client: httpx.Client) -> dict[str, bytes]:
    """The files by the identifiers of their instances; some of them are versions of one image."""
    contents = []
    for name in FILES:
        data_set = pydicom.dcmread(file_named(name))
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        file = io.BytesIO()
        data_set.save_as(file)
        contents.append(file.getvalue())
    return {client.post("/instances", content=each).json()["ID"]: each for each in contents}


@contextmanager
def running(*command: object, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait()


def send(client: httpx.Client, port: int, resources: list[str], **fields: Any) -> dict[str, Any]:
    """The content of the job."""
    modality = {"AET": "RECEIVER", "Host": "127.0.0.1", "Port": port}
    client.put("/modalities/receiver", json=modality).raise_for_status()
    answer = client.post("/modalities/receiver/store", json={"Resources": resources, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["FailedInstancesCount"] == 0
    return found


def by_sop_instance(files: dict[str, bytes]) -> dict[str, bytes]:
    return {
        str(pydicom.dcmread(io.BytesIO(each), stop_before_pixels=True).SOPInstanceUID): each
        for each in files.values()
    }


@pytest.mark.parametrize("pdu", [4096, 131072])
def test_storescp_gets_the_very_bytes(
    client: httpx.Client, stored: dict[str, bytes], tmp_path: Path, pdu: int
) -> None:
    port = free_port()
    with running("storescp", "+xa", "+B", "-pdu", pdu, "-od", tmp_path, port, port=port):
        assert send(client, port, list(stored))["InstancesCount"] == len(FILES)
    expected = by_sop_instance(stored)
    for path in tmp_path.iterdir():
        received = path.read_bytes()
        found = pydicom.dcmread(io.BytesIO(received), stop_before_pixels=True)
        sent = expected.pop(str(found.SOPInstanceUID))
        assert data_set(received) == data_set(sent)
    assert not expected


def data_set(file: bytes) -> bytes:
    return bytes(file[open_meta(file).start :])


def test_storescp_that_takes_uncompressed_files_only(
    client: httpx.Client, stored: dict[str, bytes], tmp_path: Path
) -> None:
    port = free_port()
    with running("storescp", "+xi", "-od", tmp_path, port, port=port):
        send(client, port, list(stored))
    expected = by_sop_instance(stored)
    for path in tmp_path.iterdir():
        received = pydicom.dcmread(path)
        assert received.file_meta.TransferSyntaxUID == IMPLICIT_LITTLE
        sent = pydicom.dcmread(io.BytesIO(expected.pop(str(received.SOPInstanceUID))))
        if "PixelData" in sent and sent.file_meta.TransferSyntaxUID != "1.2.840.10008.1.2.4.50":
            assert (received.pixel_array == sent.pixel_array).all()
    assert not expected


def test_storescp_over_tls(stored: dict[str, bytes], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (certificate, key), ours = authority.issue("receiver"), authority.issue("sender")
    port = free_port()
    files = tmp_path / "files"
    files.mkdir()
    modality = {"AET": "RECEIVER", "Host": "127.0.0.1", "Port": port, "UseDicomTls": True}
    options = {
        "DicomTlsCertificate": str(ours[0]),
        "DicomTlsPrivateKey": str(ours[1]),
        "DicomTlsTrustedCertificates": str(authority.certificate),
        "DicomModalities": {"receiver": modality},
        "HttpWorkers": 1,
    }
    secure = ("+tls", key, certificate, "+cf", authority.certificate)
    command = ("storescp", "+xa", "+B", *secure, "-od", files, port)
    with (
        OurServer(tmp_path / "server", options) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE) as client,
        running(*command, port=port),
    ):
        for content in stored.values():
            client.post("/instances", content=content).raise_for_status()
        body = list(stored)
        assert client.post("/modalities/receiver/store", json=body).status_code == 200
    received = {data_set(path.read_bytes()) for path in files.iterdir()}
    assert received == {data_set(each) for each in stored.values()}


def test_pynetdicoms_storescp(
    client: httpx.Client, stored: dict[str, bytes], tmp_path: Path
) -> None:
    port = free_port()
    command = (sys.executable, "-m", "pynetdicom", "storescp", port, "-od", tmp_path)
    with running(*command, port=port):
        send(client, port, list(stored))
    received = [pydicom.dcmread(path) for path in tmp_path.iterdir()]
    found = {str(each.SOPInstanceUID): each for each in received}
    assert found.keys() == by_sop_instance(stored).keys()


def test_dcmqrscp(client: httpx.Client, stored: dict[str, bytes], tmp_path: Path) -> None:
    port = free_port()
    archive = tmp_path / "archive"
    archive.mkdir()
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        f"""NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 4
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
RECEIVER {archive} RW (100, 1024mb) ANY
AETable END
"""
    )
    with running("dcmqrscp", "-c", configuration, "--single-process", port=port):
        send(client, port, list(stored))
    files = [path for path in archive.iterdir() if path.name != "index.dat"]
    assert len(files) == len(FILES)


def test_orthanc_receives(
    needs_reference: None, client: httpx.Client, stored: dict[str, bytes], tmp_path: Path
) -> None:
    port = free_port()
    options = {"DicomServerEnabled": True, "DicomPort": port}
    with (
        ReferenceServer(tmp_path / "theirs", options) as theirs,
        httpx.Client(base_url=theirs.url, timeout=PATIENCE) as other,
    ):
        send(client, port, list(stored), MoveOriginatorID=3)
        assert set(other.get("/instances").json()) == set(stored)
        for public in stored:
            both = [
                each.get(f"/instances/{public}/metadata/TransferSyntax").text
                for each in (client, other)
            ]
            assert both[0] == both[1]


def test_a_study_goes_to_another_of_ours_and_back(
    client: httpx.Client, our_server: OurServer, tmp_path: Path
) -> None:
    """Over several associations at a time."""
    port = free_port()
    options = {
        "DicomServerEnabled": True,
        "DicomPort": port,
        "DicomScuAssociationsCount": 3,
        "DicomModalities": {"itself": ["ITSELF", "127.0.0.1", port]},
        "OverwriteInstances": "Always",
    }
    template = generated.small()
    with (
        OurServer(tmp_path / "other", options) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE) as other,
    ):
        for number in range(50):
            data = template.number(77, 77, 77, number)
            study = client.post("/instances", content=data).json()["ParentStudy"]
        assert send(client, port, [study])["InstancesCount"] == 50
        found = other.post("/modalities/itself/store", json=[study]).json()
        assert (found["InstancesCount"], found["FailedInstancesCount"]) == (50, 0)
        assert len(other.get("/instances").json()) == 50


def test_a_killed_worker(tmp_path: Path) -> None:
    """The job goes on with another one, and sends again no more than what was not known to be
    done."""
    count = 120
    with (
        Sink(status=_slow) as sink,
        OurServer(tmp_path, {"ConcurrentJobs": 1}) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        template = generated.small()
        for number in range(count):
            data = template.number(1, 1, 1, number)
            study = client.post("/instances", content=data).json()["ParentStudy"]
        client.put("/modalities/sink", json=["SINK", "127.0.0.1", sink.port])
        body = {"Resources": [study], "Asynchronous": True}
        job = client.post("/modalities/sink/store", json=body).json()["ID"]
        end = time.monotonic() + PATIENCE
        while len(sink.taken) < count * 3 // 4:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert server.process is not None
        (worker,) = workers(server.process.pid, "jobs")
        os.kill(worker, signal.SIGKILL)
        while (found := client.get(f"/jobs/{job}").json())["State"] in ("Pending", "Running"):
            assert time.monotonic() < end
            time.sleep(0.05)
    assert found["State"] == "Success", found
    assert len({each.sop_instance for each in sink.taken}) == count
    assert len(sink.taken) < 2 * count - count // 4


def _slow(taken: object) -> int:
    time.sleep(0.02)
    return 0
