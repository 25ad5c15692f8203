"""Destinations that stop, refuse half of the instances and take their time, while the server is
killed 20 times: everything arrives, in order, and nothing comes again after its success was
confirmed."""

import io
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import httpx
import pydicom
from support import generated
from support.http_peer import HttpPeer, Received, answer
from support.process import children
from support.server import OurServer
from support.sink import Misbehaviour, Sink, Taken

KILLS = 20
OF_ALL = 4  # of the whole server; the others are of the process that routes
COUNT = 100
PATIENCE = 240.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Unreliable:
    """What both receivers do: refuse every other attempt, now and then take their time, and stop
    answering at all once."""

    def __init__(self) -> None:
        self.attempts: list[str] = []
        self.successes: list[str] = []
        self._random = random.Random(15)
        self._lock = threading.Lock()

    def judge(self, uid: str) -> str:
        with self._lock:
            self.attempts.append(uid)
            number, luck = len(self.attempts), self._random.random()
        if number == 30:
            time.sleep(3)  # the sender is killed meanwhile, or waits
        elif luck < 0.05:
            time.sleep(0.3)
        if 60 <= number < 64:
            return "down"
        if luck < 0.5:
            return "refused"
        with self._lock:
            self.successes.append(uid)
        return "taken"


class Uploads(threading.Thread):
    """Uploads all the time, whatever is killed: what is acknowledged counts."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.acknowledged: list[str] = []
        self.is_over = False

    def run(self) -> None:
        template = generated.small()
        with httpx.Client(base_url=self._url, timeout=10) as client:
            for number in range(COUNT):
                data = template.number(1, number // 20, 1, number)
                while not self.is_over:
                    with suppress(httpx.TransportError):
                        reply = client.post("/instances", content=data)
                        if reply.status_code == 200:
                            self.acknowledged.append(reply.json()["ID"])
                            break
                    time.sleep(0.05)
                time.sleep(0.02)


def kill(server: OurServer, everything: bool) -> None:
    if everything:
        server.kill_all()
        server.start()
        return
    assert server.process is not None
    found: list[int] = []

    def look() -> bool:
        assert server.process is not None
        for child in children(server.process.pid):
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "orthanc-routing":
                    found.append(child)
        return bool(found)

    until(look)
    os.kill(found[0], signal.SIGKILL)
    until(lambda: not Path(f"/proc/{found[0]}").exists())


def test_everything_arrives_and_nothing_confirmed_comes_again(tmp_path: Path) -> None:
    modality, peer = Unreliable(), Unreliable()

    def status(taken: Taken) -> int:
        verdict = modality.judge(taken.sop_instance)
        if verdict == "down":
            raise Misbehaviour("abort")
        return 0 if verdict == "taken" else 0xC000

    def behave(received: Received) -> bytes | None:
        data_set = pydicom.dcmread(io.BytesIO(received.body), specific_tags=["SOPInstanceUID"])
        verdict = peer.judge(str(data_set.SOPInstanceUID))
        if verdict == "down":
            return None
        return answer(200 if verdict == "taken" else 500)

    (tmp_path / "out").mkdir()
    with Sink(status=status) as sink, HttpPeer(behave) as other:
        pauses = {"FirstPause": 0.01, "LongestPause": 0.05, "Attempts": 1000}
        configuration = {
            "DicomModalities": {"m": ["SINK", "127.0.0.1", sink.port]},
            "OrthancPeers": {"p": [other.url]},
            "Routing": {
                "Destinations": {
                    "modality": {"Modality": "m", **pauses},
                    "peer": {"Peer": "p", **pauses},
                    "disk": {"Folder": str(tmp_path / "out"), **pauses},
                },
                "Rules": {"all": {"Destinations": ["modality", "peer", "disk"]}},
            },
        }
        with OurServer(tmp_path / "server", configuration) as server:
            uploads = Uploads(server.url)
            uploads.start()
            try:
                for number in range(KILLS):
                    before = len(modality.attempts) + len(peer.attempts)
                    until(lambda: len(modality.attempts) + len(peer.attempts) > before + 2)  # noqa: B023
                    kill(server, everything=number % (KILLS // OF_ALL) == 2)
                uploads.join(PATIENCE)
            finally:
                uploads.is_over = True
                uploads.join()
            assert len(uploads.acknowledged) == COUNT
            with httpx.Client(base_url=server.url, timeout=60) as client:
                until(lambda: _pending(client) == [0, 0, 0])
                log = client.get("/changes?limit=100000").json()["Changes"]
                stored = [each["ID"] for each in log if each["ChangeType"] == "NewInstance"]
                uids = [
                    client.get(f"/instances/{each}").json()["MainDicomTags"]["SOPInstanceUID"]
                    for each in stored
                ]
                states = client.get("/routing").json()["Destinations"]
    assert set(uploads.acknowledged) <= set(stored)
    for receiver in (modality, peer):
        # The next instance is sent when the success of the one before has been written: in the
        # order of their coming, none returns once another one has followed it.
        assert [uid for uid, _ in groupby(receiver.attempts)] == uids
        assert len(receiver.successes) <= len(uids) + KILLS
    files = [pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "out").rglob("*.dcm")]
    assert sorted(files) == sorted(uids)
    assert {(each["Failed"], each["Deleted"]) for each in states.values()} == {(0, 0)}


def _pending(client: httpx.Client) -> list[int]:
    states = client.get("/routing").json()["Destinations"]
    return [each["Pending"] for each in states.values()]
