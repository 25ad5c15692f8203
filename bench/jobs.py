"""A thousand queued jobs: how fast they are submitted, and how fast all are listed.

`python -m bench jobs`. Each submission is `POST /studies/{id}/modify` that is not waited for, and
is answered when it is durable.
"""

import statistics
import time
from pathlib import Path

import httpx
from support import generated
from support.server import OurServer

from bench import load

CONNECTIONS = 16
JOBS = 1000
LISTINGS = 21

GOAL_RATE = 1000.0  # submissions per second
GOAL_EXPAND = 50.0  # milliseconds


def run(folder: Path, seconds: float) -> list[str]:
    """The remarks below the tables."""
    options = {"JobsHistorySize": 1_000_000, "IndexJournalSizeMB": 64}
    with OurServer(folder, options) as server, httpx.Client(base_url=server.url) as client:
        body = bytes(generated.small().number(1, 1, 1, 1))
        study = client.post("/instances", content=body).json()["ParentStudy"]
        modification = {"Replace": {"StudyDescription": "x"}, "Asynchronous": True}
        path = f"/studies/{study}/modify"
        found = load.post_json(server.url, path, [modification], seconds, CONNECTIONS)
        while len(client.get("/jobs").json()) < JOBS:
            client.post(path, json=modification).raise_for_status()
        count = len(client.get("/jobs").json())
        took = []
        for _ in range(LISTINGS):
            began = time.perf_counter()
            client.get("/jobs?expand").raise_for_status()
            took.append((time.perf_counter() - began) * 1000 * JOBS / count)
    rate = found.rate
    return [
        f"Jobs submitted by {CONNECTIONS} connections: {rate:,.0f}/s "
        f"(goal: at least {GOAL_RATE:,.0f}); `GET /jobs?expand` of {JOBS:,} jobs: "
        f"{statistics.median(took):.1f} ms (goal: below {GOAL_EXPAND:.0f})."
    ]
