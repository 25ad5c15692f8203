"""Job workers that are killed in the middle of a modification, sources that vanish, jobs that are
cancelled, large files."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support import generated
from support.edited import read
from support.job_results import PATIENCE, completed, instances, upload
from support.process import workers
from support.server import OurServer
from support.small_disk import small_disk

COUNT = 120  # instances of the study
KILLS = int(os.environ.get("MODIFICATION_KILLS", "2"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """With one worker for jobs, so that it is known whom to kill."""
    folder = tmp_path_factory.mktemp("faults")
    configuration = {"ConcurrentJobs": 1, "HttpWorkers": 1, "JobsHistorySize": 1000}
    with OurServer(folder, configuration) as running:
        assert isinstance(running, OurServer)
        yield running


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("keep_source", [True, False])
def test_killed_workers(server: OurServer, client: httpx.Client, keep_source: bool) -> None:
    """All instances of the result exist, each once; sources are intact, or gone where they were
    to go."""
    chance = random.Random(7)
    assert server.process is not None
    for round_number in range(KILLS):
        patient = 1000 * (2 if keep_source else 1) + round_number
        study = upload(client, patient, COUNT)
        sources = instances(client, study)
        body = {"Asynchronous": True, "KeepSource": keep_source}
        job = client.post(f"/studies/{study}/anonymize", json=body).json()["ID"]
        time.sleep(chance.uniform(0, 0.4))
        for worker in workers(server.process.pid, "jobs"):
            os.kill(worker, signal.SIGKILL)
        found = completed(client, job)
        assert found["State"] == "Success", found
        content = found["Content"]
        assert (content["InstancesCount"], content["FailedInstancesCount"]) == (COUNT, 0)
        results = instances(client, content["ID"])
        assert len(results) == COUNT
        assert instances(client, study) == (sources if keep_source else [])
        made = client.get(f"/studies/{content['ID']}/instances").json()
        origins = {each["AnonymizedFrom"] for each in made}
        assert origins == set(sources)
        assert len(client.get(f"/studies/{content['ID']}/series?expand=false").json()) == 3
        client.delete(f"/studies/{content['ID']}")
        client.delete(f"/studies/{study}")


def test_a_list_that_has_killed_its_workers(server: OurServer, client: httpx.Client) -> None:
    """The job says what there is of it, and that can be removed by one call."""
    assert server.process is not None
    study = upload(client, 3000, 400)
    before = set(client.get("/instances").json())
    body = {"Resources": [study], "Asynchronous": True}
    job = client.post("/tools/bulk-anonymize", json=body).json()["ID"]
    until(lambda: client.get("/statistics").json()["CountInstances"] > len(before))
    kill_job_worker(server)
    for _ in range(2):
        until(lambda: client.get(f"/jobs/{job}").json()["State"] == "Running")
        kill_job_worker(server)
    found = completed(client, job)
    assert found["ErrorDetails"] == "The job has killed its worker 3 times", found
    listed = found["Content"]["Resources"]
    made = {each["ID"] for each in listed if each["Type"] == "Instance"}
    assert made == set(client.get("/instances").json()) - before
    assert {each["Type"] for each in listed} == {"Instance", "Series", "Study", "Patient"}
    client.post("/tools/bulk-delete", json={"Resources": sorted(made)}).raise_for_status()
    assert set(client.get("/instances").json()) == before
    client.delete(f"/studies/{study}")


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


def kill_job_worker(server: OurServer) -> None:
    """Returns when there is another one."""
    assert server.process is not None
    pid = server.process.pid
    (worker,) = workers(pid, "jobs")
    os.kill(worker, signal.SIGKILL)
    until(lambda: workers(pid, "jobs") not in ([], [worker]))


def test_source_that_is_deleted_meanwhile(client: httpx.Client) -> None:
    """Permissive jobs count it, others fail, again and again, and make the same instances."""
    for permissive in (True, False):
        study = upload(client, 78, 5)
        blocker = upload(client, 79, 400)
        client.post(f"/studies/{blocker}/anonymize", json={"Asynchronous": True, "Priority": 9})
        body = {"Asynchronous": True, "Permissive": permissive, "Priority": -9}
        job = client.post(f"/studies/{study}/modify", json=body).json()["ID"]
        client.delete(f"/instances/{instances(client, study)[2]}")
        found = completed(client, job)
        if permissive:
            assert found["State"] == "Success"
            assert found["Content"]["FailedInstancesCount"] == 1
            continue
        assert (found["State"], found["ErrorCode"], found["ErrorDetails"]) == ("Failure", 17, "")
        made = instances(client, found["Content"]["ID"])
        assert made
        client.post(f"/jobs/{job}/resubmit")  # the same identifiers come out again
        assert completed(client, job)["ErrorCode"] == 17
        assert instances(client, found["Content"]["ID"]) == made


def test_cancelled_job(client: httpx.Client) -> None:
    study = upload(client, 80, 300)
    job = client.post(f"/studies/{study}/anonymize", json={"Asynchronous": True}).json()["ID"]
    client.post(f"/jobs/{job}/cancel")
    found = completed(client, job)
    assert (found["State"], found["ErrorCode"]) in (("Failure", 37), ("Success", 0))
    assert len(instances(client, study)) == 300


def test_large_files_pass(client: httpx.Client, tmp_path: Path) -> None:
    """Above the spill limit: as a job and as an answer."""
    template = generated.multiframe(60)
    data = template.number(81, 1, 1, 1)
    instance = client.post("/instances", content=data).json()["ID"]
    answer = client.post(f"/instances/{instance}/anonymize", content="{}")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    pixels = read(data).PixelData
    assert read(answer.content).PixelData == pixels
    made = client.post("/tools/bulk-anonymize", json={"Resources": [instance]}).json()
    new = made["Resources"][0]["ID"]
    found = read(client.get(f"/instances/{new}/file").content)
    assert found.PixelData == pixels
    assert str(found.PatientName).startswith("Anonymized")
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50"):  # JPEG has no 16 bits
        body = {"Resources": [instance], "Transcode": syntax}
        made = client.post("/tools/bulk-modify", json=body).json()
        found = read(client.get(f"/instances/{made['Resources'][0]['ID']}/file").content)
        assert (found.file_meta.TransferSyntaxUID == syntax) == (syntax == "1.2.840.10008.1.2")
        assert found.PixelData == pixels


def test_full_disk(tmp_path: Path) -> None:
    """The job fails with the error of a full storage; nothing half-written is left, sources and
    what was stored can be read, and what was made goes with one call."""
    with small_disk(tmp_path / "small", 12) as storage:
        options = {"StorageDirectory": str(storage), "IndexDirectory": str(tmp_path / "index")}
        with OurServer(tmp_path / "server", options) as server:
            check_full_disk(server, storage)


def check_full_disk(server: OurServer, storage: Path) -> None:
    template = generated.ct_slice()
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        for number in range(14):
            answer = client.post("/instances", content=template.number(1, 1, 1, number)).json()
        study = answer["ParentStudy"]
        body = {"Asynchronous": True, "KeepSource": False}
        job = client.post(f"/studies/{study}/anonymize", json=body).json()["ID"]
        found = completed(client, job)
        assert (found["State"], found["ErrorCode"]) == ("Failure", 19)
        assert len(instances(client, study)) == 14
        every = client.get("/instances").json()
        for instance in every:
            assert client.get(f"/instances/{instance}/file").is_success
        files = [path for path in storage.rglob("*") if path.is_file() and path.stat().st_size]
        assert len(files) == len(every)
        content = found["Content"]
        made = instances(client, content["ID"]) if "ID" in content else []
        assert len(every) == 14 + len(made)
        if made:
            assert client.delete(content["Path"]).is_success
        assert sorted(client.get("/instances").json()) == instances(client, study)
