"""Studies that are anonymized and modified, against Orthanc: CT slices, durable when the answer
comes."""

import time

import httpx
from support import generated
from support.process import ServerProcess

from bench.compare import Goal, Pair, Row
from bench.load import Load
from bench.scenarios import upload_and_list

SLICES = 400
_BASE = 700_000_000

# What is measured: the route, and its body.
_REQUESTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("anonymize", {}),
    ("modify", {"Replace": {"StudyDescription": "modified"}}),
)


def modification(pair: Pair, rounds: int, quick: bool) -> list[Row]:
    """A whole study as one synchronous job; a unit is an instance. What a round has made stays: a
    file system that makes new files slowly after deletions would measure itself."""
    slices = SLICES // 4 if quick else SLICES
    study = upload_and_list(pair, generated.ct_slice(), _BASE, slices)["studies"][0]
    rows = []
    for what, body in _REQUESTS:

        def work(server: ServerProcess, _: int, what: str = what, body: object = body) -> Load:
            with httpx.Client(base_url=server.url, timeout=600) as client:
                began = time.perf_counter()
                answer = client.post(f"/studies/{study}/{what}", json=body)
                seconds = time.perf_counter() - began
                answer.raise_for_status()
                assert answer.json()["InstancesCount"] == slices
            return Load(slices, seconds, seconds, seconds)

        name = f"{what} a study of {slices} CT slices, per slice"
        rows.append(pair.compare(name, Goal(5, 0.2), rounds, work))
    return rows
