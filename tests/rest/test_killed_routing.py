"""Destinations that stop, refuse half of the instances and take their time, while the server is
killed 20 times: everything arrives, in order, and nothing comes again after its success was
confirmed."""

import io
import random
import threading
import time
from itertools import groupby
from pathlib import Path

import httpx
import pydicom
from support.http_peer import HttpPeer, Received, answer
from support.killed_routing import PATIENCE, Uploads, kill, pending
from support.server import OurServer
from support.sink import Misbehaviour, Sink, Taken
from support.waiting import until

KILLS = 20
OF_ALL = 4  # of the whole server; the others are of the process that routes
COUNT = 100


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


def test_everything_arrives_and_nothing_confirmed_comes_again(tmp_path: Path) -> None:
    modality, peer = Unreliable(), Unreliable()

    def status(taken: Taken) -> int:
        verdict = modality.judge(taken.sop_instance)
        if verdict == "down":
            raise Misbehaviour("abort")
        return 0 if verdict == "taken" else 0xC000

    def behave(received: Received) -> bytes | None:
        if received.method == "GET":  # whether it is there
            return answer()
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
            uploads = Uploads(server.url, COUNT)
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
                until(lambda: pending(client) == [0, 0, 0])
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
