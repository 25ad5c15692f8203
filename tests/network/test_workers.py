"""SIGKILL of DICOM workers under load: what was acknowledged is there, the others go on."""

import contextlib
import os
import resource
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from pydicom.uid import generate_uid
from support.dicom_peer import CT, EXPLICIT, Peer, Rejected, fragments, p_data, pdv, store_rq
from support.ports import free_port
from support.process import workers
from support.server import OurServer
from support.small_disk import small_disk

ROUNDS = int(os.environ.get("KILL_ROUNDS", "8"))
SENDERS = 4


def instance(uid: str) -> bytes:
    def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        head = group.to_bytes(2, "little") + number.to_bytes(2, "little")
        return head + vr + len(value).to_bytes(2, "little") + value

    return (
        element(8, 0x16, b"UI", CT.encode())
        + element(8, 0x18, b"UI", uid.encode())
        + element(0x10, 0x20, b"LO", b"P")
        + element(0x20, 0x0D, b"UI", b"1.2.3")
        + element(0x20, 0x0E, b"UI", b"1.2.3.4")
        + b"\xe0\x7f\x10\0OB\0\0\x00\x40\0\0"
        + bytes(0x4000)
    )


class Sender(threading.Thread):
    """Stores one instance after the other; associates again when its worker dies."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.acknowledged: list[str] = []
        self.lost: list[float] = []  # when an association broke
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            try:
                client = Peer(self.port)
            except OSError:
                time.sleep(0.01)
                continue
            try:
                client.associate(contexts=((CT, (EXPLICIT,)),))
                while not self.stopping:
                    self._store(client)
                client.release()
            except (OSError, AssertionError):
                self.lost.append(time.monotonic())
            finally:
                client.close()

    def _store(self, client: Peer) -> None:
        uid = str(generate_uid())
        request = p_data(pdv(1, store_rq(CT, uid), is_command=True))
        client.send(request + p_data(pdv(1, instance(uid))))
        assert client.status() == 0
        self.acknowledged.append(uid)


def dicom_workers(server: OurServer) -> list[int]:
    """The workers of the DICOM port."""
    assert server.process is not None
    return workers(server.process.pid, "dicom")


@pytest.fixture
def server(tmp_path: Path) -> OurServer:
    configuration = {"DicomServerEnabled": True, "DicomPort": free_port(), "DicomWorkers": 2}
    return OurServer(tmp_path, configuration)


def test_a_disk_that_takes_no_more_is_0xa700_and_leaves_nothing(tmp_path: Path) -> None:
    port = free_port()
    configuration = {"DicomServerEnabled": True, "DicomPort": port, "DicomWorkers": 1}
    content = instance("1.2.9.1") + b"\xfc\xff\xfc\xffOB\0\0\x00\x00\x30\0" + bytes(0x300000)
    request = p_data(pdv(1, store_rq(CT, "1.2.9.1"), is_command=True))
    request += fragments(1, content, 100_000)
    with OurServer(tmp_path, {**configuration, "MaximumUploadMemoryMB": 1}) as server:
        (worker,) = dicom_workers(server)
        client = Peer(port)
        client.associate(contexts=((CT, (EXPLICIT,)),))
        limits = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
        for _ in range(3):
            client.send(request)
            assert client.status() == 0xA700
        assert [p for p in (tmp_path / "storage").glob("incoming/*/*") if p.is_file()] == []
        assert httpx.get(f"{server.url}/instances").json() == []
        resource.prlimit(worker, resource.RLIMIT_FSIZE, limits)
        client.send(request)
        assert client.status() == 0
        client.release()
        (public,) = httpx.get(f"{server.url}/instances").json()
        stored = httpx.get(f"{server.url}/instances/{public}/file").content
        assert stored.endswith(content)


def store(client: Peer, uid: str, data: bytes) -> int:
    """The status of a C-STORE."""
    client.send(p_data(pdv(1, store_rq(CT, uid), is_command=True)) + fragments(1, data, 100_000))
    return client.status()


def test_a_full_disk_is_0xa700_and_the_server_goes_on(tmp_path: Path) -> None:
    port = free_port()
    with small_disk(tmp_path / "small", 4) as storage:
        options = {
            "DicomServerEnabled": True,
            "DicomPort": port,
            "StorageDirectory": str(storage),
            "IndexDirectory": str(tmp_path / "index"),
        }
        with OurServer(tmp_path / "server", options) as server:
            client = Peer(port)
            client.associate(contexts=((CT, (EXPLICIT,)),))
            stored = 0
            padding = b"\xfc\xff\xfc\xffOB\0\0\x00\x00\x07\0" + bytes(0x70000)
            while True:
                uid = f"1.2.9.{stored}"
                status = store(client, uid, instance(uid) + padding)
                if status:
                    break
                stored += 1
                assert stored < 20
            assert status == 0xA700
            assert stored > 4
            found = httpx.get(f"{server.url}/instances").json()
            assert len(found) == stored
            files = [path for path in storage.glob("*/*/*") if path.is_file()]
            assert len(files) == stored, "nothing of the refused one is left"
            assert httpx.delete(f"{server.url}/instances/{found[0]}").status_code == 200
            assert store(client, "1.2.9.99", instance("1.2.9.99") + padding) == 0
            client.release()


def dicom_figures(server: OurServer) -> dict[str, float]:
    text = httpx.get(f"{server.url}/tools/metrics-prometheus").text
    lines = [line.split(" ") for line in text.splitlines()]
    prefix = "orthanc_dicom_"
    return {
        name.removeprefix(prefix): float(value)
        for name, value, _ in lines
        if name.startswith(prefix)
    }


def test_associations_are_counted_over_all_workers(tmp_path: Path) -> None:
    port = free_port()
    options = {"DicomServerEnabled": True, "DicomPort": port, "DicomCheckCalledAet": True}
    with OurServer(tmp_path, options) as server:
        clients = [Peer(port) for _ in range(4)]
        for client in clients:
            client.associate(contexts=((CT, (EXPLICIT,)),))
        for number, client in enumerate(clients):
            data = instance(f"1.2.9.{number}")
            assert store(client, f"1.2.9.{number}", data) == 0
            assert store(client, "1.2.8", data) != 0  # not what the command announced
        expected = {
            "active_associations": 4,
            'associations_total{result="accepted"}': 4,
            'stores_total{result="stored"}': 4,
            'stores_total{result="refused"}': 4,
            "stored_bytes_total": int(
                httpx.get(f"{server.url}/statistics").json()["TotalDiskSize"]
            ),
        }
        found = dicom_figures(server)
        assert {name: found[name] for name in expected} == expected
        with contextlib.closing(Peer(port)) as stranger, pytest.raises(Rejected):
            stranger.associate(called="NOBODY")
        clients.pop().release()
        clients.pop().close()
        deadline = time.monotonic() + 20
        while dicom_figures(server)["active_associations"] > 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        found = dicom_figures(server)
        assert found["active_associations"] == 2
        assert found['associations_total{result="rejected"}'] == 1
        for client in clients:
            client.release()


def admitted(port: int) -> Peer | None:
    """An association, or None where the server says that there are too many."""
    client = Peer(port)
    try:
        client.associate(contexts=((CT, (EXPLICIT,)),))
    except Rejected as error:
        assert error.args == (2, 3, 2)
        client.close()
        return None
    return client


def serves(client: Peer) -> bool:
    """Whether its worker lives."""
    try:
        return store(client, "1.2.9.1", instance("1.2.9.1")) == 0
    except (OSError, AssertionError):
        return False


def test_the_limit_of_associations_holds_for_all_workers_together(tmp_path: Path) -> None:
    """What a killed worker served counts no more, even before it is replaced."""
    limit, port = 12, free_port()
    options = {"DicomServerEnabled": True, "DicomPort": port, "DicomWorkers": 2}
    with OurServer(tmp_path, {**options, "DicomMaximumAssociations": limit}) as server:
        clients = [admitted(port) for _ in range(limit)]
        assert None not in clients
        assert [admitted(port) for _ in range(6)] == [None] * 6

        victim, _ = dicom_workers(server)
        os.kill(victim, signal.SIGKILL)
        kept = [each for each in clients if each is not None and serves(each)]
        lost = [each for each in clients if each is not None and each not in kept]
        replaced = [admitted(port) for _ in range(len(lost))]
        assert None not in replaced
        assert admitted(port) is None

        for client in (*kept, *replaced):
            assert client is not None
            client.release()
        deadline = time.monotonic() + 20
        while dicom_figures(server)["active_associations"] and time.monotonic() < deadline:
            time.sleep(0.05)
        again = [admitted(port) for _ in range(limit)]
        assert None not in again
        for client in (*lost, *again):
            assert client is not None
            client.close()


def test_sigkill_of_one_worker_under_load(server: OurServer) -> None:
    with server:
        port = int(server.configuration["DicomPort"])
        senders = [Sender(port) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        try:
            for number in range(ROUNDS):
                time.sleep(0.3)
                before = dicom_workers(server)
                assert len(before) == 2
                # Each twice: when a worker is replaced all senders have gone to the other one.
                victim = before[number // 2 % 2]
                os.kill(victim, signal.SIGKILL)
                killed = time.monotonic()
                while len(set(dicom_workers(server)) - {victim}) < 2:
                    assert time.monotonic() - killed < 30, "no successor"
                    time.sleep(0.01)
        finally:
            for sender in senders:
                sender.stopping = True
            for sender in senders:
                sender.join(20)
        acknowledged = [uid for sender in senders for uid in sender.acknowledged]
        assert len(acknowledged) > 20
        # each kill breaks the associations of its worker only
        assert sum(len(sender.lost) for sender in senders) < SENDERS * ROUNDS
        found = httpx.get(f"{server.url}/instances?expand", timeout=60).json()
        stored = {each["MainDicomTags"]["SOPInstanceUID"] for each in found}
        assert stored >= set(acknowledged)
        for each in found[:50]:
            assert httpx.get(f"{server.url}/instances/{each['ID']}/file").status_code == 200
    incoming = list((server.folder / "storage" / "incoming").glob("*/*"))
    assert incoming == []
