"""The same script in Lua on our server and on Orthanc 1.13: small instances with a callback that
reads the tags of each, and with a filter that sees each."""

import time
from pathlib import Path
from typing import Any

from support import generated
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.server import OurServer

from bench import load
from bench.compare import DURABLE, OURS, Goal, Pair, Row
from bench.load import Load

CLIENTS = 8
PATIENCE = 600.0  # seconds

# Both note a byte in a file for each instance.
STORED = """
local heard = io.open('HEARD', 'a')
heard:setvbuf('no')
function OnStoredInstance(id)
  local tags = ParseJson(RestApiGet('/instances/' .. id .. '/simplified-tags'))
  if tags.PatientID then heard:write('.') end
end
"""

FILTER = """
local heard = io.open('HEARD', 'a')
heard:setvbuf('no')
function ReceivedInstanceFilter(tags)
  heard:write('.')
  return tags.PatientID ~= nil
end
"""


class LuaPair(Pair):
    """Ours and 1.13.0 with a script."""

    def __init__(self, script: str) -> None:
        super().__init__()
        self.ours = OurServer(self.folder / "ours", {**self._options("ours", script), **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", self._options("theirs", script))

    def _options(self, name: str, script: str) -> dict[str, Any]:
        path = self.folder / f"{name}.lua"
        path.write_text(script.replace("HEARD", str(self.folder / f"{name}-heard")))
        return {**DURABLE, "LuaScripts": [str(path)]}

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        return self.ours, self.theirs

    def heard(self, server: ServerProcess) -> Path:
        """What the script of a server has noted."""
        name = "ours" if server is self.ours else "theirs"
        return self.folder / f"{name}-heard"


def lua_scripts(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """An upload counts when the script has heard of it."""
    count = 400 if quick else 2000
    template = generated.small()
    rows = []
    for name, script, goal in (
        ("OnStoredInstance that reads tags", STORED, Goal(3, 1)),
        ("ReceivedInstanceFilter", FILTER, Goal(2, 1)),
    ):
        with LuaPair(script) as pair:
            heard = pair.heard

            def uploaded(server: ServerProcess, number: int) -> Load:
                return _uploaded(server, heard(server), template, number, count)  # noqa: B023

            title = f"ingest of 10 KB, Lua: {name}, {CLIENTS} clients"
            rows.append(pair.compare(title, goal, rounds, uploaded))
    return rows, []


def _uploaded(
    server: ServerProcess, heard: Path, template: generated.Template, number: int, count: int
) -> Load:
    """Uploads, and waits until the script has heard of all."""
    begin = time.perf_counter()
    sent = load.post(server.port, template, 1 + number * count, count, CLIENTS)
    handed_over = time.perf_counter()
    while heard.stat().st_size < (number + 1) * count:
        if time.perf_counter() - begin > PATIENCE:
            raise RuntimeError("the script has not heard of all instances")
        time.sleep(0.005)
    late = time.perf_counter() - handed_over
    return Load(count, sent.seconds + late, sent.p50, sent.p99)
