"""Jobs that wait, are paused, or were cancelled before they ran, beside Orthanc's.

The only thread that runs Orthanc's jobs is kept busy by a modality that never answers, our only job
worker is stopped by a signal.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support import generated
from support.process import workers
from support.reference_server import ReferenceServer
from support.server import OurServer

Both = tuple[httpx.Client, httpx.Client]

ONE_AT_A_TIME = {"ConcurrentJobs": 1, "JobsHistorySize": 50}
PATIENCE = 20.0


@pytest.fixture(scope="module")
def both(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both servers, whose jobs do not begin."""
    folder = tmp_path_factory.mktemp("waiting")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        modality = ["SILENT", "127.0.0.1", silent.getsockname()[1]]
        settings = {**ONE_AT_A_TIME, "DicomModalities": {"m": modality}, "DicomScuTimeout": 300}
        ours = OurServer(folder / "ours", ONE_AT_A_TIME)
        with ours, ReferenceServer(folder / "theirs", settings) as theirs:
            with (
                httpx.Client(base_url=ours.url, timeout=60) as our_client,
                httpx.Client(base_url=theirs.url, timeout=60) as their_client,
            ):
                stored_study(our_client)
                study = stored_study(their_client)
                worker = _job_worker(ours)
                os.kill(worker, signal.SIGSTOP)
                _keep_busy(their_client, study)
                yield our_client, their_client
                os.kill(worker, signal.SIGCONT)
            theirs.kill_all()  # it would wait for the modality


def _job_worker(server: OurServer) -> int:
    """Its process: it starts after the server answers."""
    assert server.process is not None
    end = time.monotonic() + PATIENCE
    while not (found := workers(server.process.pid, "jobs")):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found[0]


def stored_study(client: httpx.Client) -> str:
    for number in range(3):
        data = bytes(generated.small().number(31, 1, 1, number))
        stored = client.post("/instances", content=data).json()
    return str(stored["ParentStudy"])


def _keep_busy(client: httpx.Client, study: str) -> None:
    body = {"Resources": [study], "Asynchronous": True}
    job = client.post("/modalities/m/store", json=body).json()["ID"]
    end = time.monotonic() + PATIENCE
    while client.get(f"/jobs/{job}").json()["State"] != "Running":
        assert time.monotonic() < end
        time.sleep(0.02)


SUBMISSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "archive": ("archive", {"UserData": "x", "Transcode": "1.2.840.10008.1.2.1"}),
    "media": ("media", {"Priority": 3}),
    "modification": ("modify", {"Replace": {"StudyDescription": "x"}, "UserData": {"b": 1}}),
    "anonymization": ("anonymize", {"Permissive": True, "Priority": -1}),
}

# What is asked of each job, one after the other; after each the job is looked at.
MOVES = (
    ("POST", "/resume"),
    ("POST", "/resubmit"),
    ("DELETE", ""),
    ("GET", "/archive"),
    ("POST", "/pause"),
    ("POST", "/pause"),
    ("POST", "/resubmit"),
    ("DELETE", ""),
    ("POST", "/resume"),
    ("POST", "/pause"),
    ("POST", "/cancel"),
    ("POST", "/cancel"),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("DELETE", "/archive"),
    ("POST", "/resubmit"),
    ("POST", "/cancel"),
    ("DELETE", ""),
    ("DELETE", ""),
    ("POST", "/cancel"),
)


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_as_orthanc_s(both: Both, name: str) -> None:
    (study,) = both[0].get("/studies").json()
    route, body = SUBMISSIONS[name]
    path = f"/studies/{study}/{route}"
    answers = [client.post(path, json={**body, "Asynchronous": True}).json() for client in both]
    jobs = [answer["ID"] for answer in answers]

    def seen() -> list[Any]:
        return [_job(client, job) for client, job in zip(both, jobs, strict=True)]

    ours, theirs = seen()
    assert ours == theirs
    assert ours["State"] == "Pending"
    for method, action in MOVES:
        found = [
            _answer(client, method, job, action) for client, job in zip(both, jobs, strict=True)
        ]
        assert found[0] == found[1], (method, action)
        ours, theirs = seen()
        assert ours == theirs, (method, action)


def _answer(client: httpx.Client, method: str, job: str, action: str) -> Any:
    answer = client.request(method, f"/jobs/{job}{action}")
    body = answer.text and answer.json()
    text = {name: str(value).replace(job, "") for name, value in body.items()} if body else ""
    return answer.status_code, answer.headers.get("content-type"), text


def _job(client: httpx.Client, job: str) -> dict[str, Any] | int:
    """Without the instants; of the runtime, whether there is one."""
    answer = client.get(f"/jobs/{job}")
    if answer.status_code != 200:
        return answer.status_code
    found: dict[str, Any] = answer.json()
    for name in ("ID", "CreationTime", "Timestamp", "CompletionTime"):
        if name in found:
            found[name] = ""
    found["EffectiveRuntime"] = found["EffectiveRuntime"] > 0
    return found
