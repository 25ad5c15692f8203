"""What goes wrong beside the destinations: what clients ask for, files, clocks, the index."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.http_peer import HttpPeer, answer
from support.routing_site import Kept, RoutingSite
from support.sink import Sink

from orthanc_fast.config_sections import DicomWeb
from orthanc_fast.errors import BadRequest, FullStorage, NetworkProtocol
from orthanc_fast.model import SERVER, Level
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.processes.routing_doors import Doors
from orthanc_fast.services.routing.contract import Item
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


def unreachable(item: Item) -> None:
    raise NetworkProtocol("nobody is there")


def asked(site: RoutingSite, request: Callable[[Overview], Coroutine[Any, Any, None]]) -> None:
    """As a client asks."""
    services = site.services

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        writes = Writes(services.index.writer(loop=loop), loop)
        await request(Overview(services.current, services.reads, writes, services.runtime.bell))

    asyncio.run(ask())


def lose(site: RoutingSite, public: bytes) -> None:
    """The file of an instance is gone, its record is not."""
    record = site.services.index.read(lambda view: view.resource(Level.INSTANCE, public))
    assert record is not None
    site.services.storage.delete([record.attachments[DICOM_ATTACHMENT].uuid])


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


def test_a_clock_that_is_set_back_stops_nothing(make: Any) -> None:
    """Neither a pause nor a limit of bandwidth lasts longer than it would have."""
    site = make({**FOLDER, "FirstPause": 5, "LongestPause": 30, "Bandwidth": 1})
    site.add(1, 1)
    site.add(1, 2)
    site.follow()
    door = Kept(unreachable)
    sender = site.sender("there", door)
    assert sender.turn() == 0
    site.clock.now -= 86400
    assert sender.turn() <= 33
    door.refuse = lambda item: None
    for _ in range(10):
        site.clock.now += sender.turn()
    assert len(door.taken) >= 1
    site.clock.now -= 86400
    for _ in range(10):
        wait = sender.turn()
        assert wait <= 60
        site.clock.now += wait
    assert len(door.taken) == 2


@pytest.mark.parametrize("kind", ["Folder", "Modality", "Peer", "DicomWeb"])
def test_a_file_that_is_lost_does_not_hold_up_the_others(make: Any, kind: str) -> None:
    """It is set aside after `Attempts`."""
    ok = b'{"00081199":{"vr":"SQ","Value":[{}]}}'
    with Sink() as sink, HttpPeer(lambda received: answer(200, ok)) as peer:
        raw = {
            "DicomModalities": {"m": ["SINK", "127.0.0.1", sink.port]},
            "OrthancPeers": {"p": [peer.url]},
        }
        web = DicomWeb(public_root="/dicom-web/", servers={"w": [f"{peer.url}/dicom-web/"]})
        targets = {"Folder": ".", "Modality": "m", "Peer": "p", "DicomWeb": "w"}
        site = make({kind: targets[kind], "Attempts": 2}, raw=raw, dicom_web=web)
        lost = site.add(1, 1)
        site.add(1, 2)
        lose(site, lost)
        site.follow()
        destination = site.services.routing.destinations["there"]
        door = Doors(site.services, site.services.stop).door(destination)
        sender = site.sender("there", door)
        for _ in range(12):
            site.clock.now += sender.turn()
        queue = site.queue("there")
        door.close()
    assert (queue.failed, queue.sent) == (1, 1), queue


def test_what_nobody_has_thought_of_is_counted(make: Any) -> None:
    """A file at which something here breaks holds up nobody for ever."""

    def breaks(item: Item) -> None:
        if item.instance.public == first:
            raise ZeroDivisionError

    site = make({**FOLDER, "Attempts": 2})
    first, second = site.add(1, 1), site.add(1, 2)
    site.follow()
    door = Kept(breaks)
    sender = site.sender("there", door)
    for _ in range(12):
        try:
            site.clock.now += sender.turn()
        except ZeroDivisionError:
            site.clock.now += 1
    assert door.taken == [second]
    assert site.queue("there").failed == 1


def test_what_was_sent_is_not_sent_again_while_that_cannot_be_written(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index on a full disk is no reason to flood the destination."""
    site = make()
    sent = [site.add(1, 1), site.add(1, 2)]
    site.follow()
    door = Kept()
    sender = site.sender("there", door)
    with monkeypatch.context() as patched:

        def full(*arguments: Any) -> None:
            raise FullStorage("the disk is full")

        patched.setattr(site.services.queues, "change", full)
        for _ in range(3):
            with pytest.raises(FullStorage):
                sender.turn()
    for _ in range(3):
        sender.turn()
    assert door.attempts == sent
    assert site.queue("there").sent == 2
