"""Names of hosts, and a DNS that does not answer."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.http_peer import HttpPeer

from orthanc_fast.config import Settings
from orthanc_fast.services.exchange.outgoing import OutgoingCalls
from orthanc_fast.services.exchange.resolving import Resolver

PATIENCE = 30.0


def resolved(host: str, port: int = 80) -> set[tuple[str, int]]:
    async def run() -> set[tuple[str, int]]:
        return {(each["host"], each["port"]) for each in await Resolver().resolve(host, port)}

    return asyncio.run(run())


def test_names_and_addresses() -> None:
    assert ("127.0.0.1", 80) in resolved("localhost")
    assert resolved("10.1.2.3", 99) == {("10.1.2.3", 99)}
    assert resolved("fe80::1%1") == {("fe80::1%1", 80)}
    with pytest.raises(socket.gaierror):
        resolved("nobody.invalid")


@pytest.fixture
def silent_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library of the system waits for it; where a real one could be put in its place, in
    /etc/resolv.conf and on port 53, is not for a test."""
    answered = threading.Event()

    def getaddrinfo(*given: Any) -> Any:
        answered.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    answered.set()
    for thread in threading.enumerate():
        if thread.name == "resolver":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_a_dns_that_does_not_answer(silent_dns: None) -> None:
    """The call ends with its timeout, and so does the loop: it does not wait for the thread."""

    async def run() -> None:
        async with OutgoingCalls(Settings()).session(0.05) as client:
            with pytest.raises(TimeoutError):
                await client.get("http://somebody.example/")

    asyncio.run(run())
    assert any(thread.name == "resolver" for thread in threading.enumerate())


def test_calls_to_addresses_need_no_dns(silent_dns: None) -> None:
    async def run(url: str) -> int:
        async with OutgoingCalls(Settings()).session(PATIENCE) as client, client.get(url) as found:
            return found.status

    with HttpPeer() as peer:
        assert asyncio.run(run(peer.url)) == 200
