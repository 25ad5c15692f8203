"""The same C-MOVE and C-GET to ours and to Orthanc 1.13: statuses, counters, what arrives."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from support import generated
from support.files import file_named
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.retrieving import (
    NATIVE,
    PATIENT_GET,
    PATIENT_MOVE,
    STUDY_GET,
    STUDY_MOVE,
    Retrieved,
    Sink,
    Statuses,
    get,
    identifier,
    move,
    started,
)
from support.server import OurServer

STUDY, SERIES, INSTANCE = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"
JPEG_FILE = file_named("SC_rgb_small_odd_jpeg.dcm")  # JPEG Baseline
RLE_FILE = file_named("SC_rgb_rle.dcm")


def uid(*numbers: int) -> str:
    parts = (f"{digit}{number:09d}" for digit, number in zip("456", numbers, strict=False))
    return ".".join([generated.ROOT, *parts])


class Both(NamedTuple):
    ours: int  # DICOM ports
    theirs: int
    sink: Sink


def files() -> Iterator[bytes]:
    template = generated.small()
    for patient, study, series, instance in (
        (1, 1, 1, 1),
        (1, 1, 1, 2),
        (1, 1, 2, 1),
        (1, 2, 1, 1),
        (2, 3, 1, 1),
        (2, 3, 1, 2),
    ):
        data_set = pydicom.dcmread(io.BytesIO(template.number(patient, study, series, instance)))
        data_set.AccessionNumber = {1: "ONE", 2: "", 3: "THREE"}[study]
        data_set.InstanceNumber = 10 - instance
        yield generated.encode_once(data_set)
    yield JPEG_FILE.read_bytes()
    yield RLE_FILE.read_bytes()


def with_files(server: ServerProcess) -> int:
    for data in files():
        assert httpx.post(f"{server.url}/instances", content=data, timeout=30).status_code == 200
    return int(server.configuration["DicomPort"])


@pytest.fixture(scope="module")
def both(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    syntaxes = (*NATIVE, JPEGBaseline8Bit)
    with started(Sink(syntaxes=syntaxes)) as sink:
        known = {"client": ["CLIENT", "127.0.0.1", 104], "sink": sink.modality}
        configuration = {"DicomServerEnabled": True, "DicomModalities": known}
        ours = OurServer(
            tmp_path_factory.mktemp("ours"),
            {**configuration, "DicomPort": free_port(), "DicomWorkers": 1},
        )
        theirs = ReferenceServer(
            tmp_path_factory.mktemp("theirs"), {**configuration, "DicomPort": free_port()}
        )
        with ours, theirs:
            yield Both(with_files(ours), with_files(theirs), sink)


REQUESTS = [
    ("PATIENT", {"PatientID": "PATIENT0000000001"}),
    ("PATIENT", {"PatientID": "patient0000000001"}),
    ("STUDY", {STUDY: uid(1)}),
    ("study", {STUDY: uid(1)}),
    ("STUDIES", {STUDY: uid(1)}),
    ("STUDY", {STUDY: f"{uid(1)}\\{uid(3)}"}),
    ("STUDY", {STUDY: f"{uid(1)}\\9.9"}),
    ("STUDY", {STUDY: "9.9"}),
    ("STUDY", {STUDY: ""}),
    ("STUDY", {"AccessionNumber": "ONE"}),
    ("STUDY", {"AccessionNumber": "one"}),
    ("STUDY", {"AccessionNumber": "ONE", STUDY: uid(3)}),
    ("STUDY", {"AccessionNumber": "NONE", STUDY: uid(3)}),
    ("STUDY", {"AccessionNumber": "", STUDY: uid(1)}),
    ("STUDY", {"AccessionNumber": "", STUDY: uid(2)}),
    ("STUDY", {"PatientID": "PATIENT0000000001"}),
    ("SERIES", {SERIES: uid(1, 2)}),
    ("SERIES", {SERIES: uid(1, 2), STUDY: "9.9", "PatientID": "nobody"}),
    ("IMAGE", {INSTANCE: uid(1, 1, 2)}),
    ("INSTANCE", {INSTANCE: f"{uid(1, 1, 2)}\\{uid(1, 1, 1)}"}),
    ("IMAGE", {INSTANCE: f"{uid(1, 1, 2)}\\{uid(1, 1, 2)}"}),
    ("FRAME", {INSTANCE: uid(1, 1, 2)}),
    ("", {STUDY: uid(1)}),
    (None, {STUDY: uid(1)}),
    (None, {STUDY: uid(1), SERIES: uid(1, 2)}),
    (None, {STUDY: uid(1), SERIES: "9.9"}),
    (None, {"PatientID": "PATIENT0000000002"}),
]


def comparable(found: Retrieved) -> object:
    """Nobody promises an order of series."""
    arrived = sorted((each.sop_instance, each.transfer_syntax) for each in found.received)
    return found.pending, found.final, arrived


def moved(both: Both, port: int, asked: Dataset, **given: object) -> Retrieved:
    both.sink.received.clear()
    found = move(port, asked, **given)  # type: ignore[arg-type]
    return found._replace(received=list(both.sink.received))


@pytest.mark.parametrize("model", [STUDY_MOVE, PATIENT_MOVE])
@pytest.mark.parametrize(("level", "values"), REQUESTS)
def test_moves(both: Both, model: str, level: str | None, values: dict[str, str]) -> None:
    asked = identifier(level, **values)
    ours, theirs = (moved(both, port, asked, model=model) for port in (both.ours, both.theirs))
    assert comparable(ours) == comparable(theirs)
    assert [each.originator for each in ours.received] == [("CLIENT", 7)] * len(ours.received)
    assert {each.calling for each in ours.received} == {each.calling for each in theirs.received}


@pytest.mark.parametrize("model", [STUDY_GET, PATIENT_GET])
@pytest.mark.parametrize(("level", "values"), REQUESTS)
def test_gets(both: Both, model: str, level: str | None, values: dict[str, str]) -> None:
    asked = identifier(level, **values)
    ours, theirs = (get(port, asked, model=model) for port in (both.ours, both.theirs))
    assert comparable(ours) == comparable(theirs)
    assert [each.originator for each in ours.received] == [None] * len(ours.received)


def test_a_get_comes_in_the_order_of_instance_numbers(both: Both) -> None:
    asked = identifier("SERIES", SeriesInstanceUID=uid(1, 1))
    ours, theirs = (get(port, asked) for port in (both.ours, both.theirs))
    order = [each.sop_instance for each in ours.received]
    assert order == [each.sop_instance for each in theirs.received]
    assert order == [uid(1, 1, 2), uid(1, 1, 1)]


@pytest.mark.parametrize("destination", ["NOBODY", "sink", "SINK "])
def test_destinations(both: Both, destination: str) -> None:
    asked = identifier("STUDY", StudyInstanceUID=uid(3))
    ours, theirs = (
        moved(both, port, asked, destination=destination) for port in (both.ours, both.theirs)
    )
    assert comparable(ours) == comparable(theirs)


# What the requestor proposes for one class.
CONTEXTS = [
    [(ExplicitVRLittleEndian,)],
    [(ImplicitVRLittleEndian,)],
    [(ExplicitVRBigEndian,)],
    [(ExplicitVRBigEndian,), (ExplicitVRLittleEndian,), (ImplicitVRLittleEndian,)],
    [(JPEGBaseline8Bit,)],
    [(ImplicitVRLittleEndian,), (JPEGBaseline8Bit,)],
    [(RLELossless,)],
    [(RLELossless,), (ExplicitVRBigEndian,)],
    [(JPEGBaseline8Bit, ExplicitVRLittleEndian)],
    [(ExplicitVRLittleEndian, JPEGBaseline8Bit)],
]


@pytest.mark.parametrize("file", [JPEG_FILE, RLE_FILE], ids=["JPEG", "RLE"])
@pytest.mark.parametrize("proposed", CONTEXTS)
def test_a_get_chooses_the_same_context(
    both: Both, file: object, proposed: list[tuple[str, ...]]
) -> None:
    sop_instance = pydicom.dcmread(file).SOPInstanceUID  # type: ignore[arg-type]
    asked = identifier("IMAGE", SOPInstanceUID=sop_instance)
    contexts = [(SecondaryCaptureImageStorage, each) for each in proposed]
    ours, theirs = (get(port, asked, contexts) for port in (both.ours, both.theirs))
    if theirs.final.status == 0xC000:  # it encodes fewer transfer syntaxes than we do
        return
    assert (ours.pending, ours.final) == (theirs.pending, theirs.final)
    (ours_sent,), (theirs_sent,) = ours.received, theirs.received
    assert ours_sent.transfer_syntax == theirs_sent.transfer_syntax
    # Pixels that change make another instance of ours; theirs says so in the data set only.
    is_lossy = file == RLE_FILE and ours_sent.transfer_syntax == JPEGBaseline8Bit
    assert (ours_sent.sop_instance == sop_instance) != is_lossy


@pytest.mark.parametrize(
    "roles",
    [
        [],
        [(CTImageStorage, False, True)],
        [(CTImageStorage, True, True)],
        [(CTImageStorage, True, False)],
        [(MRImageStorage, False, True)],
    ],
)
def test_a_get_needs_the_role(both: Both, roles: list[tuple[str, bool, bool]]) -> None:
    asked = identifier("STUDY", StudyInstanceUID=uid(3))
    ours, theirs = (get(port, asked, roles=roles) for port in (both.ours, both.theirs))
    arrived = [sorted(each.sop_instance for each in found.received) for found in (ours, theirs)]
    assert arrived[0] == arrived[1]
    assert (ours.final.status == 0) == (theirs.final.status == 0)


STATUSES: list[tuple[str, Statuses]] = [
    ("one fails", lambda number: 0xA700 if number == 2 else 0),
    ("one warns", lambda number: 0xB000 if number == 2 else 0),
    ("one is there already", lambda number: 0x0111 if number == 2 else 0),
    ("one is unknown", lambda number: 0x1234 if number == 2 else 0),
    ("all fail", lambda number: 0xC000),
    ("all warn", lambda number: 0xB007),
]


@pytest.mark.parametrize(("name", "statuses"), STATUSES, ids=[name for name, _ in STATUSES])
def test_a_get_counts_what_the_requestor_answers(both: Both, name: str, statuses: Statuses) -> None:
    asked = identifier("STUDY", StudyInstanceUID=uid(1))
    ours, theirs = (get(port, asked, statuses=statuses) for port in (both.ours, both.theirs))
    # Orthanc never tells which.
    failed = tuple(
        each.sop_instance
        for number, each in enumerate(ours.received, start=1)
        if statuses(number) and statuses(number) >> 12 != 0xB
    )
    assert ours.final.failed_list == failed
    ours = ours._replace(final=ours.final._replace(failed_list=None))
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("kind", ["move", "get"])
def test_a_cancelled_one_says_what_was_done(both: Both, kind: str) -> None:
    asked = identifier("PATIENT", PatientID="PATIENT0000000001")
    both.sink.delay = 0.2
    found = {}
    try:
        for port in (both.ours, both.theirs):
            found[port] = (
                moved(both, port, asked, model=PATIENT_MOVE, cancel_after=1)
                if kind == "move"
                else get(port, asked, model=PATIENT_GET, cancel_after=1, statuses=slow)
            )
    finally:
        both.sink.delay = 0.0
    assert {each.final.status for each in found.values()} == {0xFE00}
    ours = found[both.ours]
    done = len(ours.received)
    assert 1 <= done < 4
    # Orthanc does not count the one during which the cancellation came.
    assert (ours.final.completed, ours.final.remaining) == (done, 4 - done)
    assert ours.final.failed_list == ()


def slow(number: int) -> int:
    time.sleep(0.2)
    return 0


def test_a_move_as_a_job(needs_reference: None, tmp_path: Path) -> None:
    """With SynchronousCMove false: the responses come at once, the job tells the same."""
    with started(Sink()) as sink:
        known = {
            "client": ["CLIENT", "127.0.0.1", 104],
            "sink": {**sink.modality, "LocalAet": "LOCAL"},
        }
        configuration = {
            "DicomServerEnabled": True,
            "DicomModalities": known,
            "SynchronousCMove": False,
        }
        asked = identifier("STUDY", StudyInstanceUID=f"{uid(1)}\\{uid(3)}")
        told = []
        for server in (
            OurServer(tmp_path / "ours", {**configuration, "DicomPort": free_port()}),
            ReferenceServer(tmp_path / "theirs", {**configuration, "DicomPort": free_port()}),
        ):
            with server:
                port = with_files(server)
                sink.forget()
                found = move(port, asked)
                job = completed_job(server)
                told.append(
                    (found.pending, found.final, job["Type"], job["Priority"], job["Content"])
                )
                assert {(each.calling, each.originator) for each in sink.received} == {
                    ("LOCAL", ("CLIENT", 7))
                }
                assert len(sink.received) == 5
    assert told[0] == told[1]


def completed_job(server: ServerProcess) -> dict[str, Any]:
    """The only job of the server, when it has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (job,) = httpx.get(f"{server.url}/jobs?expand").json()
        if job["State"] == "Success":
            return dict(job)
        time.sleep(0.05)
    raise AssertionError(job)
