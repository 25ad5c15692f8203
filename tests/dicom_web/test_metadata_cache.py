"""Metadata that are kept: when they are written, when they are out of date, and what else their
answers promise. Source: reference chapter 5, section 4.4."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.encoded import file_of
from support.generated import ROOT, small
from support.server import OurServer

STUDY = "1.2.826.0.1.3680043.10.1042.88.1"
SERIES = "1.2.826.0.1.3680043.10.1042.88.2"
METADATA = f"/dicom-web/studies/{STUDY}/series/{SERIES}/metadata"


def instance(number: int, **more: str) -> bytes:
    texts = {
        0x00080018: ("UI", f"{SERIES}.{number}"),
        0x0020000D: ("UI", STUDY),
        0x0020000E: ("UI", SERIES),
        0x00100020: ("LO", "CACHE"),
        0x00200013: ("IS", str(number)),
        0x00081030: ("LO", more.get("description", "first")),
    }
    elements = [(tag, vr, text.encode()) for tag, (vr, text) in texts.items()]
    return file_of(*elements, (0x7FE00010, "OW", bytes(64)))


def store(client: httpx.Client, *files: bytes) -> list[dict[str, Any]]:
    answers = [client.post("/instances", content=data) for data in files]
    assert all(answer.status_code == 200 for answer in answers)
    return [answer.json() for answer in answers]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[httpx.Client]:
    options = {"OverwriteInstances": True, "StableAge": 3600}
    with OurServer(tmp_path, options) as ours, httpx.Client(base_url=ours.url) as client:
        yield client


def kept(client: httpx.Client) -> dict[str, Any] | None:
    """The attachment of the only series, as the index describes it."""
    (series,) = client.get("/series").json()
    if "4301" not in client.get(f"/series/{series}/attachments").json():
        return None
    found: dict[str, Any] = client.get(f"/series/{series}/attachments/4301/info").json()
    return found


def soon(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def numbers(client: httpx.Client) -> list[int]:
    found = client.get(METADATA).json()
    return [each["00200013"]["Value"][0] for each in found]


def test_written_on_first_use_and_sent_again(server: httpx.Client) -> None:
    store(server, *(instance(number) for number in (1, 2, 3)))
    assert kept(server) is None
    first = server.get(METADATA)
    soon(lambda: kept(server))
    before = kept(server)
    again = server.get(METADATA)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    study = server.get(f"/dicom-web/studies/{STUDY}/metadata")
    assert study.content == first.content
    assert kept(server) == before


def test_files_are_not_read_again(server: httpx.Client, tmp_path: Path) -> None:
    store(server, instance(1), instance(2))
    first = server.get(METADATA).content
    soon(lambda: kept(server))
    for found in server.get("/instances").json():
        uuid = server.get(f"/instances/{found}/attachments/dicom/info").json()["Uuid"]
        (file,) = tmp_path.rglob(uuid)
        file.unlink()
    assert server.get(METADATA).content == first


def test_addresses_are_those_of_each_client(server: httpx.Client) -> None:
    store(server, instance(1))
    addresses = []
    for host in ("one.example.org", "two.example.org:8443"):
        headers = {"X-Forwarded-Host": host, "X-Forwarded-Proto": "https"}
        found = server.get(METADATA, headers=headers).json()[0]["7FE00010"]["BulkDataURI"]
        place = f"studies/{STUDY}/series/{SERIES}/instances/{SERIES}.1/bulk/7fe00010"
        assert found == f"https://{host}/dicom-web/{place}"
        soon(lambda: kept(server))
        addresses.append(server.get(METADATA, headers=headers).headers["etag"])
    assert addresses[0] != addresses[1]


def test_new_instances(server: httpx.Client) -> None:
    store(server, instance(2), instance(3))
    assert numbers(server) == [2, 3]
    soon(lambda: kept(server))
    store(server, instance(1))
    assert numbers(server) == [1, 2, 3]


def test_deletion_and_return(server: httpx.Client) -> None:
    made = store(server, instance(1), instance(2))
    assert numbers(server) == [1, 2]
    soon(lambda: kept(server))
    server.delete(f"/instances/{made[0]['ID']}")
    assert numbers(server) == [2]
    store(server, instance(1, description="other"))
    found = server.get(METADATA).json()
    assert found[0]["00081030"]["Value"] == ["other"]


def test_overwriting(server: httpx.Client) -> None:
    store(server, instance(1), instance(2))
    etag = server.get(METADATA).headers["etag"]
    soon(lambda: kept(server))
    old = kept(server)
    store(server, instance(2, description="second"))
    found = server.get(METADATA)
    assert [each["00081030"]["Value"] for each in found.json()] == [["first"], ["second"]]
    assert found.headers["etag"] != etag
    soon(lambda: kept(server) != old)
    assert server.get(METADATA).content == found.content


def test_what_others_attach_is_not_sent(server: httpx.Client) -> None:
    store(server, instance(1))
    (series,) = server.get("/series").json()
    answer = server.put(f"/series/{series}/attachments/4301", content=b"2;abc;nonsense")
    assert answer.status_code == 200
    assert numbers(server) == [1]


def test_overwriting_while_it_is_read(server: httpx.Client) -> None:
    """Each answer is one that was true at some time, and the last one is up to date."""
    store(server, *(instance(number) for number in range(1, 31)))
    stop = threading.Event()
    wrong: list[str] = []

    def read() -> None:
        with httpx.Client(base_url=server.base_url, timeout=60) as client:
            while not stop.is_set():
                found = client.get(METADATA).json()
                got = [each["00200013"]["Value"][0] for each in found]
                if got != sorted(set(got)) or not 29 <= len(got) <= 30:
                    wrong.append(str(got))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 31):
        store(server, instance(number, description="second"))
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    found = server.get(METADATA).json()
    assert [each["00081030"]["Value"] for each in found] == [["second"]] * 30


def test_conditional_requests(server: httpx.Client) -> None:
    store(server, instance(1))
    first = server.get(METADATA)
    assert first.headers["cache-control"] == "private, no-cache"
    etag = first.headers["etag"]
    for header in (etag, f'"other", {etag}', "*", etag.removeprefix("W/")):
        again = server.get(METADATA, headers={"If-None-Match": header})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    store(server, instance(2))
    assert server.get(METADATA, headers={"If-None-Match": etag}).status_code == 200


def test_head(server: httpx.Client) -> None:
    store(server, instance(1))
    answer = server.head(METADATA)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/dicom+json"


# Other configurations


def with_options(folder: Path, **options: Any) -> OurServer:
    return OurServer(folder, {"StableAge": 3600, **options})


def test_stable_series(tmp_path: Path) -> None:
    with with_options(tmp_path, StableAge=1) as ours, httpx.Client(base_url=ours.url) as client:
        store(client, instance(1), instance(2))
        soon(lambda: kept(client))
        assert numbers(client) == [1, 2]


def test_route(tmp_path: Path) -> None:
    with with_options(tmp_path) as ours, httpx.Client(base_url=ours.url) as client:
        study = store(client, instance(1))[0]["ParentStudy"]
        route = f"/studies/{study}/update-dicomweb-cache"
        answer = client.post(route)
        assert (answer.status_code, answer.json()) == (200, {})
        assert kept(client) is not None
        assert client.post("/studies/x/update-dicomweb-cache").json() == {}
        assert client.get(route).status_code == 405


def test_without_cache(tmp_path: Path) -> None:
    options = {"DicomWeb": {"EnableMetadataCache": False}, "StableAge": 1}
    with with_options(tmp_path, **options) as ours, httpx.Client(base_url=ours.url) as client:
        study = store(client, instance(1))[0]["ParentStudy"]
        assert numbers(client) == [1]
        answer = client.post(f"/studies/{study}/update-dicomweb-cache")
        assert answer.status_code == 400
        (series,) = client.get("/series").json()
        soon(lambda: client.get(f"/series/{series}").json()["IsStable"])
        time.sleep(1)
        assert kept(client) is None


def test_read_only(tmp_path: Path) -> None:
    with with_options(tmp_path) as ours, httpx.Client(base_url=ours.url) as client:
        study = store(client, instance(1))[0]["ParentStudy"]
    with with_options(tmp_path, ReadOnly=True) as ours, httpx.Client(base_url=ours.url) as client:
        assert numbers(client) == [1]
        assert client.post(f"/studies/{study}/update-dicomweb-cache").status_code == 404
        time.sleep(0.5)
        assert kept(client) is None


def test_another_mode_of_binary_values(tmp_path: Path) -> None:
    """The plugin goes on sending what it has kept."""
    data = file_of((0x00281201, "OW", b"\1\0\2\0"))
    paths = []
    for mode in ("BulkDataURI", "ArrayOfValues"):
        options = {"DicomWeb": {"OtherBinaryMode": mode}}
        with with_options(tmp_path, **options) as ours, httpx.Client(base_url=ours.url) as client:
            store(client, data)
            row = client.get("/instances?expand").json()[0]
            study = client.get(f"/series/{row['ParentSeries']}").json()["ParentStudy"]
            client.post(f"/studies/{study}/update-dicomweb-cache")
            uid = client.get(f"/studies/{study}").json()["MainDicomTags"]["StudyInstanceUID"]
            found = client.get(f"/dicom-web/studies/{uid}/metadata").json()[0]["00281201"]
            paths.append(found)
    assert "BulkDataURI" in paths[0]
    assert paths[1] == {"Value": [1, 2], "vr": "OW"}


def test_compressed_storage(tmp_path: Path) -> None:
    options = {"StorageCompression": True}
    with with_options(tmp_path, **options) as ours, httpx.Client(base_url=ours.url) as client:
        store(client, *(instance(number) for number in range(1, 40)))
        first = client.get(METADATA).content
        soon(lambda: kept(client))
        info = kept(client)
        assert info is not None
        assert info["CompressedSize"] < info["UncompressedSize"] / 4
        assert client.get(METADATA).content == first


def test_compressed_answers(tmp_path: Path) -> None:
    options = {"HttpCompressionEnabled": True}
    with with_options(tmp_path, **options) as ours, httpx.Client(base_url=ours.url) as client:
        store(client, *(instance(number) for number in range(1, 20)))
        plain = client.get(METADATA, headers={"accept-encoding": "identity"})
        packed = client.get(METADATA, headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == plain.content


def test_first_byte_and_memory_of_many_slices(tmp_path: Path) -> None:
    """Streamed: the first objects come long before the last ones are made."""
    count = 300
    with with_options(tmp_path) as ours, httpx.Client(base_url=ours.url, timeout=60) as client:
        template = small()
        for number in range(count):
            store(client, template.number(1, 1, 1, number))
        study = f"{ROOT}.4000000001"
        path = f"/dicom-web/studies/{study}/series/{study}.5000000001/metadata"
        with client.stream("GET", path) as answer:
            chunks = list(answer.iter_raw())
        assert "content-length" not in answer.headers
        assert len(chunks) > 5
        assert len(client.get(path).json()) == count
