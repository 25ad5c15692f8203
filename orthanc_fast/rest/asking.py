"""Requests that wait for another server."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from orthanc_fast.rest.request import Request
from orthanc_fast.services.scu.associating import in_thread

T = TypeVar("T")


async def answered(request: Request, ask: Callable[[threading.Event], T]) -> T:
    """What `ask`, which blocks, gets from another server: in a thread of its own. It is given an
    event that is set when the client does not wait any longer."""
    stop = threading.Event()
    if request.is_part:  # what comes on the connection is the next one
        return await in_thread(lambda: ask(stop))
    asking = asyncio.ensure_future(in_thread(lambda: ask(stop)))
    gone = asyncio.ensure_future(request.gone())
    try:
        await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            stop.set()
        return await asking
    finally:
        stop.set()
        gone.cancel()
