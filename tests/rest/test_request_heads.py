"""What a request target and the header fields may hold: see docs/deviations.md, section HTTP."""

import socket
from email import message_from_bytes

import httpx
import pytest
from support import generated
from support.server import OurServer


def ask(server: OurServer, target: bytes, fields: int = 0) -> tuple[int, dict[str, str]]:
    """Status and header fields of the answer to a GET as it is given here."""
    head = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += b"".join(b"X-%d: a\r\n" % number for number in range(fields))
    with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
        connection.sendall(head + b"\r\n")
        answer = b""
        while more := connection.recv(65536):
            answer += more
    status, _, rest = answer.partition(b"\r\n")
    return int(status.split()[1]), dict(message_from_bytes(rest).items())


@pytest.fixture(scope="module")
def file(our_server: OurServer) -> bytes:
    data = generated.small().number(1, 1, 1, 1)
    stored = httpx.post(f"{our_server.url}/instances", content=data).json()
    return f"{stored['Path']}/file".encode()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (b"a'b.dcm", "a'b.dcm"),
        (b"[a]{b}|c^d\\e`f.dcm", "[a]{b}|c^d\\e`f.dcm"),
        (b"a%20b+c.dcm", "a b c.dcm"),
        (b"%22quoted%22.dcm", "quoted.dcm"),
        (b"%3Ca%3E.dcm", "<a>.dcm"),
    ],
)
def test_unencoded_characters(our_server: OurServer, file: bytes, given: bytes, name: str) -> None:
    status, fields = ask(our_server, file + b"?filename=" + given)
    assert status == 200
    assert fields["content-disposition"] == f'filename="{name}"'


@pytest.mark.parametrize("given", [b'"', b"<", b">", b"a b"])
def test_what_must_be_encoded(our_server: OurServer, file: bytes, given: bytes) -> None:
    assert ask(our_server, file + b"?filename=" + given)[0] == 400


def test_many_header_fields(our_server: OurServer) -> None:
    assert ask(our_server, b"/system", 98)[0] == 200  # two more are there
    assert ask(our_server, b"/system", 99)[0] == 431
