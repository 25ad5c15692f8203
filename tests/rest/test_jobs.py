"""The routes of jobs, beside Orthanc's."""

import httpx
import pytest

Both = tuple[httpx.Client, httpx.Client]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs?expand=false"),
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


def test_expand_is_a_boolean(both: Both) -> None:
    ours, theirs = (client.get("/jobs?expand=x") for client in both)
    assert ours.status_code == theirs.status_code == 400
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]
    assert ours.json()["Details"].startswith(theirs.json()["Details"])  # ours says what to give


def test_events_of_no_job(ours: httpx.Client) -> None:
    assert ours.get("/jobs/nope/events").status_code == 404
