"""The same script in Python on our server and in Orthanc's plugin: small instances with a callback
that reads the tags of each, with a filter that sees each, and a route of the script."""

import time
from typing import Any

import httpx
from support import generated
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.scripted import PLUGIN
from support.server import OurServer

from bench import load
from bench.compare import DURABLE, OURS, Goal, Pair, Row
from bench.load import Load

CLIENTS = 8
PATIENCE = 600.0  # seconds

_COMMON = """
import json
import orthanc

heard = [0]

def count(output, uri, **request):
    output.AnswerBuffer(str(heard[0]), "text/plain")

orthanc.RegisterRestCallback("/heard", count)
"""

STORED = (
    _COMMON
    + """
def stored(instance, identifier):
    tags = json.loads(orthanc.RestApiGet("/instances/%s/simplified-tags" % identifier))
    assert tags["PatientID"]
    heard[0] += 1

orthanc.RegisterOnStoredInstanceCallback(stored)
"""
)

FILTER = (
    _COMMON
    + """
def received(data, origin):
    heard[0] += 1
    return orthanc.ReceivedInstanceAction.KEEP_AS_IS, None

orthanc.RegisterReceivedInstanceCallback(received)
"""
)


class ScriptedPair(Pair):
    """Ours and 1.13.0 with a script; Debian's older one has no plugin."""

    def __init__(self, script: str) -> None:
        super().__init__()
        path = self.folder / "bench_script.py"
        path.write_text(script)
        options: dict[str, Any] = {**DURABLE, "PythonScript": str(path)}
        self.ours = OurServer(self.folder / "ours", {**options, **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", options, plugins=(PLUGIN,))

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        return self.ours, self.theirs


def python_scripts(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """An upload counts when the script has heard of it."""
    count = 400 if quick else 2000
    template = generated.small()
    rows = []
    for name, script, goal in (
        ("OnStoredInstance that reads tags", STORED, Goal(3, 1)),
        ("a filter of what is received", FILTER, Goal(2, 1)),
    ):
        with ScriptedPair(script) as pair:
            rows.append(
                pair.compare(
                    f"ingest of 10 KB, Python: {name}, {CLIENTS} clients",
                    goal,
                    rounds,
                    lambda server, number: _uploaded(server, template, number, count),
                )
            )
            if script is FILTER:
                rows.append(
                    pair.compare(
                        "REST callback in Python, 16 connections (goal: 2,000/s)",
                        Goal(0, 100),
                        rounds,
                        lambda server, _: load.get(server.url, ["/heard"], 2 if quick else 5),
                    )
                )
    return rows, []


def _uploaded(server: ServerProcess, template: generated.Template, number: int, count: int) -> Load:
    """Uploads, and waits until the script has heard of all."""
    begin = time.perf_counter()
    sent = load.post(server.port, template, 1 + number * count, count, CLIENTS)
    handed_over = time.perf_counter()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        while int(client.get("/heard").text) < (number + 1) * count:
            if time.perf_counter() - begin > PATIENCE:
                raise RuntimeError("the script has not heard of all instances")
            time.sleep(0.005)
    late = time.perf_counter() - handed_over
    return Load(count, sent.seconds + late, sent.p50, sent.p99)
