"""One destination, in the time of a test: order, pauses, limits, hours, bandwidth, restarts."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.routing_site import Kept, RoutingSite

from orthanc_fast.errors import NetworkProtocol
from orthanc_fast.model import Level
from orthanc_fast.registries import (
    ROUTING_DELAYED,
    ROUTING_DONE,
    ROUTING_GIVEN_UP,
    ROUTING_RESUMED,
)
from orthanc_fast.services.routing import queues
from orthanc_fast.services.routing.contract import Item, Refused
from orthanc_fast.services.routing.sender import Sender

Make = Callable[..., RoutingSite]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Stores with one rule and the destination `there`, whose fields are given."""
    opened: list[RoutingSite] = []

    def site(rule: dict[str, Any] | None = None, **fields: Any) -> RoutingSite:
        section = {
            "Destinations": {"there": {"Folder": ".", **fields}},
            "Rules": {"all": {"Destinations": ["there"], **(rule or {})}},
        }
        opened.append(RoutingSite(tmp_path / "store", section))
        return opened[-1]

    yield site
    for each in opened:
        each.close()


def drain(site: RoutingSite, sender: Sender, turns: int = 10_000) -> None:
    """All that can be sent, while the time passes as the sender wants it."""
    for _ in range(turns):
        wait = sender.turn()
        if site.queue("there").is_empty:
            return
        site.clock.now += wait
    raise AssertionError("the queue does not become empty")


def unreachable(item: Item) -> None:
    raise NetworkProtocol("nobody is there")


def test_instances_are_sent_in_the_order_in_which_they_came(make: Make) -> None:
    site, door = make(), Kept()
    sent = [site.add(1, number) for number in range(250)]
    site.follow()
    drain(site, site.sender("there", door))
    assert door.taken == sent
    queue = site.queue("there")
    assert (queue.sent, queue.pending, queue.attempts) == (250, 0, 0)


def test_what_was_stored_before_the_rule_is_not_sent(make: Make, tmp_path: Path) -> None:
    before = RoutingSite(tmp_path / "store", {})
    before.add(1, 1)
    before.close()
    site, door = make(), Kept()
    later = site.add(1, 2)
    site.follow()
    drain(site, site.sender("there", door))
    assert door.taken == [later]


def test_a_restart_goes_on_where_the_last_process_was(make: Make) -> None:
    """Also in the middle of an entry, and with changes that nobody had read."""
    first, door = make(), Kept()
    sent = [first.add(1, number) for number in range(5)]
    first.follow()
    sender = first.sender("there", door)
    for _ in range(2):
        sender.turn()
    sent += [first.add(2, number) for number in range(5)]
    first.close()
    second = make()
    second.follow()
    drain(second, second.sender("there", door))
    assert door.taken == sent


def test_pauses_grow_to_their_limit(make: Make) -> None:
    site = make(FirstPause=1, LongestPause=30)
    site.add(1, 1)
    site.follow()
    sender = site.sender("there", Kept(unreachable))
    waits = []
    for _ in range(8):
        assert sender.turn() == 0.0
        waits.append(sender.turn())
        site.clock.now += waits[-1]
    for wait, expected in zip(waits, (1, 2, 4, 8, 16, 30, 30, 30), strict=True):
        assert 0.9 * expected <= wait <= 1.1 * expected
    queue = site.queue("there")
    assert (queue.attempts, queue.last_error) == (8, "nobody is there")


def test_a_pause_goes_on_after_a_restart(make: Make) -> None:
    first = make(FirstPause=100, LongestPause=100)
    first.add(1, 1)
    first.follow()
    first.sender("there", Kept(unreachable)).turn()
    first.close()
    second, door = make(FirstPause=100, LongestPause=100), Kept()
    assert second.sender("there", door).turn() > 50
    assert door.attempts == []


def test_without_its_rule_nothing_is_sent(make: Make) -> None:
    """Who removes an anonymization must not find patients elsewhere that waited for it."""
    first = make({"Anonymize": {}})
    added = first.add(1, 1)
    first.follow()
    first.close()
    section = {"Destinations": {"there": {"Folder": "."}}}
    second, door = RoutingSite(first.folder, section), Kept()
    drain(second, second.sender("there", door))
    assert (door.attempts, second.queue("there").failed) == ([], 1)
    second.services.queues.change(lambda found: queues.retry(found, "there", 1))
    second.close()
    third = make({"Anonymize": {}})
    drain(third, third.sender("there", door))
    assert door.taken == [added]


def test_what_cannot_be_reached_is_tried_for_ever(make: Make) -> None:
    site = make(LongestPause=10)
    site.add(1, 1)
    site.follow()
    sender = site.sender("there", Kept(unreachable))
    for _ in range(100):
        site.clock.now += sender.turn()
    assert (site.queue("there").pending, site.queue("there").failed) == (1, 0)


def test_what_cannot_be_reached_is_set_aside_by_its_limit(make: Make) -> None:
    site = make(GiveUpAfter=3600)
    site.add(1, 1)
    site.follow()
    began = site.clock.now
    drain(site, site.sender("there", Kept(unreachable)))
    queue = site.queue("there")
    assert (queue.failed, queue.given_up) == (1, 1)
    assert 3600 - 330 - 60 < site.clock.now - began <= 3600
    assert "GiveUpAfter (3600 s)" in queue.last_error


def test_what_is_refused_is_set_aside_and_the_next_one_is_sent(make: Make) -> None:
    site = make(Attempts=3)
    first, second, third = (site.add(1, number) for number in range(3))
    site.follow()

    def refuse(item: Item) -> None:
        if item.instance.public == second:
            raise Refused("not this one")

    door = Kept(refuse)
    drain(site, site.sender("there", door))
    assert door.taken == [first, third]
    assert door.attempts == [first, second, second, second, third]
    queue = site.queue("there")
    assert (queue.sent, queue.failed, queue.pending) == (2, 1, 0)
    assert "Attempts (3)" in queue.last_error
    kinds = [change for change in site.changes() if change[0] > 5000]
    assert kinds == [(ROUTING_DELAYED, first), (ROUTING_GIVEN_UP, second)]

    door.refuse = lambda item: None
    site.services.queues.change(lambda found: queues.retry(found, "there", queue.next_failed))
    drain(site, site.sender("there", door))
    assert door.taken == [first, third, second]
    assert site.queue("there").failed == 0


def test_the_changes_tell_of_delays_and_their_ends(make: Make) -> None:
    site = make({"Event": "StableStudy"})
    instance = site.add(1, 1)
    site.stabilise()
    site.follow()
    down = [True, True, False]

    def refuse(item: Item) -> None:
        if down.pop(0):
            raise NetworkProtocol("down")

    drain(site, site.sender("there", Kept(refuse)))
    found = site.services.index.read(lambda view: view.resource(Level.INSTANCE, instance))
    assert found is not None
    study = site.services.index.read(lambda view: view.ancestors(found))[1].public
    told = [change for change in site.changes() if change[0] > 5000]
    assert told == [(ROUTING_DELAYED, study), (ROUTING_RESUMED, study), (ROUTING_DONE, study)]


def test_an_instance_that_is_deleted_is_passed_over(make: Make) -> None:
    site, door = make(), Kept()
    first, second, third = (site.add(1, number) for number in range(3))
    site.follow()
    site.services.index.write(lambda found: found.delete(Level.INSTANCE, second, 0))
    drain(site, site.sender("there", door))
    assert door.taken == [first, third]
    assert site.queue("there").gone == 1


def test_nothing_is_sent_back(make: Make) -> None:
    site, door = make(), Kept()
    first, second = site.add(1, 1), site.add(1, 2)
    door.came_from_there.add(first)
    site.follow()
    drain(site, site.sender("there", door))
    assert (door.taken, site.queue("there").sent_back) == ([second], 1)


def test_it_is_sent_back_where_that_is_wanted(make: Make) -> None:
    site, door = make(SendBack=True), Kept()
    first = site.add(1, 1)
    door.came_from_there.add(first)
    site.follow()
    drain(site, site.sender("there", door))
    assert door.taken == [first]


def test_hours_of_sending(make: Make) -> None:
    site, door = make(Hours=["22:00-06:00"]), Kept()
    added = site.add(1, 1)
    site.follow()
    sender = site.sender("there", door)
    noon = time.mktime((2026, 6, 3, 12, 0, 0, 0, 0, -1))
    sent_at: list[float] = []
    for minute in range(0, 24 * 60, 7):
        site.clock.now = noon + 60 * minute
        sender.turn()
        if door.taken and not sent_at:
            sent_at.append(site.clock.now)
    assert door.taken == [added]
    assert 0 <= sent_at[0] - time.mktime((2026, 6, 3, 22, 0, 0, 0, 0, -1)) < 7 * 60


def test_bandwidth_is_kept_on_average(make: Make) -> None:
    site, door = make(Bandwidth=10), Kept()
    for number in range(20):
        site.add(1, number)
    site.follow()
    began, sender = site.clock.now, site.sender("there", door)
    at: list[float] = []
    while not site.queue("there").is_empty:
        before, wait = len(door.taken), sender.turn()
        if len(door.taken) > before:
            at.append(site.clock.now - began)
        site.clock.now += wait
    resources = (
        site.services.index.read(lambda view, each=each: view.resource(Level.INSTANCE, each))  # type: ignore[misc]
        for each in door.taken
    )
    sizes = [each.disk_size for each in resources if each is not None]
    sent = 0
    for when, size in zip(at, sizes, strict=True):
        assert sent <= when * 10 * 1024 + 1
        sent += size
    assert at[-1] > 1


def test_what_is_open_is_closed_after_a_while(make: Make) -> None:
    site, door = make(), Kept()
    site.add(1, 1)
    site.follow()
    sender = site.sender("there", door)
    sender.turn()
    sender.turn()
    assert door.closed == 0
    site.clock.now += 3
    sender.turn()
    sender.turn()
    assert door.closed == 1


def test_a_queue_that_is_paused_waits_and_one_that_is_emptied_while_it_sends_goes_on(
    make: Make,
) -> None:
    site = make()
    site.add(1, 1)
    second = site.add(1, 2)
    site.follow()
    move = site.services.queues.change
    move(lambda found: queues.pause(found, "there", True))
    door = Kept()
    sender = site.sender("there", door)
    sender.turn()
    assert door.taken == []
    move(lambda found: queues.pause(found, "there", False))

    later: list[bytes] = []

    def empty(item: Item) -> None:
        if not later:
            move(lambda found: queues.forget(found, "there", site.queue("there").next))
            later.append(site.add(2, 1))
            site.follow()

    door.refuse = empty
    drain(site, sender)
    assert door.taken[1:] == later
    assert second not in door.taken
    assert site.queue("there").pending == 0


def test_many_entries_are_moved_in_parts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make({"Event": "StableSeries"}, Attempts=1)
    for study in range(30):
        site.add(study, 1)
    site.stabilise()
    site.follow()
    monkeypatch.setattr(queues, "AT_ONCE", 7)

    def refuse(item: Item) -> None:
        raise Refused("none of them")

    door = Kept(refuse)
    drain(site, site.sender("there", door))
    assert site.queue("there").failed == 30
    move, rounds = site.services.queues.change, 1
    while move(lambda found: queues.retry(found, "there", 30)):
        rounds += 1
    assert rounds == 5
    assert (site.queue("there").failed, site.queue("there").pending) == (0, 30)
    while move(lambda found: queues.forget(found, "there", site.queue("there").next)):
        rounds += 1
    assert (rounds, site.queue("there").pending) == (9, 0)
    left = site.services.index.read(lambda view: view.properties("routing/"))
    assert not [name for name in left if name.startswith(("routing/entry", "routing/failed"))]
