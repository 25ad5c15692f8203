"""Splits and merges whose worker is killed, whose sources vanish, and that run again."""

import os
import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from support.job_results import PATIENCE, completed, instances, upload
from support.process import workers
from support.server import OurServer

COUNT = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """With one worker for jobs, so that it is known whom to kill."""
    configuration = {"ConcurrentJobs": 1, "HttpWorkers": 1, "JobsHistorySize": 100}
    with OurServer(tmp_path_factory.mktemp("faults"), configuration) as running:
        assert isinstance(running, OurServer)
        yield running


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("seconds", [0.02, 0.15])
def test_killed_workers(server: OurServer, client: httpx.Client, seconds: float) -> None:
    """Each instance is there once, in one place."""
    assert server.process is not None
    patient = int(seconds * 1000)
    study = upload(client, patient, COUNT)
    target = upload(client, patient + 5000, 1)
    series = client.get(f"/studies/{study}").json()["Series"]
    body = {"Series": series[:1], "Asynchronous": True}
    split = client.post(f"/studies/{study}/split", json=body).json()["ID"]
    time.sleep(seconds)
    kill(server)
    found = completed(client, split)
    assert (found["State"], found["Content"]["InstancesCount"]) == ("Success", COUNT // 3)
    made = found["Content"]["TargetStudy"]
    assert len(instances(client, made)) == COUNT // 3
    assert len(instances(client, study)) == COUNT - COUNT // 3

    body = {"Resources": [study, made], "Asynchronous": True}
    merge = client.post(f"/studies/{target}/merge", json=body).json()["ID"]
    time.sleep(seconds)
    kill(server)
    assert completed(client, merge)["State"] == "Success"
    assert len(instances(client, target)) == COUNT + 1
    assert len(client.get(f"/studies/{target}").json()["Series"]) == 4
    assert instances(client, study) == instances(client, made) == []


def kill(server: OurServer) -> None:
    assert server.process is not None
    for worker in workers(server.process.pid, "jobs"):
        os.kill(worker, signal.SIGKILL)


def test_source_that_is_deleted_meanwhile(client: httpx.Client) -> None:
    """Permissive splits count it, others fail, again and again, and make the same instances."""
    for permissive in (True, False):
        study = upload(client, 78, 6)
        blocker = upload(client, 79, 400)
        client.post(f"/studies/{blocker}/modify", json={"Asynchronous": True, "Priority": 9})
        series = client.get(f"/studies/{study}").json()["Series"]
        body = {
            **{"Series": series, "KeepSource": True, "Asynchronous": True},
            **{"Permissive": permissive, "Priority": -9},
        }
        job = client.post(f"/studies/{study}/split", json=body).json()["ID"]
        client.delete(f"/instances/{instances(client, study)[3]}")
        found = completed(client, job)
        if permissive:
            assert found["State"] == "Success"
            assert found["Content"]["FailedInstancesCount"] == 1
            assert len(instances(client, found["Content"]["TargetStudy"])) == 5
            continue
        assert (found["State"], found["ErrorCode"]) == ("Failure", -1)
        made = instances(client, found["Content"]["TargetStudy"])
        assert made
        client.post(f"/jobs/{job}/resubmit")
        again = completed(client, job)
        assert (again["ErrorCode"], again["Content"]) == (-1, found["Content"])
        assert instances(client, found["Content"]["TargetStudy"]) == made
