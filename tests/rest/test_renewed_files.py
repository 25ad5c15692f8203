"""Files of stored instances in another transfer syntax: compared with Orthanc 1.13, and with the
server killed while they are replaced."""

import hashlib
import io
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from support import generated
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.transfer_syntaxes import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    JPEG_LS_LOSSLESS,
    RLE,
)

PATIENCE = 120.0
ROUNDS = 5
INSTANCES = 25


def files() -> list[bytes]:
    """A slice of 16 bits as it came from a scanner, one in RLE, a colour image of 8 bits."""
    plain = generated.ct_slice().number(1, 1, 1, 1)
    coded = pydicom.dcmread(io.BytesIO(generated.ct_slice().number(1, 1, 1, 2)))
    coded.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    target = io.BytesIO()
    coded.save_as(target)
    return [plain, target.getvalue(), generated.ultrasound(2).number(2, 1, 1, 1)]


def client_of(server: OurServer | ReferenceServer) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=PATIENCE)


def seen(client: httpx.Client, identifier: str) -> dict[str, Any]:
    """What a client sees of an instance, but what no two servers share."""
    path = f"/instances/{identifier}"
    metadata = client.get(f"{path}/metadata?expand").json()
    # Which way a file is laid out is the server's affair; that it is told rightly is not.
    offset = int(metadata.pop("PixelDataOffset"))
    file = client.get(f"{path}/file").content
    assert file[offset : offset + 4] == b"\xe0\x7f\x10\x00"
    info = client.get(f"{path}/attachments/dicom/info").json()
    assert info["UncompressedSize"] == len(file)
    read = pydicom.dcmread(io.BytesIO(file))
    assert read.file_meta.TransferSyntaxUID == metadata["TransferSyntax"]
    for name in ("ReceptionDate", "MainDicomTagsSignature"):
        metadata.pop(name)
    return {
        "metadata": metadata,
        "attachments": client.get(f"{path}/attachments").json(),
        "labels": client.get(f"{path}/labels").json(),
        "pixels": hashlib.sha256(read.pixel_array.tobytes()).hexdigest(),
        "uid": read.SOPInstanceUID,
        "etag": client.get(f"{path}/attachments/dicom/info").headers.get("ETag", "")[:3],
        "resource": client.get(path).json()["MainDicomTags"],
    }


@pytest.mark.parametrize("syntax", [JPEG_LS_LOSSLESS, IMPLICIT_LITTLE])
def test_reconstructed_under_ingest_transcoding(
    needs_reference: None, tmp_path: Path, syntax: str
) -> None:
    found = []
    for kind, name in ((OurServer, "ours"), (ReferenceServer, "theirs")):
        with kind(tmp_path / name, {}) as server, client_of(server) as client:
            stored = [client.post("/instances", content=each).json() for each in files()]
            first = f"/instances/{stored[0]['ID']}"
            client.put(f"{first}/metadata/1024", content="kept").raise_for_status()
            client.put(f"{first}/labels/kept").raise_for_status()
            client.put(f"{first}/attachments/1025", content="kept").raise_for_status()
            before = [seen(client, each["ID"]) for each in stored]
            last = client.get("/changes?last").json()["Last"]
        options = {"IngestTranscoding": syntax}
        with kind(tmp_path / name, options) as server, client_of(server) as client:
            for study in client.get("/studies").json():
                path = f"/studies/{study}/reconstruct"
                client.post(path, json={"ReconstructFiles": True}).raise_for_status()
            after = [seen(client, each["ID"]) for each in stored]
            assert client.get("/changes?last").json()["Last"] == last
            found.append((before, after))
    assert found[0] == found[1]
    before, after = found[0]
    assert [each["metadata"]["TransferSyntax"] for each in after] == [syntax] * 3
    assert [each["pixels"] for each in after] == [each["pixels"] for each in before]


def ask_for_ever(url: str, study: str) -> None:
    try:
        while True:
            body = {"ReconstructFiles": True}
            httpx.post(f"{url}/studies/{study}/reconstruct", json=body, timeout=PATIENCE)
    except httpx.TransportError:
        return  # the server was killed


def files_of(client: httpx.Client, pixels: np.ndarray) -> set[str]:
    """The names of the files of all instances and of what is above them, after what the index says
    of each instance was compared with its file."""
    known = set()
    for each in client.get("/instances?expand").json():
        path = f"/instances/{each['ID']}"
        file = pydicom.dcmread(io.BytesIO(client.get(f"{path}/file").content))
        told = client.get(f"{path}/metadata/TransferSyntax").text
        assert file.file_meta.TransferSyntaxUID == told
        assert (file.pixel_array == pixels).all()
        assert client.get(f"{path}/image-int16").status_code == 200
        assert client.get(f"{path}/tags?simplify").json()["Rows"] == str(len(pixels))
    for level in ("instances", "series", "studies", "patients"):
        for public in client.get(f"/{level}").json():
            path = f"/{level}/{public}/attachments"
            for name in client.get(path).json():
                known.add(client.get(f"{path}/{name}/info").json()["Uuid"])
    return known


@pytest.mark.parametrize("journal_size", [4, 0])
def test_sigkill_while_files_are_replaced(tmp_path: Path, journal_size: int) -> None:
    """Each instance has its old file or its new one, and what the index says of it is true."""
    chance = random.Random(journal_size)
    syntaxes = [JPEG_LS_LOSSLESS, EXPLICIT_LITTLE, RLE]
    dataset = generated.base()
    pixels = generated.anatomy(48)
    generated.add_pixels(dataset, pixels)
    template = generated.encode(dataset)
    # No series becomes stable meanwhile: the metadata that are kept of it then are one more file,
    # which could come between two looks.
    options = {"HttpWorkers": 1, "IndexJournalSizeMB": journal_size, "StableAge": 3600}
    server = OurServer(tmp_path, options)

    def has_its_files() -> None:
        with client_of(server) as client:
            known = files_of(client, pixels)
        assert len(known) >= INSTANCES
        lying = {
            each.name
            for each in (tmp_path / "storage").rglob("*")
            if each.is_file() and INDEX_FOLDER not in each.parts
        }
        assert lying == known

    with server:
        for number in range(INSTANCES):
            data = template.number(1, 1, 1, number)
            assert httpx.post(f"{server.url}/instances", content=data).status_code == 200
        (study,) = httpx.get(f"{server.url}/studies").json()
    for number in range(ROUNDS):
        server.configuration["IngestTranscoding"] = syntaxes[number % 3]
        server.configuration["StorageCompression"] = number % 2 == 1
        server.start()
        has_its_files()
        asking = threading.Thread(target=ask_for_ever, args=(server.url, study))
        asking.start()
        threading.Event().wait(chance.uniform(0.1, 1.0))  # any moment will do
        server.kill_all()
        asking.join()
    with server:
        has_its_files()
    checked = subprocess.run(
        [sys.executable, "-m", "orthanc_fast.cli", "check", str(server.config_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
