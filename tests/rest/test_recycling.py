"""Limits of the store, recycling and protection: against Orthanc 1.13, and under load from all
doors. Source: reference chapter 1, section 8.3."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.dicom_peer import CT, EXPLICIT, fragments, p_data, pdv, peer, store_rq
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

from orthanc_fast.services.store.opening import INDEX_FOLDER

SMALL = generated.small()
MB = 1 << 20
PER_MB = MB // len(SMALL.data)


def patient_id(number: int) -> str:
    return generated.identifier(f"PATIENT{number:010d}")


def store(client: httpx.Client, patient: int, instance: int = 0) -> httpx.Response:
    return client.post("/instances", content=SMALL.number(patient, patient, patient, instance))


def survivors(client: httpx.Client, patients: range) -> list[int]:
    present = set(client.get("/patients").json())
    return [number for number in patients if patient_id(number) in present]


@contextmanager
def ours(folder: Path, **options: Any) -> Iterator[httpx.Client]:
    with (
        OurServer(folder, options) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield client


@contextmanager
def both(folder: Path, **options: Any) -> Iterator[list[httpx.Client]]:
    with ExitStack() as stack:
        stack.enter_context(their := ReferenceServer(folder / "theirs", options))
        yield [
            stack.enter_context(ours(folder / "ours", **options)),
            stack.enter_context(httpx.Client(base_url=their.url, timeout=60)),
        ]


def test_patients_go_in_the_order_of_their_last_instance(
    needs_reference: None, tmp_path: Path
) -> None:
    with both(tmp_path, MaximumPatientCount=3) as clients:
        seen = []
        for client in clients:
            states = []
            for number in range(3):
                store(client, number)
            store(client, 0, 1)  # patient 1 is the oldest one now
            store(client, 3)
            states.append(survivors(client, range(9)))
            client.put(f"/patients/{patient_id(2)}/protected", content="1")
            store(client, 4)
            states.append(survivors(client, range(9)))
            client.put(f"/patients/{patient_id(2)}/protected", content="false")  # the last one
            store(client, 5)
            store(client, 6)
            states.append(survivors(client, range(9)))
            for number in survivors(client, range(9)):
                client.put(f"/patients/{patient_id(number)}/protected", content="1")
            assert store(client, 7).json()["OrthancStatus"] == 19
            assert store(client, 2, 9).json()["Status"] == "Success"  # of one that is there
            states.append(survivors(client, range(9)))
            seen.append(states)
        assert seen[0] == seen[1] == [[0, 2, 3], [2, 3, 4], [2, 5, 6], [2, 5, 6]]


def test_the_size_is_kept(needs_reference: None, tmp_path: Path) -> None:
    with both(tmp_path, MaximumStorageSize=1) as clients:
        left = []
        for client in clients:
            for number in range(PER_MB + 5):
                assert store(client, number // 2, number).status_code == 200
                assert int(client.get("/statistics").json()["TotalDiskSize"]) <= MB
            left.append(survivors(client, range(PER_MB)))
        assert left[0] == left[1]
        assert left[0][0] == 3  # five instances in excess: three patients of two


def test_what_can_never_fit_is_refused_at_once(tmp_path: Path) -> None:
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(64), frames=200)
    large = generated.encode(dataset).number(0, 0, 0, 0)
    assert len(large) > MB
    with ours(tmp_path, MaximumStorageSize=1) as client:
        store(client, 1)
        answer = client.post("/instances", content=large)
        assert answer.status_code == 507
        assert answer.json()["OrthancStatus"] == 19
        assert "Details" not in answer.json()
        assert survivors(client, range(3)) == [1]
        assert len(files(tmp_path)) == 1


def test_the_patient_who_is_stored_is_not_recycled(tmp_path: Path) -> None:
    with ours(tmp_path, MaximumStorageSize=1) as client:
        for number in range(PER_MB):
            assert store(client, 1, number).status_code == 200
        assert store(client, 1, PER_MB).status_code == 507
        assert store(client, 2).status_code == 200
        assert survivors(client, range(4)) == [2]


def test_reject(tmp_path: Path) -> None:
    """1.13 only."""
    options = {"MaximumStorageSize": 1, "MaximumPatientCount": 2, "MaximumStorageMode": "Reject"}
    with ours(tmp_path, **options) as client:
        assert [store(client, number).status_code for number in range(3)] == [200, 200, 507]
        for number in range(PER_MB - 2):
            assert store(client, number % 2, number + 1).status_code == 200
        refused = store(client, 0, PER_MB)
        assert (refused.status_code, refused.json()["OrthancStatus"]) == (507, 19)
        assert store(client, 0).json()["Status"] == "AlreadyStored"
        assert survivors(client, range(4)) == [0, 1]
        client.delete(f"/patients/{patient_id(0)}")
        assert store(client, 2).status_code == 200
        assert len(files(tmp_path)) == client.get("/statistics").json()["CountInstances"]


def test_overwriting_in_a_full_store(tmp_path: Path) -> None:
    """Room for the old bytes is room for the new ones."""
    options = {"MaximumStorageSize": 1, "OverwriteInstances": "Always"}
    with ours(tmp_path, **options) as client:
        for number in range(PER_MB):
            store(client, number, number)
        assert store(client, 5, 5).json()["Status"] == "Success"
        assert survivors(client, range(PER_MB + 1)) == list(range(PER_MB))


def test_lower_limits_take_effect_at_the_start(tmp_path: Path) -> None:
    with ours(tmp_path) as client:
        for number in range(40):
            store(client, number)
        client.put(f"/patients/{patient_id(0)}/protected", content="true")
    with ours(tmp_path, MaximumPatientCount=5, MaximumStorageMode="nonsense") as client:
        assert survivors(client, range(40)) == [0, 36, 37, 38, 39]
        assert len(files(tmp_path)) == 5
    assert "nonsense" in (tmp_path / "log").read_text()
    with ours(tmp_path, MaximumPatientCount=2, MaximumStorageMode="Reject") as client:
        assert survivors(client, range(40)) == [0, 36, 37, 38, 39]
        assert store(client, 39, 7).status_code == 200
        assert store(client, 41).status_code == 507


def test_protected_over_rest(needs_reference: None, tmp_path: Path) -> None:
    calls = [
        ("GET", "", b""),
        ("PUT", "", b"1"),
        ("GET", "", b""),
        ("PUT", "", b" true \n"),
        ("PUT", "", b"yes"),
        ("PUT", "", b""),
        ("PUT", "", b"False"),
        ("GET", "", b""),
        ("PUT", "", b"0"),
        ("GET", "", b""),
        ("POST", "", b"1"),
        ("DELETE", "", b""),
        ("GET", "nope", b""),
        ("PUT", "nope", b"1"),
        ("PUT", "nope", b"nope"),
    ]
    with both(tmp_path) as clients:
        for client in clients:
            store(client, 1)
        for method, name, body in calls:
            path = f"/patients/{name or patient_id(1)}/protected"
            left, right = (client.request(method, path, content=body) for client in clients)
            where = f"{method} {path} {body!r}"
            assert left.status_code == right.status_code, where
            if right.status_code == 200:
                assert left.text == right.text, where
            elif right.content:
                assert left.json()["OrthancStatus"] == right.json()["OrthancStatus"], where
        clients[0].put(f"/patients/{patient_id(1)}/protected", content="1")
        assert clients[0].get(f"/patients/{patient_id(1)}").json()["IsProtected"] is True
        assert clients[0].get("/changes").json()["Last"] == 4


def test_protected_in_a_read_only_server(tmp_path: Path) -> None:
    with ours(tmp_path) as client:
        store(client, 1)
    with ours(tmp_path, ReadOnly=True, MaximumPatientCount=1) as client:
        path = f"/patients/{patient_id(1)}/protected"
        assert client.put(path, content="1").status_code == 405
        assert client.get(path).text == "0"


def files(folder: Path) -> set[str]:
    """The files of the storage area, those on their way included."""
    storage = folder / "storage"
    return {
        path.name
        for path in storage.rglob("*")
        if path.is_file() and INDEX_FOLDER not in path.parts
    }


UPLOADERS, SENDERS, UPLOADS = 6, 2, 60


@pytest.mark.parametrize("mode", ["Recycle", "Reject"])
def test_under_load_from_all_doors(tmp_path: Path, mode: str) -> None:
    """Two HTTP and two DICOM processes: the limits hold at every moment, the protected patient
    stays, and each file on the disk belongs to an instance."""
    dicom_port = free_port()
    options = {
        "MaximumStorageSize": 1,
        "MaximumPatientCount": 30,
        "MaximumStorageMode": mode,
        "HttpWorkers": 2,
        "DicomWorkers": 2,
        "DicomServerEnabled": True,
        "DicomPort": dicom_port,
    }
    with ours(tmp_path, **options) as client:
        for number in range(5):
            store(client, 0, number)
        client.put(f"/patients/{patient_id(0)}/protected", content="1")
        kept = set(client.get("/instances").json())
        url = client.base_url

        def upload(worker: int) -> list[str]:
            faults = []
            chance = random.Random(worker)
            with httpx.Client(base_url=url, timeout=60) as own:
                for number in range(UPLOADS):
                    patient = 1 + chance.randrange(100)
                    answer = store(own, patient, worker * 1000 + number)
                    if answer.status_code not in (200, 507):
                        faults.append(answer.text)
                    if number % 10 == 0:
                        own.put(f"/patients/{patient_id(patient)}/protected", content="0")
            return faults

        def send(worker: int) -> list[int]:
            statuses = []
            with peer(dicom_port, 60) as connection:
                connection.associate(contexts=((CT, (EXPLICIT,)),))
                for number in range(UPLOADS):
                    uid, data = data_set(1 + (worker * 41 + number * 7) % 100, number)
                    connection.send(p_data(pdv(1, store_rq(CT, uid, number + 1), is_command=True)))
                    connection.send(fragments(1, data, 16000))
                    statuses.append(connection.status())
            return statuses

        def watch() -> list[str]:
            faults = []
            with httpx.Client(base_url=url, timeout=60) as own:
                while not finished:
                    totals = own.get("/statistics").json()
                    if int(totals["TotalDiskSize"]) > MB or totals["CountPatients"] > 30:
                        faults.append(str(totals))
                    if not kept <= set(own.get("/instances").json()):
                        faults.append("the protected patient has lost instances")
            return faults

        finished = False
        with ThreadPoolExecutor(UPLOADERS + SENDERS + 1) as pool:
            watcher = pool.submit(watch)
            uploads = [pool.submit(upload, worker) for worker in range(UPLOADERS)]
            sends = [pool.submit(send, 100 + worker) for worker in range(SENDERS)]
            try:
                faults = [fault for each in uploads for fault in each.result()]
                statuses = {status for each in sends for status in each.result()}
            finally:
                finished = True
            assert watcher.result() == []
        assert faults == []
        assert statuses <= ({0} if mode == "Recycle" else {0, 0xA700})
        expanded = client.get("/instances?expand").json()
        assert kept <= {instance["ID"] for instance in expanded}
        assert len(expanded) > len(kept)
        owned = {instance["FileUuid"] for instance in expanded}
        assert files(tmp_path) == owned
        total = client.get("/statistics").json()["TotalDiskSize"]
        assert int(total) == sum(instance["FileSize"] for instance in expanded)
        if mode == "Reject":
            assert 0xA700 in statuses


def data_set(patient: int, number: int) -> tuple[str, bytes]:
    """SOPInstanceUID and data set of a small CT slice, without its meta header."""
    file = SMALL.number(patient, patient, patient, 500 + patient * 1000 + number)
    length = int.from_bytes(file[140:144], "little")
    digits = f"6{500 + patient * 1000 + number:09d}"
    uid = f"{generated.ROOT}.4{patient:09d}.5{patient:09d}.{digits}"
    return uid, file[144 + length :]
