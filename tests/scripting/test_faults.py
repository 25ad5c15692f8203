"""Scripts that fail, hang, end their process, or cannot be loaded."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support import generated
from support.killed_scripts import killed_under_ingest
from support.process import workers
from support.scripted import Scripted, with_script
from support.server import OurServer
from support.waiting import until

from orthanc_fast.scripting.observer import MOST_ATTEMPTS

PATIENCE = 60.0  # seconds
LIMITS = {"FilterTimeout": 1.0, "EventTimeout": 2.0}


def _folder(server: Scripted) -> Path:
    return server.server.folder / "scripts"


def _set(server: Scripted, mode: str) -> None:
    if mode:
        (_folder(server) / "mode").write_text(mode)
    else:
        (_folder(server) / "mode").unlink(missing_ok=True)


def _pid(server: Scripted) -> int:
    assert server.server.process is not None
    found: list[int] = until(lambda: workers(server.server.process.pid, "python"))  # type: ignore[union-attr]
    return found[0]


def _works(server: Scripted) -> bool:
    try:
        return server.client.get("/do/nothing").text == "well"
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    folder = tmp_path_factory.mktemp("faults")
    packages = f"python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    environment = folder / "environment"
    (environment / "lib" / packages).mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (environment / "lib" / packages / "of_the_site.py").write_text("TEXT = 'a package'\n")
    configuration = {
        "PythonVerbose": True,
        "Scripts": {**LIMITS, "VirtualEnvironment": str(environment)},
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"user": "password"},
    }
    with with_script(OurServer, folder, "faulty.py", configuration) as started:
        started.client.auth = ("user", "password")
        yield started


def test_packages_of_a_virtual_environment(server: Scripted) -> None:
    assert server.client.get("/packages").text == "a package"


def test_a_route_that_is_registered_later(server: Scripted) -> None:
    assert server.client.get("/registered-late").status_code == 404
    assert server.client.get("/register-late").status_code == 200
    until(lambda: server.client.get("/registered-late").text == "late")


def test_tokens(server: Scripted) -> None:
    token = server.client.get("/token").text
    url = f"{server.server.url}/system"
    for given, status in ((token, 200), (token[:-1] + "x", 401), ("Bearer x", 401)):
        assert httpx.get(url, headers={"Authorization": given}).status_code == status
    assert httpx.get(url).status_code == 401


def test_the_code_of_an_exception_counts(server: Scripted) -> None:
    answer = server.client.get("/do/raise")
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17)


NO_HEADERS = (
    *(("X-A", value, "text/plain") for value in ("a\r\nX-B: b", "\x7f")),
    *((name, "a", "text/plain") for name in ("X A", "X:A", "", "X-Ä", "X-A\n")),
    ("X-A", "a", "text/plain\nX-B: b"),
)


@pytest.mark.parametrize("given", NO_HEADERS)
def test_what_is_no_header(server: Scripted, given: tuple[str, str, str]) -> None:
    """The script is told; nothing of it is sent."""
    answer = server.client.post("/header", content=json.dumps(given))
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (400, 3)
    assert "x-b" not in answer.headers


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Connection"])
def test_headers_that_are_the_servers(server: Scripted, name: str) -> None:
    answer = server.client.post("/header", content=json.dumps([name, "3", "text/plain"]))
    assert (answer.status_code, answer.text) == (200, "well")
    assert answer.headers["content-length"] == "4"


def test_half_a_character(server: Scripted) -> None:
    before = _pid(server)
    answer = server.client.get("/details")
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 1)
    assert _pid(server) == before


@pytest.mark.parametrize("mode", ["sys.exit", "recursion", "gluttony"])
def test_what_ends_the_callback_only(server: Scripted, mode: str) -> None:
    before = _pid(server)
    answer = server.client.get(f"/do/{mode}")
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 1)
    assert _pid(server) == before


@pytest.mark.parametrize("mode", ["exit", "loop", "sleep"])
def test_what_ends_the_process(server: Scripted, mode: str) -> None:
    """It is replaced; who waited gets an error."""
    until(lambda: _works(server))
    before = _pid(server)
    assert server.client.get(f"/do/{mode}").status_code == 503
    until(lambda: _pid(server) != before and _works(server))
    log = server.server.log_path.read_text()
    if mode != "exit":
        assert f"/do/{mode} runs for 2 s" in log


def test_callbacks_within_callbacks(server: Scripted) -> None:
    """More than there are threads for anything else, at the same time, each of which stores what a
    script is asked about."""
    until(lambda: _works(server))
    bodies = [bytes(generated.small().number(73, 1, 1, number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: server.client.post("/deep/15", content=body), bodies))
    assert [each.json()["Status"] for each in answers] == ["Success"] * 8


def test_callbacks_without_end(server: Scripted) -> None:
    """A script that calls itself ever again is refused, and goes on."""
    until(lambda: _works(server))
    before = _pid(server)
    answer = server.client.post("/deep/100000", content=b"text")
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 1)
    assert _works(server)
    assert _pid(server) == before


def test_an_object_of_a_callback_that_is_over(server: Scripted) -> None:
    until(lambda: _works(server))
    data = generated.small().number(70, 1, 1, 1)
    assert server.client.post("/instances", content=data).status_code == 200
    events = _folder(server) / "events"
    until(lambda: events.exists() and events.read_text())
    kind, text = until(lambda: server.client.get("/later").json())
    assert kind == "ValueError"
    assert "during the callback only" in text


def test_a_filter_without_an_answer(server: Scripted) -> None:
    until(lambda: _works(server))
    try:
        _set(server, "http:sleep")
        assert server.client.get("/filtered").status_code == 503
        # One that sees what is received is passed over, as with Orthanc.
        _set(server, "")
        until(lambda: _works(server))
        _set(server, "received:sleep")
        data = generated.small().number(71, 1, 1, 1)
        assert server.client.post("/instances", content=data).json()["Status"] == "Success"
    finally:
        _set(server, "")
    until(lambda: _works(server))
    until(lambda: server.client.get("/filtered").status_code == 404)


def test_a_filter_without_an_answer_may_let_pass(tmp_path: Path) -> None:
    configuration = {"Scripts": {**LIMITS, "OnFailure": "Accept"}}
    with with_script(OurServer, tmp_path, "faulty.py", configuration) as server:
        _set(server, "http:sleep")
        assert server.client.get("/filtered").status_code == 404
        assert "IncomingHttpRequestFilter" in server.server.log_path.read_text()


def test_the_process_is_killed_under_ingest(tmp_path: Path) -> None:
    events = tmp_path / "scripts" / "events"

    def heard() -> list[str]:
        return events.read_text().split() if events.exists() else []

    with with_script(OurServer, tmp_path, "faulty.py") as server:
        killed_under_ingest(server.server, server.client, "python", heard)


def test_the_process_ends_while_events_are_in_work(tmp_path: Path) -> None:
    with with_script(OurServer, tmp_path, "faulty.py") as server:
        stored = []
        for number in range(60):
            data = generated.small().number(number // 10, 1, 1, number)
            stored.append(server.client.post("/instances", content=data).json()["ID"])
            if number % 20 == 12:
                _set(server, "stored:exit")
        events = tmp_path / "scripts" / "events"
        until(lambda: set(stored) <= set(events.read_text().split()))
        seen = list(dict.fromkeys(events.read_text().split()))
        assert seen == stored  # in their order; those in work when the process died came again


def test_events_over_a_restart_of_the_server(tmp_path: Path) -> None:
    with with_script(OurServer, tmp_path, "faulty.py") as server:
        _set(server, "stored:sleep")
        stored = [
            server.client.post(
                "/instances", content=generated.small().number(1, 1, 1, number)
            ).json()["ID"]
            for number in range(10)
        ]
        server.server.kill_all()
        _set(server, "")
        server.server.start()
        events = tmp_path / "scripts" / "events"
        until(lambda: set(stored) <= set(events.read_text().split()))


def test_a_script_that_keeps_all_memory(tmp_path: Path) -> None:
    """Its process is replaced, and nothing is lost; the event comes again a few times at most."""
    configuration = {"Scripts": {"MaximumMemoryMB": 400}}
    with with_script(OurServer, tmp_path, "faulty.py", configuration) as server:
        before = _pid(server)
        _set(server, "stored:leak")
        stored = [
            server.client.post(
                "/instances", content=generated.small().number(1, 1, 1, number)
            ).json()["ID"]
            for number in range(20)
        ]
        events = tmp_path / "scripts" / "events"
        until(lambda: set(stored) <= set(events.read_text().split()))
        until(lambda: _pid(server) != before and _works(server))
        assert "400 MB of memory" in server.server.log_path.read_text()
        seen = events.read_text().split()
        assert max(seen.count(each) for each in stored) <= MOST_ATTEMPTS


CANNOT_LOAD = {
    "absent.py": (None, "absent.py"),
    "syntax.py": ("import orthanc\n\ndef x(:\n", "syntax.py, line 3: "),
    "raises.py": (
        "import orthanc\nraise ValueError('on\\npurpose')\n",
        "line 2: ValueError: on purpose",
    ),
    "exits.py": ("import sys\nsys.exit(1)\n", "line 2: SystemExit: 1"),
    "imports.py": ("import nope_nope\n", "No module named 'nope_nope'"),
    "name.txt": ("", "must be a file whose name ends with .py"),
}


@pytest.mark.parametrize("name", CANNOT_LOAD)
def test_a_script_that_cannot_be_loaded(tmp_path: Path, name: str) -> None:
    text, reason = CANNOT_LOAD[name]
    if text is not None:
        (tmp_path / name).write_text(text)
    server = OurServer(tmp_path, {"PythonScript": str(tmp_path / name)})
    server.config_path.write_text(json.dumps(server.configuration))
    ended = subprocess.run(
        server.arguments(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode != 0
    assert any(reason in line for line in ended.stderr.splitlines()), ended.stderr


def test_what_the_log_says(server: Scripted) -> None:
    log = server.server.log_path.read_text()
    assert "ExtendOrthancExplorer has no effect" in log
    assert "faulty.py has registered: ReceivedInstance, " in log
