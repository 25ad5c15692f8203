"""SIGKILL of job workers in the middle of anonymizations."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import httpx
from support import generated
from support.process import workers
from support.server import OurServer

INSTANCES = 150
JOBS = 12
KILLS = int(os.environ.get("KILL_ROUNDS", "12"))
PATIENCE = 60.0


def test_all_is_there_or_the_job_has_failed(tmp_path: Path) -> None:
    """Afterwards each job has succeeded with all instances, or failed and what exists goes with its
    study; the sources are as they were."""
    random.seed(11)
    with (
        OurServer(tmp_path, {"ConcurrentJobs": 1, "JobsHistorySize": 100}) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        for number in range(INSTANCES):
            data = bytes(generated.small().number(1, 1, number % 3, number))
            study = client.post("/instances", content=data).json()["ParentStudy"]
        before = _files(client, study)
        body = {"Asynchronous": True, "Force": True}
        jobs = [client.post(f"/studies/{study}/anonymize", json=body).json() for _ in range(JOBS)]
        killed = _kill_now_and_then(server, client)
        assert killed >= JOBS, "most of the deaths came too late"
        assert _files(client, study) == before
        states = [_checked(client, job["ID"]) for job in jobs]
        assert set(states) <= {"Success", "Failure"}
        assert set(client.get("/studies").json()) == {study}
        assert client.get("/statistics").json()["CountInstances"] == INSTANCES


def _kill_now_and_then(server: OurServer, client: httpx.Client) -> int:
    """Kills whoever runs a job, until all jobs are completed; how often."""
    killed = 0
    end = time.monotonic() + 3 * PATIENCE
    while True:
        running = [each["State"] for each in client.get("/jobs?expand").json()]
        if not {"Running", "Pending"} & set(running):
            return killed
        assert time.monotonic() < end
        time.sleep(random.uniform(0.0, 0.15))
        assert server.process is not None
        if "Running" in running and killed < KILLS:
            for worker in workers(server.process.pid, "jobs"):
                os.kill(worker, signal.SIGKILL)
                killed += 1


def _files(client: httpx.Client, study: str) -> dict[str, bytes]:
    instances = client.get(f"/studies/{study}/instances?expand=false").json()
    return {each: client.get(f"/instances/{each}/file").content for each in instances}


def _checked(client: httpx.Client, job: str) -> str:
    """The state of a completed job, whose result is as that says; the result is removed."""
    found: dict[str, Any] = client.get(f"/jobs/{job}").json()
    content = found["Content"]
    if found["State"] == "Success":
        made = client.get(f"{content['Path']}/instances").json()
        assert len(made) == INSTANCES
        assert content["FailedInstancesCount"] == 0
    else:
        assert found["ErrorDetails"] == "The job has killed its worker 3 times"
    if "Path" in content:
        client.delete(content["Path"])
    return str(found["State"])
