"""Webhooks: what receivers get, over failures, restarts and deaths; and where nothing goes."""

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from support import generated
from support.ports import free_port
from support.process import children
from support.receiver import Delivery, Receiver
from support.server import OurServer

PATIENCE = 40
ROOT = Path(__file__).parents[2]
SECRET = "whsec_" + base64.b64encode(b"a key of this very test").decode()
NEW_STUDY = {"Events": ["NewStudy"], "AllowPrivateAddresses": True}


def server_with(folder: Path, *hooks: dict[str, Any], **options: Any) -> OurServer:
    return OurServer(folder, {"HttpWorkers": 2, "Webhooks": list(hooks), **options})


def ready(server: OurServer) -> None:
    """All workers are, hence also the position of the targets is kept."""
    wait_until(lambda: " serves " in server.log_path.read_text())
    wait_until(lambda: (server.folder / "storage" / "webhooks.lock").exists())
    time.sleep(0.5)  # the first position is written right after the lock is taken


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def upload(server: OurServer, *numbers: int) -> list[str]:
    """A study each; their identifiers."""
    return [
        httpx.post(
            f"{server.url}/instances", content=generated.small().number(number, number, 1, 1)
        ).json()["ParentStudy"]
        for number in numbers
    ]


def studies(deliveries: list[Delivery]) -> list[str]:
    return [delivery.event["data"]["ID"] for delivery in deliveries]


def test_stable_resources_are_told_signed(tmp_path: Path) -> None:
    """With the events of the default; the reader of Standard Webhooks believes the signature."""
    with Receiver() as receiver:
        hook = {
            "Url": f"{receiver.url}/told?by=me",
            "Secret": SECRET,
            "Headers": {"Authorization": "Bearer x"},
            "AllowPrivateAddresses": True,
        }
        with server_with(tmp_path, hook, StableAge=1) as server:
            ready(server)
            [study] = upload(server, 1)
            found = receiver.wait(3)
            changes = httpx.get(f"{server.url}/changes").json()["Changes"]
    assert [delivery.event["type"] for delivery in found] == [
        "StableSeries",
        "StableStudy",
        "StablePatient",
    ]
    assert found[1].event["data"]["ID"] == study
    assert found[1].event["data"] in changes
    assert len({delivery.headers["webhook-id"] for delivery in found}) == 3
    for delivery in found:
        assert delivery.path == "/told?by=me"
        assert delivery.headers["authorization"] == "Bearer x"
        assert delivery.headers["content-type"] == "application/json"
        assert standardwebhooks.Webhook(SECRET).verify(delivery.body, delivery.headers)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(SECRET).verify(delivery.body + b" ", delivery.headers)


def test_every_event_in_order_and_once(tmp_path: Path) -> None:
    """Uploads over both processes; one of them delivers."""
    with (
        Receiver() as receiver,
        server_with(tmp_path, {**NEW_STUDY, "Url": receiver.url}) as server,
    ):
        ready(server)
        stored = upload(server, *range(1, 31))
        found = receiver.wait(30)
        time.sleep(0.5)  # for one too many
        assert len(receiver.deliveries) == 30
    assert studies(found) == stored
    assert "webhook-signature" not in found[0].headers


def test_failures_are_tried_again(tmp_path: Path) -> None:
    """The same identifier, in order, and nothing after it overtakes."""
    failures = [500, 503, 302]

    def answer(delivery: Delivery) -> int:
        return failures.pop() if failures else 200

    with (
        Receiver(answer) as receiver,
        server_with(tmp_path, {**NEW_STUDY, "Url": receiver.url}) as server,
    ):
        ready(server)
        stored = upload(server, 1, 2)
        found = receiver.wait(5)
    assert studies(found) == [stored[0]] * 4 + [stored[1]]
    assert len({delivery.headers["webhook-id"] for delivery in found[:4]}) == 1
    stamps = [int(delivery.headers["webhook-timestamp"]) for delivery in found[:4]]
    assert stamps[3] - stamps[0] >= 5  # pauses of 1, 2, 4 seconds, each at most a tenth shorter


def test_gives_up(tmp_path: Path) -> None:
    """Of the one event that the target does not want."""

    def answer(delivery: Delivery) -> int:
        first = receiver.deliveries[0].headers["webhook-id"]
        return 500 if delivery.headers["webhook-id"] == first else 200

    with Receiver(answer) as receiver:
        hook = {**NEW_STUDY, "Url": receiver.url, "GiveUpAfter": 2.5}
        with server_with(tmp_path, hook) as server:
            ready(server)
            bad, good = upload(server, 1, 2)
            wait_until(lambda: good in studies(receiver.deliveries))
            assert "given up" in server.log_path.read_text()
    found = studies(receiver.deliveries)
    assert found[0] == bad
    assert found[-1] == good
    assert 2 <= found.count(bad) <= 3


def test_nothing_is_lost_at_a_restart(tmp_path: Path) -> None:
    """Nor at a sudden death of the process that delivers; the target is away meanwhile."""
    up = threading.Event()
    with Receiver(lambda delivery: 200 if up.is_set() else 500) as receiver:
        server = server_with(tmp_path, {**NEW_STUDY, "Url": receiver.url})
        with server:
            ready(server)
            stored = upload(server, 1, 2, 3)
            receiver.wait(1)
            assert server.process is not None
            for worker in children(server.process.pid):
                os.kill(worker, signal.SIGKILL)
            receiver.wait(len(receiver.deliveries) + 1)
        with server:
            ready(server)
            stored += upload(server, 4)
            up.set()
            wait_until(lambda: set(studies(receiver.deliveries)) == set(stored))
    accepted = [study for number, study in enumerate(studies(receiver.deliveries)) if number]
    assert sorted(set(accepted), key=accepted.index) == stored


def test_history_is_not_told_to_a_new_target(tmp_path: Path) -> None:
    """And nothing is told twice after an orderly restart."""
    server = OurServer(tmp_path)
    with server:
        upload(server, 1, 2)
    with Receiver() as receiver:
        server.configuration["Webhooks"] = [{**NEW_STUDY, "Url": receiver.url}]
        with server:
            ready(server)
            stored = upload(server, 3)
            assert studies(receiver.wait(1)) == stored
        with server:
            ready(server)
            stored += upload(server, 4)
            assert studies(receiver.wait(2)) == stored


def test_a_target_that_hangs_harms_nothing(tmp_path: Path) -> None:
    """Other targets get theirs, requests are answered, and the server stops in time."""
    over = threading.Event()

    def hang(delivery: Delivery) -> int:
        over.wait(60)
        return 200

    with Receiver(hang) as slow, Receiver() as quick:
        hooks = [
            {**NEW_STUDY, "Url": slow.url, "Timeout": 0.5},
            {**NEW_STUDY, "Url": quick.url},
        ]
        with server_with(tmp_path, *hooks) as server:
            ready(server)
            stored = upload(server, 1, 2, 3)
            assert studies(quick.wait(3)) == stored
            slow.wait(2)
            assert studies(slow.deliveries)[:2] == [stored[0]] * 2
            assert "no answer within 0.5 s" in server.log_path.read_text()
            assert server.stop() == 0
        over.set()


def test_redirections_are_not_followed(tmp_path: Path) -> None:
    with Receiver() as secret, Receiver(lambda delivery: 307) as receiver:
        receiver.location = secret.url
        with server_with(tmp_path, {**NEW_STUDY, "Url": receiver.url}) as server:
            ready(server)
            upload(server, 1)
            receiver.wait(2)
            assert secret.deliveries == []


def test_private_addresses_are_refused(tmp_path: Path) -> None:
    """However they are written: the address of the socket counts."""
    hosts = ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "0x7f.1"]
    with Receiver() as receiver:
        port = receiver.url.rpartition(":")[2]
        hooks = [{"Url": f"http://{host}:{port}/", "Events": ["NewStudy"]} for host in hosts]
        with server_with(tmp_path, *hooks) as server:
            ready(server)
            upload(server, 1)
            for host in hosts:
                wait_until(partial(is_logged, server, f"Webhook http://{host}:"))
            faults = [line for line in log(server).splitlines() if "Webhook http" in line]
        assert receiver.deliveries == []
    for line in faults:  # where there is no IPv6 there is another reason
        assert "is no public address" in line or "[::ffff:" in line


def log(server: OurServer) -> str:
    return server.log_path.read_text()


def is_logged(server: OurServer, text: str) -> bool:
    return text in log(server)


def test_the_receiver_of_the_manual(tmp_path: Path) -> None:
    """The program in docs/webhooks.md, as it stands there, says what it has been told."""
    text = (ROOT / "docs" / "webhooks.md").read_text()
    program = text.partition("```python\n")[2].partition("```")[0]
    port = free_port()
    command = [sys.executable, "-u", "-c", program, SECRET, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        try:
            assert receiver.stdout.readline() == f"waiting on port {port}\n"
            url = f"http://127.0.0.1:{port}/"
            hook = {**NEW_STUDY, "Url": url, "Secret": SECRET}
            forged = {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,eA=="}
            answer = httpx.post(url, json={"type": "NewStudy"}, headers=forged)
            assert answer.status_code == 401
            with server_with(tmp_path, hook) as server:
                ready(server)
                [study] = upload(server, 1)
                assert receiver.stdout.readline() == f"NewStudy /studies/{study}\n"
        finally:
            receiver.terminate()
