"""Fixtures of the tests of WebDAV."""

from collections.abc import Iterator

import httpx
import pytest
from support import webdav
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.webdav import Pair

SETTINGS = {"WebDavDeleteAllowed": True}


@pytest.fixture(scope="module")
def servers(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("webdav")
    with (
        OurServer(folder / "ours", SETTINGS) as ours,
        ReferenceServer(folder / "theirs", SETTINGS) as theirs,
        httpx.Client(base_url=ours.url, timeout=60) as left,
        httpx.Client(base_url=theirs.url, timeout=60) as right,
    ):
        yield Pair(left, right)


@pytest.fixture(scope="module")
def filled(servers: Pair) -> Pair:
    """Both servers with the same instances, for tests that change nothing."""
    servers.store(webdav.difficult())
    return servers


@pytest.fixture
def pair(servers: Pair) -> Pair:
    """Both servers with the same instances, no more."""
    servers.empty()
    servers.store(webdav.difficult())
    return servers
