"""What happens while instances wait or are being sent: to the store, to the configuration, to the
disk of a destination."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from support import generated
from support.http_peer import HttpPeer
from support.routing_site import GUARD, Kept, RoutingSite
from support.sink import Sink
from support.small_disk import small_disk

from orthanc_fast.errors import NetworkProtocol
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.processes.routing_doors import Doors
from orthanc_fast.services.routing.contract import Door, Interrupted, Item
from orthanc_fast.services.routing.sender import Sender

Make = Callable[..., RoutingSite]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Stores with the destination `there`, and rules by name that send to it."""
    opened: list[RoutingSite] = []

    def site(
        fields: dict[str, Any], rules: dict[str, dict[str, Any]] | None = None, **more: Any
    ) -> RoutingSite:
        named = {"all": {}} if rules is None else rules
        section = {
            "Destinations": {"there": fields},
            "Rules": {name: {"Destinations": ["there"], **each} for name, each in named.items()},
        }
        opened.append(RoutingSite(tmp_path / "store", section, **more))
        return opened[-1]

    yield site
    for each in opened:
        each.close()


def real_door(site: RoutingSite) -> Door:
    destination = site.services.routing.destinations["there"]
    return Doors(site.services, site.services.stop).door(destination)


def drain(site: RoutingSite, sender: Sender, turns: int = 200) -> None:
    for _ in range(turns):
        if site.queue("there").is_empty:
            return
        site.clock.now += sender.turn()
    raise AssertionError("the queue does not become empty")


def test_a_name_server_that_is_silent_keeps_no_stop_waiting(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def silent(*arguments: Any, **more: Any) -> Any:
        asked.set()
        answered.wait(GUARD)
        raise socket.gaierror("no answer")

    site = make({"Peer": "p"}, raw={"OrthancPeers": {"p": ["http://peer.invalid/"]}})
    site.add(1, 1, Caller(origin="RestApi", address="10.0.0.7"))
    site.follow()
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    sender, ended = site.sender("there", real_door(site)), threading.Event()

    def send() -> None:
        with pytest.raises(Interrupted):
            sender.turn()
        ended.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert asked.wait(GUARD)
        site.services.stop.set()
        assert ended.wait(GUARD / 2)
    finally:
        answered.set()
        thread.join(GUARD)
    assert site.queue("there").pending == 1


def test_a_full_disk_of_a_folder_is_waited_for(make: Make, tmp_path: Path) -> None:
    """However long: nothing is set aside, no half file stays, what was written is whole."""
    with small_disk(tmp_path / "disk", 1) as disk:
        site = make({"Folder": str(disk), "Path": "{SOPInstanceUID}.dcm", "Attempts": 1})
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(1000 << 10))
        for number in range(4):
            site.add(1, number)
        site.follow()
        sender = site.sender("there", real_door(site))
        for _ in range(40):
            site.clock.now += sender.turn()
        queue = site.queue("there")
        assert (queue.failed, queue.refusals) == (0, 0)
        assert queue.pending > 0
        assert "No space left" in queue.last_error
        assert not [name for name in disk.iterdir() if name.suffix == ".part"]
        ballast.unlink()
        drain(site, sender)
        files = list(disk.iterdir())
        assert len(files) == site.queue("there").sent == 4
        for file in files:
            pydicom.dcmread(file)


def test_changes_that_are_deleted_leave_entries_and_what_comes_later(make: Make) -> None:
    """Also such as nobody has read yet, and with a position far behind."""
    site, door = make({"Folder": "."}), Kept()
    entered = site.add(1, 1)
    site.follow()
    site.add(1, 2)  # forgotten
    site.services.index.write(lambda found: found.clear_changes())
    later = site.add(1, 3)
    site.follow()
    drain(site, site.sender("there", door))
    assert door.taken == [entered, later]


def test_an_instance_that_is_overwritten_while_it_is_sent(make: Make) -> None:
    """The new one is an event of its own, and is sent too."""
    site = make({"Folder": "."}, overwrite_instances="Always")
    data = generated.small().number(1, 1, 1, 1)
    public = site.put(data)[3]
    site.follow()
    seen: list[str] = []

    def overwrite(item: Item) -> None:
        seen.append(item.file.uuid)
        if len(seen) == 1:
            site.put(data)
            site.follow()

    door = Kept(overwrite)
    drain(site, site.sender("there", door))
    assert door.taken == [public, public]
    assert seen[0] != seen[1]


def test_a_file_that_is_overwritten_before_it_is_read_is_sent_as_it_is_then(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = make({"Folder": "out", "Attempts": 1}, overwrite_instances="Always")
    (tmp_path / "store" / "out").mkdir()
    data = generated.small().number(1, 1, 1, 1)
    site.put(data)
    site.follow()
    door = real_door(site)
    send, overwritten = door.send, threading.Event()

    def late(item: Item) -> None:
        if not overwritten.is_set():
            overwritten.set()
            site.put(data)
        send(item)

    monkeypatch.setattr(door, "send", late)
    drain(site, site.sender("there", door))
    queue = site.queue("there")
    assert (queue.sent, queue.failed) == (1, 0)


def test_a_study_that_is_deleted_while_it_waits(make: Make) -> None:
    site, door = make({"Folder": "."}, {"all": {"Event": "StableStudy"}}), Kept()
    public = site.add(1, 1)
    site.add(1, 2)
    kept = site.add(2, 1)
    site.stabilise()
    site.follow()
    instance = site.services.index.read(lambda view: view.resource(Level.INSTANCE, public))
    assert instance is not None
    study = site.services.index.read(lambda view: view.ancestors(instance))[1].public
    site.services.index.write(lambda found: found.delete(Level.STUDY, study, 0))
    drain(site, site.sender("there", door))
    assert door.taken == [kept]
    assert site.queue("there").gone == 2


def test_a_label_counts_when_the_event_is_judged(make: Make) -> None:
    """What waits already is sent, whatever becomes of the label."""
    site, door = make({"Folder": "."}, {"some": {"Labels": ["send"]}}), Kept()
    public = site.add(1, 1)

    def label(add: bool) -> None:
        def work(found: Any) -> None:
            resource = found.resource(Level.INSTANCE, public)
            (found.add_label if add else found.remove_label)(resource, "send")

        site.services.index.write(work)

    label(True)
    site.follow()
    label(False)
    drain(site, site.sender("there", door))
    assert door.taken == [public]


def test_a_modality_that_is_no_longer_known_is_waited_for(make: Make) -> None:
    with Sink() as sink:
        known = {"DicomModalities": {"m": ["SINK", "127.0.0.1", sink.port]}}
        first = make({"Modality": "m", "Attempts": 1}, raw=known)
        first.add(1, 1)
        first.follow()
        first.close()
        second = make({"Modality": "m", "Attempts": 1}, raw={})
        sender = second.sender("there", real_door(second))
        for _ in range(6):
            second.clock.now += sender.turn()
        queue = second.queue("there")
        assert (queue.pending, queue.failed) == (1, 0)
        assert "m" in queue.last_error
        second.close()
        third = make({"Modality": "m", "Attempts": 1}, raw=known)
        third.clock.now += 3600
        door = real_door(third)
        drain(third, third.sender("there", door))
        door.close()
        assert third.queue("there").sent == len(sink.taken) == 1


def test_two_rules_send_two_versions_to_one_destination(make: Make, tmp_path: Path) -> None:
    rules: dict[str, dict[str, Any]] = {
        "plain": {},
        "first": {"Anonymize": {}},
        "second": {"Anonymize": {}, "Transcode": "1.2.840.10008.1.2"},
    }
    site = make({"Folder": "out", "Path": "{Rule}/{SOPInstanceUID}"}, rules)
    out = tmp_path / "store" / "out"
    out.mkdir()
    for number in range(3):
        site.add(1, number)
    site.follow()
    drain(site, site.sender("there", real_door(site)))
    files = {
        name: [pydicom.dcmread(each) for each in sorted((out / name).iterdir())] for name in rules
    }
    assert {name: len(each) for name, each in files.items()} == dict.fromkeys(rules, 3)
    studies = {name: {str(each.StudyInstanceUID) for each in some} for name, some in files.items()}
    assert [len(each) for each in studies.values()] == [1, 1, 1]
    assert len(set().union(*studies.values())) == 3
    syntaxes = {name: {each.file_meta.TransferSyntaxUID for each in files[name]} for name in rules}
    assert syntaxes["second"] == {"1.2.840.10008.1.2"} != syntaxes["first"]


def test_a_peer_that_comes_back_gets_what_waited(make: Make) -> None:
    """A door that has failed opens anew."""
    with HttpPeer() as peer:
        site = make({"Peer": "p"}, raw={"OrthancPeers": {"p": [peer.url]}})
        door = real_door(site)
        sender = site.sender("there", door)
        site.add(1, 1)
        site.follow()
        drain(site, sender)
        post, down = door.post, [True, True]  # type: ignore[attr-defined]

        async def fail(session: Any, item: Item) -> None:
            if down:
                down.pop()
                raise NetworkProtocol("down")
            await post(session, item)

        door.post = fail  # type: ignore[attr-defined]
        site.add(1, 2)
        site.follow()
        drain(site, sender)
        door.close()
    assert site.queue("there").sent == 2
