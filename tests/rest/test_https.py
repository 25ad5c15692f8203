"""HTTPS of the server: its certificate, those of clients, what its TLS library cannot do. Reference
chapter 1, section 11.2."""

import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.certificates import Authority, encrypted, joined, self_signed
from support.server import OurServer

from orthanc_fast.config import ConfigError, Settings
from orthanc_fast.https import OFFERED, check_https

LOCALHOST = "subjectAltName = DNS:localhost, IP:127.0.0.1"
V3 = "basicConstraints = CA:FALSE"
PATIENCE = 30.0

Clients = dict[str, tuple[Path, Path]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def certificate(folder: Path, authority: Authority) -> Path:
    """Of the server, with its key."""
    pair = authority.issue("server", LOCALHOST)
    return joined(folder / "server.both", pair[1], pair[0])


def context(authority: Path, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """What a client trusts, and shows of itself."""
    found = ssl.create_default_context(cafile=authority)
    if shown:
        found.load_cert_chain(*shown)
    return found


class HttpsServer(OurServer):
    """`shown` is the client certificate, with its key, of who waits for the start."""

    def __init__(
        self,
        folder: Path,
        certificate: Path,
        trusted: Path,
        shown: tuple[Path, Path] | None = None,
        **options: Any,
    ) -> None:
        options = {"SslEnabled": True, "SslCertificate": str(certificate), **options}
        super().__init__(folder, {"HttpWorkers": 1, "ConcurrentJobs": 1, **options})
        self.url = self.url.replace("http:", "https:")
        self.verify = context(trusted, shown)

    def handshake(self, verify: ssl.SSLContext) -> bool:
        """Whether the server answers who comes like this."""
        try:
            return httpx.get(f"{self.url}/system", verify=verify, timeout=PATIENCE).is_success
        except httpx.TransportError:
            return False


def serial(server: OurServer) -> str:
    """Of the certificate that the server shows."""
    pem = ssl.get_server_certificate(("127.0.0.1", server.port))
    run = ["openssl", "x509", "-noout", "-serial"]
    return subprocess.run(run, input=pem, capture_output=True, text=True, check=True).stdout


def test_a_new_certificate_after_a_reset(
    tmp_path: Path, folder: Path, authority: Authority, certificate: Path
) -> None:
    """Half of one is refused: the server goes on with what it has."""
    place = tmp_path / "server.pem"
    place.write_text(certificate.read_text())
    with HttpsServer(tmp_path / "server", place, authority.certificate) as server:
        first = serial(server)
        place.write_text("half of it")
        reset(server)
        until(lambda: "the server does not restart" in server.log_path.read_text())
        assert serial(server) == first
        middle = Authority(folder, "middle2")
        middle.certificate, middle.key = authority.issue("middle3", "basicConstraints = CA:TRUE")
        shown, key = middle.issue("server2", LOCALHOST)
        joined(place, shown, middle.certificate, key)  # with what leads to its authority
        reset(server)
        until(lambda: serial(server) != first)
        assert server.handshake(context(authority.certificate))


def reset(server: OurServer) -> None:
    httpx.post(f"{server.url}/tools/reset", verify=server.verify, timeout=PATIENCE)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except OSError:
            pass  # between two runs
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def clients(folder: Path, authority: Authority) -> Clients:
    """Certificates with their keys, by what they are."""
    other = Authority(folder, "other")
    middle = Authority(folder, "middle")
    middle.certificate, middle.key = authority.issue("between", "basicConstraints = CA:TRUE")
    below = middle.issue("below", V3)
    return {
        "version 1": authority.issue("old"),
        "signed": authority.issue("signed", V3),
        "for clients": authority.issue("client", f"{V3}\nextendedKeyUsage = clientAuth"),
        "for servers": authority.issue("web", f"{V3}\nextendedKeyUsage = serverAuth"),
        "expired": authority.issue("expired", V3, days=-1),
        "of another": other.issue("foreign", V3),
        "with its chain": (joined(folder / "chain", below[0], middle.certificate), below[1]),
        "without its chain": below,
        "its own": self_signed(folder, "own", V3),
        "its own authority": self_signed(folder, "authority2"),
    }


def admitted(server: HttpsServer, authority: Path, clients: Clients) -> set[str]:
    """Those whom the server answers."""
    found = {name for name, pair in clients.items() if server.handshake(context(authority, pair))}
    return found | ({"nobody"} if server.handshake(context(authority)) else set())


def test_client_certificates(
    tmp_path: Path,
    authority: Authority,
    certificate: Path,
    clients: Clients,
) -> None:
    """What is trusted may be one authority, several of them, one below another, or a certificate
    that vouches for itself."""
    whole = {"signed", "for clients", "with its chain"}
    expected = {
        "authority": ([authority.certificate], whole),
        "between": ([authority.folder / "between.pem"], {"with its chain", "without its chain"}),
        "many": ([clients["its own"][0], authority.certificate], {*whole, "its own"}),
    }
    for name, (trusted, whom) in expected.items():
        bundle = joined(tmp_path / f"{name}.pem", *trusted)
        with HttpsServer(
            tmp_path / name,
            certificate,
            authority.certificate,
            clients["with its chain"],
            SslVerifyPeers=True,
            SslTrustedClientCertificates=str(bundle),
        ) as server:
            assert admitted(server, authority.certificate, clients) == whom


def test_nobody_is_asked_by_default(
    tmp_path: Path,
    authority: Authority,
    certificate: Path,
    clients: Clients,
) -> None:
    with HttpsServer(tmp_path, certificate, authority.certificate) as server:
        assert admitted(server, authority.certificate, clients) == {"nobody", *clients}


def speaks(server: OurServer, version: ssl.TLSVersion) -> bool:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    try:
        return httpx.get(f"{server.url}/system", verify=client, timeout=PATIENCE).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("minimum", [3, 5])
def test_versions(tmp_path: Path, authority: Authority, certificate: Path, minimum: int) -> None:
    """TLS 1.1, which is asked for, is not served, and that is said."""
    with HttpsServer(
        tmp_path, certificate, authority.certificate, SslMinimumProtocolVersion=minimum
    ) as server:
        assert speaks(server, ssl.TLSVersion.TLSv1_3)
        assert speaks(server, ssl.TLSVersion.TLSv1_2) is (minimum == 3)
        is_said = "SslMinimumProtocolVersion is 3, but" in server.log_path.read_text()
        assert is_said is (minimum == 3)


def test_the_ciphers_that_are_named_are_those_that_are_served(
    tmp_path: Path, folder: Path, authority: Authority, certificate: Path
) -> None:
    """With keys of both kinds: a cipher of TLS 1.2 works if and only if the check says so."""
    public, key = self_signed(folder, "elliptic", LOCALHOST, "ec:prime256v1")
    elliptic = joined(folder / "elliptic.both", key, public)
    found = set()
    for number, served in enumerate((certificate, elliptic)):
        trusted = authority.certificate if served is certificate else public
        with HttpsServer(tmp_path / str(number), served, trusted) as server:
            found |= {name for name in _all_ciphers() if _agrees(server, name)}
    assert found == OFFERED


def _all_ciphers() -> list[str]:
    every = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    every.set_ciphers("ALL:@SECLEVEL=0")
    return [each["name"] for each in every.get_ciphers() if not each["name"].startswith("TLS_")]


def _agrees(server: OurServer, cipher: str) -> bool:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(f"{cipher}:@SECLEVEL=0")
    try:
        with (
            socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain,
            client.wrap_socket(plain),
        ):
            return True
    except OSError:
        return False


# What stops the start, and what is said of it


def settings(certificate: Path, **changes: Any) -> Settings:
    return Settings(ssl_enabled=True, ssl_certificate=certificate, **changes)


def refusal(given: Settings) -> str:
    with pytest.raises(ConfigError) as error:
        check_https(given, pytest.fail)
    return str(error.value)


def test_certificates_that_cannot_be_served(folder: Path, authority: Authority) -> None:
    certificate, key = authority.issue("refused", LOCALHOST)
    old = authority.issue("version1")
    other = authority.issue("mismatch", LOCALHOST)[1]
    cases = {
        "No such file": folder / "nope",
        "private key": joined(folder / "a", certificate),
        "has a password": joined(folder / "b", encrypted(key, "secret"), certificate),
        "version 1": joined(folder / "c", old[1], old[0]),
        "SslCertificate": joined(folder / "d", other, certificate),
        "as PEM": joined(folder / "e", key),
    }
    for text, path in cases.items():
        assert text in refusal(settings(path))
        assert str(path) in refusal(settings(path))


def test_a_certificate_that_only_openssl_takes(tmp_path: Path, folder: Path) -> None:
    """The TLS library of the server says no when it begins to serve: the start fails."""
    pair = self_signed(folder, "strange", "1.2.3.4 = critical, ASN1:UTF8String:x")
    both = joined(folder / "strange.both", *pair)
    server = HttpsServer(tmp_path, both, pair[0])
    with pytest.raises(RuntimeError):
        server.start()
    text = server.log_path.read_text()
    assert "cannot be served" in text or "cannot start" in text


def test_authorities_that_cannot_be_read(certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    for name in ("nope", "empty"):
        path = tmp_path / name
        given = settings(certificate, ssl_verify_peers=True, ssl_trusted_client_certificates=path)
        assert f"SslTrustedClientCertificates: {path}" in refusal(given)


@pytest.mark.parametrize("version", [6, 99])
def test_versions_that_there_are_not(certificate: Path, version: int) -> None:
    given = settings(certificate, ssl_minimum_protocol_version=version)
    assert "SslMinimumProtocolVersion" in refusal(given)


def test_ciphers(certificate: Path) -> None:
    """None of them can be served: refused. Some: both kinds are named."""
    for ciphers in ((), ("AES128-SHA",), ("TLS_AES_128_GCM_SHA256",)):
        assert "SslCiphersAccepted" in refusal(settings(certificate, ssl_ciphers_accepted=ciphers))
    said: list[str] = []
    one = "ECDHE-RSA-AES128-GCM-SHA256"
    check_https(settings(certificate, ssl_ciphers_accepted=(one, "AES128-SHA")), said.append)
    missing, others = said
    assert "AES128-SHA" in missing
    assert one not in missing
    assert one not in others
    assert "ECDHE-ECDSA-CHACHA20-POLY1305" in others
    check_https(settings(certificate, ssl_ciphers_accepted=tuple(OFFERED)), pytest.fail)
    given = settings(certificate, ssl_ciphers_accepted=("x",), ssl_minimum_protocol_version=5)
    check_https(given, pytest.fail)  # TLS 1.3 has its own


def test_without_https_nothing_is_read() -> None:
    check_https(Settings(ssl_certificate=Path("/nope")), pytest.fail)
