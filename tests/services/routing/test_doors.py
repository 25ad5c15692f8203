"""The ways to real receivers: what is refused and what cannot be reached, who takes his time, and
what came from where."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from support.http_peer import HttpPeer, answer
from support.routing_site import RoutingSite
from support.sink import Misbehaviour, Sink, Taken
from support.waiting import until

from orthanc_fast.model import Caller, Level, Resource
from orthanc_fast.services.processes.routing_doors import Doors
from orthanc_fast.services.routing.contract import Door, Interrupted

CT = Caller(origin="DicomProtocol", aet="CT1 ", called_aet="US", address="10.0.0.1")


class Site:
    """A store with one destination, whose real door is used."""

    def __init__(self, folder: Path, fields: dict[str, Any], **raw: Any) -> None:
        section = {
            "Destinations": {"there": fields},
            "Rules": {"all": {"Destinations": ["there"]}},
        }
        self.site = RoutingSite(folder / "store", section, raw=raw)
        destination = self.site.services.routing.destinations["there"]
        self.stop = self.site.services.stop
        self.door: Door = Doors(self.site.services, self.stop).door(destination)
        self.sender = self.site.sender("there", self.door)

    def turn(self) -> None:
        self.site.follow()
        self.sender.turn()

    def record(self, public: bytes) -> Resource:
        found = self.site.services.index.read(lambda view: view.resource(Level.INSTANCE, public))
        assert found is not None
        return found

    def close(self) -> None:
        self.door.close()
        self.site.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    sites: list[Site] = []

    def make(fields: dict[str, Any], **raw: Any) -> Site:
        sites.append(Site(tmp_path, fields, **raw))
        return sites[-1]

    yield make
    for each in sites:
        each.close()


@pytest.mark.parametrize(
    ("status", "failed"),
    [(0xC000, 1), (0x0122, 1), (0xA700, 0), (0xB000, 0), (0x0111, 0)],
)
def test_answers_of_modalities(opened: Any, status: int, failed: int) -> None:
    """No room is no refusal; a warning is a success."""
    with Sink(status=lambda taken: status) as sink:
        modalities = {"m": ["SINK", "127.0.0.1", sink.port]}
        site = opened({"Modality": "m", "Attempts": 1}, DicomModalities=modalities)
        site.site.add(1, 1)
        site.turn()
        queue = site.site.queue("there")
        site.door.close()
    assert (queue.failed, queue.attempts) == (failed, 1 if status == 0xA700 else 0)


@pytest.mark.parametrize(
    ("reply", "failed", "attempts"),
    [(200, 0, 0), (400, 1, 0), (500, 1, 0), (503, 0, 1), (507, 0, 1), (401, 0, 1)],
)
def test_answers_of_peers(opened: Any, reply: int, failed: int, attempts: int) -> None:
    with HttpPeer(lambda received: answer(reply)) as peer:
        site = opened({"Peer": "p", "Attempts": 1}, OrthancPeers={"p": [peer.url]})
        site.site.add(1, 1)
        site.turn()
        queue = site.site.queue("there")
        site.door.close()
    assert (queue.failed, queue.attempts) == (failed, attempts)


def test_who_takes_his_time_is_waited_for(opened: Any) -> None:
    """Beyond the time-outs of what clients wait for: an instance that is stored while its sender
    has given up would come again and again."""

    def slowly(taken: Taken) -> int:
        time.sleep(3)
        return 0

    with Sink(status=slowly) as sink:
        modalities = {"m": ["SINK", "127.0.0.1", sink.port]}
        site = opened({"Modality": "m"}, DicomModalities=modalities, DicomScuTimeout=1)
        site.site.add(1, 1)
        site.turn()
        assert site.site.queue("there").sent == 1
        site.door.close()
    assert len(sink.taken) == 1


def test_a_process_that_stops_waits_for_nobody(opened: Any) -> None:
    """The instance stays in the queue."""

    def stall(taken: Taken) -> int:
        raise Misbehaviour("stall")

    with Sink(status=stall) as sink:
        site = opened({"Modality": "m"}, DicomModalities={"m": ["SINK", "127.0.0.1", sink.port]})
        site.site.add(1, 1)
        site.site.follow()
        ended: list[BaseException] = []

        def send() -> None:
            try:
                site.sender.turn()
            except Interrupted as interruption:
                ended.append(interruption)

        thread = threading.Thread(target=send)
        thread.start()
        until(lambda: sink.taken)
        site.stop.set()
        thread.join(30)
        assert (len(ended), site.site.queue("there").pending) == (1, 1)


def test_kinds_that_alternate_share_an_association(opened: Any) -> None:
    from support import generated

    ct, other = generated.small(), generated.encode(generated.base(generated.US_MULTIFRAME, "US"))
    with Sink() as sink:
        site = opened({"Modality": "m"}, DicomModalities={"m": ["SINK", "127.0.0.1", sink.port]})
        for number in range(10):
            site.site.put((ct, other)[number % 2].number(1, 1, number, number))
            site.turn()
        until(lambda: len(sink.taken) == 10)
        site.door.close()
    assert len(sink.requests) <= 2


def test_a_modality_is_known_by_its_title(opened: Any) -> None:
    modalities = {"m": ["ct1", "127.0.0.1", 104]}
    site = opened({"Modality": "m"}, DicomModalities=modalities)
    from_there, from_elsewhere = site.site.add(1, 1, CT), site.site.add(1, 2)
    assert site.door.sent_by(site.record(from_there))
    assert not site.door.sent_by(site.record(from_elsewhere))
    site.turn()
    assert site.site.queue("there").sent_back == 1


@pytest.mark.parametrize(
    ("url", "address", "came"),
    [
        ("http://10.0.0.7:8042/", "10.0.0.7", True),
        ("http://10.0.0.7:8042/", "10.0.0.8", False),
        ("http://localhost:8042/", "127.0.0.1", False),
        ("http://no.such.host.invalid/", "10.0.0.7", False),
    ],
)
def test_a_peer_is_known_by_its_address(opened: Any, url: str, address: str, came: bool) -> None:
    """By POST as by STOW-RS."""
    site = opened({"Peer": "p"}, OrthancPeers={"p": [url]})
    origins: tuple[Literal["RestApi", "Plugins"], ...] = ("RestApi", "Plugins")
    for number, origin in enumerate(origins):
        public = site.site.add(1, number, Caller(origin=origin, address=address))
        assert site.door.sent_by(site.record(public)) == came


def test_a_folder_that_is_not_there_is_not_made(opened: Any, tmp_path: Path) -> None:
    """It may be a disk that is not mounted."""
    site = opened({"Folder": "missing"})
    site.site.add(1, 1)
    site.turn()
    assert (site.site.queue("there").attempts, site.site.queue("there").failed) == (1, 0)
    (tmp_path / "store" / "missing").mkdir()
    site.site.clock.now += 10
    site.turn()
    assert site.site.queue("there").sent == 1
    assert not list((tmp_path / "store" / "missing").rglob("*.part"))


def test_names_of_files_are_safe(opened: Any, tmp_path: Path) -> None:
    import io

    import pydicom
    from support import generated

    site = opened({"Folder": ".", "Path": "out/{PatientID}/{AccessionNumber}/{SOPInstanceUID}"})
    data_set = pydicom.dcmread(io.BytesIO(generated.small().number(1, 1, 1, 1)))
    data_set.PatientID, data_set.AccessionNumber = "..", "../../etc\\passwd\0"
    file = io.BytesIO()
    data_set.save_as(file)
    site.site.put(file.getvalue())
    site.turn()
    (found,) = (each for each in (tmp_path / "store" / "out").rglob("*") if each.is_file())
    parts = found.relative_to(tmp_path / "store" / "out").parts
    assert (parts[0], len(parts)) == ("_", 3)
    assert "/" not in parts[1]
    assert pydicom.dcmread(found).PatientID == ".."


def _named(**tags: str) -> bytes:
    import io

    import pydicom
    from support import generated

    data_set = pydicom.dcmread(io.BytesIO(generated.small().number(1, 1, 1, 1)))
    for name, value in tags.items():
        setattr(data_set, name, value)
    file = io.BytesIO()
    data_set.save_as(file)
    return file.getvalue()


def test_identifiers_of_any_form_make_files_of_their_own(opened: Any, tmp_path: Path) -> None:
    site = opened({"Folder": ".", "Path": "out/{SOPInstanceUID}"})
    names = ["1.2/3", "1.2_3", "1." * 110 + "1", "1." * 110 + "2"]
    with pytest.warns(UserWarning):
        for name in names:
            site.site.put(_named(SOPInstanceUID=name))
    for _ in names:
        site.turn()
    assert site.site.queue("there").sent == len(names)
    assert len(list((tmp_path / "store" / "out").iterdir())) == len(names)


def test_a_name_that_is_too_long_holds_up_nobody(opened: Any) -> None:
    site = opened(
        {"Folder": ".", "Path": "{PatientID}{AccessionNumber}{PatientID}{SOPInstanceUID}"}
    )
    with pytest.warns(UserWarning):
        site.site.put(_named(PatientID="p" * 200, AccessionNumber="a" * 200))
    site.turn()
    queue = site.site.queue("there")
    assert (queue.failed, queue.pending) == (1, 0)


def test_a_modality_that_is_replaced_is_left_at_once(opened: Any) -> None:
    """Also in the middle of a queue."""
    import msgspec

    with Sink() as old, Sink() as new:
        site = opened({"Modality": "m"}, DicomModalities={"m": ["SINK", "127.0.0.1", old.port]})
        site.site.add(1, 1)
        site.turn()
        modality = site.door._modality()
        site.door._modality = lambda: msgspec.structs.replace(modality, port=new.port)
        site.site.add(1, 2)
        site.turn()
        site.door.close()
    assert (len(old.taken), len(new.taken)) == (1, 1)


def test_a_peer_that_is_replaced_is_left_at_once(opened: Any) -> None:
    import msgspec

    seen: list[str] = []

    def reply(name: str) -> Any:
        def take(received: Any) -> bytes:
            seen.append(name)
            return answer(200)

        return take

    with HttpPeer(reply("old")) as old, HttpPeer(reply("new")) as new:
        site = opened({"Peer": "p"}, OrthancPeers={"p": [old.url]})
        site.site.add(1, 1)
        site.turn()
        peer = site.door._peer()
        site.door._peer = lambda: msgspec.structs.replace(peer, url=new.url)
        site.site.add(1, 2)
        site.turn()
        site.door.close()
    assert seen == ["old", "new"]
