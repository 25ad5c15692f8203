"""Other people's software receives what is routed: DCMTK's storescp, and Orthanc 1.13 as modality,
as peer and as server of DICOMweb, which stops meanwhile."""

import io
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pydicom
from pydicom.uid import generate_uid
from support.files import file_named
from support.ports import free_port, wait_for_port
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.waiting import until

PATIENCE = 90.0
FILES = (
    *("CT_small.dcm", "MR_small_bigendian.dcm", "SC_rgb_jpeg_gdcm.dcm", "rtdose_1frame.dcm"),
    *("MR_small_jp2klossless.dcm", "SC_rgb_rle.dcm"),
)
PLUGIN = "libOrthancDicomWeb.so"


def renewed(name: str) -> bytes:
    """Some of the files are versions of one image."""
    data_set = pydicom.dcmread(file_named(name))
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    file = io.BytesIO()
    data_set.save_as(file)
    return file.getvalue()


@contextmanager
def storescp(folder: Path, port: int) -> Iterator[None]:
    """Takes uncompressed transfer syntaxes only, as it does unless it is told otherwise."""
    folder.mkdir()
    command = ["storescp", "--output-directory", str(folder), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield
    finally:
        process.terminate()
        process.wait()


def test_others_receive_what_is_routed(tmp_path: Path) -> None:
    port = free_port()
    reference = ReferenceServer(
        tmp_path / "reference",
        {
            "DicomServerEnabled": True,
            "DicomPort": free_port(),
            "DicomAet": "OTHER",
            "DicomAlwaysAllowStore": True,
            "DicomWeb": {"Enable": True},
            "OverwriteInstances": False,
        },
        plugins=(PLUGIN,),
    )
    pauses = {"FirstPause": 0.1, "LongestPause": 0.5}
    rules = {
        "plain": {"Destinations": ["dcmtk", "modality"]},
        # Three copies with identifiers of their own.
        "for-peer": {"Anonymize": {"PseudonymKey": "peer"}, "Destinations": ["peer"]},
        "for-web": {"Anonymize": {"PseudonymKey": "web"}, "Destinations": ["web"]},
    }
    configuration = {
        "DicomModalities": {
            "s": ["STORESCP", "127.0.0.1", port],
            "o": ["OTHER", "127.0.0.1", reference.configuration["DicomPort"]],
        },
        "OrthancPeers": {"o": [reference.url]},
        "DicomWeb": {"Servers": {"o": [f"{reference.url}/dicom-web/"]}},
        "Routing": {
            "Destinations": {
                "dcmtk": {"Modality": "s", **pauses},
                "modality": {"Modality": "o", **pauses},
                "peer": {"Peer": "o", **pauses},
                "web": {"DicomWeb": "o", **pauses},
            },
            "Rules": rules,
        },
    }
    with (
        storescp(tmp_path / "received", port),
        OurServer(tmp_path / "server", configuration) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):

        def destination(name: str, field: str) -> int:
            return int(client.get(f"/routing/destinations/{name}").json()[field])

        contents = [renewed(name) for name in FILES]
        with reference:
            for content in contents[:3]:
                client.post("/instances", content=content).raise_for_status()
            for name in ("dcmtk", "modality", "peer", "web"):
                until(lambda: destination(name, "Sent") == 3)  # noqa: B023
        for content in contents[3:]:
            client.post("/instances", content=content).raise_for_status()
        until(lambda: destination("dcmtk", "Sent") == len(FILES))
        for name in ("modality", "peer", "web"):
            until(lambda: destination(name, "Attempts") > 1)  # noqa: B023
            assert destination(name, "Pending") == 3
        with reference:
            for name in ("modality", "peer", "web"):
                until(lambda: destination(name, "Sent") == len(FILES))  # noqa: B023
            there = httpx.get(f"{reference.url}/instances?expand").json()
        ours = {each["ID"] for each in client.get("/instances?expand").json()}
    received = [pydicom.dcmread(path) for path in (tmp_path / "received").iterdir()]
    assert len(received) == len(ours) == len(FILES)
    assert len(there) == 3 * len(FILES)
    assert ours <= {each["ID"] for each in there}
