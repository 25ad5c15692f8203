"""Lua scripts that are wrong, slow or deadly: what the server does then."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from scripting.test_lua_callbacks import c_store, file_with
from support.killed_scripts import KILLS, killed_under_ingest
from support.ports import free_port
from support.server import OurServer
from support.waiting import until

REFUSED = 0xA700

# Notes each instance that is stored, and dies, loops or sleeps where the name of the patient says
# so.
SCRIPT = """
local function note(text)
  local file = io.open('FOLDER/stored', 'a')
  file:write(text, '\\n')
  file:close()
end

function loop() while true do end end
function exhaust() local x = 'x' while true do x = x .. x end end

function OnStoredInstance(id, tags)
  if tags.PatientName == 'Die' then note('dying') os.exit(5) end
  if tags.PatientName == 'Loop' then note('looping') loop() end
  if tags.PatientName == 'Sleep' then os.execute('sleep 10') end
  if tags.PatientName == 'Memory' then exhaust() end
  if tags.PatientName == 'Error' then local x = nil; x.y = 1 end
  note(id)
end
"""

FILTER = """
function ReceivedInstanceFilter(tags)
  if tags.PatientName == 'Die' then os.exit(5) end
  if tags.PatientName == 'Loop' then while true do end end
  if tags.PatientName == 'Memory' then local x = 'x' while true do x = x .. x end end
  return true
end
"""


class Scripted(NamedTuple):
    server: OurServer
    client: httpx.Client
    dicom_port: int
    folder: Path

    def stored(self) -> list[str]:
        path = self.folder / "stored"
        return path.read_text().split() if path.exists() else []

    def upload(self, number: int, **tags: str) -> str:
        answer = self.client.post("/instances", content=file_with(number, **tags))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["ID"])

    def wait_for_scripts(self) -> None:
        """Until they answer again."""
        path, text = "/tools/execute-script", "print('here')"
        until(lambda: self.client.post(path, content=text).text == "here\n")


@contextmanager
def scripted(folder: Path, script: str, **options: Any) -> Iterator[Scripted]:
    path = folder / "script.lua"
    path.write_text(script.replace("FOLDER", str(folder)))
    port = free_port()
    configuration = {
        "LuaScripts": [str(path)],
        "ExecuteLuaEnabled": True,
        "DicomServerEnabled": True,
        "DicomPort": port,
        "HttpWorkers": 1,
        "DicomWorkers": 1,
        "ConcurrentJobs": 1,
        **options,
    }
    server = OurServer(folder / "server", configuration)
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        yield Scripted(server, client, port, folder)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("function x(", "script.lua:1: <name> or '...' expected near <eof>"),
        ("\nerror('at once')", "script.lua:2: at once"),
        ("os.exit(3)", "cannot start"),
    ],
)
def test_script_that_cannot_be_loaded(tmp_path: Path, script: str, told: str) -> None:
    """Refuses the start with a line that names the place."""
    with pytest.raises(RuntimeError, match="no start") as caught, scripted(tmp_path, script):
        pass
    assert told in str(caught.value)


def test_missing_script(tmp_path: Path) -> None:
    server = OurServer(tmp_path, {"LuaScripts": ["nowhere.lua"]})
    with pytest.raises(RuntimeError, match=r"cannot read .*nowhere\.lua"), server:
        pass


def test_events_of_scripts_that_fail(tmp_path: Path) -> None:
    """An error is logged with its place; a loop, an end and exhausted memory cost the event, which
    was tried three times where the process ended, and no other."""
    with scripted(tmp_path, SCRIPT, Scripts={"EventTimeout": 2, "MaximumMemoryMB": 400}) as found:
        expected = [found.upload(1)]
        for number, name in enumerate(("Error", "Memory", "Die", "Loop"), 2):
            found.upload(number, PatientName=name)
            expected.append(found.upload(10 + number))
        until(lambda: found.stored()[-1:] == expected[-1:])
        stored = found.stored()
        assert [each for each in stored if "-" in each] == expected
        assert stored.count("dying") == stored.count("looping") == 3
        log = found.server.log_path.read_text()
        assert "script.lua:16: attempt to index a nil value" in log
        assert "not enough memory" in log
        assert "OnStoredInstance runs for 2 s: the process is ended and replaced" in log
        assert log.count("is left out: the process has ended 3 times") == 2


@pytest.mark.parametrize("rule", ["Refuse", "Accept"])
def test_filters_that_give_no_answer(tmp_path: Path, rule: str) -> None:
    """The rule holds, at both doors, and the next instance is filtered again."""
    options = {"FilterTimeout": 10, "OnFailure": rule, "MaximumMemoryMB": 400}
    with scripted(tmp_path, FILTER, Scripts=options) as found:
        for number, name in enumerate(("Die", "Loop"), 1):
            data = file_with(number, PatientName=name)
            answer = found.client.post("/instances", content=data)
            assert answer.status_code == (200 if rule == "Accept" else 503), answer.text
            data = file_with(10 + number, PatientName=name)
            assert c_store(found.dicom_port, data) == (0 if rule == "Accept" else REFUSED)
            found.wait_for_scripts()  # a new process
            found.upload(20 + number)
        # This is an answer: the script has failed, and Orthanc refuses.
        answer = found.client.post("/instances", content=file_with(5, PatientName="Memory"))
        assert answer.json()["OrthancStatus"] == 2031, answer.text
        assert len(found.client.get("/instances").json()) == (6 if rule == "Accept" else 2)


def test_scripts_are_killed_under_ingest(tmp_path: Path) -> None:
    with scripted(tmp_path, SCRIPT) as found:
        again = killed_under_ingest(found.server, found.client, "lua", found.stored)
    assert len(again) <= KILLS  # at most the one in work comes again


def test_events_come_after_the_next_start(tmp_path: Path) -> None:
    with scripted(tmp_path, SCRIPT) as found:
        found.upload(1, PatientName="Sleep")
        later = [found.upload(number) for number in range(2, 12)]
        found.server.kill_all()
        found.server.start()
        until(lambda: found.stored()[-1:] == later[-1:])
        told = [each for each in found.stored() if each in later]
        assert told == later


def test_slow_script_delays_nobody(tmp_path: Path) -> None:
    """While an event sleeps for 10 s, 100 instances are stored, and filtered, before it is done."""
    with scripted(tmp_path, SCRIPT + FILTER) as found:
        found.upload(1, PatientName="Sleep")
        for number in range(2, 102):
            found.upload(number)
        assert found.stored() == []  # it still sleeps
        until(lambda: len(found.stored()) == 101)


def test_scripts_call_each_other(tmp_path: Path) -> None:
    """Calls that lead back to the same context: inside the process, and by HTTP through a
    worker."""
    script = """
    function IncomingHttpRequestFilter(method, uri) return uri ~= '/forbidden' end
    function ReceivedInstanceFilter(tags) return RestApiGet('/system') ~= nil end
    function OnStoredInstance(id, tags)
      if tags.PatientName == 'Again' then
        local made = RestApiPost('/instances/' .. id .. '/modify',
          '{"Replace":{"PatientName":"Made"}}')
        RestApiPost('/instances', made)
      end
    end
    """
    with scripted(tmp_path, script) as found:
        source = f"print(HttpGet('{found.server.url}/system') ~= nil)"
        assert found.client.post("/tools/execute-script", content=source).text == "true\n"
        found.upload(1, PatientName="Again")
        until(lambda: len(found.client.get("/instances").json()) == 2)
        nested = json.dumps("print(RestApiGet('/system') ~= nil)")
        source = f"print(RestApiPost('/tools/execute-script', {nested}))"
        answer = found.client.post("/tools/execute-script", content=source)
        assert answer.text == "true\ntrue\n\n"
        assert found.client.get("/forbidden").status_code == 403


def test_without_the_option_nothing_is_executed(tmp_path: Path) -> None:
    with scripted(tmp_path, SCRIPT, ExecuteLuaEnabled=False) as found:
        answer = found.client.post("/tools/execute-script", content="print(1)")
        assert (answer.status_code, answer.content) == (403, b"")
