"""Jobs in real processes: workers that are killed, restarts of the server, who watches."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from support.job_server import arguments
from support.process import children
from support.server import OurServer

T = TypeVar("T")

FLAGS = ("Synchronous", "Asynchronous", "Permissive")
PATIENCE = 60.0  # seconds, on a machine full of other tests


class JobServer(OurServer):
    """`options` are those of the command line."""

    options: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        return arguments(self.config_path, *self.options)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENCE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobServer]:
    """For tests that leave it in good order, with one worker for jobs."""
    folder = tmp_path_factory.mktemp("jobs")
    with JobServer(folder, {"ConcurrentJobs": 1, "HttpWorkers": 2}) as running:
        assert isinstance(running, JobServer)
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[JobServer]:
    """For tests that stop or kill it."""
    with JobServer(tmp_path / "server", {"ConcurrentJobs": 1, "HttpWorkers": 1}) as running:
        assert isinstance(running, JobServer)
        yield running


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def submit(client: httpx.Client, **body: Any) -> str:
    answer = client.post("/test-job", json={"Asynchronous": True, **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["Path"] == f"/jobs/{answer.json()['ID']}"
    return str(answer.json()["ID"])


def wait(client: httpx.Client, job: str, *states: str) -> dict[str, Any]:
    """The job once it is in one of the states; completed, if none is given."""

    def look() -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/jobs/{job}").json()
        return found

    return until(look, lambda found: found["State"] in (states or ("Success", "Failure")))


def until(look: Callable[[], T], is_so: Callable[[T], bool]) -> T:
    end = time.monotonic() + PATIENCE
    while True:
        found = look()
        if is_so(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.02)


def entries(diary: Path, job: str | None = None) -> list[list[str]]:
    """Lines of the diary, [job, process, what, ...] each."""
    lines = [line.split() for line in diary.read_text().splitlines()] if diary.exists() else []
    return [line for line in lines if job is None or line[0] == job]


def worker_of(diary: Path, job: str) -> int:
    """The process that runs the job, once it has made a step."""
    found = until(
        lambda: entries(diary, job), lambda lines: any(line[2] == "step" for line in lines)
    )
    return int(found[-1][1])


def outputs(server: JobServer) -> list[Path]:
    return list((server.folder / "storage" / "job-outputs").iterdir())


def test_synchronous_and_asynchronous(server: JobServer) -> None:
    with server.client() as client:
        answer = client.post("/test-job", json={"Steps": 2, "Priority": 3})
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.json() == {"Description": "REST API", "Done": True, "InstancesCount": 2}
        answer = client.post("/test-job", json={"Fail": 17})
        assert answer.status_code == 404
        assert (answer.json()["OrthancStatus"], answer.json()["Details"]) == (17, "as told")
        job = submit(client, Steps=1, UserData={"b": [1], "a": None}, Output="text")
        found = wait(client, job)
        assert (found["State"], found["Progress"]) == ("Success", 100)
        assert list(found) == sorted(found)
        assert list(found["UserData"]) == ["a", "b"]
        output = client.get(f"/jobs/{job}/archive")
        assert (output.text, output.headers["content-type"]) == ("text", "application/zip")
        assert output.headers["content-disposition"] == 'filename="Archive.zip"'
        listed = client.get("/jobs?expand").json()
        assert [each["ID"] for each in listed] == client.get("/jobs").json()
        assert job in client.get("/jobs").json()


def test_fields_of_the_wrong_type(server: JobServer) -> None:
    texts = {name: f"Boolean value expected in field: {name}" for name in FLAGS}
    number = "Integer value expected in field: Priority"
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"Asynchronous": 1}, 15, texts["Asynchronous"]),
        ({"Asynchronous": None}, 15, texts["Asynchronous"]),
        ({"Synchronous": "a", "Priority": "b"}, 15, texts["Synchronous"]),
        ({"Priority": 2.0}, 15, number),
        ({"Priority": True}, 15, number),
        ({"Priority": 1 << 31}, 5, "Value too large to fit in an integer in field 'Priority'"),
        ({"Permissive": 1, "Priority": "b"}, 15, texts["Permissive"]),
    ]
    with server.client() as client:
        for fields, code, details in cases:
            answer = client.post("/test-job", json=fields).json()
            assert (answer["OrthancStatus"], answer["Details"]) == (code, details), fields
        client.post("/test-job", json={"Synchronous": True, "Asynchronous": 3}).raise_for_status()


def test_a_killed_worker_s_job_goes_on(server: JobServer, diary: Path) -> None:
    with server.client() as client:
        job = submit(client, Steps=8, Seconds=0.2, Diary=str(diary), Remember=True, Output="text")
        first = worker_of(diary, job)
        os.kill(first, signal.SIGKILL)
        found = wait(client, job)
        assert found["State"] == "Success"
        begins = [line[1:] for line in entries(diary, job) if line[2] == "begin"]
        assert len(begins) == 2
        assert begins[1][0] != str(first)
        assert begins[1][-1].isdigit()  # what it had remembered
        assert client.get(f"/jobs/{job}/archive").text == "text"


def test_a_job_that_kills_its_workers_fails(server: JobServer, diary: Path) -> None:
    with server.client() as client:
        deadly = submit(client, Steps=3, DieAt=1, Diary=str(diary), Output="text", Priority=1)
        other = submit(client, Steps=1)
        found = wait(client, deadly)
        assert (found["State"], found["ErrorCode"]) == ("Failure", -1)
        assert found["ErrorDetails"] == "The job has killed its worker 3 times"
        assert len([line for line in entries(diary, deadly) if line[2] == "begin"]) == 3
        assert wait(client, other)["State"] == "Success"
        assert not [path for path in outputs(server) if path.name.startswith(deadly)]


def test_an_answer_whose_process_dies_fails_its_job(server: JobServer) -> None:
    with server.client() as client:
        begun = client.post("/test-local-job").json()
    with server.client() as client:
        assert client.get(f"/jobs/{begun['ID']}").json()["State"] == "Running"
    os.kill(begun["Process"], signal.SIGKILL)
    with server.client() as client:
        found = wait(client, begun["ID"])
        assert found["State"] == "Failure"
        assert "has died" in found["ErrorDetails"]
        answer = client.post(f"/jobs/{begun['ID']}/resubmit")
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 6)


def _completed_jobs(client: httpx.Client) -> dict[str, Any]:
    jobs = {each["ID"]: each for each in client.get("/jobs?expand").json()}
    for each in jobs.values():
        del each["Timestamp"]
    return jobs


@pytest.mark.parametrize("end", ["stopped", "killed", "killed without its workers"])
def test_jobs_outlive_the_server(own_server: JobServer, diary: Path, end: str) -> None:
    server = own_server
    with server.client() as client:
        good = submit(client, Steps=1, UserData="mine", Priority=7)
        bad = submit(client, Fail=9)
        wait(client, good)
        wait(client, bad)
        completed = _completed_jobs(client)
        running = submit(client, Steps=50, Seconds=0.05, Diary=str(diary), Remember=True)
        paused, pending = submit(client, Padding=1 << 20), submit(client, UserData=[1])
        lost = submit(client, IsSaved=False)
        assert client.post(f"/jobs/{paused}/pause").json() == {}
        worker_of(diary, running)
    if end == "stopped":
        assert server.stop() == 0
    elif end == "killed":
        server.kill_all()
    else:
        _kill_supervisor(server)
    server.start()
    with server.client() as client:
        found = _completed_jobs(client)
        assert {job: found[job] for job in (good, bad)} == completed
        assert found[paused]["State"] == "Paused"
        assert found[pending]["UserData"] == [1]
        assert lost not in found
        assert wait(client, running)["State"] == "Success"
        assert wait(client, pending)["State"] == "Success"
        begins = [line for line in entries(diary, running) if line[2] == "begin"]
        assert len(begins) == 2
        assert begins[1][-1].isdigit()
        _assert_one_at_a_time(entries(diary))
        assert client.post(f"/jobs/{paused}/resume").json() == {}
        assert wait(client, paused)["State"] == "Success"


def test_completed_jobs_come_back_until_they_are_forgotten(own_server: JobServer) -> None:
    server = own_server
    with server.client() as client:
        good, deleted, bad = submit(client), submit(client), submit(client, Fail=9)
        for job in (good, deleted, bad):
            wait(client, job)
        assert client.delete(f"/jobs/{deleted}").status_code == 200
    assert server.stop() == 0
    server.start()
    with server.client() as client:
        assert set(client.get("/jobs").json()) == {good, bad}
    assert server.stop() == 0
    server.options = ("--no-jobs",)
    server.start()
    with server.client() as client:
        assert client.get("/jobs").json() == []


def _kill_supervisor(server: JobServer) -> None:
    """Its workers end by themselves."""
    assert server.process is not None
    orphans = [psutil.Process(pid) for pid in children(server.process.pid)]
    server.process.kill()
    server.process.wait()
    _, alive = psutil.wait_procs(orphans, timeout=PATIENCE)
    assert alive == []


def test_what_is_not_saved_is_lost(tmp_path: Path) -> None:
    server = JobServer(tmp_path, {"SaveJobs": False, "ConcurrentJobs": 1})
    with server:
        with server.client() as client:
            job = submit(client)
            wait(client, job)
        server.stop()
        server.start()
        with server.client() as client:
            assert client.get("/jobs").json() == []


def test_events(server: JobServer) -> None:
    with server.client() as client:
        job = submit(client, Steps=4, Seconds=0.2)
        told: list[tuple[str, dict[str, Any]]] = []
        with client.stream("GET", f"/jobs/{job}/events") as stream:
            assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
            name = ""
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    told.append((name, json.loads(line.removeprefix("data: "))))
        states = [each["State"] for name, each in told if name == "state"]
        assert states in (["Running", "Success"], ["Pending", "Running", "Success"])
        progress = [each["Progress"] for _, each in told]
        assert progress == sorted(progress)
        assert {25, 50, 75, 100} <= set(progress)
        assert {each["ID"] for _, each in told} == {job}


def test_the_server_stops_though_somebody_waits(own_server: JobServer) -> None:
    body = {"Steps": 1000, "Seconds": 0.05}
    with ThreadPoolExecutor(1) as pool, own_server.client() as client:
        answer = pool.submit(httpx.post, f"{own_server.url}/test-job", json=body, timeout=PATIENCE)
        jobs = until(lambda: client.get("/jobs?expand").json(), bool)
        wait(client, jobs[0]["ID"], "Running")
        assert own_server.stop() == 0
        assert "The server is stopping" in answer.result().text


def test_each_job_is_done_whoever_is_killed(tmp_path: Path, diary: Path) -> None:
    """Workers are killed at random while they work: no job is lost, and none is run by two."""
    random.seed(7)
    options = {"ConcurrentJobs": 2, "JobsHistorySize": 1000, "HttpWorkers": 1}
    with (
        JobServer(tmp_path / "server", options) as server,
        httpx.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        jobs = [submit(client, Steps=3, Seconds=0.02, Diary=str(diary)) for _ in range(60)]
        for _ in range(20):
            time.sleep(random.uniform(0.02, 0.3))
            lines = entries(diary)
            assert server.process is not None
            if lines and int(lines[-1][1]) in children(server.process.pid):
                os.kill(int(lines[-1][1]), signal.SIGKILL)
        states = Counter(wait(client, job)["State"] for job in jobs)
        failed = {each["ErrorDetails"] for each in client.get("/jobs?expand").json()} - {""}
        assert sum(states.values()) == len(jobs)
        assert failed <= {"The job has killed its worker 3 times"}
        ends = {line[0] for line in entries(diary) if line[2] == "end"}
        listed = client.get("/jobs?expand").json()
        assert {each["ID"] for each in listed if each["State"] == "Success"} <= ends
        _assert_one_at_a_time(entries(diary))


def _assert_one_at_a_time(lines: list[list[str]]) -> None:
    """Once another process has begun a job, the former one does nothing for it."""
    owner: dict[str, str] = {}
    former: set[tuple[str, str]] = set()
    for job, process, what, *_ in lines:
        if what == "begin" and owner.get(job, process) != process:
            former.add((job, owner[job]))
        if what == "begin":
            owner[job] = process
        assert (job, process) not in former
