"""Fixtures of the tests of REST."""

from collections.abc import Iterator

import httpx
import pytest
from support.reference_server import ReferenceServer
from support.server import OurServer


@pytest.fixture(scope="module")
def ours(our_server: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=our_server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def both(
    ours: httpx.Client, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """`ours` of the module with an Orthanc 1.13 of its own: others count what theirs holds."""
    server = ReferenceServer(tmp_path_factory.mktemp("theirs"))
    with server, httpx.Client(base_url=server.url, timeout=60) as theirs:
        yield ours, theirs
