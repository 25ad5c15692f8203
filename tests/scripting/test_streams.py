"""Answers that a script makes while they are sent, and bodies of any size: ours and Orthanc's."""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from support.scripted import Scripted, both, with_script
from support.server import OurServer
from support.waiting import until


@pytest.fixture(scope="module")
def pair(
    needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Scripted, Scripted]]:
    with both(tmp_path_factory.mktemp("streams"), "streams.py") as servers:
        yield servers


@pytest.fixture(scope="module")
def server(pair: tuple[Scripted, Scripted]) -> Scripted:
    return pair[0]


def test_parts_go_out_while_the_script_makes_the_others(pair: tuple[Scripted, Scripted]) -> None:
    for server in pair:
        with (
            httpx.Client(base_url=server.server.url, timeout=60) as client,
            client.stream("GET", "/stepped") as answer,
        ):
            assert answer.headers["content-type"] == "text/x-steps"
            parts = answer.iter_lines()
            for number in range(3):
                assert next(parts) == f"part {number}"
                assert server.client.get("/seen").json() == []
                server.client.get("/step")
            assert list(parts) == []
        assert server.client.get("/seen").json() == [["/stepped", "over"]]


def test_headers_go_out_before_the_first_part(pair: tuple[Scripted, Scripted]) -> None:
    for server in pair:
        with httpx.stream("GET", f"{server.server.url}/silent", timeout=60) as answer:
            assert answer.headers["content-type"] == "text/x-silent"
            server.client.get("/step")
            assert answer.read() == b""


def test_a_client_that_leaves(pair: tuple[Scripted, Scripted]) -> None:
    """The script's next part raises the same exception."""
    for server in pair:
        with httpx.stream("GET", f"{server.server.url}/endless", timeout=60) as answer:
            assert next(answer.iter_raw())
        until(partial(_has_left, server))


def _has_left(server: Scripted) -> bool:
    seen: list[list[Any]] = server.client.get("/seen").json()
    return seen == [["left", 9, "Error in the network protocol"]]


def test_clients_that_leave_free_their_places(server: Scripted) -> None:
    """More of them than a process may ask at a time, while the script makes nothing."""
    url = f"{server.server.url}/silent"
    for _ in range(200):
        with httpx.stream("GET", url, timeout=60) as answer:
            assert answer.status_code == 200
    assert server.client.get("/sequence").status_code == 200
    for _ in range(200):
        server.client.get("/step")


def test_a_client_that_does_not_read(server: Scripted) -> None:
    """It stops the script; nobody holds what it has not taken."""
    with httpx.stream("GET", f"{server.server.url}/endless", timeout=60) as answer:
        parts = answer.iter_raw()  # it would close the connection where nobody holds it
        assert next(parts)
        assert _chunks_when_stopped(server) * 100000 < 16 << 20


def _chunks_when_stopped(server: Scripted) -> int:
    """Their number, once it has been the same for a while."""
    seen: list[int] = []

    def is_steady() -> bool:
        found = server.client.get("/seen").json()
        if found and found[0][0] == "chunks":
            seen.append(found[0][1])
        return len(seen) > 20 and len(set(seen[-20:])) == 1

    until(is_steady)
    return seen[-1]


@pytest.mark.parametrize("path", ["/failing", "/failing-item"])
def test_a_failure_within_an_answer(pair: tuple[Scripted, Scripted], path: str) -> None:
    """Orthanc's ends like one that is complete."""
    ours, theirs = pair
    answer = theirs.client.get(path)
    assert answer.status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        ours.client.get(path)
    with httpx.stream("GET", f"{ours.server.url}{path}", timeout=60) as begun:
        assert begun.status_code == 200
        assert b"begun" in next(begun.iter_raw())


def test_calls_that_do_not_fit(pair: tuple[Scripted, Scripted]) -> None:
    answers = [each.client.get("/sequence") for each in pair]
    assert answers[0].json() == answers[1].json()
    assert [each.headers.get("x-before") for each in answers] == ["1", "1"]
    assert [each.headers.get("x-after") for each in answers] == [None, None]
    nested = [each.client.get("/nested").json() for each in pair]
    assert nested[0] == nested[1]


@pytest.mark.parametrize("size", [(256 << 10) - 1, 256 << 10, (256 << 10) + 1, 100 << 20])
def test_large_answers(pair: tuple[Scripted, Scripted], size: int) -> None:
    for server in pair:
        answer = server.client.get(f"/large?size={size}")
        assert answer.headers["content-length"] == str(size)
        assert answer.content == b"y" * size


@pytest.mark.parametrize("size", [0, 1, (16 << 20) + 1, 100 << 20])
def test_bodies_of_any_size(pair: tuple[Scripted, Scripted], size: int) -> None:
    body = b"z" * size
    digest = hashlib.md5(body).hexdigest()
    for server in pair:
        answer = server.client.post("/size", content=body)
        assert answer.json() == ["bytes", size, digest]


def test_a_body_that_the_script_process_cannot_hold(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("small")
    configuration = {"Scripts": {"MaximumMemoryMB": 256}}
    with with_script(OurServer, folder, "streams.py", configuration) as server:
        answer = server.client.post("/size", content=b"z" * (300 << 20))
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 4)
        assert "MaximumMemoryMB" in answer.json()["Details"]
        assert server.client.post("/size", content=b"z").json()[1] == 1
