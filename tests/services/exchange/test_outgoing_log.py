"""HttpVerbose: what is written of calls to other servers, and what is not."""

import asyncio
import contextlib
from collections.abc import Iterator

import aiohttp
import pytest
from support.http_peer import HttpPeer, answer

from orthanc_fast.config import Settings
from orthanc_fast.log import Category, Verbosity, logger
from orthanc_fast.services.exchange.outgoing import OutgoingCalls

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _verbose() -> Iterator[None]:
    before = logger.level(Category.HTTP)
    logger.set_level(Verbosity.VERBOSE, Category.HTTP)
    yield
    logger.set_level(before, Category.HTTP)


async def call(url: str, verbose: bool) -> None:
    calls = OutgoingCalls(Settings(http_verbose=verbose))
    async with calls.session(PATIENCE) as client:
        with contextlib.suppress(aiohttp.ClientError):
            async with client.get(url) as found:
                await found.read()


@pytest.mark.parametrize("verbose", [True, False])
def test_calls(caplog: pytest.LogCaptureFixture, verbose: bool) -> None:
    locations = iter([answer(302, b"", "Location: /there?token=secret"), answer()])
    with HttpPeer(lambda received: next(locations)) as peer:
        url = peer.url.replace("127.", "user:secret@127.") + "here?key=secret"
        asyncio.run(call(url, verbose))
        lines = [record.getMessage() for record in caplog.records]
        assert (
            lines
            == [
                f"HTTP client: GET {peer.url}here",
                f"HTTP client: GET {peer.url}here: 302, redirected to /there",
                f"HTTP client: GET {peer.url}there: 200 Status",
            ]
            * verbose
        )


def test_faults(caplog: pytest.LogCaptureFixture) -> None:
    with HttpPeer(lambda received: None) as peer:
        asyncio.run(call(peer.url, True))
        assert "HTTP client: GET" in caplog.records[-1].getMessage()
        assert "disconnected" in caplog.records[-1].getMessage()
