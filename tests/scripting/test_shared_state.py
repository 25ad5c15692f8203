"""What the script processes share: stores and queues, which outlive them, and the interpreter."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.process import workers
from support.scripted import Scripted, both, with_script
from support.server import OurServer
from support.waiting import until

from orthanc_fast.scripting.python.instances import DicomInstance


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    folder = tmp_path_factory.mktemp("shared")
    lua = folder / "empty.lua"
    lua.write_text("")
    options = {"LuaScripts": [str(lua)], "ExecuteLuaEnabled": True, "MetricsEnabled": True}
    with with_script(OurServer, folder, "shared.py", options) as started:
        yield started


def _evaluated(server: Scripted, expression: str) -> Any:
    answer = server.client.post("/eval", content=expression)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_stores_are_those_of_lua(server: Scripted) -> None:
    run = "/tools/execute-script"
    server.client.post(run, content="StoreKeyValue('both', 'key', 'of Lua')")
    assert _evaluated(server, "orthanc.GetKeyValue('both', 'key')") == "of Lua"
    _evaluated(server, "orthanc.StoreKeyValue('both', 'key', 'of Python')")
    assert server.client.post(run, content="print(GetKeyValue('both', 'key'))").text == (
        "of Python\n"
    )
    server.client.post(run, content="DeleteKeyValue('both', 'key')")
    assert _evaluated(server, "orthanc.GetKeyValue('both', 'key')") is None


def test_a_reservation_outlives_the_process(server: Scripted) -> None:
    reserve = "orthanc.ReserveQueueValue('kept', orthanc.QueueOrigin.FRONT, 600)"
    _evaluated(server, "orthanc.EnqueueValue('kept', 'value')")
    value, number = _evaluated(server, reserve)
    assert value == "value"
    assert server.server.process is not None
    (before,) = workers(server.server.process.pid, "python")
    os.kill(before, signal.SIGKILL)
    assert _evaluated(server, reserve) == [None, None]
    assert _evaluated(server, "orthanc.GetQueueSize('kept')") == 1
    _evaluated(server, f"orthanc.AcknowledgeQueueValue('kept', {number})")
    assert _evaluated(server, "orthanc.GetQueueSize('kept')") == 0


def test_no_value_of_a_queue_is_given_to_two(server: Scripted) -> None:
    found, left = _evaluated(server, "_take_all(100)")
    assert sorted(found) == list(range(100))
    assert left == 0


@pytest.mark.parametrize("allow", [False, True])
def test_calls_of_the_server_leave_the_interpreter_to_others(tmp_path: Path, allow: bool) -> None:
    """Whatever AllowThreads says: with Orthanc they do only where it is true."""
    options = {"Python": {"AllowThreads": allow}}
    with with_script(OurServer, tmp_path, "shared.py", options) as server:
        assert server.client.get("/calls").text == "told"


def test_allow_threads_of_orthanc(needs_reference: None, tmp_path: Path) -> None:
    with both(tmp_path, "shared.py", {"Python": {"AllowThreads": True}}) as servers:
        assert [each.client.get("/calls").text for each in servers] == ["told", "told"]


def test_metrics_of_requests_are_those_of_clients(server: Scripted) -> None:
    def counts() -> list[str]:
        lines = server.client.get("/tools/metrics-prometheus").text.splitlines()
        begin = "orthanc_rest_api_latency_seconds_count"
        wanted = ('family="patients"', 'family="tools",method="POST"')
        return [
            line.rsplit(" ", 1)[0]
            for line in lines
            if line.startswith(begin) and any(each in line for each in wanted)
        ]

    before = counts()
    _evaluated(server, "_ask_the_server()")
    assert counts() == before
    server.client.get("/patients")
    until(lambda: counts() != before)


def test_what_an_instance_held_is_free_when_its_call_is_over() -> None:
    """A script may keep the object for as long as it likes."""
    data = b"DICM" * 1000
    before = sys.getrefcount(data)
    instance = DicomInstance(None, lambda: data)  # type: ignore[arg-type]
    assert instance.GetInstanceSize() == 4000
    instance._forget()
    assert sys.getrefcount(data) == before
