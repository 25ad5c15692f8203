"""Answers in parts that are made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Iterator


async def begun(parts: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """The stream of the parts, each made in a thread since that waits for the disk or takes a
    while. The first one is made here: what it raises can still become an answer."""
    first = await asyncio.to_thread(next, parts, b"")
    return _stream(first, parts)


async def _stream(first: bytes, parts: Iterator[bytes]) -> AsyncGenerator[bytes]:
    part = first
    while part:
        yield part
        part = await asyncio.to_thread(next, parts, b"")
