"""Clients that stop reading a streamed answer."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from orthanc_fast.errors import OrthancError
from orthanc_fast.rest.response import NETWORK_PROTOCOL, Response


@pytest.mark.parametrize("taken", [0, 2])
def test_a_stalled_stream_is_closed(taken: int) -> None:
    """What it holds must not be held for ever."""
    is_closed = False
    sent: list[bytes] = []

    async def chunks() -> AsyncGenerator[bytes]:
        nonlocal is_closed
        try:
            while True:
                yield b"x"
        finally:
            is_closed = True

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            if len(sent) == taken:
                await asyncio.get_running_loop().create_future()
            sent.append(message["body"])

    response = Response(stream=chunks())
    with pytest.raises(OrthancError) as raised:
        asyncio.run(response.send(send, [], True, patience=0.05))
    assert raised.value.code == NETWORK_PROTOCOL
    assert sent == [b"x"] * taken
    assert is_closed
