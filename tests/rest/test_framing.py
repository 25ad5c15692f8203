"""Requests whose body has no clear end, sent over a plain socket to both servers: refused at once,
and nothing of them is left."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.pair import Pair, started_pair

# name -> headers and body. Orthanc answers 411 or 400 to each of these...
REFUSED = {
    "negative": b"Content-Length: -5\r\n\r\nhello",
    "letters": b"Content-Length: abc\r\n\r\nhello",
    "letters at the end": b"Content-Length: 5x\r\n\r\nhello",
    "nothing": b"Content-Length: \r\n\r\nhello",
    "fraction": b"Content-Length: 5.0\r\n\r\nhello",
    "hexadecimal": b"Content-Length: 0x5\r\n\r\nhello",
    "list": b"Content-Length: 5, 5\r\n\r\nhello",
    "chunks that are none": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello\r\n",
}
# ... and takes the first number of these, or waits.
REFUSED_BY_US = {
    "two that differ": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "sign": b"Content-Length: +5\r\n\r\nhello",
    "more than fits": b"Content-Length: 99999999999999999999999\r\n\r\nhello",
}
PATHS = ("/tools/lookup", "/instances")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("framing")


@pytest.fixture(scope="module")
def pair(needs_reference: None, folder: Path) -> Iterator[Pair]:
    with started_pair(folder, {}) as started:
        yield started


@pytest.fixture
def no_trace(pair: Pair, folder: Path) -> Iterator[None]:
    """Afterwards: nothing stored, no partial file, no word in the log."""
    yield
    assert pair.ours.get("/statistics").json()["CountInstances"] == 1
    incoming = folder / "ours" / "storage" / "incoming"
    assert [path for path in incoming.rglob("*") if path.is_file()] == []
    lines = (folder / "ours" / "log").read_text().splitlines()
    assert [line for line in lines if " serves http" not in line] == []


def send(client: httpx.Client, path: str, rest: bytes) -> int:
    """The status; the connection must end without being told to."""
    with socket.create_connection((client.base_url.host, client.base_url.port), 30) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + rest)
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass  # it did not read the rest of the body
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    return int(answer.split()[1])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_both_refuse(pair: Pair, no_trace: None, name: str, path: str) -> None:
    assert send(pair.ours, path, REFUSED[name]) == 400
    assert send(pair.theirs, path, REFUSED[name]) in (400, 411)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", REFUSED_BY_US)
def test_what_only_we_refuse(pair: Pair, no_trace: None, name: str, path: str) -> None:
    assert send(pair.ours, path, REFUSED_BY_US[name]) == 400


def test_chunks_that_break_in_the_middle_of_a_large_upload(pair: Pair, no_trace: None) -> None:
    """What came so far is in a file by then."""
    size = 20 << 20
    head = f"Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n".encode()
    assert send(pair.ours, "/instances", head + bytes(size) + b"\r\nnonsense\r\n") == 400
