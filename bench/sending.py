"""C-STORE SCU: a CT study of 400 slices sent to DCMTK's storescp, which stores nothing, and to a
receiver that does no more than answer; as it is, and transcoded to JPEG Lossless. What several
associations bring between two of ours is a note, and whether memory stays flat.

All senders have `TCP_NODELAY`: without it Orthanc waits for delayed acknowledgements. What is
measured is the request that sends the study and waits for the job.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import nan
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from support import generated
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer
from support.sink import only, sink_process

from bench.compare import DURABLE, OURS, SECONDS_AFTER, Goal, Pair, Row
from bench.load import Load
from bench.measure import memory_of_job

SLICES = 400
PARALLEL = 4  # associations
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
MANY = 20_000


class SendingPair(Pair):
    """All servers with the same modalities and the same study."""

    def __init__(self, modalities: dict[str, Any]) -> None:
        super().__init__()
        options = {
            **DURABLE,
            "DicomModalities": modalities,
            "DicomScuPreferredTransferSyntax": JPEG_LOSSLESS,
        }
        self.ours = OurServer(self.folder / "ours", {**options, **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", options)
        self.older = DebianServer(self.folder / "older", options)
        self.study = ""

    def fill(self, slices: int) -> None:
        template = generated.ct_slice()
        for server in self.servers:
            with httpx.Client(base_url=server.url, timeout=60) as client:
                for number in range(slices):
                    answer = client.post("/instances", content=template.number(1, 1, 1, number))
                self.study = answer.json()["ParentStudy"]


def sending(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows, and notes about parallel associations and memory."""
    slices = 40 if quick else SLICES
    with ExitStack() as stack:
        stack.enter_context(nodelay())
        ports = {
            "storescp": stack.enter_context(_storescp()),
            "sink": stack.enter_context(sink_process()),
            "lossless": stack.enter_context(sink_process(only(JPEG_LOSSLESS))),
        }
        modalities = {name: [name.upper(), "127.0.0.1", port] for name, port in ports.items()}
        pair = stack.enter_context(SendingPair(modalities))
        pair.fill(slices)
        rows = [
            _row(pair, "C-STORE SCU, CT, to storescp", "storescp", Goal(3, 0.33), rounds, slices),
            _row(pair, "the same, to a fast sink", "sink", Goal(3, 0.33), rounds, slices),
            _row(pair, "the same, to JPEG Lossless", "lossless", Goal(2, 1), rounds, slices),
        ]
        notes = [_between_ours(pair.folder, slices, rounds)]
        return rows, [*notes, _memory(pair, 2000 if quick else MANY)]


@contextmanager
def nodelay() -> Iterator[None]:
    """What is started within sends without Nagle's algorithm."""
    before = os.environ.get("TCP_NODELAY")
    os.environ["TCP_NODELAY"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TCP_NODELAY"]
        else:
            os.environ["TCP_NODELAY"] = before


@contextmanager
def _storescp() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(["storescp", "--ignore", "-pdu", "131072", str(port)])
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _row(pair: SendingPair, name: str, modality: str, goal: Goal, rounds: int, slices: int) -> Row:
    def work(server: ServerProcess, number: int) -> Load:
        return store(server, modality, [pair.study], slices)

    return pair.compare(name, goal, rounds, work, SECONDS_AFTER)


def store(server: ServerProcess, modality: str, resources: list[str], count: int) -> Load:
    """Sends resources with `count` instances, and waits for them."""
    begin = time.perf_counter()
    answer = httpx.post(
        f"{server.url}/modalities/{modality}/store",
        json={"Resources": resources, "Synchronous": True},
        timeout=600,
    )
    seconds = time.perf_counter() - begin
    found = answer.json()
    if found.get("InstancesCount") != count or found["FailedInstancesCount"]:
        raise RuntimeError(f"not all was sent: {answer.text}")
    return Load(count, seconds, nan, nan)


def _between_ours(folder: Path, slices: int, rounds: int) -> str:
    """One of ours sends to another, which stores durably: what associations at the same time
    bring."""
    port, template = free_port(), generated.ct_slice()
    receiver = {**DURABLE, **OURS, "DicomServerEnabled": True, "DicomPort": port}
    modalities = {"receiver": ["RECEIVER", "127.0.0.1", port]}
    said = []
    for associations in (1, PARALLEL):
        options = {
            **DURABLE,
            **OURS,
            "DicomModalities": modalities,
            "DicomScuAssociationsCount": associations,
        }
        rates = []
        with (
            OurServer(folder / f"receiver-{associations}", receiver) as other,
            OurServer(folder / f"sender-{associations}", options) as server,
        ):
            for number in range(slices):
                file = template.number(1, 1, 1, number)
                answer = httpx.post(f"{server.url}/instances", content=file, timeout=60)
            study = answer.json()["ParentStudy"]
            for _ in range(rounds):
                rates.append(store(server, "receiver", [study], slices).rate)
                httpx.delete(f"{other.url}/studies/{study}", timeout=60).raise_for_status()
        rate = median(rates)
        megabytes = rate * len(template.data) / 1e6
        said.append(f"{associations} association(s) {rate:.0f}/s, {megabytes:.0f} MB/s")
    return f"One of ours to another, CT, which stores durably: {'; '.join(said)}."


def _memory(pair: SendingPair, count: int) -> str:
    """Anonymous memory of our processes while many small instances are sent by one job."""
    template = generated.small()
    with httpx.Client(base_url=pair.ours.url, timeout=600) as client:
        for number in range(count):
            answer = client.post("/instances", content=template.number(2, 2, 2, number))
        study = answer.json()["ParentStudy"]
        assert pair.ours.process is not None
        body = {"Resources": [study], "Asynchronous": True}
        job = client.post("/modalities/sink/store", json=body).json()["ID"]
        meanwhile = memory_of_job(client, job, pair.ours.process.pid)
    return f"Ours, {count:,} instances of 10 KB sent by one job in {meanwhile}"
