"""Handlers that only read the index: at once where it is read in place, else in a thread."""

import asyncio
import threading
from typing import Any, cast

import pytest

from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response
from orthanc_fast.rest.router import Handler, Reply, Router
from orthanc_fast.rights import NOTHING

NO_REQUEST = cast(Request, None)  # none of these looks at it


def answered_in() -> str:
    return threading.current_thread().name


def plain(request: Request) -> Response:
    """Reads."""
    return Response(answered_in().encode())


def plain_then_more(request: Request) -> Reply:
    """Reads, then has to wait for something."""
    here = answered_in()

    async def more() -> Response:
        await asyncio.sleep(0)
        return Response(f"{here} {answered_in()}".encode())

    return more()


async def coroutine(request: Request) -> Response:
    """Does more than reading."""
    return Response(answered_in().encode())


def registered(handler: Handler, in_place: bool) -> Handler:
    router = Router()
    router.add("GET", "/instances/{}/x", handler, needs=NOTHING)
    if not in_place:
        router.read_elsewhere()
    found = router.find(["instances", "1", "x"], "GET")
    assert found is not None
    return found.handlers["GET"]


async def answer(handler: Handler, in_place: bool) -> bytes:
    found: Any = registered(handler, in_place)(NO_REQUEST)
    response = found if isinstance(found, Response) else await found
    return bytes(response.body)


@pytest.mark.parametrize("in_place", [True, False])
def test_where_they_run(in_place: bool) -> None:
    async def run() -> None:
        loop = answered_in().encode()
        assert (await answer(plain, in_place) == loop) is in_place
        first, then = (await answer(plain_then_more, in_place)).rsplit(b" ", 1)
        assert (first == loop) is in_place
        assert then == loop
        assert await answer(coroutine, in_place) == loop

    asyncio.run(run())


def test_one_that_reads_in_place_makes_no_coroutine() -> None:
    assert isinstance(registered(plain, True)(NO_REQUEST), Response)


def test_documentation_is_that_of_the_handler() -> None:
    assert registered(plain, False).__doc__ == plain.__doc__
