"""Fixtures of the tests of the web interface: one server and one browser for each module."""

from collections.abc import Iterator

import pytest
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import DESK


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server"), {"Name": "Ward 7"}) as running:
        yield running


@pytest.fixture(scope="module")
def browser(needs_viewers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as running:
        running.resize(*DESK)
        yield running
