"""Slow scripts: 100,000 changes while one sleeps, and ingest beside one that sleeps for 10 s.

`python -m bench storm`. Ours only.
"""

import statistics
import time
from pathlib import Path
from typing import Final

from support import generated
from support.server import OurServer
from support.storm import METADATA, Language, Storm, storm

from bench import load
from bench.compare import DURABLE, OURS

CHANGES: Final = 100_000
CONNECTIONS: Final = 16
PATIENCE: Final = 1800.0  # seconds
GOAL_MEMORY: Final = 24  # MB for all changes, in all processes
CLIENTS: Final = 8
GOAL_RATIO: Final = 0.9
SLEEPING: Final = """
import orthanc
import time

def stored(instance, identifier):
    time.sleep(10)

orthanc.RegisterOnStoredInstanceCallback(stored)
"""


def run(folder: Path, rounds: int, quick: bool) -> list[str]:
    """The remarks below the tables."""
    changes = CHANGES // 20 if quick else CHANGES
    lines = [_storm(folder / each, each, changes) for each in ("python", "lua")]
    return [*lines, _beside_a_sleeper(folder, rounds, 400 if quick else 2000)]


def _storm(folder: Path, language: Language, count: int) -> str:
    folder.mkdir()
    with storm(folder, language, **OURS, **DURABLE) as found:
        found.change(1000, CONNECTIONS)  # what the processes need for any such work
        before = most = found.memory()
        began = time.perf_counter()
        calls = [f"PUT {path} text" for path in found.paths()]
        while _last(found) < count:
            load.send(found.server.url, calls, 2, CONNECTIONS)
            most = max(most, found.memory())
        took = time.perf_counter() - began
        expected = found.changes()
        if found.heard():
            raise RuntimeError("the script does not sleep")
        found.wake()
        began = time.perf_counter()
        while len(found.heard()) < len(expected):
            if time.perf_counter() - began > PATIENCE:
                raise RuntimeError("the script has not heard of all changes")
            time.sleep(0.5)
            most = max(most, found.memory())
        delivered = time.perf_counter() - began
        if found.heard() != expected:
            raise RuntimeError("changes were lost, or came in another order")
    return (
        f"{len(expected):,} changes (PUT of {METADATA}, {len(expected) / took:,.0f}/s) while a "
        f"script in {language.capitalize()} sleeps: all delivered, in order, "
        f"{len(expected) / delivered:,.0f}/s; all processes together took at most "
        f"{(most - before) / (1 << 20):.0f} MB more (goal: below {GOAL_MEMORY})."
    )


def _last(found: Storm) -> int:
    last: int = found.client.get("/changes?last").json()["Last"]
    return last


def _beside_a_sleeper(folder: Path, rounds: int, count: int) -> str:
    script = folder / "sleeping_script.py"
    script.write_text(SLEEPING)
    options = {**DURABLE, **OURS}
    template = generated.small()
    sleeping: list[float] = []
    without: list[float] = []
    with (
        OurServer(folder / "sleeping", {**options, "PythonScript": str(script)}) as scripted,
        OurServer(folder / "without", options) as plain,
    ):
        for number in range(rounds + 1):  # the first one warms up
            for server, rates in ((scripted, sleeping), (plain, without)):
                first = 1 + number * count
                rates.append(load.post(server.port, template, first, count, CLIENTS).rate)
                time.sleep(1.5)  # what a server does after its answers
        scripted.kill_all()  # events wait for hours
    with_it, without_it = statistics.median(sleeping[1:]), statistics.median(without[1:])
    return (
        f"Ingest of 10 KB by {CLIENTS} clients beside an OnStoredInstance in Python that sleeps "
        f"for 10 s: {with_it:,.0f}/s, without a script {without_it:,.0f}/s, ratio "
        f"{with_it / without_it:.2f} (goal: at least {GOAL_RATIO})."
    )
