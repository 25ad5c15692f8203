"""Media beside those of Orthanc 1.13: the DICOMDIR record by record, and what validators say."""

import gc
import io
import json
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.fileset import FileSet
from pydicom.sequence import Sequence
from pydicom.uid import UID
from support import generated
from support.archived import instance
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.zip_readers import assert_readable

PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
PR = "1.2.840.10008.5.1.4.1.1.11.1"
OFFSETS = (0x00041400, 0x00041420)

# pydicom's FileSet leaves its temporary folder to the garbage collector, which must come here, not
# in a test of another module.
pytestmark = pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")

Clients = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def servers(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder = tmp_path_factory.mktemp("media")
    settings = {"KeepAlive": False}
    theirs = ReferenceServer(folder / "theirs", settings)
    with (
        OurServer(folder / "ours", settings) as ours,
        theirs,
        httpx.Client(base_url=ours.url, timeout=60) as left,
        httpx.Client(base_url=theirs.url, timeout=60) as right,
    ):
        yield left, right


def upload(servers: Clients, *files: bytes) -> list[str]:
    """The identifiers of instances."""
    found = []
    for data in files:
        stored = [client.post("/instances", content=data).json() for client in servers]
        assert stored[0]["ID"] == stored[1]["ID"]
        found.append(stored[0]["ID"])
    return found


def media(
    client: httpx.Client, resources: list[str], extended: bool = False, **fields: Any
) -> tuple[list[str], FileDataset, bytes]:
    """Names of the members, the directory, all of it."""
    body = {"Resources": resources, "Extended": extended, **fields}
    answer = client.post("/tools/create-media", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        directory = pydicom.dcmread(io.BytesIO(archive.read("DICOMDIR")))
        return archive.namelist(), directory, answer.content


def records(directory: FileDataset) -> list[Dataset]:
    """With offsets counted from the first record on."""
    first = directory[0x00041200].value
    assert directory[0x00041202].value >= first
    found = []
    for record in directory.DirectoryRecordSequence:
        for tag in OFFSETS:
            if record[tag].value:
                record[tag].value -= first
        found.append(record)
    return found


def plain(*, patients: int = 2) -> list[bytes]:
    """Files that Orthanc writes valid records of."""
    return [
        instance(f"P{patient}", f"80{patient}{study}", str(series), number, StudyID=f"S{study}")
        for patient in range(patients)
        for study in range(2)
        for series in range(2)
        for number in range(1, 4)
    ]


@pytest.mark.parametrize("extended", [False, True])
def test_the_directory_record_by_record(servers: Clients, extended: bool) -> None:
    files = [
        *plain(),
        instance("Q", "90", "1", 1, SeriesDescription=None, AccessionNumber=None),
        instance("Q", "90", "2", 1, StudyDescription=None, SeriesDescription=""),
        instance("Q", "91", "1", 1, StudyDescription=None, PatientName="  Some ^ Name  "),
        instance("Q", "92", "1", 1, StudyDate=None, SeriesDate="20010203", StudyTime=None),
        instance("Q", "93", "1", 1, StudyDate=None, AcquisitionDate="20010204"),
        instance("Q", "94", "1", 1, StudyDate=None, ContentDate="20010205", ContentTime="11"),
        instance("Q", "95", "1", 1, SpecificCharacterSet=None, StudyID=" 7 ", raw=" 12"),
    ]
    listed = upload(servers, *files)
    studies = [client.get("/patients").json() for client in servers]
    assert sorted(studies[0]) == sorted(studies[1])
    for resources in (studies[0], listed, [*listed[3:6], *listed[3:6]]):
        (names, ours, _), (expected, theirs, _) = (
            media(client, resources, extended) for client in servers
        )
        assert names == expected
        assert ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID
        assert ours.FileSetID == theirs.FileSetID
        found, wanted = records(ours), records(theirs)
        for left, right in zip(found, wanted, strict=True):
            assert _lines(left) == _lines(right)


def _lines(record: Dataset) -> list[str]:
    """Its elements as text; a time of now is the same for both within minutes."""
    now = time.strftime("%H", time.gmtime())
    if "StudyTime" in record and str(record.StudyTime).startswith(now):
        record.StudyTime = now
    return str(record).splitlines()


def report(number: int, sop_class: str, **attributes: Any) -> bytes:
    data = instance("R", "99", str(number), 1, Modality="SR", **attributes)
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.SOPClassUID = UID(sop_class)
    dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = "11528-7", "LN"
    title.CodeMeaning = "Radiology Report"
    if sop_class == SR:
        dataset.ConceptNameCodeSequence = Sequence([title])
        dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    if sop_class == PR:
        dataset.ContentLabel, dataset.ContentDescription = "MARKS", ""
        dataset.PresentationCreationDate = "20200101"
        dataset.PresentationCreationTime = "101112"
        dataset.ContentCreatorName = "Doe^Jane"
        image, series = Dataset(), Dataset()
        image.ReferencedSOPClassUID = generated.CT
        image.ReferencedSOPInstanceUID = f"{generated.ROOT}.1.2.3"
        series.SeriesInstanceUID = f"{generated.ROOT}.1.2"
        series.ReferencedImageSequence = Sequence([image])
        dataset.ReferencedSeriesSequence = Sequence([series])
    if sop_class == PDF:
        dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
        dataset.DocumentTitle = "Befund für Élan"
        dataset.EncapsulatedDocument = b"%PDF-1.4"
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_what_is_no_image_has_its_own_record(servers: Clients, tmp_path: Path) -> None:
    """Orthanc writes IMAGE; it also drops letters, and leaves out what must have a value."""
    listed = upload(
        servers,
        report(1, SR),
        report(2, PDF),
        report(3, PR),
        report(4, SR, StudyID=""),
        instance("R", "99", "5", 1, Modality=None, SeriesNumber=None, raw=""),
        instance("", "98", "5", 1, StudyID=None, StudyDate="", PatientName="Élan^日本"),
    )
    names, directory, content = media(servers[0], listed, True)
    kinds = [record.DirectoryRecordType for record in directory.DirectoryRecordSequence]
    for kind in ("SR DOCUMENT", "ENCAP DOC", "PRESENTATION", "IMAGE"):
        assert kind in kinds
    patients = [record for record in directory.DirectoryRecordSequence if "PatientName" in record]
    assert "Élan^日本" in {str(record.PatientName) for record in patients}
    documents = [
        record.DocumentTitle
        for record in directory.DirectoryRecordSequence
        if "DocumentTitle" in record
    ]
    assert documents == ["Befund für Élan"]
    _check(content, names, tmp_path)


@pytest.mark.parametrize("extended", [False, True])
def test_validators_have_nothing_to_say(servers: Clients, tmp_path: Path, extended: bool) -> None:
    names, _, content = media(servers[0], upload(servers, *plain()), extended)
    _check(content, names, tmp_path)


def _check(content: bytes, names: list[str], folder: Path) -> None:
    """The medium with four readers of ZIP, two of DICOMDIR, and two validators."""
    packed = folder / "media.zip"
    packed.write_bytes(content)
    assert assert_readable(packed) == names
    unpacked = folder / "medium"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(unpacked)
    path = unpacked / "DICOMDIR"
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    serious = [
        line
        for line in said.stderr.splitlines()
        if line.startswith(("Error", "Warning")) and "standard DICOM IOD" not in line
    ]
    assert serious == []
    dumped = subprocess.run(["dcdirdmp", str(path)], capture_output=True, text=True, check=False)
    assert "rror" not in dumped.stderr
    assert dumped.stderr.count(" -> ") == len(names) - 1
    files = [str(unpacked / name) for name in names if name != "DICOMDIR"]
    assert _entities([*files, str(path)]) == _entities(files)
    _read_by_pydicom(path, len(names) - 1)
    gc.collect()


def _read_by_pydicom(path: Path, count: int) -> None:
    file_set = FileSet(path)
    assert len(list(file_set)) == count
    for member in file_set:
        assert member.load().SOPInstanceUID == member.ReferencedSOPInstanceUIDInFile


def _entities(files: list[str]) -> list[str]:
    """What dcentvfy says of files that do not agree on the entities they share."""
    said = subprocess.run(["dcentvfy", *files], capture_output=True, text=True, check=False)
    return sorted({line for line in said.stderr.splitlines() if line.startswith("Error")})


def test_files_that_are_left_out_keep_their_numbers(servers: Clients) -> None:
    """8 bits can become JPEG, 16 bits cannot."""
    files = []
    for number in range(1, 5):
        data = pydicom.dcmread(io.BytesIO(instance("L", "97", "1", number)))
        pixels = generated.anatomy(32)
        generated.add_pixels(data, (pixels // 16).astype("u1") if number % 2 else pixels)
        data["PixelData"].VR = "OB" if number % 2 else "OW"
        file = io.BytesIO()
        data.save_as(file, enforce_file_format=True)
        files.append(file.getvalue())
    listed = upload(servers, *files)
    study = servers[0].get(f"/instances/{listed[0]}/study").json()["ID"]
    for kind in ("archive", "media"):
        path = f"/studies/{study}/{kind}?transcode=1.2.840.10008.1.2.4.50"
        answers = [client.get(path) for client in servers]
        ours, theirs = (zipfile.ZipFile(io.BytesIO(each.content)) for each in answers)
        assert ours.namelist() == theirs.namelist()
        first = pydicom.dcmread(io.BytesIO(ours.read(ours.namelist()[0])))
        assert first.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"


def test_an_instance_without_sop_class_fails_the_whole(servers: Clients) -> None:
    data = instance("Z", "96", "1", 1, SOPClassUID=None)
    (listed,) = upload(servers, data)
    body = json.dumps([listed])
    answer = servers[0].post("/tools/create-media", content=body)
    assert answer.json()["OrthancStatus"] == 15
