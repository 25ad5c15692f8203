"""C-STORE against Debian's Orthanc: DCMTK sends, with and without Nagle's algorithm.

As installed, DCMTK and Orthanc leave Nagle's algorithm on, and every instance waits for a delayed
acknowledgement of 40 ms. `TCP_NODELAY=1` in their environment turns it off; our server sees to
itself in both cases. The time includes the start of the senders.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from math import nan
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import httpx
import msgspec
from support import generated
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer

from bench import load
from bench.compare import DURABLE, OURS, SECONDS_AFTER, Goal, Pair, Row
from bench.load import Load
from bench.measure import anonymous_megabytes

NODELAY = "TCP_NODELAY"

_numbers = count(500)


class DicomPair(Pair):
    """Both servers with their DICOM ports."""

    def __init__(self) -> None:
        super().__init__()
        self.ours = OurServer(self.folder / "ours", {**self._configuration(), **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", self._configuration())
        self.older = DebianServer(self.folder / "older", self._configuration())

    @staticmethod
    def _configuration() -> dict[str, object]:
        return {**DURABLE, "DicomServerEnabled": True, "DicomPort": free_port()}


class Scenario(msgspec.Struct, frozen=True):
    """`ours` and `theirs` are how many instances each server gets per round, over all senders."""

    name: str
    template: str
    associations: int
    ours: int
    theirs: int
    goal: Goal
    sender: str = "dcmsend"


AS_INSTALLED = (
    Scenario("C-STORE CT, 1 association, as installed", "ct", 1, 240, 48, Goal(15, 0.33)),
    Scenario("the same, storescu", "ct", 1, 240, 48, Goal(15, 0.33), "storescu"),
    Scenario("C-STORE CT, 4 associations, as installed", "ct", 4, 480, 160, Goal(5, 0.33)),
)
WITH_NODELAY = (
    Scenario("C-STORE CT, 1 association, NODELAY", "ct", 1, 240, 240, Goal(3, 0.33)),
    Scenario("C-STORE CT, 4 associations, NODELAY", "ct", 4, 480, 480, Goal(3, 0.33)),
    Scenario("C-STORE 10 KB, 1 association, NODELAY", "small", 1, 1200, 1200, Goal(3, 0.33)),
    Scenario("C-STORE 10 KB, 32 associations, NODELAY", "small", 32, 3200, 3200, Goal(3, 0.33)),
)


def dicom(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows, and notes about REST and memory."""
    rows = []
    for setting, scenarios in (("", AS_INSTALLED), ("1", WITH_NODELAY)):
        with _environment(setting), DicomPair() as pair:
            rows += [_row(pair, each, rounds, quick) for each in scenarios]
            if setting:
                notes = [_against_rest(pair, quick), _memory(pair, quick)]
    return rows, notes


@contextmanager
def _environment(nodelay: str) -> Iterator[None]:
    before = os.environ.pop(NODELAY, None)
    if nodelay:
        os.environ[NODELAY] = nodelay
    try:
        yield
    finally:
        os.environ.pop(NODELAY, None)
        if before is not None:
            os.environ[NODELAY] = before


def _row(pair: Pair, scenario: Scenario, rounds: int, quick: bool) -> Row:
    scale = 4 if quick else 1

    def work(server: ServerProcess, number: int) -> Load:
        amount = (scenario.ours if server is pair.ours else scenario.theirs) // scale
        return store(server, scenario, max(amount, scenario.associations))

    return pair.compare(scenario.name, scenario.goal, rounds, work, SECONDS_AFTER)


def store(server: ServerProcess, scenario: Scenario, amount: int) -> Load:
    """Sends `amount` new instances over parallel associations; all must be acknowledged."""
    template = generated.ct_slice() if scenario.template == "ct" else generated.small()
    share = amount // scenario.associations
    folders = [_files(template, share) for _ in range(scenario.associations)]
    port = str(server.configuration["DicomPort"])
    begin = time.perf_counter()
    senders = [
        subprocess.Popen(
            [*_command(scenario.sender), "127.0.0.1", port, str(each)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for each in folders
    ]
    outputs = [sender.communicate()[1] for sender in senders]
    seconds = time.perf_counter() - begin
    for sender, output in zip(senders, outputs, strict=True):
        if sender.returncode:
            raise RuntimeError(f"{scenario.sender} failed:\n{output.decode()}")
    for each in folders:
        rmtree(each)
    return Load(share * scenario.associations, seconds, nan, nan)


def _command(sender: str) -> list[str]:
    if sender == "storescu":
        return ["storescu", "--scan-directories", "-xe"]
    return ["dcmsend", "--scan-directories"]


def _files(template: generated.Template, amount: int) -> Path:
    """What is to be sent, in memory where there is such a file system: senders are other machines,
    their files are not to be written to the servers' disk meanwhile."""
    series = next(_numbers)
    memory = Path("/dev/shm")
    target = Path(mkdtemp(prefix="sent-", dir=memory if memory.is_dir() else None))
    for number in range(amount):
        content = template.number(series, series, series, number)
        (target / f"{number}.dcm").write_bytes(content)
    return target


def _against_rest(pair: Pair, quick: bool) -> str:
    """Our C-STORE compared with our own POST /instances of the same bytes."""
    amount = 120 if quick else 480
    scenario = WITH_NODELAY[1]
    first = next(_numbers) * 1_000_000
    ours = store(pair.ours, scenario, amount).rate
    rest = load.post(pair.ours.port, generated.ct_slice(), first, amount, 4).rate
    return (
        f"Ours, CT, 4 senders: C-STORE {ours:.0f}/s, POST {rest:.0f}/s: "
        f"{ours / rest:.0%} (goal: at least 60%)."
    )


def _memory(pair: Pair, quick: bool) -> str:
    """Anonymous memory of our processes along many instances, and whether all are there."""
    scenario = msgspec.structs.replace(WITH_NODELAY[2], associations=4)
    assert pair.ours.process is not None
    before = _stored(pair.ours)
    step = 500 if quick else 5000
    sizes = []
    for _ in range(4):
        store(pair.ours, scenario, step)
        sizes.append(anonymous_megabytes(pair.ours.process.pid))
    missing = 4 * step - (_stored(pair.ours) - before)
    return (
        f"Ours, {4 * step} instances of 10 KB: {missing} missing; anonymous memory after each "
        f"quarter {', '.join(f'{size:.0f}' for size in sizes)} MB."
    )


def _stored(server: ServerProcess) -> int:
    return int(httpx.get(f"{server.url}/statistics", timeout=60).json()["CountInstances"])
