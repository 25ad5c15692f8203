"""HTTPS to peers and calls through a proxy, beside Orthanc 1.13: certificates that are right,
expired, of somebody else, of nobody; client certificates. Reference chapter 4, section 8.4."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support.certificates import Authority, encrypted, joined, self_signed
from support.http_peer import HttpPeer, Received, answer
from support.ports import free_port
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.tunnel import Tunnel

LOCALHOST = "subjectAltName = DNS:localhost"

Both = tuple[httpx.Client, httpx.Client]


class World(NamedTuple):
    """An authority, peers by what their certificates are, and the files of a client."""

    authority: Path
    peers: dict[str, HttpPeer]
    files: dict[str, Path]
    redirecting: ssl.SSLContext  # of a server whose certificate is good


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("certificates")
    known, other = Authority(folder), Authority(tmp_path_factory.mktemp("other"))
    pairs = {
        "good": known.issue("good", LOCALHOST),
        "localhost": known.issue("localhost"),  # nothing but its common name
        "elsewhere": known.issue("elsewhere", "subjectAltName = DNS:elsewhere"),
        "expired": known.issue("expired", LOCALHOST, days=-1),
        "foreign": other.issue("foreign", LOCALHOST),
        "nobody": self_signed(folder, "nobody", LOCALHOST),
    }
    certificate, key = known.issue("client")
    with ExitStack() as stack:
        peers = {
            name: stack.enter_context(HttpPeer(tls=_context(*pair), host="localhost"))
            for name, pair in pairs.items()
        }
        careful = _context(*pairs["good"])
        careful.load_verify_locations(known.certificate)
        careful.verify_mode = ssl.CERT_REQUIRED
        peers["careful"] = stack.enter_context(HttpPeer(tls=careful, host="localhost"))
        files = {
            "certificate": certificate,
            "key": key,
            "encrypted": encrypted(key, "secret"),
            "both": joined(folder / "both", certificate, key),
            "other": pairs["nobody"][1],
        }
        yield World(known.certificate, peers, files, _context(*pairs["good"]))


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(scope="module")
def both(
    world: World, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    with servers(tmp_path_factory.mktemp("trusting"), world.authority) as found:
        yield found


class servers:
    """Ours and Orthanc, which trust an authority."""

    def __init__(self, folder: Path, authority: Path | None, **options: Any) -> None:
        trusted = {} if authority is None else {"HttpsCACertificates": str(authority)}
        options = {"HttpTimeout": 20, **trusted, **options}
        self._servers = [
            OurServer(folder / "ours", {"HttpWorkers": 1, "ConcurrentJobs": 1, **options}),
            ReferenceServer(folder / "theirs", options),
        ]

    def __enter__(self) -> Both:
        self._stack = ExitStack()
        ours, theirs = (
            self._stack.enter_context(
                httpx.Client(base_url=self._stack.enter_context(server).url, timeout=30)
            )
            for server in self._servers
        )
        return ours, theirs

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def asked(client: httpx.Client, peer: Any) -> tuple[int, str]:
    """Status and error of `GET /peers/{id}/system`."""
    body = [peer] if isinstance(peer, str) else peer
    client.put("/peers/p", json=body).raise_for_status()
    answered = client.get("/peers/p/system")
    return answered.status_code, "" if answered.is_success else answered.json()["Details"]


UNTRUSTED = "libCURL error: SSL peer certificate or SSH remote key was not OK while accessing "


@pytest.mark.parametrize("name", ["good", "localhost", "elsewhere", "expired", "foreign", "nobody"])
def test_certificates_of_peers(both: Both, world: World, name: str) -> None:
    peer = world.peers[name]
    ours, theirs = (asked(client, peer.url) for client in both)
    assert ours == theirs
    if name in ("good", "localhost"):
        assert ours == (200, "")
    else:
        assert ours == (500, f"{UNTRUSTED}{peer.url}system")


def test_a_name_that_is_not_in_the_certificate(both: Both, world: World) -> None:
    url = world.peers["good"].url.replace("localhost", "127.0.0.1")
    ours, theirs = (asked(client, url) for client in both)
    assert ours == theirs == (500, f"{UNTRUSTED}{url}system")


def test_plain_where_tls_is_and_the_other_way_round(both: Both, world: World) -> None:
    url = world.peers["good"].url.replace("https", "http")
    assert len({asked(client, url) for client in both}) == 1


def identity(world: World, **files: str) -> dict[str, Any]:
    """A peer that asks for a certificate; `files` are fields by the names of the files."""
    found: dict[str, Any] = {"Url": world.peers["careful"].url}
    for field, name in files.items():
        found[field] = str(world.files.get(name, name))
    return found


def test_client_certificates(both: Both, world: World) -> None:
    none = identity(world)
    assert len({asked(client, none) for client in both}) == 1
    right = [
        identity(world, CertificateFile="certificate", CertificateKeyFile="key"),
        identity(world, CertificateFile="both"),
        identity(world, CertificateFile="certificate", CertificateKeyFile="encrypted")
        | {"CertificateKeyPassword": "secret"},
    ]
    for peer in right:
        assert [asked(client, peer) for client in both] == [(200, ""), (200, "")]
    wrong = [
        identity(world, CertificateFile="certificate", CertificateKeyFile="other"),
        identity(world, CertificateFile="certificate", CertificateKeyFile="encrypted"),
        identity(world, CertificateFile="certificate", CertificateKeyFile="encrypted")
        | {"CertificateKeyPassword": "wrong"},
        identity(world, CertificateFile="/etc/passwd"),
    ]
    for peer in wrong:  # libcurl says of some of them that a function got a bad argument
        ours, theirs = (asked(client, peer) for client in both)
        text = "libCURL error: Problem with the local SSL certificate while accessing "
        assert ours == (500, f"{text}{world.peers['careful'].url}system")
        assert theirs[0] == 500


@pytest.mark.parametrize("verify", [True, False])
def test_without_authorities(
    needs_reference: None, tmp_path: Path, world: World, verify: bool
) -> None:
    """Those of the system know none of these; HttpsVerifyPeers decides whether that matters."""
    with servers(tmp_path, None, HttpsVerifyPeers=verify) as both:
        for name in ("good", "elsewhere", "expired", "nobody"):
            peer = world.peers[name]
            ours, theirs = (asked(client, peer.url) for client in both)
            assert ours == theirs
            assert ours == ((500, f"{UNTRUSTED}{peer.url}system") if verify else (200, ""))


def test_authorities_that_cannot_be_read(
    needs_reference: None, tmp_path: Path, world: World
) -> None:
    with servers(tmp_path, Path("/nope")) as both, HttpPeer() as plain:
        peer = world.peers["good"]
        ours, theirs = (asked(client, peer.url) for client in both)
        text = "libCURL error: Problem with the SSL CA cert (path? access rights?) while accessing "
        assert ours == theirs == (500, f"{text}{peer.url}system")
        assert [asked(client, plain.url) for client in both] == [(200, ""), (200, "")]
    assert "HttpsCACertificates: no server will be trusted" in (tmp_path / "ours/log").read_text()


def test_a_redirection_from_http_to_https_is_checked(both: Both, world: World) -> None:
    ours = both[0]
    for name, status in (("good", 200), ("foreign", 500)):
        location = f"Location: {world.peers[name].url}system"
        with HttpPeer(lambda received, to=location: answer(301, b"", to)) as peer:  # type: ignore[misc]
            assert asked(ours, peer.url)[0] == status


def test_a_client_certificate_does_not_follow_to_another_server(both: Both, world: World) -> None:
    """The other one insists on a certificate, and gets none."""
    files, careful = world.files, world.peers["careful"]
    body = {
        "CertificateFile": str(files["certificate"]),
        "CertificateKeyFile": str(files["key"]),
    }
    ours = both[0]
    assert asked(ours, {"Url": careful.url, **body})[0] == 200
    before = len(careful.requests)
    location = f"Location: {careful.url}system"
    with HttpPeer(
        lambda received: answer(307, b"", location), tls=world.redirecting, host="localhost"
    ) as peer:
        assert asked(ours, {"Url": peer.url, **body})[0] == 500
        assert len(peer.requests) == 1
    assert len(careful.requests) == before


# Proxies


def proxied(received: Received) -> bytes:
    """Answers itself what it should pass on; it opens no tunnel."""
    return answer(502) if received.method == "CONNECT" else answer(200, b'{"Name": "proxied"}')


@pytest.mark.parametrize("form", ["http://{}", "user:pass@{}"])
def test_a_proxy(needs_reference: None, tmp_path: Path, world: World, form: str) -> None:
    """What is asked of it, beside Orthanc; nothing else is reached."""
    with HttpPeer(proxied) as proxy, HttpPeer() as peer:
        address = form.format(f"127.0.0.1:{proxy.port}")
        with servers(tmp_path, world.authority, HttpProxy=address) as both:
            found = []
            for client in both:
                assert asked(client, peer.url) == (200, "")
                assert asked(client, world.peers["good"].url)[0] == 500
                found.append(
                    [
                        (each.method, each.target, each.headers.get("proxy-authorization"))
                        for each in proxy.requests
                    ]
                )
                proxy.requests.clear()
            assert found[0] == found[1]
            assert peer.requests == []
            has_user = "@" in form
            assert (found[0][0][2] is not None) is has_user


def test_a_proxy_that_is_not_there(needs_reference: None, tmp_path: Path) -> None:
    with HttpPeer() as peer:
        address = f"127.0.0.1:{free_port()}"
        with servers(tmp_path, None, HttpProxy=address) as both:
            ours, theirs = (asked(client, peer.url) for client in both)
            assert ours[0] == theirs[0] == 500
            text = "libCURL error: Couldn't connect to server while accessing "
            assert ours[1] == f"{text}{peer.url}system"


def test_a_tunnel_through_a_proxy(tmp_path: Path, world: World) -> None:
    """HTTPS goes through it untouched: the proxy sees a name, the certificate is checked."""
    with Tunnel() as proxy:
        options = {
            "HttpProxy": f"127.0.0.1:{proxy.port}",
            "HttpsCACertificates": str(world.authority),
            "HttpWorkers": 1,
        }
        with OurServer(tmp_path, options) as server, httpx.Client(base_url=server.url) as client:
            assert asked(client, world.peers["good"].url) == (200, "")
            assert asked(client, world.peers["foreign"].url)[0] == 500
        assert {each.partition(":")[0] for each in proxy.targets} == {"localhost"}
