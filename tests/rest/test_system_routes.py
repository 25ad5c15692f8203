"""Routes about the server itself: log levels in every process, restart, shutdown, conformance
statement, plugins, front page. Compared with Orthanc 1.13 where it has them."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.pair import Call, Pair, assert_same, started_pair
from support.ports import free_port
from support.process import workers
from support.server import OurServer

PATIENCE = 30


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with started_pair(tmp_path_factory.mktemp("system"), {}) as found:
        yield found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


LEVELS = "/tools/log-level"

CALLS = [
    Call("GET", LEVELS),
    Call("PUT", f"{LEVELS}-dicom", b"trace"),
    Call("GET", LEVELS),
    Call("GET", f"{LEVELS}-dicom"),
    Call("GET", f"{LEVELS}-generic"),
    Call("PUT", f"{LEVELS}-http", b"verbose"),
    Call("GET", f"{LEVELS}-http"),
    Call("PUT", LEVELS, b"verbose"),
    *(Call("GET", f"{LEVELS}-{name}") for name in ("plugins", "sqlite", "jobs", "lua", "dicom")),
    Call("PUT", LEVELS, b"VERBOSE"),
    Call("PUT", LEVELS, b" verbose"),
    Call("PUT", f"{LEVELS}-lua", b""),
    Call("PUT", f"{LEVELS}-lua", b"\xff\xfe"),
    Call("PUT", LEVELS, b"default"),
    Call("GET", LEVELS),
    Call("GET", f"{LEVELS}-other"),
    Call("POST", LEVELS),
    Call("DELETE", f"{LEVELS}-dicom"),
    Call("GET", "/plugins", status=200),  # with DICOMweb: tests/dicom_web compares
    Call("GET", "/plugins/other"),
    Call("POST", "/plugins"),
    Call("GET", "/tools/reset"),
    Call("GET", "/tools/shutdown"),
    Call("GET", "/app"),
    Call("GET", "/app/"),
    Call("GET", "/app/other"),
    Call("GET", "/app/images"),
    Call("GET", "/app/explorer.html/x"),
    Call("GET", "/app/%2e%2e/%2e%2e/rest/app.py"),
    Call("POST", "/app/other"),
    Call("PUT", "/app"),
    Call("POST", "/"),
    Call("DELETE", "/favicon.ico"),
    Call("POST", "/tools/dicom-conformance"),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path} {call.body!r}")
def test_as_orthanc(pair: Pair, call: Call) -> None:
    assert_same(call, *pair.send(call))


def test_every_tool_of_orthanc_that_needs_no_job_and_no_network(pair: Pair) -> None:
    later = {
        "bulk-anonymize",
        "bulk-modify",
        "create-archive",
        "create-media",
        "create-media-extended",
        "dicom-echo",
    }
    others = {"default-encoding", "invalidate-tags", "reconstruct"}  # in work elsewhere
    ours, theirs = (set(client.get("/tools").json()) for client in (pair.ours, pair.theirs))
    assert theirs - ours <= later | others
    assert {"accepted-sop-classes", "count-resources", "labels"} <= ours


@pytest.mark.parametrize(
    ("path", "target"), [("/", "app/explorer.html"), ("/favicon.ico", "app/images/favicon.ico")]
)
def test_redirections(our_server: OurServer, path: str, target: str) -> None:
    """307 since 1.12.4; relative, so that they are right below any prefix of a proxy."""
    answer = httpx.get(f"{our_server.url}{path}")
    assert (answer.status_code, answer.headers["location"]) == (307, target)
    assert answer.content == b""
    assert httpx.get(f"{our_server.url}/{target}").status_code == 200


def test_now(pair: Pair) -> None:
    """Both servers ask the same clock; a second may pass between them."""
    for path in ("/tools/now", "/tools/now-local"):
        found = []
        for client in (pair.ours, pair.theirs, pair.ours):
            answer = client.get(path)
            assert answer.headers["content-type"] == "text/plain"
            found.append(answer.text)
        assert found == sorted(found)
        assert {len(text) for text in found} == {15}


def test_plugin_page(our_server: OurServer) -> None:
    answer = httpx.get(f"{our_server.url}/plugins/explorer.js")
    assert answer.headers["content-type"] == "application/javascript"
    assert answer.text.startswith("//")


def test_unsupported_picture(our_server: OurServer) -> None:
    import io

    from PIL import Image

    answer = httpx.get(f"{our_server.url}/app/images/unsupported.png")
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (150, 83)


def test_without_the_front_page(tmp_path: Path) -> None:
    with OurServer(tmp_path, {"OrthancExplorerEnabled": False}) as server:
        for path in ("/", "/favicon.ico", "/app", "/app/explorer.html", "/app/images/x.png"):
            answer = httpx.get(f"{server.url}{path}")
            assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17), path
        assert httpx.get(f"{server.url}/plugins").json() == ["explorer.js", "dicom-web"]


def test_conformance_statement_follows_the_configuration(tmp_path: Path) -> None:
    configuration = {
        "DicomServerEnabled": True,
        "DicomPort": free_port(),
        "DicomAet": "SOMEONE",
        "AcceptedSopClasses": ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"],
    }
    with OurServer(tmp_path, configuration) as server, httpx.Client(base_url=server.url) as client:
        answer = client.get("/tools/dicom-conformance")
        assert answer.headers["content-type"] == "text/plain"
        text = answer.text
        assert "SOMEONE" in text
        assert str(configuration["DicomPort"]) in text
        assert "Verification SOP Class | 1.2.840.10008.1.1\n" in text
        listed = [line for line in text.splitlines() if "| 1.2.840.10008.5.1.4.1.1." in line]
        assert [line.split("|")[1].strip() for line in listed] == client.get(
            "/tools/accepted-sop-classes"
        ).json()
        assert "1.2.840.10008.1.2.4.50\n" in text
        client.put("/tools/accepted-transfer-syntaxes", content=b'["1.2.840.10008.1.2.1"]')
        assert "1.2.840.10008.1.2.4.50" not in client.get("/tools/dicom-conformance").text


def test_log_levels_reach_every_process(tmp_path: Path) -> None:
    """Also one that is started later, and the DICOM workers."""
    port = free_port()
    configuration = {
        "HttpWorkers": 3,
        "DicomWorkers": 1,
        "DicomServerEnabled": True,
        "DicomPort": port,
    }
    with OurServer(tmp_path, configuration) as server:
        wait_until(lambda: "serves" in server.log_path.read_text())
        assert httpx.put(f"{server.url}{LEVELS}", content=b"trace").status_code == 200
        # Connections of their own spread over the workers; none may know another level.
        for _ in range(30):
            assert httpx.get(f"{server.url}{LEVELS}-jobs").text == "trace"
        before = server.log_path.read_text()
        assert "dicom-0 dicom:/" not in before
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b"nonsense" * 20)
            wait_until(lambda: "dicom-0 dicom:/" in server.log_path.read_text())
        assert server.process is not None
        old = workers(server.process.pid)
        os.kill(old[0], signal.SIGKILL)
        wait_until(lambda: len(set(workers(server.process.pid)) - set(old)) == 1)  # type: ignore[union-attr]
        for _ in range(30):
            assert httpx.get(f"{server.url}{LEVELS}").text == "trace"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OurServer]:
    with OurServer(tmp_path, {"HttpWorkers": 2, "Name": "before"}) as running:
        wait_until(lambda: started(running) == 1)
        yield running


def started(server: OurServer) -> int:
    return server.log_path.read_text().count(" serves ")


def configure(server: OurServer, **options: Any) -> None:
    server.config_path.write_text(json.dumps({**server.configuration, **options}))


def system(server: OurServer) -> Any:
    return httpx.get(f"{server.url}/system", timeout=PATIENCE).json()


def test_reset(server: OurServer) -> None:
    """The configuration is read again, the session is forgotten, the store stays; nobody is
    refused meanwhile."""
    stored = httpx.post(f"{server.url}/instances", content=generated.small().number(1, 1, 1, 1))
    session = [
        ("/tools/metrics", b"0", "1"),
        ("/tools/unknown-sop-class-accepted", b"1", "0"),
        (LEVELS, b"verbose", "default"),
    ]
    for path, value, _ in session:
        httpx.put(f"{server.url}{path}", content=value)
    assert server.process is not None
    pid = server.process.pid
    old = [*workers(pid), *workers(pid, "jobs")]
    configure(server, Name="after")
    failures: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                system(server)
            except httpx.ConnectError as error:
                failures.append(error)
            except httpx.TransportError:
                pass  # a connection of a worker that ended

    asking = threading.Thread(target=ask)
    asking.start()
    answer = httpx.post(f"{server.url}/tools/reset")
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert answer.headers["content-type"] == "application/json"
    wait_until(lambda: started(server) == 2)
    over.set()
    asking.join()
    assert failures == []
    assert system(server)["Name"] == "after"
    for path, _, configured in session:
        assert httpx.get(f"{server.url}{path}").text == configured, path
    assert httpx.get(f"{server.url}/instances").json() == [stored.json()["ID"]]
    assert not {*workers(pid), *workers(pid, "jobs")} & set(old)


def test_reset_to_another_port(server: OurServer) -> None:
    port = free_port()
    configure(server, HttpPort=port)
    httpx.post(f"{server.url}/tools/reset")
    wait_until(lambda: started(server) == 2)
    assert httpx.get(f"http://127.0.0.1:{port}/system").json()["HttpPort"] == port
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/system")


def test_reset_with_a_broken_configuration(server: OurServer) -> None:
    """The server is not lost for a missing bracket: the former configuration stays."""
    server.config_path.write_text("{")
    httpx.post(f"{server.url}/tools/reset")
    wait_until(lambda: started(server) == 2)
    assert system(server)["Name"] == "before"
    assert "the former configuration stays in force" in server.log_path.read_text()


def test_hang_up_restarts_only_for_a_changed_configuration(server: OurServer) -> None:
    """Section 11.4. The two signals are told apart by what the first one leaves."""
    assert server.process is not None
    old = workers(server.process.pid)
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert workers(server.process.pid) == old
    configure(server, Name="after")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: started(server) == 2)
    assert system(server)["Name"] == "after"


def test_shutdown(server: OurServer) -> None:
    answer = httpx.post(f"{server.url}/tools/shutdown")
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert server.process is not None
    assert server.process.wait(PATIENCE) == 0


def test_shutdown_after_reset(server: OurServer) -> None:
    httpx.post(f"{server.url}/tools/reset")
    wait_until(lambda: started(server) == 2)
    httpx.post(f"{server.url}/tools/shutdown")
    assert server.process is not None
    assert server.process.wait(PATIENCE) == 0


def test_capabilities_are_true(our_server: OurServer) -> None:
    """What /system promises of the query can be asked."""
    capabilities = system(our_server)["Capabilities"]
    assert capabilities["HasExtendedFind"] is True
    body = {
        "Level": "Study",
        "Query": {},
        "OrderBy": [{"Type": "DicomTag", "Key": "StudyDate", "Direction": "ASC"}],
        "ResponseContent": ["MainDicomTags"],
        "MetadataQuery": {"LastUpdate": "*"},
    }
    assert httpx.post(f"{our_server.url}/tools/find", json=body).status_code == 200
    assert capabilities["HasExtendedChanges"] is True
    assert httpx.get(f"{our_server.url}/changes?to=5&type=NewStudy").status_code == 200


def test_threads_that_follow_other_options(our_server: OurServer, tmp_path: Path) -> None:
    def threads(url: str) -> tuple[int, int]:
        found = httpx.get(f"{url}/system").json()["Performance"]
        return found["StorageLoaderThreadsCount"], found["SequentialDicomReaderThreadsCount"]

    assert threads(our_server.url) == (4, 4)
    with OurServer(tmp_path, {"ConcurrentJobs": 6, "LoaderThreads": 2}) as server:
        assert threads(server.url) == (12, 12)
