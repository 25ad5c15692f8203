"""The supervisor: start, orderly end, replaced workers, nothing left behind."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from support import generated
from support.ports import free_port
from support.process import workers as named_workers
from support.server import OurServer

from orthanc_fast.supervisor import bind

STOP_SECONDS = 10
SLICE = bytes(generated.small().number(1, 1, 1, 1))
# Not what the server needs, but what a machine full of other tests may take.
PATIENCE = 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OurServer]:
    with OurServer(tmp_path, {"HttpWorkers": 2}) as running:
        # It answers once one worker is ready; the start is over when all are.
        wait_until(lambda: "serves" in running.log_path.read_text(), PATIENCE)
        yield running


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def workers(server: OurServer) -> list[int]:
    assert server.process is not None
    return named_workers(server.process.pid)


def slow_upload(server: OurServer) -> tuple[socket.socket, bytes]:
    """A connection with the head and half of the body of an upload sent; and the other half."""
    data = bytes(generated.small().number(7, 7, 7, 7))
    head = f"POST /instances HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=STOP_SECONDS)
    middle = len(data) // 2
    connection.sendall(head + data[:middle])
    return connection, data[middle:]


def test_what_is_sent_does_not_wait_for_an_acknowledgement() -> None:
    (listener,) = bind(["127.0.0.1"], 0)
    with listener, socket.create_connection(listener.getsockname()):
        select.select([listener], [], [], 10)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_an_upload_in_flight_is_completed(server: OurServer, number: signal.Signals) -> None:
    assert server.process is not None
    connection, rest = slow_upload(server)
    with connection:
        time.sleep(0.2)  # the worker must have the request before it hears of the end
        server.process.send_signal(number)
        time.sleep(0.3)
        connection.sendall(rest)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert server.process.wait(STOP_SECONDS) == 0
    stored = [path for path in (server.folder / "storage").glob("??/??/*") if path.is_file()]
    assert len(stored) == 1


def test_ctrl_c_is_the_supervisors_who_ends_workers_by_one_signal(server: OurServer) -> None:
    """A terminal sends SIGINT to all. With SIGTERM on its heels a worker could miss both."""
    for pid in workers(server):
        os.kill(pid, signal.SIGINT)
        ignored = re.search(r"SigIgn:\t(\w+)", Path(f"/proc/{pid}/status").read_text())
        blocked = re.search(r"SigBlk:\t(\w+)", Path(f"/proc/{pid}/status").read_text())
        assert ignored is not None and int(ignored[1], 16) >> signal.SIGINT - 1 & 1
        assert blocked is not None and int(blocked[1], 16) == 0
    connection, rest = slow_upload(server)
    with connection:
        connection.sendall(rest)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(STOP_SECONDS) == 0
    assert "did not stop in time" not in server.log_path.read_text()


def test_an_upload_that_never_ends_does_not_hold_up_the_end(server: OurServer) -> None:
    assert server.process is not None
    connection, _ = slow_upload(server)
    with connection:
        time.sleep(0.2)
        server.process.terminate()
        assert server.process.wait(STOP_SECONDS) == 0
    assert list((server.folder / "storage").glob("incoming/*/*")) == []


def test_nothing_is_imported_from_the_current_directory(tmp_path: Path) -> None:
    """Whoever can write where the server is started must not become the server."""
    for name in ("msgspec.py", "orthanc_fast/__init__.py", "xxhash/__init__.py", "pickle.py"):
        trap = tmp_path / "here" / name
        trap.parent.mkdir(parents=True, exist_ok=True)
        trap.write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})\n")
    folder = tmp_path / "server"
    server = OurServer(folder)
    server.config_path.write_text(
        json.dumps({**server.configuration, "DicomServerEnabled": True, "DicomPort": free_port()})
    )
    command = [str(Path(sys.executable).with_name("orthanc-fast")), "serve"]
    with subprocess.Popen(
        [*command, str(server.config_path)],
        cwd=tmp_path / "here",
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "serves" in process.stdout.readline()
            assert httpx.post(f"{server.url}/instances", content=SLICE).status_code == 200
        finally:
            process.terminate()
            assert process.wait(STOP_SECONDS) == 0
    assert not (tmp_path / "imported").exists(), (tmp_path / "imported").read_text()


def test_a_worker_that_dies_again_and_again_is_replaced(server: OurServer) -> None:
    for _ in range(10):
        before = workers(server)
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda before=before: before[0] not in workers(server), PATIENCE)  # type: ignore[misc]
        assert httpx.get(f"{server.url}/system").status_code == 200, "the other one answers"
        wait_until(lambda: len(workers(server)) == 2, PATIENCE)
    assert httpx.get(f"{server.url}/statistics").status_code == 200


def test_requests_on_the_other_worker_never_notice(server: OurServer) -> None:
    """Every connection lives in one worker: those that are not in the killed one go on."""
    clients = [httpx.Client(base_url=server.url, timeout=PATIENCE) for _ in range(8)]
    connected = {
        connection.raddr.port: process
        for client in clients
        if client.get("/system").status_code == 200
        for process in workers(server)
        for connection in psutil.Process(process).net_connections("tcp")
        if connection.raddr
    }
    victim = connected[min(connected)]
    os.kill(victim, signal.SIGKILL)
    failures = 0
    for client in clients:
        try:
            assert client.get("/system").status_code == 200
        except httpx.TransportError:
            failures += 1
        client.close()
    assert failures <= list(connected.values()).count(victim)
    wait_until(lambda: len(workers(server)) == 2, PATIENCE)


def test_without_the_supervisor_nothing_stays(tmp_path: Path) -> None:
    server = OurServer(tmp_path, {"HttpWorkers": 2})
    server.start()
    assert server.process is not None
    orphans = [psutil.Process(pid) for pid in workers(server)]
    assert len(orphans) == 2
    server.process.kill()
    server.process.wait()
    _, alive = psutil.wait_procs(orphans, timeout=STOP_SECONDS)
    assert alive == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/system")


def test_uploads_of_a_killed_worker_leave_nothing(server: OurServer) -> None:
    template = generated.small()
    url = f"{server.url}/instances"

    def upload(number: int) -> bool:
        try:
            body = bytes(template.number(3, 3, 3, number))
            return httpx.post(url, content=body, timeout=PATIENCE).status_code == 200
        except httpx.TransportError:
            return False

    with ThreadPoolExecutor(8) as pool:
        uploads = [pool.submit(upload, number) for number in range(200)]
        time.sleep(0.1)
        os.kill(workers(server)[0], signal.SIGKILL)
        acknowledged = sum(each.result() for each in uploads)
    wait_until(lambda: len(workers(server)) == 2, PATIENCE)
    incoming = server.folder / "storage" / "incoming"
    wait_until(lambda: not list(incoming.glob("*/*")), PATIENCE)
    count = httpx.get(f"{server.url}/statistics").json()["CountInstances"]
    files = [path for path in (server.folder / "storage").glob("??/??/*") if path.is_file()]
    assert acknowledged <= count == len(files)


def test_without_the_process_that_forks_them_workers_stay_and_are_replaced(
    server: OurServer,
) -> None:
    assert server.process is not None
    before = workers(server)
    (forks,) = (
        process
        for process in psutil.Process(server.process.pid).children()
        if process.name() == "orthanc-forks"
    )
    forks.kill()
    assert workers(server) == before
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(set(workers(server)) - set(before)) == 1, PATIENCE)
    assert before[1] in workers(server)
    for _ in range(4):
        assert httpx.get(f"{server.url}/statistics").status_code == 200
    server.process.terminate()
    assert server.process.wait(STOP_SECONDS) == 0


def test_workers_are_forks_that_have_their_own_signals_and_descriptors(server: OurServer) -> None:
    """The process between is gone, and nobody waits for a child that is not his."""
    assert server.process is not None
    supervisor = psutil.Process(server.process.pid)
    wait_until(lambda: len(supervisor.children()) == 1 + 2 + 2, PATIENCE)  # jobs come last
    wait_until(lambda: all(each.name() != "python" for each in supervisor.children()), PATIENCE)
    for process in supervisor.children(recursive=True):
        assert process.ppid() == supervisor.pid
        assert process.status() != psutil.STATUS_ZOMBIE
        masks = re.search(r"SigBlk:\t(\w+)", Path(f"/proc/{process.pid}/status").read_text())
        assert masks is not None
        assert (int(masks[1], 16) == 0) == (process.name() != "orthanc-forks")


def test_a_worker_that_is_stopped_while_it_starts_ends() -> None:
    """As one does whose supervisor dies then, and which nobody else would end."""
    code = """
import os, signal, socket
from orthanc_fast.granian_worker import serve

async def app(scope, receive, send):
    await receive()
    os.kill(os.getpid(), signal.SIGTERM)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

listener = socket.create_server(("127.0.0.1", 0))
serve(app, [listener.detach()], True, None, lambda: print("ready"), lambda: print("stopping"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["ready", "stopping"]
