"""The same Lua in Orthanc 1.13 and here: what it prints, and how it fails."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from scripting.lua_snippets import ALIKE, FAULTS
from support.pair import Pair, started_pair
from support.waiting import until


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("lua")
    with started_pair(folder, {"ExecuteLuaEnabled": True, "StableAge": 1}) as found:
        yield found


def outcome(client: httpx.Client, source: str) -> tuple[int, object]:
    """Status, and what was printed or what was wrong."""
    answer = client.post("/tools/execute-script", content=source.encode())
    if answer.status_code == 200:
        assert answer.headers["content-type"] == "text/plain"
        return 200, answer.content
    content = answer.json()
    return answer.status_code, (content["OrthancStatus"], content.get("Details"))


def is_stable(client: httpx.Client, study: str) -> bool:
    return bool(client.get(f"/studies/{study}").json()["IsStable"])


def test_scripts_print_the_same(pair: Pair) -> None:
    instance = pair.names["instances"]
    for client in (pair.ours, pair.theirs):
        until(lambda: is_stable(client, pair.names["studies"]))  # noqa: B023
    different = {}
    for snippet in ALIKE:
        source = snippet.replace("$ID", instance).replace("$STUDY", pair.names["studies"])
        ours, theirs = outcome(pair.ours, source), outcome(pair.theirs, source)
        if ours != theirs:
            different[snippet] = (ours, theirs)
    assert different == {}


def test_faults_of_routing_are_the_same(pair: Pair) -> None:
    """The text, but for the chunk and the line of the function."""

    def told(client: httpx.Client, source: str) -> tuple[int, object, str]:
        status, found = outcome(client, source)
        assert isinstance(found, tuple), found
        text = re.sub(r'^(\[string "line"\]|orthanc):\d+: |libCURL.*|Cannot access.*', "", found[1])
        return status, found[0], text

    for snippet in FAULTS:
        source = snippet.replace("$ID", pair.names["instances"])
        assert told(pair.ours, source) == told(pair.theirs, source), snippet


def test_globals_are_the_same(pair: Pair) -> None:
    names = ("_G", "math", "string", "table", "bit32", "os", "io", "debug", "utf8", "package")
    source = "local t = {} for k in pairs(%s) do t[#t + 1] = k end print(table.concat(t, '\\n'))"
    internal = {b"_LuaContext", b"_ServerContext", b"_job", b"x"}
    for name in names:
        _, ours = outcome(pair.ours, source % name)
        _, theirs = outcome(pair.theirs, source % name)
        assert isinstance(ours, bytes) and isinstance(theirs, bytes)
        assert {*ours.split()} - internal == {*theirs.split()} - internal, name


def test_other_methods(pair: Pair) -> None:
    for method in ("GET", "PUT", "DELETE"):
        ours, theirs = (
            client.request(method, "/tools/execute-script") for client in (pair.ours, pair.theirs)
        )
        assert ours.status_code == theirs.status_code == 405
        assert ours.headers["allow"] == theirs.headers["allow"]
