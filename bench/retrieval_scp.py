"""C-GET and C-MOVE of a CT study of 400 slices as SCP, with a requestor and a destination that do
no more than answer; and the DICOM door when everything happens at the same time.

The requestor is the same for all servers, and so is the destination. All have `TCP_NODELAY`:
without it Orthanc waits for delayed acknowledgements.
"""

import multiprocessing
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from math import nan
from statistics import quantiles
from threading import Thread
from typing import Any

import httpx
from support import generated
from support.fast_requestor import (
    CT,
    EXPLICIT,
    IMPLICIT,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    VERIFICATION,
    Requestor,
    study_identifier,
)
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer
from support.sink import sink_process

from bench.compare import DURABLE, OURS, Goal, Pair, Row
from bench.load import Load
from bench.sending import nodelay

SLICES = 400
GOAL = Goal(3, 0.33)
FEW = 20
SINK = "SINK"


class RetrievalPair(Pair):
    """All servers with one study and one known destination."""

    def __init__(self, sink: int) -> None:
        super().__init__()
        options = {
            **DURABLE,
            "DicomServerEnabled": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowMove": True,
            "DicomAlwaysAllowGet": True,
            "DicomModalities": {"sink": [SINK, "127.0.0.1", sink]},
        }

        def given(**more: Any) -> dict[str, Any]:
            return {**options, "DicomPort": free_port(), **more}

        self.ours = OurServer(self.folder / "ours", given(**OURS))
        self.theirs = ReferenceServer(self.folder / "theirs", given())
        self.older = DebianServer(self.folder / "older", given())

    def fill(self, slices: int) -> None:
        """Study 1 has all slices, study 2 has few."""
        template = generated.ct_slice()
        for server in self.servers:
            with httpx.Client(base_url=server.url, timeout=60) as client:
                for study, amount in ((1, slices), (2, FEW)):
                    for number in range(amount):
                        content = template.number(study, study, 1, number)
                        client.post("/instances", content=content).raise_for_status()


def _study(number: int) -> str:
    return f"{generated.ROOT}.4{number:09d}"


def retrieval_scp(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows, and a note about everything at the same time."""
    slices = 40 if quick else SLICES
    with ExitStack() as stack:
        stack.enter_context(nodelay())
        sink = stack.enter_context(sink_process())
        pair = stack.enter_context(RetrievalPair(sink))
        pair.fill(slices)

        def row(name: str, work: Callable[[ServerProcess], Load]) -> Row:
            return pair.compare(name, GOAL, rounds, lambda server, number: work(server))

        rows = [
            row("C-GET SCP, CT, to a fast requestor", lambda server: get(server, slices)),
            row("C-MOVE SCP, CT, to a fast destination", lambda server: move(server, slices)),
        ]
        return rows, [_mixed(pair.ours, 5 if quick else 20)]


def _dicom_port(server: ServerProcess) -> int:
    return int(server.configuration["DicomPort"])


def get(server: ServerProcess, slices: int) -> Load:
    """The whole study comes over an association that is open already."""
    requestor = Requestor(_dicom_port(server), [(STUDY_GET, IMPLICIT), (CT, EXPLICIT)])
    begin = time.perf_counter()
    found = requestor.get(study_identifier(_study(1)))
    seconds = time.perf_counter() - begin
    requestor.release()
    if found != slices:
        raise RuntimeError(f"{found} of {slices} slices have come")
    return Load(slices, seconds, nan, nan)


def move(server: ServerProcess, slices: int) -> Load:
    """From the request until the last response."""
    requestor = Requestor(_dicom_port(server), [(STUDY_MOVE, IMPLICIT)])
    begin = time.perf_counter()
    requestor.move(study_identifier(_study(1)), SINK)
    seconds = time.perf_counter() - begin
    requestor.release()
    return Load(slices, seconds, nan, nan)


# Everything at the same time

STORING, QUERYING, MOVING = 16, 8, 8


def _mixed(server: ServerProcess, seconds: float) -> str:
    """32 associations that store, query and move for some time, and one that asks for an echo
    twenty times a second."""
    port = _dicom_port(server)
    before = _stored(server)
    end = time.monotonic() + seconds
    context = multiprocessing.get_context("fork")
    done: Any = context.Queue()
    works = ((_store_all, STORING), (_query_all, QUERYING), (_move_all, MOVING))
    processes = [
        context.Process(target=_in_threads, args=(work, number, port, end, done))
        for work, number in works
    ]
    for each in processes:
        each.start()
    requestor = Requestor(port, [(VERIFICATION, IMPLICIT)])
    echoes = []
    while time.monotonic() < end:
        echoes.append(requestor.echo())
        time.sleep(0.05)
    requestor.release()
    counts = {}
    for _ in processes:
        counts.update(done.get(timeout=120))
    for each in processes:
        each.join()
    missing = counts["_store_all"] - (_stored(server) - before)
    if missing:
        raise RuntimeError(f"{missing} acknowledged slices are missing")
    cut = quantiles(echoes, n=100)
    stored, queries, moves = (
        counts[each.__name__] / seconds for each in (_store_all, _query_all, _move_all)
    )
    return (
        f"Ours, 32 associations for {seconds:.0f} s: {stored:.0f} CT slices stored, {queries:.0f} "
        f"queries answered and {moves:.1f} moves of {FEW} slices done per second; nothing refused, "
        f"nothing missing; C-ECHO p50 {cut[49] * 1e3:.1f} ms, p99 {cut[98] * 1e3:.1f} ms "
        "(goal: 50)."
    )


def _stored(server: ServerProcess) -> int:
    return int(httpx.get(f"{server.url}/statistics", timeout=60).json()["CountInstances"])


Work = Callable[[int, int, float], int]


def _in_threads(work: Work, number: int, port: int, end: float, done: Any) -> None:
    """Each thread has an association; what they have done is told together. Whatever is refused
    ends the process, and with it the bench."""
    counts: list[int] = []

    def run(which: int) -> None:
        counts.append(work(which, port, end))

    threads = [Thread(target=run, args=(which,)) for which in range(number)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if len(counts) < number:
        raise SystemExit(f"{number - len(counts)} of {number} associations have failed")
    done.put({work.__name__: sum(counts)})


def _store_all(which: int, port: int, end: float) -> int:
    template = generated.ct_slice()
    requestor = Requestor(port, [(CT, EXPLICIT)])
    for number in count():
        if time.monotonic() > end:
            break
        content = template.number(1000 + which, 1000 + which, 1, number)
        start = content.index(b"\x08\x00\x05\x00CS")
        uid = f"{generated.ROOT}.4{1000 + which:09d}.5{1:09d}.6{number:09d}"
        requestor.store(1, uid, content[start:])
    requestor.release()
    return number


def _query_all(which: int, port: int, end: float) -> int:
    requestor = Requestor(port, [(STUDY_FIND, IMPLICIT)])
    done = 0
    while time.monotonic() < end:
        requestor.find(study_identifier("", "PATIENT*"))
        done += 1
    requestor.release()
    return done


def _move_all(which: int, port: int, end: float) -> int:
    requestor = Requestor(port, [(STUDY_MOVE, IMPLICIT)])
    done = 0
    while time.monotonic() < end:
        requestor.move(study_identifier(_study(2)), SINK)
        done += 1
    requestor.release()
    return done
