"""Events of scripts, without a process for them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import generated

from orthanc_fast.config import Settings
from orthanc_fast.model import SERVER
from orthanc_fast.rest.app import create_app
from orthanc_fast.runtime import bell
from orthanc_fast.scripting import observer
from orthanc_fast.scripting.observer import Event, Observer
from orthanc_fast.scripting.rest_calls import RestCalls

LONG = 3600.0  # seconds
ENOUGH = 60.0


@pytest.fixture
def rest(tmp_path: Path) -> Iterator[RestCalls]:
    settings = Settings(storage_directory=tmp_path, index_directory=tmp_path, index_map_size_gb=1)
    calls = RestCalls(create_app(settings, "test", print, has_tasks=False))
    calls.start()
    yield calls
    calls.stop()


def test_who_waits_for_events_is_told_of_the_end(
    rest: RestCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks again and again would make each stop of the server last a second."""
    monkeypatch.setattr(observer, "LOOK_AGAIN", LONG)
    monkeypatch.setattr(bell, "RECHECK", LONG)
    idle = threading.Event()
    events: list[Event] = []
    following = Observer(rest, "lua", lambda: None, events.append, idle=idle.set)
    following.start()
    assert idle.wait(ENOUGH)
    following.stop(ENOUGH)
    assert not [each for each in threading.enumerate() if each.name == "events"]


def test_events_come_in_order(rest: RestCalls) -> None:
    """Those of one instance, from the instance up."""
    told = threading.Event()
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        if event.kind == "NewPatient":
            told.set()

    following = Observer(rest, "lua", lambda: None, hear)
    following.start()
    rest.call(SERVER, "POST", "/instances", generated.small().number(1, 1, 1, 1))
    assert told.wait(ENOUGH)
    following.stop(ENOUGH)
    assert [each.kind for each in events[:4]] == [
        "NewInstance",
        "NewSeries",
        "NewStudy",
        "NewPatient",
    ]
