"""C-MOVE and C-GET from us: the tools of DCMTK, pynetdicom and Orthanc on the other side."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit
from support import generated
from support.files import file_named
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.retrieving import (
    PATIENT_GET,
    PATIENT_MOVE,
    STUDY_GET,
    STUDY_MOVE,
    Sink,
    get,
    identifier,
    move,
    started,
)
from support.server import OurServer

COUNT = 5  # instances of the study
JPEG_FILE = file_named("SC_rgb_small_odd_jpeg.dcm")


def uid(*numbers: int) -> str:
    parts = (f"{digit}{number:09d}" for digit, number in zip("456", numbers, strict=False))
    return ".".join([generated.ROOT, *parts])


def pixels_of(found: pydicom.FileDataset) -> bytes:
    """In little endian."""
    return found.pixel_array.astype("<i2").tobytes()


PIXELS = pixels_of(pydicom.dcmread(io.BytesIO(generated.small().data)))


class Site:
    """Our server with a study, and the ports on which its modalities are expected."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.ports = {name: free_port() for name in ("storescp", "dcmqrscp", "movescu", "orthanc")}
        self.sink = Sink()
        known = {
            "client": ["CLIENT", "127.0.0.1", 104],
            "sink": self.sink.modality,
            "itself": ["ORTHANC", "127.0.0.1", self.port],
            **{
                name: {"AET": name.upper(), "Host": "127.0.0.1", "Port": port}
                for name, port in self.ports.items()
            },
        }
        self.server = OurServer(
            folder,
            {
                "DicomServerEnabled": True,
                "DicomPort": self.port,
                "DicomWorkers": 1,
                "DicomModalities": known,
            },
        )

    def fill(self) -> None:
        template = generated.small()
        for number in range(1, COUNT + 1):
            self.put(template.number(1, 1, 1, number))
        self.put(JPEG_FILE.read_bytes())

    def put(self, data: bytes) -> None:
        answer = httpx.post(f"{self.server.url}/instances", content=data, timeout=30)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    with started(site.sink), site.server:
        site.fill()
        yield site


@pytest.fixture
def sink(site: Site) -> Sink:
    site.sink.forget()
    return site.sink


def run(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


STUDY_KEYS = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid(1)}")
ALL = {uid(1, 1, number) for number in range(1, COUNT + 1)}


def uids_of(folder: Path) -> set[str]:
    """The SOP instances of the files that a tool has written; their pixels must be right."""
    found = [pydicom.dcmread(path) for path in folder.iterdir() if path.is_file()]
    assert {pixels_of(each) for each in found} == {PIXELS}
    return {each.SOPInstanceUID for each in found}


@pytest.fixture
def storescp(site: Site, tmp_path: Path) -> Iterator[Path]:
    """The folder into which DCMTK's storescp writes what it gets."""
    folder = tmp_path / "received"
    folder.mkdir()
    command = ["storescp", "-od", str(folder), "-aet", "STORESCP", str(site.ports["storescp"])]
    process = subprocess.Popen(command)
    wait_for("STORESCP", site.ports["storescp"])
    yield folder
    process.terminate()
    process.wait()


def wait_for(aet: str, port: int) -> None:
    """Until somebody listens there, who takes an echo."""
    for _ in range(100):
        command = ["echoscu", "-aec", aet, "127.0.0.1", str(port)]
        done = subprocess.run(command, capture_output=True)
        if done.returncode == 0:
            return
    raise AssertionError(f"{aet} does not listen on {port}")


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_movescu_to_storescp(site: Site, storescp: Path, model: str) -> None:
    said = run(
        *("movescu", "-d", model, "-aet", "CLIENT", "-aem", "STORESCP", *STUDY_KEYS),
        *("127.0.0.1", site.port),
    )
    assert said.count("0xff00: Pending: Sub-operations are continuing") == COUNT - 1
    assert said.count("0x0000: Success: Sub-operations complete") == 1
    assert f"Completed Suboperations       : {COUNT}" in said
    assert uids_of(storescp) == ALL


def test_movescu_receives_itself(site: Site, tmp_path: Path) -> None:
    """The destination is the requestor: both associations are served at the same time."""
    run(
        *("movescu", "-S", "-aet", "MOVESCU", "-aem", "MOVESCU", "-od", tmp_path),
        *("+P", site.ports["movescu"], *STUDY_KEYS, "127.0.0.1", site.port),
    )
    assert uids_of(tmp_path) == ALL


def test_movescu_to_dcmqrscp(site: Site, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    configuration = tmp_path / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {site.ports['dcmqrscp']}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQRSCP {store} RW (200, 1024mb) ANY\nAETable END\n"
    )
    process = subprocess.Popen(["dcmqrscp", "-c", str(configuration)])
    try:
        wait_for("DCMQRSCP", site.ports["dcmqrscp"])
        run(
            *("movescu", "-S", "-aet", "CLIENT", "-aem", "DCMQRSCP", *STUDY_KEYS),
            *("127.0.0.1", site.port),
        )
        kept = [path for path in store.iterdir() if path.name != "index.dat"]
        assert {pydicom.dcmread(path).SOPInstanceUID for path in kept} == ALL
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("model", ["-S", "-P"])
@pytest.mark.parametrize("proposal", ["+x=", "+xi", "+xb"])
def test_getscu(site: Site, tmp_path: Path, model: str, proposal: str) -> None:
    run(
        *("getscu", model, proposal, "-aet", "CLIENT", "-od", tmp_path, *STUDY_KEYS),
        *("127.0.0.1", site.port),
    )
    assert uids_of(tmp_path) == ALL


def test_getscu_gets_compressed_pixels_as_they_are(site: Site, tmp_path: Path) -> None:
    sent = pydicom.dcmread(JPEG_FILE)
    run(
        *("getscu", "-S", "+xy", "+B", "-aet", "CLIENT", "-od", tmp_path),
        *("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={sent.StudyInstanceUID}"),
        *("127.0.0.1", site.port),
    )
    (path,) = tmp_path.iterdir()
    found = pydicom.dcmread(path)
    assert found.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    assert found.PixelData == sent.PixelData


def test_getscu_with_small_pdus(site: Site, tmp_path: Path) -> None:
    run(
        *("getscu", "-S", "-aet", "CLIENT", "--max-pdu", 4096, "-od", tmp_path, *STUDY_KEYS),
        *("127.0.0.1", site.port),
    )
    assert uids_of(tmp_path) == ALL


def test_pynetdicoms_movescu(site: Site, storescp: Path) -> None:
    run(
        *(sys.executable, "-m", "pynetdicom", "movescu", "127.0.0.1", site.port, "-S"),
        *("-aet", "CLIENT", "-aem", "STORESCP", *STUDY_KEYS),
    )
    assert uids_of(storescp) == ALL


def test_pynetdicoms_getscu(site: Site, tmp_path: Path) -> None:
    run(
        *(sys.executable, "-m", "pynetdicom", "getscu", "127.0.0.1", site.port, "-S"),
        *("-aet", "CLIENT", "-od", tmp_path, *STUDY_KEYS),
    )
    assert uids_of(tmp_path) == ALL


@pytest.mark.parametrize("method", ["move", "get"])
def test_orthanc_retrieves(site: Site, method: str, needs_reference: None, tmp_path: Path) -> None:
    configuration = {
        "DicomServerEnabled": True,
        "DicomPort": site.ports["orthanc"],
        "DicomAet": "ORTHANC13",
        "DicomModalities": {"ours": ["ORTHANC", "127.0.0.1", site.port]},
    }
    known = {"AET": "ORTHANC13", "Host": "127.0.0.1", "Port": site.ports["orthanc"]}
    assert httpx.put(f"{site.server.url}/modalities/orthanc13", json=known).status_code == 200
    with ReferenceServer(tmp_path / "theirs", configuration) as theirs:
        body = {"Level": "Study", "Resources": [{"StudyInstanceUID": uid(1)}]}
        answer = httpx.post(f"{theirs.url}/modalities/ours/{method}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        ids = httpx.get(f"{theirs.url}/instances").json()
        files = [httpx.get(f"{theirs.url}/instances/{each}/file").content for each in ids]
    found = [pydicom.dcmread(io.BytesIO(each)) for each in files]
    assert {each.SOPInstanceUID for each in found} == ALL
    assert {pixels_of(each) for each in found} == {PIXELS}


@pytest.mark.parametrize("model", [STUDY_MOVE, PATIENT_MOVE])
def test_to_itself(site: Site, model: str) -> None:
    """Both associations end in the one worker that there is."""
    asked = identifier("STUDY", StudyInstanceUID=uid(1))
    found = move(site.port, asked, destination="ORTHANC", model=model)
    assert found.final.status == 0
    assert found.final.completed == COUNT


def test_many_to_itself_at_the_same_time(site: Site) -> None:
    """More than there are workers, or threads that Orthanc would have for them."""
    command = [
        *("movescu", "-S", "-aet", "CLIENT", "-aem", "ORTHANC", *STUDY_KEYS),
        *("127.0.0.1", str(site.port)),
    ]
    processes = [subprocess.Popen(command) for _ in range(16)]
    assert [each.wait(60) for each in processes] == [0] * 16


def test_what_arrives_is_what_is_stored(site: Site, sink: Sink) -> None:
    asked = identifier("STUDY", StudyInstanceUID=uid(1))
    expected = {
        uid(1, 1, number): generated.small().number(1, 1, 1, number)
        for number in range(1, COUNT + 1)
    }
    contexts = [(generated.CT, (ExplicitVRLittleEndian,))]
    for model, received in (
        (STUDY_MOVE, (move(site.port, asked), sink.received)[1]),
        (STUDY_GET, get(site.port, asked, contexts).received),
    ):
        assert len(received) == COUNT, model
        for each in received:
            assert expected[each.sop_instance].endswith(each.data_set), model


def test_the_durations_are_metrics(site: Site, sink: Sink) -> None:
    asked = identifier("PATIENT", PatientID="PATIENT0000000001")
    move(site.port, asked, model=PATIENT_MOVE)
    get(site.port, asked, model=PATIENT_GET)
    said = httpx.get(f"{site.server.url}/tools/metrics-prometheus").text
    assert "orthanc_move_scp_duration_ms " in said
    assert "orthanc_get_scp_duration_ms " in said


def test_the_log_tells_what_orthanc_tells(site: Site, sink: Sink) -> None:
    level = f"{site.server.url}/tools/log-level-dicom"
    httpx.put(level, content="verbose")
    begin = len(site.server.log_path.read_text())
    asked = identifier("STUDY", StudyInstanceUID=uid(1))
    move(site.port, asked)
    get(site.port, asked)
    httpx.put(level, content="default")
    said = site.server.log_path.read_text()[begin:]
    study = generated.identifier("PATIENT0000000001", uid(1))
    for line in (
        "Incoming Move request from AET CLIENT",
        'Move-SCU request received for AET "SINK"',
        "(0008,0052)  QueryRetrieveLevel = STUDY",
        f'Sending resource {study} to modality "SINK" in synchronous mode',
        "Incoming Get request from AET CLIENT",
        'C-GET-SCU request received from AET "CLIENT"',
        f'C-GET: Sending resource {study} to modality "CLIENT"',
    ):
        assert line in said
    assert uid(1) not in said  # DeidentifyLogs
