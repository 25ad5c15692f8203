"""Peers in all processes and over a restart, without a server: /peers of real ones is compared with
Orthanc in tests/rest."""

from pathlib import Path
from typing import Any

import pytest
from support.small_store import SmallStore

from orthanc_fast.config import Settings
from orthanc_fast.errors import BadFileFormat, InexistentItem, OrthancError, UnknownResource
from orthanc_fast.log import logger
from orthanc_fast.model import Caller
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.exchange.client_tls import ClientCertificate
from orthanc_fast.services.peers.peer import Peer, configuration, job_content, parse_peer
from orthanc_fast.services.peers.registry import PeerRegistry
from orthanc_fast.services.processes.supervisor import GuardedStore

SHORT = ["http://h/", "user", "password"]
FULL = {
    "Url": "https://h/x",
    "Username": "user",
    "Password": "password",
    "HttpHeaders": {"B": "secret", "A": "1"},
    "CertificateFile": "file",
    "CertificateKeyFile": "key",
    "CertificateKeyPassword": "secret",
    "Timeout": 9,
    "Foo": True,
}


def registry(
    store: SmallStore, runtime: MemoryRuntime, peers: Any, kept: bool = False
) -> PeerRegistry:
    raw = {"OrthancPeers": peers, "OrthancPeersInDatabase": kept}
    return PeerRegistry(Settings(raw=raw), store.reads, store.writes, runtime)


@pytest.mark.parametrize("kept", [False, True])
def test_every_process_sees_changes(small_store: SmallStore, kept: bool) -> None:
    """With the secrets, which are needed, and never shown."""
    caller, runtime = Caller(origin="RestApi"), MemoryRuntime()
    here, there = (registry(small_store, runtime, {"b": SHORT}, kept) for _ in range(2))
    full = parse_peer("a", FULL)
    small_store.run(here.put(caller, "a", full))
    assert list(there.all(caller)) == (["a"] if kept else ["a", "b"])
    found = there.get(caller, "a")
    assert found == full
    assert found.certificate == ClientCertificate("file", "key", "secret")
    assert (found.password, found.headers) == ("password", {"A": "1", "B": "secret"})
    with pytest.raises(UnknownResource, match="No peer with symbolic name: c"):
        there.get(caller, "c")
    with pytest.raises(InexistentItem, match="Unknown Orthanc peer: c"):
        small_store.run(there.delete(caller, "c"))
    restarted = registry(small_store, MemoryRuntime(), {"b": SHORT}, kept)
    assert list(restarted.all(caller)) == (["a"] if kept else ["b"])


def test_what_is_shown_has_no_secrets() -> None:
    full = parse_peer("a", FULL)
    assert configuration(full) == {
        "Url": "https://h/x/",
        "Username": "user",
        "Password": None,
        "HttpHeaders": ["A", "B"],
        "CertificateFile": "file",
        "CertificateKeyFile": None,
        "CertificateKeyPassword": None,
        "Pkcs11": False,
        "Timeout": 9,
        "Foo": "1",
    }
    assert "password" not in repr(job_content(full))
    assert job_content(parse_peer("a", SHORT)) == ["http://h/", "user", ""]
    assert configuration(Peer(url="http://h/")) == {
        "Url": "http://h/",
        "HttpHeaders": [],
        "Pkcs11": False,
        "Timeout": 0,
    }


BAD: list[tuple[str, Any]] = [("a b", SHORT), ("a", "http://h"), ("a", ["ftp://h"]), ("a", {})]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_an_option_that_holds_no_peer_stops_the_start(
    small_store: SmallStore, tmp_path: Path, name: str, value: Any
) -> None:
    with pytest.raises(BadFileFormat):
        registry(small_store, MemoryRuntime(), {name: value})
    folder = tmp_path / "store"
    settings = Settings(
        storage_directory=folder, index_directory=folder, raw={"OrthancPeers": {name: value}}
    )
    with pytest.raises(OrthancError, match=f"OrthancPeers: {name}"):
        GuardedStore(settings)


def test_what_will_fail_when_it_is_used_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    logger.install("test")
    settings = Settings(
        storage_directory=folder,
        index_directory=folder,
        index_map_size_gb=1,
        index_journal_size_mb=0,
        https_ca_certificates=tmp_path / "nope",
        raw={"OrthancPeers": {"a": {"Url": "https://h", "Pkcs11": True}}},
    )
    GuardedStore(settings).close()
    lines = "\n".join(record.getMessage() for record in caplog.records)
    assert "OrthancPeers: a: Pkcs11" in lines
    assert "HttpsCACertificates: no server will be trusted" in lines
