"""Storms of changes while a script sleeps: what it hears of them, and what memory they take."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import httpx
from support import generated
from support.process import children
from support.process_memory import anonymous_of
from support.server import OurServer

Language = Literal["lua", "python"]

INSTANCES: Final = 100
CHANGE: Final = "UpdatedMetadata"
METADATA: Final = "metadata/1024"
PAGE: Final = 5000  # changes read at once

# Both note of which instance a change was, and sleep before the first one until they may go on.
_LUA: Final = """
local heard = io.open('FOLDER/heard', 'a')
heard:setvbuf('no')

local is_awake = false

function OnUpdatedInstance(id)
  while not is_awake do
    is_awake = io.open('FOLDER/go') ~= nil
    if not is_awake then os.execute('sleep 0.1') end
  end
  heard:write(id, '\\n')
end
"""

_PYTHON: Final = """
import os
import time
import orthanc

heard = open("FOLDER/heard", "a", buffering=1)

def changed(change, level, resource):
    if change == orthanc.ChangeType.UPDATED_METADATA:
        while not os.path.exists("FOLDER/go"):
            time.sleep(0.05)
        heard.write(resource + "\\n")

orthanc.RegisterOnChangeCallback(changed)
"""


class Storm:
    """A server whose script sleeps, and instances of which metadata change."""

    def __init__(self, server: OurServer, client: httpx.Client, folder: Path) -> None:
        self.server = server
        self.client = client
        self._folder = folder
        template = generated.small()
        self.instances: list[str] = [
            client.post("/instances", content=template.number(1, 1, 1, number)).json()["ID"]
            for number in range(INSTANCES)
        ]

    def paths(self) -> list[str]:
        """A PUT to any of them is a change that the script hears of."""
        return [f"/instances/{each}/{METADATA}" for each in self.instances]

    def change(self, count: int, clients: int) -> None:
        """So many changes, by clients that keep their connections."""

        def work(first: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            for number in range(first, count, clients):
                path = f"/instances/{self.instances[number % INSTANCES]}/{METADATA}"
                connection.request("PUT", path, body=str(number).encode())
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200
            connection.close()

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(work, range(clients)))

    def changes(self) -> list[str]:
        """The instances of all changes that the script has to hear of, in the order of the log."""
        found: list[str] = []
        since, is_done = 0, False
        while not is_done:
            query = {"since": str(since), "limit": str(PAGE), "type": CHANGE}
            page = self.client.get("/changes", params=query).json()
            found += [each["ID"] for each in page["Changes"]]
            since, is_done = page["Last"], page["Done"]
        return found

    def heard(self) -> list[str]:
        path = self._folder / "heard"
        return path.read_text().split() if path.exists() else []

    def wake(self) -> None:
        """The script goes on."""
        (self._folder / "go").touch()

    def memory(self) -> int:
        """Bytes that all processes of the server have for themselves."""
        assert self.server.process is not None
        pid = self.server.process.pid
        return sum(map(anonymous_of, (pid, *children(pid))))


@contextmanager
def storm(folder: Path, language: Language, **options: Any) -> Iterator[Storm]:
    """One with a script in this language that hears of nothing else."""
    name = "storm.lua" if language == "lua" else "storm_script.py"
    text = _LUA if language == "lua" else _PYTHON
    script = folder / name
    script.write_text(text.replace("FOLDER", str(folder)))
    option: dict[str, Any] = (
        {"LuaScripts": [str(script)]} if language == "lua" else {"PythonScript": str(script)}
    )
    configuration = {
        **option,
        "Scripts": {"EventTimeout": 0},
        "StableAge": 3600,
        "HttpWorkers": 1,
        "ConcurrentJobs": 1,
        **options,
    }
    server = OurServer(folder / "server", configuration)
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        yield Storm(server, client, folder)
