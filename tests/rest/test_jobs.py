"""The routes of jobs, beside Orthanc's."""

import json
import re
import time
from typing import Any

import httpx
import pytest
from support import generated

Both = tuple[httpx.Client, httpx.Client]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/nope"),
        ("DELETE", "/jobs/nope"),
        ("POST", "/jobs/nope/cancel"),
        ("POST", "/jobs/nope/pause"),
        ("POST", "/jobs/nope/resume"),
        ("POST", "/jobs/nope/resubmit"),
        ("POST", "/jobs/nope/other"),
        ("POST", "/jobs"),
        ("POST", "/jobs/nope"),
        ("PUT", "/jobs/nope/cancel"),
        ("GET", "/jobs/nope/cancel"),
        ("GET", "/jobs/nope/archive"),
        ("DELETE", "/jobs/nope/archive"),
    ],
)
def test_what_is_not_there(both: Both, method: str, path: str) -> None:
    ours, theirs = (client.request(method, path) for client in both)
    assert ours.status_code == theirs.status_code
    for name in ("content-type", "allow"):
        assert ours.headers.get(name) == theirs.headers.get(name)
    assert (ours.text and ours.json()) == (theirs.text and theirs.json())


def test_not_expanded_is_a_list_of_names(both: Both) -> None:
    for client in both:
        job = _submit(client)
        _completed(client, job)  # else it would take the place of the archive of another test
        assert job in client.get("/jobs?expand=false").json()
        assert client.get("/jobs?expand=false").json() == client.get("/jobs").json()


def test_expand_is_a_boolean(both: Both) -> None:
    ours, theirs = (client.get("/jobs?expand=x") for client in both)
    assert ours.status_code == theirs.status_code == 400
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]
    assert ours.json()["Details"].startswith(theirs.json()["Details"])  # ours says what to give


def test_events_of_no_job(ours: httpx.Client) -> None:
    assert ours.get("/jobs/nope/events").status_code == 404


def test_events_of_all_jobs(ours: httpx.Client) -> None:
    """A job that comes while somebody listens is told of in each of its states, and when it is
    forgotten."""
    with ours.stream("GET", "/jobs", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        next(lines)  # the stream has begun
        job = _submit(ours)
        states = []
        for line in lines:
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: ") and job in line:
                found = json.loads(line.removeprefix("data: "))
                states.append((kind, found.get("State")))
                if found.get("State") == "Success":
                    ours.delete(f"/jobs/{job}").raise_for_status()
                if kind == "forgotten":
                    break
    assert states[-2:] == [("state", "Success"), ("forgotten", None)]
    assert {state for _, state in states[:-2]} <= {"Pending", "Running"}


def _study(client: httpx.Client) -> str:
    """A study of three instances."""
    for number in range(3):
        data = bytes(generated.small().number(8431, 1, 1, number))
        study = client.post("/instances", content=data).json()["ParentStudy"]
    return str(study)


def _submit(client: httpx.Client, **body: Any) -> str:
    """An archive of a study of three instances."""
    answer = client.post(
        "/tools/create-archive", json={"Resources": [_study(client)], "Asynchronous": True, **body}
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"ID", "Path"}
    return str(answer.json()["ID"])


def _without(answer: dict[str, Any], job: str) -> dict[str, str]:
    return {name: str(value).replace(job, "") for name, value in answer.items()}


def _completed(client: httpx.Client, job: str) -> dict[str, Any]:
    end = time.monotonic() + 30
    while True:
        found: dict[str, Any] = client.get(f"/jobs/{job}").json()
        if found["State"] in ("Success", "Failure"):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.02)


_INSTANT = re.compile(r"\d{8}T\d{6}(\.\d{6})?")


def _comparable(job: dict[str, Any]) -> dict[str, Any]:
    """The same for both servers: instants and durations by their form, the deflated size not."""
    found = dict(job)
    for name in ("CompletionTime", "CreationTime", "Timestamp"):
        assert _INSTANT.fullmatch(found[name])
        found[name] = "instant"
    assert isinstance(found["EffectiveRuntime"], float)
    found["EffectiveRuntime"] = 0.0
    del found["ID"]
    found["Content"] = {**found["Content"], "ArchiveSize": ""}
    return found


def test_a_job_from_its_submission_to_its_end(both: Both) -> None:
    ours, theirs = (_completed(each, _submit(each, Priority=5, UserData="a")) for each in both)
    assert list(ours) == list(theirs) == sorted(ours)
    assert list(ours["Content"]) == list(theirs["Content"])
    assert _comparable(ours) == _comparable(theirs)
    jobs = (ours["ID"], theirs["ID"])
    requests = [
        ("POST", "/cancel"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/resubmit"),
        ("GET", "/other"),
        ("DELETE", "/other"),
        ("DELETE", "/archive"),
        ("GET", "/archive"),
        ("DELETE", "/archive"),
        ("GET", ""),
        ("DELETE", ""),
        ("GET", ""),
        ("DELETE", ""),
    ]
    for method, path in requests:
        found, wanted = (
            client.request(method, f"/jobs/{job}{path}")
            for client, job in zip(both, jobs, strict=True)
        )
        what = f"{method} {path}"
        assert found.status_code == wanted.status_code, what
        assert found.headers.get("content-type") == wanted.headers.get("content-type"), what
        if found.status_code != 200 and found.content:
            assert _without(found.json(), jobs[0]) == _without(wanted.json(), jobs[1]), what
        elif not path:
            assert bool(found.content) == bool(wanted.content), what
        else:
            assert found.content == wanted.content, what


def test_an_output_is_sent_as_orthanc_sends_it(both: Both) -> None:
    names = ("content-type", "content-disposition", "x-content-type-options")
    answers = []
    for client in both:
        job = _submit(client, Filename="")
        _completed(client, job)
        nameless = client.get(f"/jobs/{job}/archive")
        job = _submit(client, Filename='a"b.zip')
        _completed(client, job)
        first = client.get(f"/jobs/{job}/archive")
        second = _submit(client)  # with MediaArchiveSize 1 it takes the place of the first
        _completed(client, second)
        gone = client.get(f"/jobs/{job}/archive")
        assert client.get(f"/jobs/{second}/archive").status_code == 200
        headers = [{name: each.headers.get(name) for name in names} for each in (nameless, first)]
        answers.append((headers, gone.status_code, client.get(f"/jobs/{job}").json()["State"]))
    assert answers[0] == answers[1]


def test_synchronous_jobs_are_in_the_history_too(both: Both) -> None:
    for client in both:
        study = _study(client)
        before = set(client.get("/jobs").json())
        assert client.get(f"/studies/{study}/archive").status_code == 200
        (new,) = set(client.get("/jobs").json()) - before
        assert _completed(client, new)["Content"]["InstancesCount"] == 3


def test_the_history_is_as_long_as_orthanc_s(both: Both) -> None:
    for client in both:
        for job in [_submit(client) for _ in range(14)]:
            client.get(f"/jobs/{job}")
        deadline = time.monotonic() + 30
        while any(each["State"] != "Success" for each in client.get("/jobs?expand").json()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(client.get("/jobs").json()) == 10
        assert client.get("/jobs").json() == sorted(client.get("/jobs").json())


def test_figures(both: Both) -> None:
    for client in both:
        _completed(client, _submit(client))
        found = {
            line.split()[0]
            for line in client.get("/tools/metrics-prometheus").text.splitlines()
            if line.startswith("orthanc_jobs_")
        }
        assert found >= {
            "orthanc_jobs_pending",
            "orthanc_jobs_running",
            "orthanc_jobs_total_completed",
            "orthanc_jobs_total_success",
        }
