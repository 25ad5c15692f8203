"""DICOMweb against Orthanc 1.13.0 with its plugin 1.24: searching 10,000 studies, metadata, frames,
pictures, studies in one answer, STOW-RS; first bytes and memory."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from math import nan
from statistics import median

import httpx
from pydicom.dataset import FileDataset
from support import generated
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.server import OurServer

from bench import load, population
from bench.compare import DURABLE, OURS, SECONDS_AFTER, Goal, Pair, Row
from bench.load import Load
from bench.measure import anonymous_megabytes
from bench.volumes import ATTACHMENT, fetch
from bench.web_server import nginx

PLUGIN = "libOrthancDicomWeb.so"
STUDIES = 10_000
PAGE = 100
SLICES = 500  # of a series whose metadata is asked
LONG = 2000
STUDY = 400  # slices of a study that is fetched or stored
IMAGES = 100
CONNECTIONS = 8
FIRST_BYTE_GOAL = 20  # ms
MEMORY_GOAL = 50  # MB

DICOM = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
JPEG = "image/jpeg"
BOUNDARY = "bench-of-dicomweb"

_numbers = count(2_000)  # of patients and studies that a round makes


class DicomWebPair(Pair):
    """Ours and Orthanc with the plugin; 1.10.1 is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.ours = OurServer(self.folder / "ours", {**DURABLE, **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", dict(DURABLE), plugins=(PLUGIN,))

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        return self.ours, self.theirs

    def store(self, files: Callable[[], Iterator[bytes]]) -> None:
        """The same files to both, by eight clients."""
        for server in self.servers:
            with (
                httpx.Client(base_url=server.url, timeout=120) as client,
                ThreadPoolExecutor(CONNECTIONS) as pool,
            ):
                for answer in pool.map(partial(_posted, client), files()):
                    answer.raise_for_status()


def _posted(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/instances", content=data)


def dicom_web(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows, and notes about first bytes and memory."""
    scale, of_study = (20, 4) if quick else (1, 1)
    seconds = 2 if quick else 4
    with DicomWebPair() as pair:
        rows = [
            *_searches(pair, STUDIES // scale, seconds, rounds),
            *_metadata(pair, SLICES // scale, seconds, rounds),
            *_images(pair, IMAGES // of_study, seconds, rounds),
            *_studies(pair, STUDY // of_study, rounds),
        ]
        notes = [
            _plain_file(pair, STUDY // of_study, rounds),
            _first_byte(pair, LONG // scale, rounds),
            _memory(pair, STUDY // of_study),
        ]
        return rows, notes


def _searches(pair: DicomWebPair, studies: int, seconds: int, rounds: int) -> list[Row]:
    pair.store(lambda: map(_study, range(studies)))
    rows = []
    for name, query in (
        ("QIDO, page of 100 studies", ""),
        ("PatientName=*an*", "PatientName=*an*&"),
    ):
        offsets = range(0, max(1, studies // 4), PAGE)
        paths = [f"/dicom-web/studies?{query}limit={PAGE}&offset={offset}" for offset in offsets]
        work = partial(_reads, paths, seconds, "application/dicom+json")
        rows.append(pair.compare(name, Goal(10, 0.2), rounds, work))
    return rows


def _study(number: int) -> bytes:
    """A study of one instance, with the values that studies of hospitals have."""
    found = population.study(number)
    dataset: FileDataset = generated.base()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in found.values.items():
        setattr(dataset, keyword, value)
    dataset.PatientID = found.patient_id
    dataset.StudyInstanceUID = found.uid
    dataset.SeriesInstanceUID = f"{found.uid}.5"
    dataset.SOPInstanceUID = f"{found.uid}.5.6"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _series(pair: DicomWebPair, template: generated.Template, slices: int) -> str:
    """The path of a new series on both."""
    number = next(_numbers)
    pair.store(lambda: (template.number(number, number, 1, each) for each in range(slices)))
    return _path(number)


def _path(number: int) -> str:
    study = f"{generated.ROOT}.4{number:09d}"
    return f"/dicom-web/studies/{study}/series/{study}.5{1:09d}"


def _metadata(pair: DicomWebPair, slices: int, seconds: int, rounds: int) -> list[Row]:
    """Of series that nobody has asked for, one for each round, then of one of them."""
    template = generated.ct_slice()
    paths = [f"{_series(pair, template, slices)}/metadata" for _ in range(rounds + 1)]

    def cold(server: ServerProcess, number: int) -> Load:
        return Load(1, fetch(server.port, paths[number])[0], nan, nan)

    again = partial(_reads, paths[:1], seconds, "application/dicom+json")
    name = f"metadata of {slices} slices"
    return [
        pair.compare(f"{name}, first time", Goal(10, 0.2), rounds, cold),
        pair.compare(f"{name}, again", Goal(50, 0.05), rounds, again),
    ]


def _images(pair: DicomWebPair, images: int, seconds: int, rounds: int) -> list[Row]:
    series = _series(pair, generated.ct_slice(), images)
    uid = series.rpartition("/")[2]
    instances = [f"{series}/instances/{uid}.6{number:09d}" for number in range(images)]
    # Pictures that were asked for lately may be kept: no window comes twice.
    windows = [f"?window=40,{width},linear" for width in range(400, 2400, 20)]
    rows = []
    for name, suffixes, accept, goal in (
        ("frame of a CT slice, as stored", ["/frames/1"], FRAMES, Goal(3, 0.4)),
        ("rendered, JPEG", ["/rendered"], JPEG, Goal(10, 0.15)),
        ("the same, new windows", [f"/rendered{each}" for each in windows], JPEG, Goal(10, 0.15)),
    ):
        paths = [f"{path}{suffix}" for suffix in suffixes for path in instances]
        rows.append(pair.compare(name, goal, rounds, partial(_reads, paths, seconds, accept)))
    return rows


def _studies(pair: DicomWebPair, slices: int, rounds: int) -> list[Row]:
    """A study in one answer, and one in one request."""
    template = generated.ct_slice()
    study = _series(pair, template, slices).rpartition("/series/")[0]
    numbers = [next(_numbers) for _ in range(rounds + 1)]

    def fetched(server: ServerProcess, number: int) -> Load:
        seconds, _, total = fetch(server.port, study, DICOM)
        if total < slices * 512 * 512 * 2:
            raise RuntimeError(f"only {total} bytes of {slices} slices")
        return Load(slices, seconds, nan, nan)

    def stored(server: ServerProcess, number: int) -> Load:
        return Load(slices, _stow(server.port, template, numbers[number], slices), nan, nan)

    return [
        pair.compare(f"WADO, {slices} slices", Goal(3, 0.4), rounds, fetched),
        pair.compare(f"STOW, {slices} slices", Goal(5, 0.33), rounds, stored, SECONDS_AFTER),
    ]


def _reads(paths: list[str], seconds: int, accept: str, server: ServerProcess, _: int) -> Load:
    return load.get(server.url, paths, seconds, CONNECTIONS, accept)


def _stow(port: int, template: generated.Template, number: int, slices: int) -> float:
    """Seconds until a study of so many slices is stored, sent as one body."""
    head = f"\r\n--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    parts = [head + template.number(number, number, 1, each) for each in range(slices)]
    parts.append(f"\r\n--{BOUNDARY}--\r\n".encode())
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    request = (
        "POST /dicom-web/studies HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
        f"Accept: application/dicom+json\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {sum(map(len, parts))}\r\n\r\n"
    )
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=600) as connection:
        connection.sendall(request.encode())
        for part in parts:
            connection.sendall(part)
        answer = b"".join(iter(partial(connection.recv, 1 << 20), b""))
    seconds = time.perf_counter() - begin
    if not answer.startswith(b"HTTP/1.1 200") or answer.count(b"00081155") != slices:
        raise RuntimeError(f"not all was stored: {answer[:500]!r}")
    return seconds


def _plain_file(pair: DicomWebPair, slices: int, rounds: int) -> str:
    """The rate of a study in one answer against that of this server and of nginx for a file of the
    same size."""
    study = _series(pair, generated.ct_slice(), slices).rpartition("/series/")[0]
    files = pair.folder / "files"
    files.mkdir()
    content = bytes(fetch(pair.ours.port, study, DICOM)[2])
    (files / "study").write_bytes(content)
    with httpx.Client(base_url=pair.ours.url, timeout=600) as client:
        instance = client.get("/instances?limit=1&since=0").json()[0]
        attachment = f"/instances/{instance}/attachments/{ATTACHMENT}"
        client.put(attachment, content=content).raise_for_status()
    rates: dict[str, list[float]] = {"file": [], "nginx": [], "ours": [], "plugin": []}
    with nginx(pair.folder / "nginx", files) as url:
        places = {
            "file": (pair.ours.port, f"{attachment}/data"),
            "nginx": (int(url.rpartition(":")[2].strip("/")), "/files/study"),
            "ours": (pair.ours.port, study),
            "plugin": (pair.theirs.port, study),
        }
        for _ in range(rounds + 1):
            for name, (port, path) in places.items():
                seconds, _first, total = fetch(port, path, DICOM)
                rates[name].append(total / seconds / 1e6)
    file, plain, ours, plugin = (median(found[1:]) for found in rates.values())
    return (
        f"{slices} slices by WADO-RS: {ours:,.0f} MB/s, {ours / file:.0%} (goal: 60%) of the "
        f"{file:,.0f} MB/s at which this server sends a file of that size, {ours / plain:.0%} of "
        f"nginx's {plain:,.0f} MB/s; plugin {plugin:,.0f} MB/s."
    )


def _first_byte(pair: DicomWebPair, slices: int, rounds: int) -> str:
    path = f"{_series(pair, generated.small(), slices)}/metadata"
    found = []
    for name, server in (("ours", pair.ours), ("plugin", pair.theirs)):
        times = [fetch(server.port, path)[1] * 1e3 for _ in range(rounds + 1)]
        found.append(f"{name} {times[0]:.0f} ms the first time, {median(times[1:]):.0f} ms then")
    return (
        f"First byte of the metadata of {slices:,} slices (goal: {FIRST_BYTE_GOAL} ms): "
        f"{'; '.join(found)}."
    )


def _memory(pair: DicomWebPair, slices: int) -> str:
    """How far anonymous memory grows while each kind of request is made, after a restart."""
    template = generated.ct_slice()
    series = _series(pair, template, slices)
    for server in pair.servers:
        server.stop(60)
        server.start()
    study = series.rpartition("/series/")[0]
    uid = series.rpartition("/")[2]
    image = f"{series}/instances/{uid}.6{0:09d}"
    calls: dict[str, Callable[[int], object]] = {
        "QIDO of all instances": lambda port: fetch(port, "/dicom-web/instances"),
        "metadata": lambda port: fetch(port, f"{study}/metadata"),
        "study": lambda port: fetch(port, study, DICOM),
        "frame": lambda port: fetch(port, f"{image}/frames/1", FRAMES),
        "rendered": lambda port: fetch(port, f"{image}/rendered", JPEG),
        "STOW": lambda port: _stow(port, template, next(_numbers), slices),
    }
    found = []
    for name, server in (("ours", pair.ours), ("plugin", pair.theirs)):
        assert server.process is not None
        for _ in range(20):  # what is loaded with the first request is no growth
            fetch(server.port, "/dicom-web/studies?limit=1")
        idle = anonymous_megabytes(server.process.pid)
        grown = []
        for kind, call in calls.items():
            with _watched(server.process.pid) as highest:
                call(server.port)
            grown.append(f"{kind} {highest[0] - idle:+.0f}")
        found.append(f"{name}: idle {idle:.0f} MB, {', '.join(grown)}")
    return f"Anonymous memory (goal: {MEMORY_GOAL} MB above idle). {'. '.join(found)}."


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """The most megabytes that a process tree had meanwhile, in a list of one."""
    highest = [anonymous_megabytes(pid)]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.02):
            highest[0] = max(highest[0], anonymous_megabytes(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield highest
    finally:
        is_over.set()
        thread.join()
