"""The same work on our server, on Orthanc 1.13.0 and on Debian's 1.10.1, in alternation, and the
table that comes of it."""

import atexit
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Self

import msgspec
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer

import orthanc_fast
from bench.load import Load
from bench.measure import anonymous_megabytes, cpu_seconds

# Both acknowledge only what is on the disk. Orthanc needs this said; it is our default.
DURABLE = {"SyncStorageArea": True, "StableAge": 600}
# Our defaults, where the tests' are smaller.
OURS = {"IndexJournalSizeMB": 64}

# What a server does with uploads after it has answered counts too.
SECONDS_AFTER = 1.5


class Goal(msgspec.Struct, frozen=True):
    """Ratio to 1.13.0 of the rates at least, of the CPU times per unit at most."""

    rate: float
    cpu: float


class Round(msgspec.Struct):
    load: Load
    cpu: float  # seconds per unit


class Row(msgspec.Struct):
    """One scenario: medians of the servers, `theirs` 1.13.0 and `older` 1.10.1, empty where that is
    not there. Times in seconds, rates per second, without what was not measured."""

    name: str
    goal: Goal
    ours: dict[str, float]
    theirs: dict[str, float]
    older: dict[str, float]

    @property
    def rate_ratio(self) -> float:
        return self.ours["rate"] / self.theirs["rate"]

    @property
    def cpu_ratio(self) -> float:
        return self.ours["cpu"] / self.theirs["cpu"]

    @property
    def reached(self) -> bool:
        return self.rate_ratio >= self.goal.rate and self.cpu_ratio <= self.goal.cpu


class Pair:
    """Ours and those it is measured by, running on fresh folders."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=Path.cwd()))
        # Not before the end: some file systems make new files slowly after many deletions.
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.ours: ServerProcess = OurServer(self.folder / "ours", {**DURABLE, **OURS})
        self.theirs: ServerProcess = ReferenceServer(self.folder / "theirs", dict(DURABLE))
        self.older: ServerProcess = DebianServer(self.folder / "older", dict(DURABLE))

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        """Ours, 1.13.0 and, where there is one, 1.10.1."""
        return self.ours, self.theirs, self.older

    def __enter__(self) -> Self:
        for server in self.servers:
            self._stack.enter_context(server)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def compare(
        self,
        name: str,
        goal: Goal,
        rounds: int,
        work: Callable[[ServerProcess, int], Load],
        seconds_after: float = 0,
    ) -> Row:
        """Runs `work(server, round)` on each server in turn; the first round is not counted. CPU
        time counts until `seconds_after` it."""
        found: list[list[Round]] = [[] for _ in self.servers]
        for number in range(rounds + 1):
            for counted, server in zip(found, self.servers, strict=True):
                measured = _measured(server, number, work, seconds_after)
                if number:
                    counted.append(measured)
        ours, theirs, *older = map(_medians, found)
        row = Row(name, goal, ours, theirs, older[0] if older else {})
        print(line(row), flush=True)
        return row

    def memory(self) -> tuple[float, float]:
        """Anonymous megabytes of ours and of theirs, as they run now."""
        assert self.ours.process is not None
        assert self.theirs.process is not None
        return anonymous_megabytes(self.ours.process.pid), anonymous_megabytes(
            self.theirs.process.pid
        )


def _measured(
    server: ServerProcess,
    number: int,
    work: Callable[[ServerProcess, int], Load],
    seconds_after: float,
) -> Round:
    assert server.process is not None
    before = cpu_seconds(server.process.pid)
    load = work(server, number)
    time.sleep(seconds_after)
    return Round(load, (cpu_seconds(server.process.pid) - before) / load.units)


def _medians(rounds: list[Round]) -> dict[str, float]:
    found = {
        "rate": median(each.load.rate for each in rounds),
        "p50": median(each.load.p50 for each in rounds),
        "p99": median(each.load.p99 for each in rounds),
        "cpu": median(each.cpu for each in rounds),
    }
    return {key: value for key, value in found.items() if value == value}  # NaN: not measured


HEADER = (
    "| scenario | ours /s | p50 ms | p99 ms | cpu ms | 1.13.0 /s | p50 ms | p99 ms | cpu ms "
    "| rate | goal | cpu | goal | | 1.10.1 /s | rate | cpu |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def line(row: Row) -> str:
    """One line of the table."""
    cells = [row.name]
    for side in (row.ours, row.theirs):
        cells += [
            f"{side['rate']:,.0f}",
            *(f"{side[key] * 1e3:.2f}" if key in side else "" for key in ("p50", "p99")),
            f"{side['cpu'] * 1e3:.3f}",
        ]
    cells += [f"x{row.rate_ratio:.2f}", f"x{row.goal.rate:g}"]
    cells += [f"x{row.cpu_ratio:.2f}", f"x{row.goal.cpu:g}"]
    cells.append("reached" if row.reached else "**short**")
    if row.older:
        cells.append(f"{row.older['rate']:,.0f}")
        cells.append(f"x{row.ours['rate'] / row.older['rate']:.2f}")
        cells.append(f"x{row.ours['cpu'] / row.older['cpu']:.2f}")
    else:
        cells += ["", "", ""]
    return "| " + " | ".join(cells) + " |"


def environment() -> dict[str, str]:
    """Versions and machine, without names of hosts."""
    return {
        "orthanc_fast": orthanc_fast.__version__,
        "Orthanc": f"{ReferenceServer.VERSION} and {DebianServer.VERSION}",
        "Python": platform.python_version(),
        "kernel": platform.release(),
        "processor": platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
    }
