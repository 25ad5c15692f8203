"""What goes wrong beside the destinations: what clients ask for, files, clocks, the index."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.routing_site import RoutingSite

from orthanc_fast.errors import BadRequest
from orthanc_fast.model import SERVER
from orthanc_fast.services.routing.overview import Overview
from orthanc_fast.services.store.writes import Writes

FOLDER = {"Folder": "."}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    """Stores with the destination `there`, to which all is sent."""
    opened: list[RoutingSite] = []

    def site(fields: dict[str, Any] = FOLDER, rule: Any = None, **more: Any) -> RoutingSite:
        section = {
            "Destinations": {"there": fields},
            "Rules": {"all": {"Destinations": ["there"], **(rule or {})}},
        }
        opened.append(RoutingSite(tmp_path / "store", section, **more))
        return opened[-1]

    yield site
    for each in opened:
        each.close()


def asked(site: RoutingSite, request: Callable[[Overview], Coroutine[Any, Any, None]]) -> None:
    """As a client asks."""
    services = site.services

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        writes = Writes(services.index.writer(loop=loop), loop)
        await request(Overview(services.current, services.reads, writes, services.runtime.bell))

    asyncio.run(ask())


def test_a_destination_that_cannot_be_removed_keeps_its_queue(make: Any) -> None:
    """One of the configuration, and one that a rule names."""
    site = make()
    current = site.services.current
    site.services.queues.change(lambda found: current.put_destination(found, "added", FOLDER))
    rule = {"Destinations": ["added"]}
    site.services.queues.change(lambda found: current.put_rule(found, "second", rule))
    site.add(1, 1)
    site.follow()
    for name in ("there", "added"):
        with pytest.raises(BadRequest):
            asked(site, lambda view, name=name: view.delete_destination(SERVER, name))  # type: ignore[misc]
        assert site.queue(name).pending == 1


def test_a_destination_that_comes_again_begins_anew(make: Any) -> None:
    site = make()
    current = site.services.current
    site.services.queues.change(lambda found: current.put_destination(found, "added", FOLDER))
    asked(site, lambda view: view.pause(SERVER, "added", True))
    asked(site, lambda view: view.delete_destination(SERVER, "added"))
    site.services.queues.change(lambda found: current.put_destination(found, "added", FOLDER))
    assert not site.queue("added").is_paused
