"""SIGKILL of one of two DICOM workers while peers store, query, get and have moved: what was
acknowledged is there, and who talks to the other worker does not notice."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from support import generated
from support.fast_requestor import (
    CT,
    EXPLICIT,
    IMPLICIT,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    Requestor,
    study_identifier,
)
from support.ports import free_port
from support.process import workers
from support.server import OurServer
from support.sink import Sink

ASKED: Final = 6  # instances of the study that is asked for
STUDY = f"{generated.ROOT}.4{1:09d}"
START = generated.small().data.index(b"\x08\x00\x05\x00CS")  # of the data set

Contexts = list[tuple[str, str]]


class Peer:
    """One association and the thread that uses it until it is told to stop, or fails."""

    def __init__(self, port: int, contexts: Contexts, act: "Callable[[Peer], None]") -> None:
        self.requestor = Requestor(port, contexts)
        self.stored: list[str] = []
        self.done = 0
        self.has_failed = False
        self._act = act
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._act(self)
            except Exception:
                self.has_failed = True
                return
            self.done += 1

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self.requestor.release()


def storing(number: int) -> "Callable[[Peer], None]":
    template = generated.small()

    def act(peer: Peer) -> None:
        uid = f"{generated.ROOT}.4{number:09d}.5{1:09d}.6{peer.done:09d}"
        content = template.number(number, number, 1, peer.done)
        peer.requestor.store(1, uid, content[START:])
        peer.stored.append(uid)  # acknowledged

    return act


def querying(peer: Peer) -> None:
    assert peer.requestor.find(study_identifier(STUDY)) == 1


def getting(peer: Peer) -> None:
    assert peer.requestor.get(study_identifier(STUDY)) == ASKED


def moving(peer: Peer) -> None:
    peer.requestor.move(study_identifier(STUDY), "SINK")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OurServer]:
    with Sink(remembers=False) as sink:
        configuration = {
            "DicomServerEnabled": True,
            "DicomPort": free_port(),
            "DicomWorkers": 2,
            "DicomModalities": {
                "client": ["CLIENT", "127.0.0.1", 104],
                "sink": ["SINK", "127.0.0.1", sink.port],
            },
        }
        with OurServer(tmp_path, configuration) as started:
            template = generated.small()
            for number in range(ASKED):
                content = template.number(1, 1, 1, number)
                httpx.post(f"{started.url}/instances", content=content).raise_for_status()
            yield started


def peers_of(worker: int) -> set[int]:
    """The local ports of our sides of the connections that a process has."""
    inodes = set()
    for descriptor in os.listdir(f"/proc/{worker}/fd"):
        try:
            target = os.readlink(f"/proc/{worker}/fd/{descriptor}")
        except FileNotFoundError:  # closed since it was listed
            continue
        if found := re.fullmatch(r"socket:\[(\d+)\]", target):
            inodes.add(found[1])
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].partition(":")[2], 16) for row in rows if row[9] in inodes}


def test_a_killed_worker_takes_its_own_associations_only(server: OurServer) -> None:
    assert server.process is not None
    port = int(server.configuration["DicomPort"])
    numbers = iter(range(100, 200))

    def four() -> Iterator[Peer]:
        yield Peer(port, [(CT, EXPLICIT)], storing(next(numbers)))
        yield Peer(port, [(STUDY_FIND, IMPLICIT)], querying)
        yield Peer(port, [(STUDY_GET, IMPLICIT), (CT, EXPLICIT)], getting)
        yield Peer(port, [(STUDY_MOVE, IMPLICIT)], moving)

    peers: list[Peer] = []
    both = workers(server.process.pid, "dicom")
    owned: dict[int, set[int]] = {worker: set() for worker in both}
    try:
        while len(peers) < 8 or not all(owned.values()):
            peers += four()
            assert len(peers) < 100
            owned = {
                worker: peers_of(worker) & {each.requestor.local_port for each in peers}
                for worker in both
            }
        wait_until(lambda: all(each.done for each in peers))
        victim = both[0]
        lost = [each for each in peers if each.requestor.local_port in owned[victim]]
        others = [each for each in peers if each not in lost]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: all(each.has_failed for each in lost))
        before = [each.done for each in others]
        wait_until(lambda: all(e.done > done for e, done in zip(others, before, strict=True)))
        assert not any(each.has_failed for each in others)
    finally:
        for each in peers:
            each.end()
    acknowledged = {uid for each in peers for uid in each.stored}
    assert acknowledged
    assert acknowledged <= stored_uids(server)
    wait_until(lambda: len(set(workers(process_id(server), "dicom")) - {victim}) == 2)
    again = Requestor(port, [(STUDY_GET, IMPLICIT), (CT, EXPLICIT)])
    assert again.get(study_identifier(STUDY)) == ASKED
    again.release()


def process_id(server: OurServer) -> int:
    assert server.process is not None
    return server.process.pid


def stored_uids(server: OurServer) -> set[str]:
    found = httpx.get(f"{server.url}/instances?expand", timeout=60).json()
    return {each["MainDicomTags"]["SOPInstanceUID"] for each in found}


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
