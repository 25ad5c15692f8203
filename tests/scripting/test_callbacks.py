"""Callbacks of REST, filters and events: the same script on our server and on Orthanc's plugin."""

import json
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pynetdicom import AE
from support import generated
from support.ports import free_port
from support.scripted import Scripted, both

PATIENCE = 60.0  # seconds

ANSWERS = (
    *("allow", "unauthorized", "redirect", "header", "twice", "none", "bytearray", "stream"),
    *("raises", "details", "types", "nested", "thread"),
)
GETS = (
    *("describe", "describe/", "Describe", "groups/abc/12/x", "groups/ABC/12/x", "first", "second"),
    *("object", "method", "lambda", "keep"),
    *(f"status/{code}" for code in (200, 201, 204, 304, 500, 507)),
    *(f"status-code/{code}" for code in (200, 204, 404)),
    *(f"answer/{name}" for name in ANSWERS),
)


def _seen(server: Scripted, is_enough: Callable[[list[Any]], bool]) -> list[Any]:
    """What the callbacks were called with, once that is enough."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found: list[Any] = server.client.get("/seen").json()
        if is_enough(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _has_started(seen: list[Any]) -> bool:
    return any(each[0] == "started" for each in seen)


@pytest.fixture(scope="module")
def pair(
    needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Scripted, Scripted]]:
    options = {
        "DicomServerEnabled": True,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomPort": free_port(),
    }
    folder = tmp_path_factory.mktemp("callbacks")
    with both(folder, "callbacks.py", options, {"DicomPort": free_port()}) as servers:
        for server in servers:
            _seen(server, _has_started)
        yield servers


def _shown(answer: httpx.Response) -> Any:
    kind = answer.headers.get("content-type")
    headers = {
        name: answer.headers.get(name)
        for name in ("allow", "www-authenticate", "location", "x-mine", "set-cookie")
    }
    body: Any = answer.content
    if answer.status_code >= 400 and body:
        error = answer.json()
        body = error["OrthancStatus"], error.get("Details"), error["Message"]
    return answer.status_code, kind, headers, body


def _same(pair: tuple[Scripted, Scripted], method: str, path: str, **given: Any) -> None:
    ours, theirs = (_shown(each.client.request(method, path, **given)) for each in pair)
    assert ours == theirs


@pytest.mark.parametrize("path", GETS)
def test_answers(pair: tuple[Scripted, Scripted], path: str) -> None:
    if path == "status/500":  # a body that is no error of the server
        ours, theirs = (each.client.get(f"/callbacks/{path}") for each in pair)
        assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    elif path in ("status/204", "status/304", "status/507"):
        # Orthanc sends a body behind 204 and 304, which the next answer seems to begin with.
        answers = [httpx.get(f"{each.server.url}/callbacks/{path}") for each in pair]
        assert answers[0].status_code == answers[1].status_code == int(path[-3:])
    else:
        _same(pair, "GET", f"/callbacks/{path}")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_what_a_callback_is_given(pair: tuple[Scripted, Scripted], method: str) -> None:
    body = b"\0body\xff" if method in ("POST", "PUT") else None
    path = "/callbacks/describe/a%20b/?x=1&y=%20a&x=2&w"
    headers = {"X-Mine": "Value", "x-TWO": "é".encode()}
    _same(pair, method, path, content=body, headers=headers)


PATHS = ("a%2Fb", "x%C3%A9%E2%82%AC", "a//b", "a/./b/../c", "a+b%2B", "a%252Fb", "a%0Ab", "A%00b")


@pytest.mark.parametrize("path", PATHS)
def test_odd_paths(pair: tuple[Scripted, Scripted], path: str) -> None:
    found = []
    for each in pair:
        url = httpx.URL(each.server.url).copy_with(raw_path=f"/callbacks/any/{path}".encode())
        answer = each.client.get(url)
        found.append((answer.status_code, answer.status_code == 200 and answer.json()))
    assert found[0] == found[1]


def test_a_header_that_comes_twice(pair: tuple[Scripted, Scripted]) -> None:
    _same(pair, "GET", "/callbacks/describe", headers=[("X-Mine", "1"), ("X-Mine", "2")])


def test_a_path_that_takes_too_long_to_match(pair: tuple[Scripted, Scripted]) -> None:
    """It would keep the process busy for ever."""
    answers = [each.client.get(f"/callbacks/evil/{'a' * 200}") for each in pair]
    assert [each.status_code for each in answers] == [400, 400]
    assert [each.json()["OrthancStatus"] for each in answers] == [8, 8]
    _same(pair, "GET", "/callbacks/evil/aab")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 404), ("OPTIONS", 404), ("PATCH", 400)])
def test_other_methods(pair: tuple[Scripted, Scripted], method: str, status: int) -> None:
    answers = [each.client.request(method, "/callbacks/describe") for each in pair]
    assert [each.status_code for each in answers] == [status, status]


def test_a_multipart_answer(pair: tuple[Scripted, Scripted]) -> None:
    found = []
    for server in pair:
        answer = server.client.get("/callbacks/answer/multipart")
        kind = answer.headers["content-type"]
        boundary = kind.partition("boundary=")[2]
        found.append((kind.replace(boundary, "-"), answer.text.replace(boundary, "-")))
    assert found[0] == found[1]


def test_pictures(pair: tuple[Scripted, Scripted]) -> None:
    for name, kind in (("png", "image/png"), ("jpeg", "image/jpeg")):
        answers = [each.client.get(f"/callbacks/answer/{name}") for each in pair]
        assert [each.headers["content-type"] for each in answers] == [kind, kind]


def test_what_is_better_here(pair: tuple[Scripted, Scripted]) -> None:
    """Orthanc closes the connection without an answer."""
    ours, theirs = pair
    for path, status in (("answer/nothing", 500), ("status/301", 301), ("status/418", 418)):
        with pytest.raises(httpx.RemoteProtocolError):
            theirs.client.get(f"/callbacks/{path}")
        assert ours.client.get(f"/callbacks/{path}").status_code == status


def test_a_route_of_the_server_is_overridden(pair: tuple[Scripted, Scripted]) -> None:
    answers = [each.client.get("/statistics").json() for each in pair]
    assert answers[0] == answers[1]
    assert answers[0]["Mine"] is True


def test_two_callbacks_run_at_a_time(pair: tuple[Scripted, Scripted]) -> None:
    """One that sleeps keeps no other from answering."""
    import concurrent.futures

    with concurrent.futures.ThreadPoolExecutor(4) as pool, httpx.Client() as client:
        slow = [pool.submit(client.get, f"{pair[0].server.url}/callbacks/slow") for _ in range(3)]
        assert pair[0].client.get("/callbacks/first").text == "first"
        assert not all(each.done() for each in slow)
        assert [each.result().text for each in slow] == ["slept"] * 3


def test_the_filter_of_requests(pair: tuple[Scripted, Scripted]) -> None:
    for method, path in (
        *(("GET", f"/filtered/{name}?q=1") for name in ("allow", "deny")),
        *((method, "/filtered/deny") for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS")),
    ):
        _same(pair, method, path)
    for name in ("raise", "number"):
        answers = [each.client.get(f"/filtered/{name}") for each in pair]
        assert [each.status_code for each in answers] == [500, 500]
        assert [each.json()["OrthancStatus"] for each in answers] == [1, 1]
    seen = [_of(_seen(each, lambda found: True), "http") for each in pair]
    assert seen[0] == seen[1]


def _of(seen: list[Any], kind: str) -> list[Any]:
    return [each for each in seen if each[0] == kind]


def test_what_fails_during_the_import(pair: tuple[Scripted, Scripted]) -> None:
    seen = [_of(_seen(each, lambda found: True), "import") for each in pair]
    assert seen[0] == seen[1]
    assert len(seen[0]) > 10


def test_instances_that_arrive(pair: tuple[Scripted, Scripted]) -> None:
    data = (Path(pair[0].server.folder) / "scripts" / "instance.dcm").read_bytes()
    actions = ("discard", "modify", "raise", "wrong", "keep")
    for action in actions:
        answers = []
        for server in pair:
            server.client.post("/set", content=json.dumps({"received": action}))
            answer = server.client.post("/instances", content=data)
            answers.append((answer.status_code, answer.json()["ID"], answer.json()["Status"]))
        assert answers[0] == answers[1]
    # Both have two instances, each with its parents, and a change for each of them.
    found = [_seen(each, lambda seen: len(_of(seen, "change")) >= 15) for each in pair]
    assert [_of(each, "received") for each in found] == [[["received", "bytes", True, 3]] * 5] * 2
    assert _of(found[0], "stored") == _of(found[1], "stored")
    assert len(_of(found[0], "stored")) == 2
    assert _of(found[0], "change") == _of(found[1], "change")


def test_other_changes(pair: tuple[Scripted, Scripted]) -> None:
    """Of metadata, modalities, peers, jobs, and deletions; in any order, since jobs have threads of
    their own."""
    data = bytes(generated.small().number(80, 1, 1, 1))
    found = []
    for server in pair:
        client = server.client
        client.post("/set", content=json.dumps({"received": "keep"}))
        before = len(_of(_seen(server, lambda seen: True), "change"))
        answer = client.post("/instances", content=data).json()
        _seen(server, lambda seen, n=before + 7: len(_of(seen, "change")) >= n)  # type: ignore[misc]
        client.put(f"/instances/{answer['ID']}/metadata/1030", content=b"text")
        client.put("/modalities/other", content=json.dumps(["OTHER", "127.0.0.1", 4242]))
        client.delete("/modalities/other")
        client.put("/peers/other", content=json.dumps(["http://127.0.0.1:1/"]))
        client.delete("/peers/other")
        client.post(f"/studies/{answer['ParentStudy']}/archive", content=b'{"Asynchronous":true}')
        client.delete(f"/patients/{answer['ParentPatient']}")
        enough = before + 7 + 1 + 4 + 1 + 4
        seen = _seen(server, lambda seen, n=enough: len(_of(seen, "change")) >= n)  # type: ignore[misc]
        kept = _of(seen, "change")[before:]
        found.append(sorted(each for each in kept if each[1] not in (7, 8, 9, 17, 18)))
    assert found[0] == found[1]


def _send(server: Scripted, data: bytes) -> int:
    """The status of a C-STORE."""
    dataset = pydicom.dcmread(BytesIO(data))
    peer = AE(ae_title="SENDER")
    peer.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    port = server.server.configuration["DicomPort"]
    association = peer.associate("127.0.0.1", port, ae_title="CALLED")
    assert association.is_established
    status = association.send_c_store(dataset)
    association.release()
    return int(status.Status)


STATUSES = (0, 0x0110, 0xA900, 0xB000, 0xC000, 70000, -1, True, None, "text", 1.0, "raise")


def test_the_filter_of_c_store(pair: tuple[Scripted, Scripted]) -> None:
    """It decides the status, and 0 alone stores; who has sent the instance is told to it."""
    found = []
    for server in pair:
        server.client.post("/set", content=json.dumps({"received": "keep"}))
        before = len(_of(_seen(server, lambda seen: True), "cstore"))
        outcomes = []
        for number, status in enumerate(STATUSES):
            server.client.post("/set", content=json.dumps({"cstore": status}))
            sent = _send(server, bytes(generated.small().number(90, 1, 1, number)))
            outcomes.append((status, sent, len(server.client.get("/instances").json())))
        server.client.post("/set", content=json.dumps({"cstore": 0}))
        found.append((outcomes, _of(_seen(server, lambda seen: True), "cstore")[before:]))
    assert found[0] == found[1]
    assert [sent for _, sent, _ in found[0][0][:5]] == [0, 0x0110, 0xA900, 0xB000, 0xC000]


def test_what_a_script_discards_on_c_store(pair: tuple[Scripted, Scripted]) -> None:
    data = bytes(generated.small().number(91, 1, 1, 1))
    found = []
    for server in pair:
        server.client.post("/set", content=json.dumps({"received": "discard"}))
        sent = _send(server, data)
        found.append((sent, server.client.get("/instances").json()))
        server.client.post("/set", content=json.dumps({"received": "keep"}))
    assert found[0][0] == found[1][0] == 0
    assert len(found[0][1]) == len(found[1][1])


def test_a_token_passes_the_filter(pair: tuple[Scripted, Scripted]) -> None:
    for server in pair:
        token = server.client.get("/token").text
        before = len(_of(_seen(server, lambda seen: True), "http"))
        for given, status in ((token, 404), (token[:-1] + "?", 403)):
            headers = {"Authorization": given}
            assert server.client.get("/filtered/deny", headers=headers).status_code == status
        after = _of(_seen(server, lambda seen: True), "http")
        assert len(after) == before + 1


def test_the_answer_to_what_a_script_discards(pair: tuple[Scripted, Scripted]) -> None:
    """As to any other upload, but for the identifier of what was not stored."""
    data = bytes(generated.small().number(92, 1, 1, 1))
    answers = []
    for server in pair:
        server.client.post("/set", content=json.dumps({"received": "discard"}))
        answers.append(server.client.post("/instances", content=data).json())
        refused = server.client.post("/instances", content=b"no DICOM file at all")
        answers[-1]["garbage"] = refused.status_code, refused.json().get("OrthancStatus")
        server.client.post("/set", content=json.dumps({"received": "keep"}))
    assert answers[0] == answers[1]
