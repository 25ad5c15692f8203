"""Other people's DICOM software sends to our door: DCMTK, pynetdicom, Orthanc."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from support.certificates import Authority
from support.dicom_door import Running, Shelf, serving
from support.files import file_named
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

TS = "1.2.840.10008.1.2"
ANY_COMPRESSED = "SC_rgb_small_odd_jpeg.dcm"

# option of storescu -> (file, transfer syntax that must arrive)
PROPOSALS = {
    "-x=": ("CT_small.dcm", f"{TS}.1"),
    "-xe": ("CT_small.dcm", f"{TS}.1"),
    "-xb": ("MR_small_bigendian.dcm", f"{TS}.2"),
    "-xi": ("rtdose_1frame.dcm", TS),
    "-xs": ("SC_rgb_jpeg_gdcm.dcm", f"{TS}.4.70"),
    "-xy": ("SC_rgb_small_odd_jpeg.dcm", f"{TS}.4.50"),
    "-xx": ("JPGExtended.dcm", f"{TS}.4.51"),
    "-xv": ("MR_small_jp2klossless.dcm", f"{TS}.4.90"),
    "-xw": ("JPEG2000.dcm", f"{TS}.4.91"),
    "-xt": ("MR_small_jpeg_ls_lossless.dcm", f"{TS}.4.80"),
    "-xu": (ANY_COMPRESSED, f"{TS}.4.81"),
    "-xm": (ANY_COMPRESSED, f"{TS}.4.100"),
    "-xh": (ANY_COMPRESSED, f"{TS}.4.101"),
    "-xn": (ANY_COMPRESSED, f"{TS}.4.102"),
    "-xl": (ANY_COMPRESSED, f"{TS}.4.103"),
    "-x2": (ANY_COMPRESSED, f"{TS}.4.104"),
    "-x3": (ANY_COMPRESSED, f"{TS}.4.105"),
    "-xo": (ANY_COMPRESSED, f"{TS}.4.106"),
    "-x4": (ANY_COMPRESSED, f"{TS}.4.107"),
    "-x5": (ANY_COMPRESSED, f"{TS}.4.108"),
    "-xr": ("SC_rgb_rle.dcm", f"{TS}.5"),
    "-xd": ("image_dfl.dcm", f"{TS}.1.99"),
}


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Running]:
    with serving(Shelf(tmp_path)) as running:
        yield running


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def relabelled(source: Path, syntax: str, target: Path) -> Path:
    """The file under another (compressed) transfer syntax: DCMTK does not look inside."""
    data_set = pydicom.dcmread(source)
    data_set.file_meta.TransferSyntaxUID = UID(syntax)
    data_set.save_as(target)
    return target


@pytest.mark.parametrize("option", PROPOSALS)
@pytest.mark.parametrize("required", [True, False])
def test_storescu_proposes(door: Running, option: str, required: bool, tmp_path: Path) -> None:
    name, syntax = PROPOSALS[option]
    path = file_named(name)
    if name == ANY_COMPRESSED:
        path = relabelled(path, syntax, tmp_path / "file.dcm")
    run("storescu", option, *(["-R"] if required else []), "127.0.0.1", door.port, path)
    (stored,) = door.shelf.files
    found = pydicom.dcmread(io.BytesIO(stored))
    assert found.file_meta.TransferSyntaxUID == syntax
    sent = pydicom.dcmread(path)
    assert found.SOPInstanceUID == sent.SOPInstanceUID
    assert found.get("PixelData") == sent.get("PixelData")
    (tmp_path / "file.dcm").unlink(missing_ok=True)


def test_echoscu(door: Running) -> None:
    assert "Received Echo Response (Success)" in run("echoscu", "-v", "127.0.0.1", door.port)
    run("echoscu", "--repeat", 5, "--propose-ts", 3, "127.0.0.1", door.port)
    run("echoscu", "--propose-pc", 128, "127.0.0.1", door.port)
    run("echoscu", "--abort", "127.0.0.1", door.port)
    run(sys.executable, "-m", "pynetdicom", "echoscu", "127.0.0.1", door.port)


def test_termscu_ends_nothing(door: Running) -> None:
    """It proposes DCMTK's private SOP class for shutdown, and nothing else."""
    done = subprocess.run(
        ["termscu", "-v", "127.0.0.1", str(door.port)], capture_output=True, text=True, timeout=30
    )
    assert "Requesting Association" in done.stdout + done.stderr
    assert "Association Rejected" not in done.stdout + done.stderr
    door.settle()
    assert "Received Echo Response (Success)" in run("echoscu", "-v", "127.0.0.1", door.port)


@pytest.mark.parametrize(
    ("tool", "options"),
    [
        ("findscu", ("-S", "-k", "QueryRetrieveLevel=STUDY")),
        ("findscu", ("-W", "-k", "PatientName=")),
        ("getscu", ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2")),
        ("movescu", ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2")),
    ],
)
def test_services_that_nobody_handles_fail_in_dcmtks_tools(
    door: Running, tool: str, options: tuple[str, ...]
) -> None:
    ended = subprocess.run(
        [tool, *options, "127.0.0.1", str(door.port)], capture_output=True, text=True, timeout=30
    )
    assert ended.returncode != 0
    assert "Presentation Contexts" in ended.stderr


@pytest.mark.parametrize("pdu", [4096, 16384, 131072])
def test_storescu_with_every_pdu_length(door: Running, pdu: int) -> None:
    path = file_named("CT_small.dcm")
    run("storescu", "--max-send-pdu", pdu, "--repeat", 3, "127.0.0.1", door.port, path)
    assert len(door.shelf.files) == 3
    assert len(set(door.shelf.files)) == 1


def test_a_configured_pdu_length_is_what_dcmtk_keeps_to(tmp_path: Path) -> None:
    with serving(Shelf(tmp_path), MaximumPduLength=4096) as running:
        path = file_named("CT_small.dcm")
        said = run("storescu", "-v", "127.0.0.1", running.port, path)
        assert "Max Send PDV: 4084" in said
        assert len(running.shelf.files) == 1


TITLES = {
    "PÄER".encode(): "PÄER",
    "pÄer".encode(): "pÄer",  # ASCII letters alone have a case
    "päer".encode(): None,
    b"NOBODY": None,
}


def test_titles_beyond_ascii(needs_reference: None, tmp_path: Path) -> None:
    """Whom both servers know, and by which name: UTF-8, as Orthanc sends it."""
    path = file_named("CT_small.dcm")
    for kind in (OurServer, ReferenceServer):
        port = free_port()
        configuration = {
            "DicomServerEnabled": True,
            "DicomPort": port,
            "DicomAlwaysAllowEcho": False,
            "DicomAlwaysAllowStore": False,
            "DicomModalities": {"x": ["PÄER", "127.0.0.1", free_port()]},
        }
        with kind(tmp_path / kind.__name__, configuration) as server:
            for title, known in TITLES.items():
                command = [b"storescu", b"-aet", title, b"127.0.0.1", b"%d" % port, bytes(path)]
                done = subprocess.run(command, capture_output=True)
                assert (done.returncode == 0) is (known is not None), title
                for public in httpx.get(f"{server.url}/instances").json():
                    url = f"{server.url}/instances/{public}"
                    assert httpx.get(f"{url}/metadata/RemoteAET").text == known
                    httpx.delete(url)


def test_storescu_that_aborts(door: Running) -> None:
    run("storescu", "--abort", "127.0.0.1", door.port, file_named("CT_small.dcm"))
    door.settle()
    assert len(door.shelf.files) == 1


def test_pynetdicoms_storescu(door: Running) -> None:
    path = file_named("MR_small.dcm")
    run(sys.executable, "-m", "pynetdicom", "storescu", "127.0.0.1", door.port, path)
    (stored,) = door.shelf.files
    assert pydicom.dcmread(io.BytesIO(stored)).PixelData == pydicom.dcmread(path).PixelData


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """The whole server, with two DICOM workers."""
    port = free_port()
    configuration = {"DicomServerEnabled": True, "DicomPort": port, "DicomWorkers": 2}
    with OurServer(tmp_path_factory.mktemp("server"), configuration) as started:
        yield started


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty slices of one series."""
    folder = tmp_path_factory.mktemp("slices")
    data_set = pydicom.dcmread(file_named("CT_small.dcm"))
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = generate_uid(), generate_uid()
    for number in range(40):
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data_set.InstanceNumber = number
        data_set.save_as(folder / f"{number}.dcm")
    return folder


def dicom_port(server: OurServer) -> int:
    return int(server.configuration["DicomPort"])


def test_dcmsend_to_the_whole_server(server: OurServer, slices: Path) -> None:
    before = set(httpx.get(f"{server.url}/instances").json())
    port = dicom_port(server)
    senders = [
        subprocess.Popen(
            ["dcmsend", "-aet", "SENDER", "--scan-directories", "127.0.0.1", str(port), slices],
            stderr=subprocess.PIPE,
        )
        for _ in range(8)  # all send the same: one is the first, the others find it stored
    ]
    for sender in senders:
        _, errors = sender.communicate()
        assert sender.returncode == 0, errors
    stored = set(httpx.get(f"{server.url}/instances").json()) - before
    assert len(stored) == 40
    sent = [pydicom.dcmread(path) for path in slices.iterdir()]
    pixels = {each.SOPInstanceUID: each.PixelData for each in sent}
    for public in stored:
        content = httpx.get(f"{server.url}/instances/{public}/file").content
        found = pydicom.dcmread(io.BytesIO(content))
        assert found.PixelData == pixels.pop(found.SOPInstanceUID)


def test_the_ingest_refuses_what_has_no_study(server: OurServer, tmp_path: Path) -> None:
    data_set = pydicom.dcmread(file_named("CT_small.dcm"))
    data_set.StudyInstanceUID = ""
    data_set.save_as(tmp_path / "no-study.dcm")
    done = subprocess.run(
        ["storescu", "-v", "127.0.0.1", str(dicom_port(server)), tmp_path / "no-study.dcm"],
        capture_output=True,
        text=True,
    )
    assert "Refused: OutOfResources" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("mode", "kept"), [("Never", "first"), ("Always", "second"), ("IfChanged", "second")]
)
def test_duplicates_under_each_overwrite_mode(tmp_path: Path, mode: str, kept: str) -> None:
    port = free_port()
    data_set = pydicom.dcmread(file_named("CT_small.dcm"))
    for label in ("first", "second"):
        data_set.ImageComments = label
        data_set.save_as(tmp_path / f"{label}.dcm")
    configuration = {"DicomServerEnabled": True, "DicomPort": port, "OverwriteInstances": mode}
    with OurServer(tmp_path / "server", configuration) as started:
        for label in ("first", "second", "second"):
            run("storescu", "127.0.0.1", port, tmp_path / f"{label}.dcm")
        (public,) = httpx.get(f"{started.url}/instances").json()
        content = httpx.get(f"{started.url}/instances/{public}/file").content
        assert pydicom.dcmread(io.BytesIO(content)).ImageComments == kept
        assert len(list((started.folder / "storage").glob("??/??/*"))) == 1


@pytest.fixture(scope="module")
def orthanc(server: OurServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Orthanc, with our server as its modality "ours"; it gives its URL."""
    configuration = {"DicomModalities": {"ours": ["ORTHANC", "127.0.0.1", dicom_port(server)]}}
    with ReferenceServer(tmp_path_factory.mktemp("sender"), configuration) as started:
        yield started.url


# JPEG 2000 first: on an association that has other contexts for its class Orthanc would transcode
# it, to whomever it sends, and has no decoder. What it can decode becomes explicit little endian.
NAMES = [
    "JPEG2000.dcm",
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "SC_rgb_rle.dcm",
]


def test_orthanc_sends_through_its_rest_api(server: OurServer, orthanc: str) -> None:
    ids = [
        httpx.post(f"{orthanc}/instances", content=file_named(name).read_bytes()).json()["ID"]
        for name in NAMES
    ]
    assert httpx.post(f"{orthanc}/modalities/ours/echo", content=b"{}").status_code == 200
    answer = httpx.post(f"{orthanc}/modalities/ours/store", json=ids, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["InstancesCount"] == len(ids)
    assert answer.json()["FailedInstancesCount"] == 0
    for public in ids:
        ours = pydicom.dcmread(
            io.BytesIO(httpx.get(f"{server.url}/instances/{public}/file").content)
        )
        theirs = pydicom.dcmread(
            io.BytesIO(httpx.get(f"{orthanc}/instances/{public}/file").content)
        )
        if ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID:
            assert ours.PixelData == theirs.PixelData
        else:
            assert ours.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            assert (ours.pixel_array == theirs.pixel_array).all()


def test_orthanc_sends_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    sender_certificate, sender_key = authority.issue("sender")
    port = free_port()
    ours = OurServer(
        tmp_path / "ours",
        {
            "DicomServerEnabled": True,
            "DicomPort": port,
            "DicomWorkers": 1,
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(certificate),
            "DicomTlsPrivateKey": str(key),
            "DicomTlsTrustedCertificates": str(authority.certificate),
        },
    )
    theirs = ReferenceServer(
        tmp_path / "theirs",
        {
            "DicomTlsCertificate": str(sender_certificate),
            "DicomTlsPrivateKey": str(sender_key),
            "DicomTlsTrustedCertificates": str(authority.certificate),
            "DicomModalities": {
                "ours": {
                    "AET": "ORTHANC",
                    "Host": "127.0.0.1",
                    "Port": port,
                    "UseDicomTls": True,
                }
            },
        },
    )
    with ours, theirs:
        content = file_named("CT_small.dcm").read_bytes()
        public = httpx.post(f"{theirs.url}/instances", content=content).json()["ID"]
        answer = httpx.post(f"{theirs.url}/modalities/ours/store", json=[public], timeout=30)
        assert answer.status_code == 200, answer.text
        assert httpx.get(f"{ours.url}/instances").json() == [public]
