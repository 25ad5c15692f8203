"""Where requests of the server may go."""

import asyncio

import aiohttp
import pytest
from support.http_peer import HttpPeer
from support.receiver import Receiver

from orthanc_fast.config import Settings
from orthanc_fast.services.exchange.outgoing import ForbiddenAddress, OutgoingCalls, is_public

PATIENCE = 30.0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.31.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("2001:0:53aa:64c:0:0:0:1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


async def status(url: str, allow_private: bool) -> int:
    calls = OutgoingCalls(Settings())
    async with (
        calls.session(PATIENCE, allow_private=allow_private) as client,
        client.post(url, data=b"x", allow_redirects=False) as answer,
    ):
        return answer.status


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "0x7f.1"])
def test_the_address_of_the_socket_counts(host: str) -> None:
    """However it is written; nothing is sent."""
    with Receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        with pytest.raises(aiohttp.ClientConnectorError) as error:
            asyncio.run(status(url, False))
        assert isinstance(error.value.os_error, ForbiddenAddress)
        assert receiver.deliveries == []


def test_private_addresses_where_they_are_allowed() -> None:
    with Receiver() as receiver:
        assert asyncio.run(status(receiver.url, True)) == 204
        [delivery] = receiver.deliveries
        assert delivery.body == b"x"
        assert "cookie" not in delivery.headers


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would see the signed events, and would connect where we must not."""
    with Receiver() as receiver, Receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert asyncio.run(status(receiver.url, True)) == 204
        assert (len(receiver.deliveries), len(proxy.deliveries)) == (1, 0)


async def proxied(proxy: HttpPeer, url: str, allow_private: bool) -> int:
    calls = OutgoingCalls(Settings(http_proxy=proxy.url))
    async with (
        calls.session(PATIENCE, allow_private=allow_private) as client,
        client.post(url, data=b"x", allow_redirects=False) as answer,
    ):
        return answer.status


def test_behind_a_proxy_what_is_no_public_address_is_refused() -> None:
    """It resolves names itself: of them nothing is known here."""
    with HttpPeer() as proxy:
        for host in ("127.0.0.1", "10.0.0.1", "[::1]"):
            with pytest.raises(aiohttp.ClientOSError, match="no public address"):
                asyncio.run(proxied(proxy, f"http://{host}/x", False))
        assert proxy.requests == []
        assert asyncio.run(proxied(proxy, "http://10.0.0.1/x", True)) == 200
        assert asyncio.run(proxied(proxy, "http://somebody.example/x", False)) == 200
        targets = [each.target for each in proxy.requests]
        assert targets == ["http://10.0.0.1/x", "http://somebody.example/x"]
