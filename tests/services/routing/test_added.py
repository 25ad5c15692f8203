"""Rules that REST adds, and those that are there already: who hears of which change."""

from pathlib import Path
from typing import Any

from support.routing_site import RoutingSite

from orthanc_fast.services.routing.records import Entry, entry_of

FOLDERS = {"a": {"Folder": "."}, "b": {"Folder": "."}}


def waiting(site: RoutingSite, name: str) -> list[bytes]:
    """The instances in the queue of a destination."""
    queue = site.queue(name)
    found: list[Entry | None] = [
        site.services.index.read(lambda view, number=number: entry_of(view, name, number))  # type: ignore[misc]
        for number in range(queue.first, queue.next)
    ]
    joined = b"".join(each.instances for each in found if each is not None)
    return [joined[at : at + 20] for at in range(0, len(joined), 20)]


def add_rule(site: RoutingSite, name: str, body: dict[str, Any]) -> None:
    current = site.services.current
    site.services.queues.change(lambda found: current.put_rule(found, name, body))


def test_a_rule_counts_from_the_change_behind_which_it_was_added(tmp_path: Path) -> None:
    """Also when the process that routes has read further before it knows of the rule."""
    section = {"Destinations": FOLDERS, "Rules": {"first": {"Destinations": ["a"]}}}
    site = RoutingSite(tmp_path / "store", section)
    before = site.add(1, 1)
    add_rule(site, "second", {"Destinations": ["b"]})
    known = site.conditions()
    later = site.add(1, 2)
    since = {"first": None}
    site.follow(known[:1], since)  # as a process does that has not heard of it
    assert (waiting(site, "a"), waiting(site, "b")) == ([before, later], [])
    site.follow()
    last = site.add(1, 3)
    site.follow()
    assert waiting(site, "a") == [before, later, last]
    assert waiting(site, "b") == [later, last]
    site.close()

    again = RoutingSite(tmp_path / "store", section)
    again.follow()
    newest = again.add(1, 4)
    again.follow()
    assert waiting(again, "a") == [before, later, last, newest]
    assert waiting(again, "b") == [later, last, newest]
    again.close()


def test_a_rule_that_is_switched_on_again_does_not_go_back(tmp_path: Path) -> None:
    site = RoutingSite(tmp_path / "store", {"Destinations": FOLDERS})
    added: list[bytes] = []
    for enabled in (True, False, True):
        add_rule(site, "rule", {"Destinations": ["a"], "Enabled": enabled})
        site.follow()
        added.append(site.add(1, len(added)))
        site.follow()
    assert waiting(site, "a") == [added[0], added[2]]
    site.close()


def test_a_rule_that_comes_again_at_once_does_not_go_back(tmp_path: Path) -> None:
    """Nobody has read changes meanwhile."""
    site = RoutingSite(tmp_path / "store", {"Destinations": FOLDERS})
    current = site.services.current
    add_rule(site, "rule", {"Destinations": ["a"]})
    site.follow()
    site.services.queues.change(lambda found: current.delete_rule(found, "rule"))
    site.add(1, 1)
    add_rule(site, "rule", {"Destinations": ["a"]})
    later = site.add(1, 2)
    site.follow()
    assert waiting(site, "a") == [later]
    site.close()


def test_a_rule_that_fits_no_more_is_left_out(tmp_path: Path) -> None:
    """A server must start, whatever was added before its configuration changed."""
    section: dict[str, Any] = {"Destinations": FOLDERS}
    site = RoutingSite(tmp_path / "store", section)
    add_rule(site, "kept", {"Destinations": ["a"]})
    add_rule(site, "lost", {"Destinations": ["b"]})
    site.close()
    smaller = RoutingSite(tmp_path / "store", {"Destinations": {"a": FOLDERS["a"]}})
    assert list(smaller.services.routing.rules) == ["kept"]
    added = smaller.add(1, 1)
    smaller.follow()
    assert waiting(smaller, "a") == [added]
    smaller.close()
