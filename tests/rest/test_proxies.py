"""Behind a reverse proxy: whom it says to have heard, and which address a client uses."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support import generated
from support.server import OurServer

from orthanc_fast.errors import BadRequest
from orthanc_fast.rest.proxies import UNKNOWN, Place, TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"])


def place(peer: str, *headers: tuple[str, str]) -> Place:
    return PROXIES.place(peer, [(name.lower().encode(), text.encode()) for name, text in headers])


FOR = "X-Forwarded-For"


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("192.0.2.9", [(FOR, "198.51.100.1")], "192.0.2.9"),  # not a proxy of ours
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [(FOR, "198.51.100.1")], "198.51.100.1"),
        # Forged by the client: the proxy appended whom it really heard.
        ("127.0.0.1", [(FOR, "127.0.0.1, 198.51.100.1")], "198.51.100.1"),
        ("127.0.0.1", [(FOR, "127.0.0.1"), (FOR, "198.51.100.1")], "198.51.100.1"),
        ("127.0.0.1", [(FOR, "198.51.100.1, 10.0.0.3")], "198.51.100.1"),  # two proxies
        ("::ffff:10.1.1.1", [(FOR, "198.51.100.1:4711")], "198.51.100.1"),
        ("fd00::1", [(FOR, "[2001:db8::5]:80")], "2001:db8::5"),
        ("10.0.0.1", [(FOR, "10.0.0.7")], "10.0.0.7"),
        ("10.0.0.1", [(FOR, "nonsense")], UNKNOWN),
        ("10.0.0.1", [(FOR, "127.0.0.1, unknown")], UNKNOWN),
        # RFC 7239, section 4: its own examples
        ("10.0.0.1", [("Forwarded", 'For="[2001:db8:cafe::17]:4711"')], "2001:db8:cafe::17"),
        ("10.0.0.1", [("Forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43")], "192.0.2.60"),
        ("10.0.0.1", [("Forwarded", "for=192.0.2.43, for=198.51.100.17")], "198.51.100.17"),
        ("10.0.0.1", [("Forwarded", 'for="_gazonk"')], UNKNOWN),
        ("10.0.0.1", [("Forwarded", 'for="a,b;c"')], UNKNOWN),
        ("10.0.0.1", [("Forwarded", "for=127.0.0.1, what is this")], UNKNOWN),
        ("10.0.0.1", [("Forwarded", "proto=https")], UNKNOWN),
        ("10.0.0.1", [("Forwarded", "for=192.0.2.6"), (FOR, "192.0.2.6")], "192.0.2.6"),
    ],
)
def test_client(peer: str, headers: list[tuple[str, str]], client: str) -> None:
    assert place(peer, *headers).client == client


def test_contradiction() -> None:
    """A proxy writes one of the headers and lets the other one through, which is then forged."""
    with pytest.raises(BadRequest):
        place("10.0.0.1", (FOR, "198.51.100.1"), ("Forwarded", "for=127.0.0.1"))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], (None, None, "")),
        (
            [
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "pacs.example.org:444"),
                ("X-Forwarded-Prefix", "/orthanc/"),
            ],
            ("https", "pacs.example.org:444", "/orthanc"),
        ),
        ([("Forwarded", "for=192.0.2.1;proto=HTTPS;host=a.org")], ("https", "a.org", "")),
        ([("X-Forwarded-Proto", "javascript")], (None, None, "")),
        ([("X-Forwarded-Host", "a.org/x")], (None, None, "")),
        ([("X-Forwarded-Prefix", '/"><script>')], (None, None, "")),
        ([("X-Forwarded-Prefix", "//evil.org")], (None, None, "")),
    ],
)
def test_address(headers: list[tuple[str, str]], expected: tuple[Any, ...]) -> None:
    assert place("10.0.0.1", *headers)[1:] == expected


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    configuration = {"TrustedProxies": ["127.0.0.1"], "HttpWorkers": 1}
    with OurServer(tmp_path_factory.mktemp("proxy"), configuration) as running:
        yield running


def test_a_remote_client_of_a_local_proxy_is_remote(server: OurServer) -> None:
    """RemoteAccessAllowed is false: only clients on this machine are served."""
    assert httpx.get(f"{server.url}/system").status_code == 200
    for forged in ("198.51.100.1", "127.0.0.1, 198.51.100.1", "nonsense"):
        answer = httpx.get(f"{server.url}/system", headers={FOR: forged})
        assert answer.status_code == 401
    assert httpx.get(f"{server.url}/system", headers={FOR: "127.0.0.1"}).status_code == 200


def test_contradiction_is_refused(server: OurServer) -> None:
    headers = {FOR: "198.51.100.1", "Forwarded": "for=127.0.0.1"}
    answer = httpx.get(f"{server.url}/system", headers=headers)
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (400, 8)


def test_without_the_option_nobody_is_believed(our_server: OurServer) -> None:
    headers = {FOR: "198.51.100.1", "X-Forwarded-Host": "a.org"}
    answer = httpx.get(f"{our_server.url}/openapi.json", headers=headers)
    assert answer.json()["servers"] == [{"url": our_server.url}]


def test_the_client_is_kept_as_origin(tmp_path_factory: pytest.TempPathFactory) -> None:
    configuration = {
        "TrustedProxies": ["127.0.0.0/8"],
        "RemoteAccessAllowed": True,
        "RegisteredUsers": {"a": "b"},
    }
    authorization = "Basic " + base64.b64encode(b"a:b").decode()
    headers = {FOR: "198.51.100.7", "Authorization": authorization}
    with OurServer(tmp_path_factory.mktemp("origin"), configuration) as server:
        data = generated.small().number(1, 1, 1, 1)
        stored = httpx.post(f"{server.url}/instances", content=data, headers=headers).json()
        path = f"{server.url}{stored['Path']}/metadata/RemoteIP"
        assert httpx.get(path, headers=headers).text == "198.51.100.7"


def test_the_description_tells_the_address_that_the_client_uses(server: OurServer) -> None:
    headers = {
        FOR: "127.0.0.1",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "pacs.example.org",
        "X-Forwarded-Prefix": "/orthanc",
    }
    answer = httpx.get(f"{server.url}/openapi.json", headers=headers)
    assert answer.json()["servers"] == [{"url": "https://pacs.example.org/orthanc"}]
