"""Transfers to and from other servers of DICOMweb: the jobs, their content and errors, beside
Orthanc's plugin; what is sent and asked. Reference chapter 5, section 11.2."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support import generated
from support.dicom_web import DicomWebPair
from support.http_peer import HttpPeer, Received, answer

ROOT = "/dicom-web/servers"

_numbers = itertools.count(1)


def files(count: int, number: int | None = None) -> list[bytes]:
    """DICOM files of one new series."""
    number = next(_numbers) if number is None else number
    template = generated.small()
    return [template.number(number, number, 1, each + 1) for each in range(count)]


class Remote:
    """A server that answers both as a test tells it."""

    def __init__(self, pair: DicomWebPair, peer: HttpPeer) -> None:
        self.pair = pair
        self.peer = peer
        self.behave: Callable[[Received], bytes | None] = stored
        self.enter({})

    def enter(self, more: dict[str, Any]) -> None:
        entry = {"Url": f"{self.peer.url}dw", "HttpHeaders": {"X-A": "b"}}
        for client in self.pair:
            client.put(f"{ROOT}/p", json=entry | more).raise_for_status()

    def ask(self, verb: str, body: Any) -> tuple[list[httpx.Response], list[list[Received]]]:
        """Both answers, and what each asked of the server."""
        answers, asked = [], []
        for client in self.pair:
            answers.append(client.post(f"{ROOT}/p/{verb}", json=body))
            asked.append(self.peer.requests[:])
            self.peer.requests.clear()
        return answers, asked


def parts_of(received: Received) -> list[bytes]:
    """The contents of a multipart request, which must be whole."""
    kind, _, boundary = received.headers["content-type"].partition("; boundary=")
    assert kind == 'multipart/related; type="application/dicom"'
    *parts, end = received.body.split(f"--{boundary}".encode())
    assert end in (b"--", b"--\r\n")
    found = []
    for part in parts[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        size = int(head.rpartition(b"Content-Length: ")[2])
        assert head == b"\r\nContent-Type: application/dicom\r\nContent-Length: %d" % size
        assert len(content) == size + 2
        found.append(content[:-2])
    return found


def stored(received: Received) -> bytes:
    """What a server answers that has stored all."""
    items: list[Any] = [{} for _ in parts_of(received)]
    body = json.dumps({"00081199": {"vr": "SQ", "Value": items}}).encode()
    return answer(200, body, "Content-Type: application/dicom+json")


@pytest.fixture(scope="module")
def remote(pair: DicomWebPair) -> Iterator[Remote]:
    found: list[Remote] = []
    with HttpPeer(lambda received: found[0].behave(received)) as peer:
        found.append(Remote(pair, peer))
        yield found[0]


def uploaded(pair: DicomWebPair, contents: list[bytes]) -> dict[str, Any]:
    """Into both; what they say of the last one."""
    pair.store(*contents)
    ours: dict[str, Any] = pair.ours.post("/instances", content=contents[-1]).json()
    return ours


def test_stow(remote: Remote) -> None:
    """Resources of every level; one that is named twice is sent twice."""
    contents = files(3)
    last = uploaded(remote.pair, contents)
    study, instance = last["ParentStudy"], last["ID"]
    for resources, count in (
        ([study], 3),
        ([instance], 1),
        ([last["ParentPatient"], last["ParentSeries"]], 6),
        ([study, instance], 4),
    ):
        body = {"Resources": resources, "HttpHeaders": {"X-C": "d", "x-a": "e"}}
        (ours, theirs), (asked, by_plugin) = remote.ask("stow", body)
        assert ours.headers["content-type"] == theirs.headers["content-type"]
        assert _sorted(ours.json()) == _sorted(theirs.json())
        assert ours.json()["InstancesCount"] == str(count)
        [expected] = by_plugin
        headers = {k: v for k, v in expected.headers.items() if k not in ("content-type", "host")}
        sent = []
        for each in asked:
            assert headers.items() <= each.headers.items()
            assert (each.method, each.target) == (expected.method, expected.target)
            sent += parts_of(each)
        assert sorted(sent) == sorted(parts_of(expected))


def _sorted(content: dict[str, Any]) -> dict[str, Any]:
    named = {level: sorted(names) for level, names in content["Resources"].items()}
    return content | {"Resources": named}


def test_stow_without_chunks(remote: Remote) -> None:
    contents = files(3)
    last = uploaded(remote.pair, contents)
    remote.enter({"ChunkedTransfers": False})
    _, (asked, _) = remote.ask("stow", {"Resources": [last["ParentSeries"]]})
    remote.enter({})
    assert sorted(content for each in asked for content in parts_of(each)) == sorted(contents)
    for each in asked:
        assert "transfer-encoding" not in each.headers
        assert each.headers["content-length"] == str(len(each.body))


def test_stow_of_nothing(remote: Remote) -> None:
    (ours, theirs), _ = remote.ask("stow", {"Resources": []})
    assert (
        ours.json()
        == theirs.json()
        == {
            "InstancesCount": "0",
            "Resources": None,
            "Server": "p",
        }
    )


BODIES: tuple[tuple[str, Any], ...] = (
    ("stow", {"Resources": ["nope"]}),
    ("stow", {"Resources": "nope"}),
    ("stow", {"Resources": [5]}),
    ("stow", {}),
    ("stow", []),
    ("stow", {"Resources": [], "Synchronous": "x"}),
    ("stow", {"Resources": [], "Priority": "x"}),
    ("stow", {"Resources": [], "HttpHeaders": []}),
    ("retrieve", {"Resources": [{"Study": "1", "Instance": "4"}]}),
    ("retrieve", {"Resources": [{"Series": "1"}]}),
    ("retrieve", {"Resources": "x"}),
    ("retrieve", {"Resources": [{"Study": 5}]}),
    ("retrieve", {"Resources": ["1.2"]}),
    ("retrieve", {"Resources": [{"Study": "1?x"}]}),
    ("retrieve", {"Resources": [{"Study": "1"}], "GetArguments": {"a": 5}}),
    ("retrieve", {}),
    ("retrieve", []),
    ("wado", {"Uri": "s?x=1"}),
    ("wado", {"Uri": 5}),
    ("wado", {}),
)


@pytest.mark.parametrize(("verb", "body"), BODIES, ids=str)
def test_what_is_refused(remote: Remote, verb: str, body: Any) -> None:
    (ours, theirs), _ = remote.ask(verb, body)
    assert ours.status_code == theirs.status_code
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


@pytest.mark.parametrize("verb", ["stow", "retrieve", "wado"])
def test_unknown_servers(pair: DicomWebPair, verb: str) -> None:
    """Orthanc's job fails with code 1."""
    body = {"Resources": [], "Uri": "x"}
    found = pair.ours.post(f"{ROOT}/nope/{verb}", json=body)
    assert (found.status_code, found.json()["OrthancStatus"]) == (404, 7)


def sequence(**counts: int) -> bytes:
    """An answer with sequences of so many items."""
    return json.dumps(
        {tag.lstrip("_"): {"vr": "SQ", "Value": [{}] * count} for tag, count in counts.items()}
    ).encode()


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, sequence(_00081198=1, _00081199=1)),
        answer(200, sequence(_00081199=1)),
        answer(200, sequence(_00081199=3)),
        answer(200, b"{}"),
        answer(200, b"[]"),
        answer(200, b"x"),
        answer(200, b""),
        answer(400),
        answer(401),
        answer(403),
        answer(404),
        answer(409),
        answer(500),
        answer(503, b"x"),
        b"no HTTP",
        None,
    ],
    ids=str,
)
def test_stow_that_fails(remote: Remote, reply: bytes | None) -> None:
    last = uploaded(remote.pair, files(2))
    remote.behave = lambda received: reply
    (ours, theirs), _ = remote.ask("stow", {"Resources": [last["ParentSeries"]]})
    remote.behave = stored
    assert ours.status_code == theirs.status_code == 500
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 1
    assert_same_failure(remote.pair)


def assert_same_failure(pair: DicomWebPair, codes: tuple[int, ...] = ()) -> None:
    """Of the last jobs of both; `codes` are ours and theirs where they are not the same."""
    ours, theirs = (last_job(client) for client in pair)
    for name in ("Type", "State", "ErrorCode"):
        assert ours[name] == theirs[name]
    assert ours["Content"].keys() == theirs["Content"].keys()
    found = tuple(each["Content"]["FunctionErrorCode"] for each in (ours, theirs))
    assert found == codes if codes else found[0] == found[1], (ours, theirs)
    assert ours["Content"]["FunctionErrorDetails"]


def last_job(client: httpx.Client) -> dict[str, Any]:
    found: list[dict[str, Any]] = client.get("/jobs?expand").json()
    return max(found, key=lambda job: str(job["CreationTime"]))


def test_accepted(remote: Remote) -> None:
    """By 202 too, as by Orthanc."""
    last = uploaded(remote.pair, files(1))
    remote.behave = lambda received: answer(202, sequence(_00081199=1))
    (ours, theirs), _ = remote.ask("stow", {"Resources": [last["ID"]]})
    remote.behave = stored
    assert ours.json() == theirs.json()


def multipart(
    *contents: bytes,
    kind: str = 'multipart/related; type="application/dicom"; boundary=B',
    part: str = "application/dicom",
    end: bytes = b"--B--\r\n",
) -> bytes:
    """An answer of files."""
    parts = (b"--B\r\nContent-Type: %s\r\n\r\n%s\r\n" % (part.encode(), c) for c in contents)
    return answer(200, b"".join(parts) + end, f"Content-Type: {kind}")


RETRIEVALS: tuple[tuple[str, Any], ...] = (
    ("retrieve", {"Resources": [{"Study": "1.2"}]}),
    (
        "retrieve",
        {
            "Resources": [{"Study": "1.2", "Series": "3"}],
            "GetArguments": {"a": "b c"},
            "HttpHeaders": {"X-C": "d"},
        },
    ),
    ("retrieve", {"Resources": [{"Study": "1.2", "Series": "3", "Instance": "4"}]}),
    ("retrieve", {"Resources": [{"Study": "1.2"}], "HttpHeaders": {"accept": "a/b"}}),
    ("retrieve", {"Resources": []}),
    ("wado", {"Uri": "/studies/1", "Arguments": {"a": "b"}, "Synchronous": True}),
    ("wado", {"Uri": "x", "HttpHeaders": {"Accept": "a/b"}, "Asynchronous": False}),
)


@pytest.mark.parametrize(("verb", "body"), RETRIEVALS, ids=str)
def test_retrieve(remote: Remote, verb: str, body: Any) -> None:
    contents = files(3)
    remote.behave = lambda received: multipart(*contents)
    (ours, theirs), (asked, by_plugin) = remote.ask(verb, body)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.json() == theirs.json()
    assert [_question(each) for each in asked] == [_question(each) for each in by_plugin]
    if asked:
        assert ours.json()["ReceivedInstancesCount"] == "3"
        for content in contents:
            again = [client.post("/instances", content=content).json() for client in remote.pair]
            assert [each["Status"] for each in again] == ["AlreadyStored"] * 2


def _question(received: Received) -> Received:
    headers = {k: v for k, v in received.headers.items() if k != "user-agent"}
    return received._replace(headers=headers)


def test_several_resources_at_once(remote: Remote) -> None:
    """Ours are asked for at the same time: nobody is answered before all have asked."""
    contents = files(4)
    barrier = threading.Barrier(4)

    def behave(received: Received) -> bytes:
        barrier.wait(timeout=20)
        return multipart(contents[int(received.target[-1])])

    remote.behave = behave
    resources = [{"Study": str(number)} for number in range(4)]
    ours = remote.pair.ours.post(f"{ROOT}/p/retrieve", json={"Resources": resources})
    remote.peer.requests.clear()
    assert ours.json() == {"NetworkUsageMB": "0", "ReceivedInstancesCount": "4"}


def test_without_any_syntax(remote: Remote) -> None:
    """For old servers nothing is said of what is accepted."""
    remote.behave = lambda received: multipart(*files(1))
    remote.enter({"HasWadoRsUniversalTransferSyntax": False})
    _, asked = remote.ask("retrieve", {"Resources": [{"Study": "1"}]})
    remote.enter({})
    assert [each.headers["accept"] for [each] in asked] == ["*/*", "*/*"]


def test_asynchronous(remote: Remote) -> None:
    remote.behave = lambda received: multipart()
    for verb, body in (
        ("wado", {"Uri": "x", "Priority": 5}),
        ("retrieve", {"Resources": [], "Synchronous": False, "Priority": 5}),
        ("retrieve", {"Resources": [], "Asynchronous": True, "Priority": 5}),
    ):
        (ours, theirs), _ = remote.ask(verb, body)
        answers = [each.json() for each in (ours, theirs)]
        assert {each["Path"].removesuffix(each["ID"]) for each in answers} == {".././../jobs/"}
        for client, each in zip(remote.pair, answers, strict=True):
            assert client.get(f"/jobs/{each['ID']}").json()["Priority"] == 5


@pytest.mark.parametrize(
    ("reply", "codes"),
    [
        (multipart(b"x", part="application/octet-stream"), (9, 9)),
        (multipart(b"x"), (15, 9)),
        (multipart(b""), (15, 9)),
        (answer(200, b"x", "Content-Type: text/plain"), (9, 9)),
        (multipart(kind="multipart/related"), (9, 9)),
        (multipart(kind='multipart/related; type="application/json"; boundary=B'), (9, 9)),
        (multipart(b"x", end=b""), (9, 9)),
        (answer(400), (8, 9)),
        (answer(401), (29, 9)),
        (answer(404), (17, 9)),
        (answer(500), (9, 9)),
        (None, (9, 9)),
    ],
    ids=str,
)
def test_retrieve_that_fails(remote: Remote, reply: bytes | None, codes: tuple[int, int]) -> None:
    """Orthanc takes an answer that breaks off for a whole one."""
    remote.behave = lambda received: reply
    (ours, _), _ = remote.ask("retrieve", {"Resources": [{"Study": "1"}]})
    assert (ours.status_code, ours.json()["OrthancStatus"]) == (500, 1)
    job = last_job(remote.pair.ours)
    assert (job["State"], job["ErrorCode"]) == ("Failure", 1)
    assert job["Content"]["FunctionErrorCode"] == codes[0]
    assert job["Content"]["FunctionErrorDetails"]


def test_a_file_that_is_cut_off_is_not_stored(remote: Remote) -> None:
    whole, cut = files(2)
    remote.behave = lambda received: multipart(whole, cut, end=b"")[: -len(cut) // 2 - 2].replace(
        b"Content-Length", b"Connection: close\r\nX", 1
    )
    ours = remote.pair.ours.post(f"{ROOT}/p/retrieve", json={"Resources": [{"Study": "1"}]})
    remote.peer.requests.clear()
    assert ours.status_code == 500
    again = [remote.pair.ours.post("/instances", content=each).json() for each in (whole, cut)]
    assert [each["Status"] for each in again] == ["AlreadyStored", "Success"]
