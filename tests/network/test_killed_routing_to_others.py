"""DCMTK's storescp and Orthanc 1.13 as destinations that stop, abort, refuse every other instance
and keep us waiting, while our server is killed 20 times: everything arrives, in order, and nothing
comes again after its success was confirmed."""

import os
import shlex
import signal
import subprocess
import threading
from itertools import cycle, groupby
from pathlib import Path
from typing import Final

import httpx
import pydicom
from support.killed_routing import PATIENCE, Uploads, kill, pending
from support.ports import free_port, wait_for_port
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.waiting import until

KILLS: Final = 20
OF_ALL: Final = 4
COUNT: Final = 100
PAUSE: Final = 0.3  # seconds between uploads, so that they last as long as the kills
PERIOD: Final = 1.0  # seconds in which a receiver behaves in one way

# Every other attempt is refused, and now and then one takes its time.
FILTER: Final = """
attempts = 0
function ReceivedCStoreInstanceFilter(dicom, origin, info)
   attempts = attempts + 1
   if attempts % 25 == 0 then
      local finish = os.clock() + 1
      while os.clock() < finish do end
   end
   if attempts % 2 == 0 then return 0xC001 end
   return 0
end
"""


class Storescp:
    """storescp that behaves in another way each second. Each reception is a file of its own; `log`
    has their names in order."""

    WAYS: Final[tuple[tuple[str, ...], ...]] = (
        *((), ("--abort-after",), ("stop",)),
        *((), ("--refuse",), ("--abort-during",)),
    )

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.log = folder.parent / "received.log"
        self.log.touch()
        folder.mkdir()
        self._over = threading.Event()
        self._is_well = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Storescp":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def behave(self) -> None:
        """Well from now on."""
        self._is_well = True

    def _run(self) -> None:
        ways = cycle(self.WAYS)
        while not self._over.is_set():
            way = () if self._is_well else next(ways)
            is_stopped = way == ("stop",)
            noted = f"echo #f >> {shlex.quote(str(self.log))}"
            command = ["storescp", "--output-directory", str(self.folder), "--unique-filenames"]
            command += ["--exec-on-reception", noted, "--exec-sync"]
            command += [] if is_stopped else way
            process = subprocess.Popen([*command, str(self.port)], stderr=subprocess.DEVNULL)
            wait_for_port(self.port)
            if is_stopped:  # it takes connections, and answers nothing
                os.kill(process.pid, signal.SIGSTOP)
            self._over.wait(PERIOD)
            process.kill()
            process.wait()

    def received(self) -> list[str]:
        """SOP instance UIDs in the order in which they came."""
        names = self.log.read_text().split()
        return [_uid(self.folder / Path(name).name) for name in names]


def _uid(path: Path) -> str:
    return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def test_others_get_everything_once_in_order(tmp_path: Path) -> None:
    script = tmp_path / "filter.lua"
    script.write_text(FILTER)
    reference = ReferenceServer(
        tmp_path / "reference",
        {
            "DicomServerEnabled": True,
            "DicomPort": free_port(),
            "DicomAet": "OTHER",
            "DicomAlwaysAllowStore": True,
            "OverwriteInstances": True,  # so that each reception is a change
            "LuaScripts": [str(script)],
        },
    )
    pauses = {"FirstPause": 0.01, "LongestPause": 0.1, "Attempts": 100_000}
    with Storescp(tmp_path / "received") as storescp, reference:
        configuration = {
            "DicomModalities": {
                "s": ["STORESCP", "127.0.0.1", storescp.port],
                "o": ["OTHER", "127.0.0.1", reference.configuration["DicomPort"]],
            },
            "Routing": {
                "Destinations": {
                    "dcmtk": {"Modality": "s", "Timeout": 1, **pauses},
                    "orthanc": {"Modality": "o", **pauses},
                },
                "Rules": {"all": {"Destinations": ["dcmtk", "orthanc"]}},
            },
        }
        with OurServer(tmp_path / "server", configuration) as server:
            uploads = Uploads(server.url, COUNT, PAUSE)
            uploads.start()
            try:
                for number in range(KILLS):
                    before = _came(reference) + len(storescp.log.read_text().split())
                    until(
                        lambda: (
                            _came(reference) + len(storescp.log.read_text().split()) > before  # noqa: B023
                            or len(uploads.acknowledged) == COUNT
                        )
                    )
                    kill(server, everything=number % (KILLS // OF_ALL) == 2)
                    if number == KILLS // 2:
                        reference.kill_all()
                        reference.start()
                uploads.join(PATIENCE)
            finally:
                uploads.is_over = True
                uploads.join()
            storescp.behave()
            assert len(uploads.acknowledged) == COUNT
            with httpx.Client(base_url=server.url, timeout=60) as client:
                until(lambda: pending(client) == [0, 0])
                log = client.get("/changes?limit=100000").json()["Changes"]
                stored = [each["ID"] for each in log if each["ChangeType"] == "NewInstance"]
                uids = [
                    client.get(f"/instances/{each}").json()["MainDicomTags"]["SOPInstanceUID"]
                    for each in stored
                ]
                states = client.get("/routing").json()["Destinations"]
        came = _changes(reference)
    assert set(uploads.acknowledged) <= set(stored)
    assert [each["Sent"] for each in states.values()] == [len(stored)] * 2
    # What comes again comes before the next one: the success of each is written before that.
    assert [each for each, _ in groupby(came)] == stored
    assert len(came) <= len(stored) + KILLS + 1
    assert [uid for uid, _ in groupby(storescp.received())] == uids


def _came(reference: ReferenceServer) -> int:
    return int(httpx.get(f"{reference.url}/changes?limit=1&last").json()["Last"])


def _changes(reference: ReferenceServer) -> list[str]:
    found = httpx.get(f"{reference.url}/changes?limit=100000").json()["Changes"]
    return [each["ID"] for each in found if each["ChangeType"] == "NewInstance"]
