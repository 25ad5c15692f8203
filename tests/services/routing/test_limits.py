"""What sets an instance aside, and what does not: refusals of one instance, outages, time."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.http_peer import HttpPeer, Received, answer
from support.routing_site import Kept, RoutingSite
from support.sink import Misbehaviour, Sink, Taken

from orthanc_fast.config_sections import DicomWeb
from orthanc_fast.errors import NetworkProtocol, OrthancError, StorageFault
from orthanc_fast.model import SERVER, Level
from orthanc_fast.services.processes.routing_doors import Doors
from orthanc_fast.services.routing import queues
from orthanc_fast.services.routing.contract import Item, NotNow, Refused
from orthanc_fast.services.routing.overview import Overview
from orthanc_fast.services.routing.sender import Sender

Make = Callable[..., RoutingSite]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Stores with one rule and the destination `there`, whose fields are given."""
    opened: list[RoutingSite] = []

    def site(fields: dict[str, Any] | None = None, **more: Any) -> RoutingSite:
        section = {
            "Destinations": {"there": {"Folder": ".", **(fields or {})}},
            "Rules": {"all": {"Destinations": ["there"]}},
        }
        if fields and {"Modality", "Peer", "DicomWeb"} & set(fields):
            section["Destinations"]["there"].pop("Folder")
        opened.append(RoutingSite(tmp_path / "store", section, **more))
        return opened[-1]

    yield site
    for each in opened:
        each.close()


def run(site: RoutingSite, sender: Sender, turns: int) -> None:
    for _ in range(turns):
        site.clock.now += sender.turn()


class Failing:
    """Fails some instances, or all of them, in one way."""

    def __init__(self, error: OrthancError, *publics: bytes) -> None:
        self.error = error
        self.publics = publics

    def __call__(self, item: Item) -> None:
        if not self.publics or item.instance.public in self.publics:
            raise self.error


def test_an_instance_at_which_the_destination_breaks_off_holds_up_nobody(make: Make) -> None:
    """It answers everything else: others could go."""
    site = make({"Attempts": 3})
    first, second, third = (site.add(1, number) for number in range(3))
    site.follow()
    door = Kept(Failing(NetworkProtocol("aborted"), second))
    door.is_there = True
    run(site, site.sender("there", door), 20)
    assert door.taken == [first, third]
    assert door.attempts == [first, second, second, second, third]
    queue = site.queue("there")
    assert (queue.failed, queue.pending, queue.refusals) == (1, 0, 0)
    assert "aborted [set aside by Attempts (3)]" in queue.last_error

    door.refuse = lambda item: None
    site.services.queues.change(lambda found: queues.retry(found, "there", queue.next_failed))
    run(site, site.sender("there", door), 5)
    assert door.taken == [first, third, second]


def test_attempts_of_an_outage_are_no_refusals(make: Make) -> None:
    """However long it was: what is refused behind it once is tried again."""
    site = make({"Attempts": 3})
    only = site.add(1, 1)
    site.follow()
    door = Kept(Failing(NetworkProtocol("nobody is there")))
    sender = site.sender("there", door)
    run(site, sender, 40)
    door.refuse = Failing(Refused("not yet"))
    for refusals in (1, 2):
        while site.queue("there").refusals < refusals:
            run(site, sender, 1)
        assert site.queue("there").failed == 0
        shown = Overview(
            site.services.current,
            site.services.reads,
            site.services.writes,
            site.services.runtime.bell,
        ).destination(SERVER, "there")
        assert (shown.Refusals, shown.State) == (refusals, "Failing")
        assert shown.Attempts > 10
    run(site, sender, 2)
    assert site.queue("there").failed == 1
    assert set(door.attempts) == {only}


@pytest.mark.parametrize("error", [NotNow("no room"), StorageFault("the disk of this server")])
def test_what_is_no_fault_of_the_instance_is_tried_for_ever(
    make: Make, error: OrthancError
) -> None:
    site = make({"Attempts": 2, "LongestPause": 2})
    site.add(1, 1)
    site.follow()
    door = Kept(Failing(error))
    door.is_there = True
    run(site, site.sender("there", door), 40)
    queue = site.queue("there")
    assert (queue.failed, queue.pending, queue.refusals) == (0, 1, 0)
    assert queue.attempts > 10


def test_closed_hours_do_not_count_for_the_limit_of_time(make: Make) -> None:
    site = make({"GiveUpAfter": 7200, "Hours": ["22:00-23:00"]})
    site.add(1, 1)
    site.follow()
    site.clock.now = began = time.mktime((2026, 6, 3, 22, 0, 0, 0, 0, -1))
    sender = site.sender("there", Kept(Failing(NetworkProtocol("nobody is there"))))
    while site.queue("there").pending and site.clock.now < began + 10 * 86400:
        site.clock.now += max(sender.turn(), 1.0)
    queue = site.queue("there")
    assert (queue.failed, queue.pending) == (1, 0)
    # Two hours of trying are two evenings.
    assert 86400 < site.clock.now - began < 2 * 86400 + 3600


def test_a_server_that_is_off_does_not_try(make: Make) -> None:
    fields = {"GiveUpAfter": 3600}
    first = make(fields)
    first.add(1, 1)
    first.follow()
    door = Kept(Failing(NetworkProtocol("nobody is there")))
    run(first, first.sender("there", door), 4)
    first.close()
    second = make(fields)
    second.clock.now += 7 * 86400
    run(second, second.sender("there", door), 4)
    assert (second.queue("there").failed, second.queue("there").pending) == (0, 1)


@pytest.mark.parametrize("kind", ["Modality", "Peer", "DicomWeb"])
def test_real_receivers_that_break_off_at_one_instance(make: Make, kind: str) -> None:
    attempts: list[str] = []
    ok = b'{"00081199":{"vr":"SQ","Value":[{}]}}'

    def status(taken: Taken) -> int:
        attempts.append(taken.sop_instance)
        if taken.sop_instance == attempts[0]:
            raise Misbehaviour("abort")
        return 0

    def behave(received: Received) -> bytes | None:
        if received.method == "GET":
            return answer(200, b"[]")
        is_bad = bad in received.body
        attempts.append("bad" if is_bad else "good")
        return None if is_bad else answer(200, ok)

    with Sink(status=status) as sink, HttpPeer(behave) as peer:
        raw = {
            "DicomModalities": {"m": ["SINK", "127.0.0.1", sink.port]},
            "OrthancPeers": {"p": [peer.url]},
        }
        web = DicomWeb(public_root="/dicom-web/", servers={"w": [f"{peer.url}dicom-web/"]})
        name = {"Modality": "m", "Peer": "p", "DicomWeb": "w"}[kind]
        site = make({kind: name, "Attempts": 2}, raw=raw, dicom_web=web)
        site.add(1, 1)
        bad = _sop_instance(site)
        site.add(1, 2)
        site.follow()
        door = Doors(site.services, site.services.stop).door(
            site.services.routing.destinations["there"]
        )
        run(site, site.sender("there", door), 8)
        queue = site.queue("there")
        door.close()
    assert (queue.failed, queue.sent, queue.pending) == (1, 1, 0)
    assert len(attempts) >= 3


def test_nobody_answers_where_nobody_is(make: Make) -> None:
    with Sink() as sink, HttpPeer() as peer:
        ports = sink.port, peer.url
    raw = {
        "DicomModalities": {"m": ["SINK", "127.0.0.1", ports[0]]},
        "OrthancPeers": {"p": [ports[1]]},
    }
    web = DicomWeb(public_root="/dicom-web/", servers={"w": [ports[1]]})
    kinds = ({"Modality": "m"}, {"Peer": "p"}, {"DicomWeb": "w"}, {"Folder": "missing"})
    for number, fields in enumerate(kinds):
        site = make({**fields, "Attempts": 1}, raw=raw, dicom_web=web)
        destination = site.services.routing.destinations["there"]
        door = Doors(site.services, site.services.stop).door(destination)
        assert not door.answers()
        site.add(1, number)
        site.follow()
        site.sender("there", door).turn()
        queue = site.queue("there")
        door.close()
        assert (queue.failed, queue.pending) == (0, 1), fields
        site.services.queues.change(lambda found: queues.forget(found, "there", queue.next))  # noqa: B023
        site.close()


@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_in_the_way_of_one_file_holds_up_nobody(
    make: Make, tmp_path: Path, is_file: bool
) -> None:
    site = make({"Folder": "out", "Path": "{SOPInstanceUID}/{SOPInstanceUID}", "Attempts": 2})
    folder = tmp_path / "store" / "out"
    folder.mkdir()
    site.add(1, 1)
    uid = _sop_instance(site).decode()
    if is_file:
        (folder / uid).touch()
    else:
        (folder / uid / uid).mkdir(parents=True)
    site.add(1, 2)
    site.follow()
    door = Doors(site.services, site.services.stop).door(
        site.services.routing.destinations["there"]
    )
    run(site, site.sender("there", door), 8)
    queue = site.queue("there")
    assert (queue.failed, queue.sent, queue.pending) == (1, 1, 0)


def _sop_instance(site: RoutingSite) -> bytes:
    """That of the instance that was stored first."""
    _, public = site.changes()[0]
    found = site.services.index.read(lambda view: view.resource(Level.INSTANCE, public))
    assert found is not None
    return found.tags[0x00080018].encode()
