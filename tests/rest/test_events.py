"""Waiting for changes: the long poll and the stream of events, over several processes."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.server import OurServer

NUMBER = 31  # of the patient of these tests

GUARD = 40.0  # seconds: less than the waiting that an answer must not take


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {"HttpWorkers": 2, "StableAge": 3600}
    with OurServer(tmp_path_factory.mktemp("events"), configuration) as running:
        yield running


@pytest.fixture
def client(server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as found:
        yield found


def upload_later(server: OurServer, delay: float, *numbers: int) -> threading.Thread:
    """Uploads instances of a new patient each from another thread."""

    def work() -> None:
        time.sleep(delay)
        for number in numbers:
            data = generated.small().number(NUMBER, number, number, number)
            assert httpx.post(f"{server.url}/instances", content=data).status_code == 200

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def last(client: httpx.Client) -> int:
    return int(client.get("/changes?last").json()["Last"])


def test_answers_at_once_where_there_is_something(server: OurServer, client: httpx.Client) -> None:
    upload_later(server, 0, 100).join()
    answer = client.get("/changes?since=0&wait=60", timeout=GUARD).json()
    assert answer["Changes"][0]["ChangeType"] == "NewInstance"


def test_waits_for_the_next_change(server: OurServer, client: httpx.Client) -> None:
    """Several rounds, so that both processes are asked and both store."""
    for number in range(101, 109):
        known = last(client)
        uploading = upload_later(server, 0.3, number)
        path = f"/changes?since={known}&wait=60&type=NewInstance"
        answer = client.get(path, timeout=GUARD).json()
        uploading.join()
        assert [entry["ChangeType"] for entry in answer["Changes"]] == ["NewInstance"]
        assert answer["Last"] == answer["First"] > known


def test_gives_up_when_the_time_is_over(client: httpx.Client) -> None:
    known = last(client)
    answer = client.get(f"/changes?since={known}&wait=0.5").json()
    assert answer == {"Changes": [], "Done": True, "Last": known}


def test_other_types_do_not_end_the_waiting(server: OurServer, client: httpx.Client) -> None:
    known = last(client)
    uploading = upload_later(server, 0.2, 120)
    answer = client.get(f"/changes?since={known}&wait=1&type=StableStudy").json()
    uploading.join()
    assert answer == {"Changes": [], "Done": True, "Last": last(client)}


@pytest.mark.parametrize("wait", ["x", "-1", "nan", ""])
def test_wrong_wait(client: httpx.Client, wait: str) -> None:
    answer = client.get(f"/changes?wait={wait}")
    assert answer.status_code == 400
    assert answer.json()["OrthancStatus"] == 3


def test_last_and_pages_backwards_do_not_wait(client: httpx.Client) -> None:
    for arguments in ("last", "to=0", "limit=0"):
        answer = client.get(f"/changes?{arguments}&wait=60", timeout=GUARD)
        assert answer.status_code == 200


class Stream:
    """Reads server-sent events."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in answer.headers
        self._lines = answer.iter_lines()

    def event(self) -> dict[str, Any]:
        """The next one: id, event, data."""
        found: dict[str, Any] = {}
        for line in self._lines:
            if not line and "data" in found:
                found["data"] = json.loads(found["data"])
                return found
            name, _, value = line.partition(": ")
            if line and name in ("id", "event", "data"):
                found[name] = value
        raise AssertionError("the stream has ended")


SSE = {"Accept": "text/event-stream"}


def test_stream_of_events(server: OurServer, client: httpx.Client) -> None:
    upload_later(server, 0, 129).join()  # so that the patient is there
    known = last(client)
    with client.stream("GET", f"/changes?since={known}", headers=SSE) as answer:
        stream = Stream(answer)
        upload_later(server, 0.2, 130, 131)
        events = [stream.event() for _ in range(6)]
    assert [event["event"] for event in events] == ["NewInstance", "NewSeries", "NewStudy"] * 2
    listed = client.get(f"/changes?since={known}&limit=6").json()["Changes"]
    assert [event["data"] for event in events] == listed
    assert [int(event["id"]) for event in events] == [entry["Seq"] for entry in listed]


def test_stream_goes_on_where_a_browser_left_it(client: httpx.Client) -> None:
    with client.stream("GET", "/changes?since=0", headers=SSE | {"Last-Event-ID": "3"}) as answer:
        assert Stream(answer).event()["id"] == "4"


def test_stream_without_since_begins_now(server: OurServer, client: httpx.Client) -> None:
    known = last(client)
    with client.stream("GET", "/changes?type=NewStudy", headers=SSE) as answer:
        stream = Stream(answer)
        upload_later(server, 0.2, 132)
        event = stream.event()
    assert int(event["id"]) > known
    assert event["event"] == "NewStudy"


def test_wrong_position(client: httpx.Client) -> None:
    assert client.get("/changes?since=x", headers=SSE).status_code == 400


def test_watching_costs_nothing_once_nobody_waits(server: OurServer, client: httpx.Client) -> None:
    """Clients that went away in the middle of a wait leave nothing that runs."""
    import psutil

    known = last(client)
    for _ in range(20):
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{server.url}/changes?since={known}&wait=60", timeout=0.1)
    assert server.process is not None
    workers = psutil.Process(server.process.pid).children()

    def spent() -> float:
        return sum(sum(worker.cpu_times()[:2]) for worker in workers)

    before = spent()
    time.sleep(2)
    assert spent() - before <= 0.06  # one percent for housekeeping, and the clock's grain


def test_many_waiters(server: OurServer, client: httpx.Client) -> None:
    known = last(client)
    answers: list[dict[str, Any]] = []

    def wait() -> None:
        url = f"{server.url}/changes?since={known}&wait=20&limit=1"
        answers.append(httpx.get(url, timeout=30).json())

    threads = [threading.Thread(target=wait) for _ in range(60)]
    for thread in threads:
        thread.start()
    upload_later(server, 0.5, 140).join()
    for thread in threads:
        thread.join()
    assert len(answers) == 60
    assert all(answer["First"] == known + 1 for answer in answers)


def test_stopping_does_not_wait_for_those_who_wait(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"HttpWorkers": 1}) as server:
        answers: list[Any] = []

        def wait() -> None:
            answers.append(httpx.get(f"{server.url}/changes?wait=60", timeout=30).json())

        def listen() -> None:
            with httpx.stream("GET", f"{server.url}/changes", headers=SSE, timeout=30) as answer:
                answers.append(b"".join(answer.iter_bytes()))

        threads = [threading.Thread(target=wait), threading.Thread(target=listen)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        assert server.stop() == 0, "within the time that `stop` gives"
        for thread in threads:
            thread.join()
    assert {"Changes": [], "Done": True, "Last": 0} in answers
    assert b"retry: 2000\n\n" in answers
