"""/dicom-web/servers beside Orthanc's plugin: what is known of other servers, and what is asked of
one whose answers the tests make. Reference chapter 5, section 11."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.dicom_web import DicomWebPair
from support.http_peer import HttpPeer, Received, answer
from support.server import OurServer

ROOT = "/dicom-web/servers"


def same(ours: httpx.Response, theirs: httpx.Response) -> None:
    """Status, kind and JSON; of errors Orthanc's code."""
    where = f"{ours.request.url} {ours.request.content!r}: {ours.text[:500]} | {theirs.text[:500]}"
    assert ours.status_code == theirs.status_code, where
    if theirs.status_code < 400:
        assert ours.headers["content-type"] == theirs.headers["content-type"], where
        assert ours.json() == theirs.json(), where
    elif theirs.content:
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"], where
    else:
        assert ours.headers.get("allow") == theirs.headers.get("allow"), where


def compared(pair: DicomWebPair, method: str, path: str, **given: Any) -> httpx.Response:
    """The answer of both to the same request."""
    ours, theirs = (client.request(method, f"{ROOT}{path}", **given) for client in pair)
    same(ours, theirs)
    return ours


ENTRIES: tuple[Any, ...] = (
    ["http://h/"],
    ["http://h"],
    ["h"],
    [""],
    ["http://h", "u"],
    ["http://h", "u", "p", "x"],
    ["http://h", "u", "p"],
    ["http://h", 5, 6],
    ["http://h", "", ""],
    ["http://h", "", "p"],
    ["ftp://h"],
    ["HTTP://h"],
    {},
    {"Url": 5},
    {"URL": "http://h"},
    {"Url": "http://h", "Foo": "bar", "N": 5, "B": True},
    {"Url": "http://h", "F": 1.5},
    {"Url": "http://h", "Foo": {"a": 1}},
    {"Url": "http://h", "Foo": None},
    {
        "Url": "http://h",
        "HasDelete": True,
        "ChunkedTransfers": False,
        "HasWadoRsUniversalTransferSyntax": False,
        "Timeout": 5,
    },
    {"Url": "http://h", "HasDelete": "x"},
    {"Url": "http://h", "HttpHeaders": {"X-A": "b"}, "Username": "u", "Password": "p"},
    {"Url": "http://h", "HttpHeaders": ["a"]},
    {"Url": "http://h", "HttpHeaders": {"a": 1}},
    {"Url": "http://h", "Password": "p"},
    {"Url": "http://h", "Username": "u"},
    {
        "Url": "http://h",
        "CertificateFile": "/nope",
        "CertificateKeyFile": "/n2",
        "CertificateKeyPassword": "pp",
    },
    {"Url": "http://h", "Timeout": -1},
    {"Url": "http://h", "Timeout": "5"},
    {"Url": "http://h", "Pkcs11": True},
    "http://h",
    5,
    None,
)


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_entries(pair: DicomWebPair, entry: Any) -> None:
    """Each is put, shown in every way, and removed."""
    compared(pair, "PUT", "/x", json=entry)
    for path in ("", "?expand", "/x"):
        compared(pair, "GET", path)
    compared(pair, "DELETE", "/x")
    compared(pair, "DELETE", "/x")


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[", b"\xff"])
def test_what_is_no_json(pair: DicomWebPair, body: bytes) -> None:
    for method, path in (("PUT", "/x"), ("POST", "/x/get"), ("POST", "/x/stow")):
        compared(pair, method, path, content=body)


def test_names(pair: DicomWebPair) -> None:
    """Unlike those of peers they may be anything."""
    for name in ("a.b", "a b", "é", "-"):
        compared(pair, "PUT", f"/{name}", json=["http://h"])
    assert compared(pair, "GET", "").json() == ["-", "a b", "a.b", "é"]
    for name in ("a.b", "a b", "é", "-"):
        compared(pair, "DELETE", f"/{name}")


def test_methods(pair: DicomWebPair) -> None:
    compared(pair, "PUT", "/x", json=["http://h"])
    for method, path in (
        *(("POST", ""), ("PUT", ""), ("POST", "/x"), ("GET", "/x/get"), ("DELETE", "/x/qido")),
        *(("GET", "/x/stow"), ("GET", "/x/delete")),
    ):
        compared(pair, method, path)
    for verb in ("wado", "retrieve"):  # the plugin answers 400 here, and 405 everywhere else
        assert pair.ours.get(f"{ROOT}/x/{verb}").status_code == 405
    assert {client.get(f"{ROOT}/x/nope").status_code for client in pair} == {404}
    compared(pair, "DELETE", "/x")


def test_those_of_the_configuration(tmp_path: Path) -> None:
    """A change is forgotten at the next start, but with ServersInDatabase."""
    servers = {"a": ["http://h/dicom-web"], "b": {"Url": "http://g", "HasDelete": True}}
    for is_kept in (False, True):
        options = {"DicomWeb": {"Servers": servers, "ServersInDatabase": is_kept}, "HttpWorkers": 1}
        server = OurServer(tmp_path / str(is_kept), options)
        configured = [] if is_kept else ["a", "b"]
        with server, httpx.Client(base_url=server.url) as client:
            assert client.get(ROOT).json() == configured
            client.put(f"{ROOT}/c", json=["http://c", "u", "secret"]).raise_for_status()
            assert client.get(ROOT).json() == [*configured, "c"]
        with server, httpx.Client(base_url=server.url) as client:
            assert client.get(ROOT).json() == (["c"] if is_kept else ["a", "b"])
            assert b"secret" not in client.get(f"{ROOT}?expand").content


@pytest.mark.parametrize("entry", [["ftp://h"], ["h", "u"], {"Url": ""}, 5])
def test_a_configuration_that_is_wrong(tmp_path: Path, entry: Any) -> None:
    """It is said by its name at the start."""
    server = OurServer(tmp_path, {"DicomWeb": {"Servers": {"wrong": entry}}})
    with pytest.raises(RuntimeError, match=r"DicomWeb\.Servers: wrong: "), server:
        pass


# What is asked of a server


class Remote:
    """A server that answers both as a test tells it."""

    def __init__(self, pair: DicomWebPair, peer: HttpPeer) -> None:
        self.pair = pair
        self.peer = peer
        self.reply = answer()
        entry = {"Url": f"{peer.url}dw", "Username": "u", "Password": "p", "HasDelete": True}
        for client in pair:
            headers = {"HttpHeaders": {"X-A": "b"}}
            client.put(f"{ROOT}/p", json=entry | headers).raise_for_status()

    def ask(self, verb: str, body: Any) -> tuple[httpx.Response, list[Received]]:
        """The answer of ours, and what was asked of the server: both the same as the plugin's."""
        answers, asked = [], []
        for client in self.pair:
            answers.append(client.post(f"{ROOT}/p/{verb}", json=body))
            asked.append(self.peer.requests[:])
            self.peer.requests.clear()
        same(*answers)
        ours, theirs = ([_comparable(each) for each in requests] for requests in asked)
        assert ours == theirs
        return answers[0], asked[0]


def _comparable(received: Received) -> Received:
    left_out = {"user-agent", *([] if received.body else ["content-length"])}
    headers = {k: v for k, v in received.headers.items() if k not in left_out}
    return received._replace(headers=headers)


@pytest.fixture(scope="module")
def remote(pair: DicomWebPair) -> Iterator[Remote]:
    found: list[Remote] = []
    with HttpPeer(lambda received: found[0].reply) as peer:
        found.append(Remote(pair, peer))
        yield found[0]


@pytest.mark.parametrize(
    "body",
    [
        {"Uri": "/studies"},
        {"Uri": "studies", "Arguments": {"limit": "5", "x y": "a&b/é", "p": "+%20~"}},
        {"Uri": "studies", "HttpHeaders": {"X-C": "d"}},
        {"Uri": "studies", "HttpHeaders": {"Accept": "x/y", "X-a": "c"}},
        {"Uri": ""},
        {"Uri": "//x"},
        {"Uri": "http://other/x"},
        {"Uri": "/studies/"},
        {"Uri": "studies?x=1"},
        {"Uri": 5},
        {"Uri": "/studies", "Arguments": {"limit": 5}},
        {"Uri": "/studies", "Arguments": ["a"]},
        {"Uri": "/studies", "HttpHeaders": {"a": 5}},
        {},
        [],
        5,
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["get", "qido"])
def test_questions(remote: Remote, verb: str, body: Any) -> None:
    remote.reply = answer(200, b"[]", "Content-Type: application/json")
    remote.ask(verb, body)


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 405, 406, 409, 500, 503])
def test_what_a_server_refuses(remote: Remote, status: int) -> None:
    remote.reply = answer(status, b"" if status == 204 else b"body")
    if status != 204:
        remote.ask("get", {"Uri": "x"})
    remote.ask("qido", {"Uri": "x"})
    remote.ask("delete", {"Level": "Study", "StudyInstanceUID": "1.2"})


def test_headers_are_passed_on(remote: Remote) -> None:
    remote.reply = answer(
        200, b"\x00\x01", "Content-Type: a/b; c=d", "X-Foo: bar", "Set-Cookie: x=1", "X-Foo: baz"
    )
    found = [
        client.post(f"{ROOT}/p/get", json={"Uri": "x"}).headers.multi_items()
        for client in remote.pair
    ]
    ours, theirs = ({each for each in headers if each[0] != "server"} for headers in found)
    assert ("x-foo", "bar") in ours
    assert ("set-cookie", "x=1") in ours
    assert {("content-type", "a/b; c=d"), ("content-length", "2")} <= ours
    named = {name for name, _ in theirs} - {"keep-alive", "connection"}
    assert named <= {name for name, _ in ours}


def test_a_redirection_is_followed(remote: Remote) -> None:
    with HttpPeer(lambda received: answer(200, b"there")) as other:
        remote.reply = answer(301, b"", f"Location: {other.url}there")
        for client in remote.pair:
            assert client.post(f"{ROOT}/p/get", json={"Uri": "x"}).content == b"there"
        ours, _ = other.requests
        assert "authorization" not in ours.headers
        assert "x-a" not in ours.headers
    remote.peer.requests.clear()


FOUND: dict[str, Any] = {
    "00080020": {"vr": "DA", "Value": ["20130111", "b"]},
    "00080050": {"vr": "SH"},
    "00080061": {"vr": "CS", "Value": ["CT", "MR"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "C"}]},
    "00100030": {"vr": "DA", "Value": []},
    "00081190": {"vr": "UR", "Value": ["http://x"]},
    "00090010": {"vr": "LO", "Value": ["private"]},
    "00091001": {"vr": "LO", "Value": ["private"]},
}


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"",
        b"{}",
        b"x",
        b"[5]",
        b'[{"00080020":5}]',
        b'[{"00080020":{"vr":5}}]',
        b'[{"x":{"vr":"LO"}}]',
        b'[{"00100010":{"vr":"PN","Value":["x"]}}]',
        *(json.dumps([{tag: element}]).encode() for tag, element in FOUND.items()),
        b'[{"00201206":{"vr":"IS","Value":[3]}}]',
        b'[{"00100020":{"vr":"LO","Value":[null]}}]',
        json.dumps([FOUND, FOUND]).encode(),
    ],
)
def test_what_is_found(remote: Remote, body: bytes) -> None:
    remote.reply = answer(200, body, "Content-Type: application/dicom+json")
    remote.ask("qido", {"Uri": "/studies", "Arguments": {"limit": "5"}})


@pytest.mark.parametrize(
    "body",
    [
        {"Level": "Study", "StudyInstanceUID": "1.2"},
        {"Level": "Series", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "3"},
        {
            "Level": "Instance",
            "StudyInstanceUID": "1.2",
            "SeriesInstanceUID": "3",
            "SOPInstanceUID": "4",
        },
        {"Level": "Series", "StudyInstanceUID": "1.2"},
        {"Level": "Instance", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "3"},
        {"Level": "Patient", "StudyInstanceUID": "1"},
        {"Level": "Study"},
        {"Level": "Study", "StudyInstanceUID": 5},
        {},
        [],
    ],
    ids=str,
)
def test_deletion(remote: Remote, body: Any) -> None:
    remote.reply = answer(200, b"")
    remote.ask("delete", body)


def test_a_server_that_does_not_delete(pair: DicomWebPair) -> None:
    compared(pair, "PUT", "/x", json=["http://h"])
    compared(pair, "POST", "/x/delete", json={"Level": "Study", "StudyInstanceUID": "1.2"})
    compared(pair, "DELETE", "/x")


@pytest.mark.parametrize("verb", ["get", "qido", "delete"])
def test_unknown_servers(pair: DicomWebPair, verb: str) -> None:
    body = {"Uri": "x", "Level": "Study", "StudyInstanceUID": "1"}
    compared(pair, "POST", f"/nope/{verb}", json=body)
