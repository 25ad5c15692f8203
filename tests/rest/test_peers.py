"""/peers between real servers: ours and Orthanc 1.13 in both directions, and ours among themselves.
Reference chapter 4, section 8."""

import gzip
import itertools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from support import generated
from support.http_peer import HttpPeer, answer
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer

RLE = "1.2.840.10008.1.2.5"
IMPLICIT = "1.2.840.10008.1.2"
INSTANCES = 3

_numbers = itertools.count(1)


class Servers(NamedTuple):
    ours: httpx.Client
    other: httpx.Client  # another one of ours
    theirs: httpx.Client


@pytest.fixture(scope="module")
def servers(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Each knows the two others as peers; the first two log what they send."""
    folder = tmp_path_factory.mktemp("peers")
    options: dict[str, Any] = {"LogExportedResources": True, "HttpTimeout": 20}
    few = {"ConcurrentJobs": 1, "HttpWorkers": 1, "MaximumUploadMemoryMB": 4}
    ours = OurServer(folder / "ours", {**options, **few})
    other = OurServer(folder / "other", {"ConcurrentJobs": 1, "HttpWorkers": 1})
    theirs = ReferenceServer(folder / "theirs", options)
    with (
        ours,
        other,
        theirs,
        httpx.Client(base_url=ours.url, timeout=60) as first,
        httpx.Client(base_url=other.url, timeout=60) as second,
        httpx.Client(base_url=theirs.url, timeout=60) as third,
    ):
        found = Servers(first, second, third)
        for client in found:
            for name, peer in zip(found._fields, found, strict=True):
                client.put(f"/peers/{name}", json=[str(peer.base_url)]).raise_for_status()
        yield found


Way = tuple[str, str]
WAYS = [("ours", "theirs"), ("theirs", "ours"), ("ours", "other")]


class Sent(NamedTuple):
    """A study of one series at the sender."""

    sender: httpx.Client
    receiver: httpx.Client
    peer: str  # the receiver by its name at the sender
    study: str
    series: str
    instances: list[str]


def uploaded(servers: Servers, way: Way, count: int = INSTANCES) -> Sent:
    sender, receiver = (getattr(servers, name) for name in way)
    number, template = next(_numbers), generated.small()
    answers = [
        sender.post("/instances", content=template.number(number, number, 1, each + 1)).json()
        for each in range(count)
    ]
    first = answers[0]
    identifiers = [each["ID"] for each in answers]
    return Sent(sender, receiver, way[1], first["ParentStudy"], first["ParentSeries"], identifiers)


def store(sent: Sent, body: Any) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return sent.sender.post(f"/peers/{sent.peer}/store", content=content)


def file_of(client: httpx.Client, instance: str) -> bytes:
    return client.get(f"/instances/{instance}/file").raise_for_status().content


def syntax_of(client: httpx.Client, instance: str) -> str:
    return client.get(f"/instances/{instance}/metadata/TransferSyntax").text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", ["bare", "text", "list", "object", "series"])
def test_bodies(servers: Servers, way: Way, shape: str) -> None:
    sent = uploaded(servers, way)
    instance = sent.instances[0]
    bodies: dict[str, Any] = {
        "bare": sent.study,
        "text": json.dumps(sent.study),
        "list": sent.instances,
        "object": {"Resources": [sent.study]},
        "series": [sent.series],
    }
    content = store(sent, bodies[shape]).raise_for_status().json()
    assert content["InstancesCount"] == INSTANCES
    assert content["FailedInstancesCount"] == 0
    assert content["Size"] == str(INSTANCES * len(file_of(sent.sender, instance)))
    for each in sent.instances:
        assert file_of(sent.receiver, each) == file_of(sent.sender, each)


def comparable(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a job without what depends on the peer and the packing."""
    return {**content, "Peer": len(content["Peer"]), "Size": bool(int(content["Size"]))}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"Compress": True},
        {"Transcode": IMPLICIT},
        {"Transcode": IMPLICIT, "Compress": True, "Permissive": True, "Priority": 3},
    ],
)
def test_the_content_of_the_job(servers: Servers, options: dict[str, Any]) -> None:
    """Of both servers, which send to the same third one."""
    sent = uploaded(servers, ("ours", "other"))
    theirs = Sent(servers.theirs, *sent[1:])
    for each in sent.instances:
        theirs.sender.post("/instances", content=file_of(sent.sender, each)).raise_for_status()
    body = {"Resources": [sent.study, sent.instances[1]], **options}
    found = [store(each, body).raise_for_status().json() for each in (sent, theirs)]
    assert comparable(found[0]) == comparable(found[1])
    jobs = [each.sender.get("/jobs?expand").json() for each in (sent, theirs)]
    last = [max(each, key=lambda job: str(job["CreationTime"])) for each in jobs]
    for name in ("Type", "State", "Progress", "Priority", "ErrorCode", "ErrorDetails"):
        assert last[0][name] == last[1][name]
    assert last[0]["Type"] == "OrthancPeerStore"


@pytest.mark.parametrize("way", WAYS)
def test_transcoding(servers: Servers, way: Way) -> None:
    sent = uploaded(servers, way)
    store(sent, {"Resources": sent.instances, "Transcode": IMPLICIT}).raise_for_status()
    assert {syntax_of(sent.receiver, each) for each in sent.instances} == {IMPLICIT}
    assert IMPLICIT not in {syntax_of(sent.sender, each) for each in sent.instances}


def test_what_cannot_be_transcoded_is_sent_as_it_is(servers: Servers) -> None:
    dataset = generated.base()
    dataset.PhotometricInterpretation, dataset.Rows, dataset.Columns = "MONOCHROME2", 100, 100
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.PixelData, dataset["PixelData"].VR = b"\0" * 16, "OW"  # far too few
    data = generated.encode(dataset).number(*[next(_numbers)] * 4)
    for client in (servers.ours, servers.theirs):
        instance = client.post("/instances", content=data).raise_for_status().json()["ID"]
        body = {"Resources": [instance], "Transcode": RLE}
        client.post("/peers/other/store", json=body).raise_for_status()
        assert file_of(servers.other, instance) == data
        servers.other.delete(f"/instances/{instance}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("edge", [64, 2000])
def test_compression_of_small_and_large_files(servers: Servers, way: Way, edge: int) -> None:
    """8 MB are gzipped part by part, and sent in chunks."""
    sender, receiver = (getattr(servers, name) for name in way)
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(edge))
    data = generated.encode(dataset).number(*[next(_numbers)] * 4)
    instance = sender.post("/instances", content=data).json()["ID"]
    body = {"Resources": [instance], "Compress": True}
    content = sender.post(f"/peers/{way[1]}/store", json=body).raise_for_status().json()
    assert 0 < int(content["Size"]) < len(data)
    assert file_of(receiver, instance) == data


def test_a_large_file_that_is_stored_compressed(servers: Servers, tmp_path: Any) -> None:
    data = _large()
    with OurServer(tmp_path, {"StorageCompression": True}) as server, httpx.Client() as client:
        instance = client.post(f"{server.url}/instances", content=data).json()["ID"]
        client.put(f"{server.url}/peers/p", json=[str(servers.other.base_url)])
        answered = client.post(f"{server.url}/peers/p/store", content=instance, timeout=60)
        assert answered.raise_for_status().json()["Size"] == str(len(data))
    assert file_of(servers.other, instance) == data


def _large() -> bytes:
    dataset = generated.base()
    generated.add_pixels(dataset, generated.anatomy(2000))
    return generated.encode(dataset).number(*[next(_numbers)] * 4)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["small", "large"])
def test_store_straight(servers: Servers, way: Way, kind: str) -> None:
    sender, receiver = (getattr(servers, name) for name in way)
    data = generated.small().number(*[next(_numbers)] * 4) if kind == "small" else _large()
    answered = sender.post(f"/peers/{way[1]}/store-straight", content=data)
    found = answered.raise_for_status().json()
    assert found["Status"] == "Success"
    assert file_of(receiver, found["ID"]) == data
    assert sender.get(f"/instances/{found['ID']}").status_code == 404


@pytest.mark.parametrize("way", WAYS)
def test_system(servers: Servers, way: Way) -> None:
    sender, receiver = (getattr(servers, name) for name in way)
    answered = sender.get(f"/peers/{way[1]}/system")
    assert answered.headers["content-type"] == "application/json"
    assert answered.json() == receiver.get("/system").json()


def test_the_log_of_exports(servers: Servers) -> None:
    """One entry for each resource that is named, whatever becomes of the job."""
    sent = uploaded(servers, ("ours", "other"))
    for client in (servers.ours, servers.theirs):
        client.post("/instances", content=file_of(sent.sender, sent.instances[0]))
        client.delete("/exports").raise_for_status()
        client.put("/peers/nobody", json=[f"http://127.0.0.1:{free_port()}"])
        body = [sent.study, sent.instances[0]]
        assert client.post("/peers/nobody/store", json=body).status_code == 500
    entries = [
        [{**each, "Seq": 0, "Date": ""} for each in client.get("/exports").json()["Exports"]]
        for client in (servers.ours, servers.theirs)
    ]
    assert entries[0] == entries[1]
    assert [each["RemoteModality"] for each in entries[0]] == ["nobody", "nobody"]


BAD: list[Any] = [
    "",
    "null",
    "3",
    "{}",
    '{"Resources": "x"}',
    '{"Resources": [1]}',
    '"0000"',
    "[1]",
]
BAD += ['"' + "-".join(["00000000"] * 5) + '"', "[]", '{"Resources": []}', "{", '["x"]']
FIELDS: dict[str, list[Any]] = {
    "Compress": ["x", 1, None],
    "Transcode": ["1.2.3", 5, None, "", "1.2.840.10008.1.2.4.999"],
    "Permissive": ["x"],
    "Synchronous": [1],
    "Priority": ["x", 1 << 40],
}


@pytest.mark.parametrize("body", BAD)
def test_bad_bodies(servers: Servers, body: str) -> None:
    with HttpPeer() as peer:
        compare(servers, peer, body)


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in FIELDS.items() for value in values]
)
def test_bad_fields(servers: Servers, field: str, value: Any) -> None:
    sent = uploaded(servers, ("ours", "theirs"), 1)
    store(sent, sent.instances).raise_for_status()
    with HttpPeer() as peer:
        compare(servers, peer, json.dumps({"Resources": sent.instances, field: value}))


def compare(servers: Servers, peer: HttpPeer, body: str) -> None:
    found = []
    for client in (servers.ours, servers.theirs):
        client.put("/peers/fake", json=[peer.url])
        answered = client.post("/peers/fake/store", content=body)
        status = answered.json() if answered.status_code >= 400 else {}
        found.append((answered.status_code, status.get("OrthancStatus"), len(peer.requests)))
        peer.requests.clear()
    assert found[0] == found[1]


FORMATS: list[Any] = [
    ["URL"],
    ["URL", "u", "p"],
    ["URL", "u", ""],
    {"Url": "URL", "Username": "u", "Password": "p"},
    {"Url": "URL", "Username": "ü", "Password": "p:ä", "Foo": 1, "HttpHeaders": {"X-A": "1"}},
    {"Url": "URL", "Timeout": 5},
    {"Url": "URL", "Foo": "x"},
    {"Url": "URL", "HttpHeaders": {"Content-Type": "a/b", "Authorization": "Bearer x"}},
    {"Url": "URL", "CertificateFile": "/etc/passwd", "CertificateKeyPassword": "x"},
]
COMPARED = ("content-type", "authorization", "x-a", "content-encoding", "content-length", "expect")


@pytest.mark.parametrize("given", FORMATS)
def test_what_is_sent_and_told_of_a_peer(servers: Servers, given: Any) -> None:
    """Headers and credentials of the requests, and the peer in the content of the job."""
    sent = uploaded(servers, ("ours", "theirs"), 1)
    store(sent, sent.instances).raise_for_status()
    with HttpPeer() as peer:
        found = []
        for client in (servers.ours, servers.theirs):
            text = json.dumps(given).replace("URL", f"{peer.url}sub")
            client.put("/peers/fake", content=text).raise_for_status()
            answered = client.post("/peers/fake/store", json=sent.instances)
            assert client.get("/peers/fake/system").status_code == 200
            posted, got = peer.requests
            peer.requests.clear()
            headers = [
                {name: each.headers.get(name) for name in COMPARED} for each in (posted, got)
            ]
            targets = [(each.method, each.target, each.body) for each in (posted, got)]
            found.append((answered.json()["Peer"], headers, targets))
        assert found[0] == found[1]


def test_gzip_is_said_in_the_header(servers: Servers) -> None:
    sent = uploaded(servers, ("ours", "other"), 1)
    with HttpPeer() as peer:
        servers.ours.put("/peers/fake", json=[peer.url])
        body = {"Resources": sent.instances, "Compress": True}
        servers.ours.post("/peers/fake/store", json=body).raise_for_status()
        [received] = peer.requests
        assert received.headers["content-encoding"] == "gzip"
        assert gzip.decompress(received.body) == file_of(servers.ours, sent.instances[0])


STATUSES = (200, 201, 204, 400, 401, 403, 404, 409, 415, 422, 500, 503, 507)


@pytest.mark.parametrize("status", STATUSES)
def test_statuses_of_the_peer(servers: Servers, status: int) -> None:
    sent = uploaded(servers, ("ours", "theirs"), 1)
    store(sent, sent.instances).raise_for_status()
    with HttpPeer(lambda received: answer(status, b'{"a": 1}' if status != 204 else b"")) as peer:
        found = []
        for client in (servers.ours, servers.theirs):
            client.put("/peers/fake", json=[peer.url])
            answers = (
                client.post("/peers/fake/store", json=sent.instances),
                client.post("/peers/fake/store-straight", content=b"DICM"),
                client.get("/peers/fake/system"),
            )
            found.append([_error_or_body(each) for each in answers])
        assert found[0] == found[1]


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[1]", b'"x"', b'{"a": 1}'])
def test_answers_of_the_peer(servers: Servers, body: bytes) -> None:
    with HttpPeer(lambda received: answer(200, body)) as peer:
        found = []
        for client in (servers.ours, servers.theirs):
            client.put("/peers/fake", json=[peer.url])
            answers = (
                client.post("/peers/fake/store-straight", content=b"DICM"),
                client.get("/peers/fake/system"),
            )
            found.append([_error_or_body(each) for each in answers])
        assert found[0] == found[1]


def _error_or_body(answered: httpx.Response) -> Any:
    if answered.status_code < 400:
        is_job = b"OrthancPeer" in answered.content or b"InstancesCount" in answered.content
        content: Any = answered.content if is_job else answered.text.split()
        return answered.status_code, None if is_job else "".join(content)
    if not answered.content:
        return answered.status_code, None
    return answered.status_code, answered.json()["OrthancStatus"], answered.json().get("Details")
