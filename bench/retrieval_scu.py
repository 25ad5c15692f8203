"""Retrieval as SCU: CT studies of 400 slices from one archive, by C-GET and by C-MOVE. All servers
retrieve the same studies from the same archive, which is a fourth server.

The archive is ours, as the fastest at hand; what is measured is the request that retrieves a study
and waits for the job. Orthanc 1.10.1 knows no C-GET: what stands for it is its C-MOVE.
"""

import time
from contextlib import ExitStack
from math import nan
from typing import Any

import httpx
from support import generated
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer

from bench.compare import DURABLE, OURS, SECONDS_AFTER, Goal, Pair, Row
from bench.load import Load
from bench.measure import anonymous_megabytes
from bench.sending import nodelay

SLICES = 400
MANY = 20_000


class RetrievingPair(Pair):
    """The servers, and the archive that all of them know."""

    def __init__(self) -> None:
        super().__init__()
        archive = free_port()
        titles = {name: (name.upper(), free_port()) for name in ("ours", "theirs", "older")}
        self.archive = OurServer(
            self.folder / "archive",
            {
                **OURS,
                "DicomServerEnabled": True,
                "DicomAet": "ARCHIVE",
                "DicomPort": archive,
                "DicomModalities": {
                    name: [aet, "127.0.0.1", port] for name, (aet, port) in titles.items()
                },
            },
        )

        def options(name: str) -> dict[str, Any]:
            aet, port = titles[name]
            return {
                **DURABLE,
                "DicomServerEnabled": True,
                "DicomAet": aet,
                "DicomPort": port,
                "DicomModalities": {"archive": ["ARCHIVE", "127.0.0.1", archive]},
            }

        self.ours = OurServer(self.folder / "ours", {**options("ours"), **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", options("theirs"))
        self.older = DebianServer(self.folder / "older", options("older"))
        self.studies: list[str] = []

    def fill(self, slices: int) -> str:
        """Adds a study to the archive: its StudyInstanceUID."""
        template = generated.ct_slice()
        number = len(self.studies) + 1
        with httpx.Client(base_url=self.archive.url, timeout=60) as client:
            for instance in range(slices):
                content = template.number(number, number, number, instance)
                study = client.post("/instances", content=content).json()["ParentStudy"]
            uid = client.get(f"/studies/{study}").json()["MainDicomTags"]["StudyInstanceUID"]
        self.studies.append(uid)
        return str(uid)


def retrieval_scu(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows, and a note about memory."""
    slices = 40 if quick else SLICES
    with ExitStack() as stack:
        stack.enter_context(nodelay())
        pair = RetrievingPair()
        stack.enter_context(pair.archive)
        stack.enter_context(pair)
        rows = [
            _row(pair, "C-GET SCU, CT, 400 slices", "get", Goal(3, 0.33), rounds, slices),
            _row(pair, "C-MOVE SCU, the same, to itself", "move", Goal(3, 0.33), rounds, slices),
        ]
        return rows, [_memory(pair, MANY // 20 if quick else MANY)]


def _row(pair: RetrievingPair, name: str, way: str, goal: Goal, rounds: int, slices: int) -> Row:
    studies = [pair.fill(slices) for _ in range(rounds + 1)]

    def work(server: ServerProcess, number: int) -> Load:
        return retrieve(server, "move" if server is pair.older else way, studies[number], slices)

    return pair.compare(name, goal, rounds, work, SECONDS_AFTER)


def retrieve(server: ServerProcess, way: str, study: str, count: int) -> Load:
    """Retrieves a study of `count` instances, which must be there afterwards."""
    before = _stored(server)
    begin = time.perf_counter()
    answer = httpx.post(
        f"{server.url}/modalities/archive/{way}",
        json={"Level": "Study", "Resources": [{"StudyInstanceUID": study}], "Synchronous": True},
        timeout=600,
    )
    seconds = time.perf_counter() - begin
    if answer.status_code != 200 or _stored(server) - before != count:
        raise RuntimeError(f"not all was retrieved: {answer.text}")
    return Load(count, seconds, nan, nan)


def _stored(server: ServerProcess) -> int:
    return int(httpx.get(f"{server.url}/statistics", timeout=60).json()["CountInstances"])


def _memory(pair: RetrievingPair, count: int) -> str:
    """Anonymous memory of our processes along many instances."""
    template = generated.small()
    number = len(pair.studies) + 1
    with httpx.Client(base_url=pair.archive.url, timeout=60) as client:
        for instance in range(count):
            content = template.number(number, number, number, instance)
            study = client.post("/instances", content=content).json()["ParentStudy"]
        uid = client.get(f"/studies/{study}").json()["MainDicomTags"]["StudyInstanceUID"]
    assert pair.ours.process is not None
    before = anonymous_megabytes(pair.ours.process.pid)
    retrieve(pair.ours, "get", uid, count)
    after = anonymous_megabytes(pair.ours.process.pid)
    return (
        f"Ours, {count} instances of 10 KB by one C-GET: anonymous memory of all processes "
        f"{before:.0f} MB before, {after:.0f} MB after."
    )
