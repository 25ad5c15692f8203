"""The VolView viewer, served by this server, in a browser."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import npm, viewed
from support.driven_browser import Browser
from support.server import OurServer


@pytest.fixture(scope="module")
def site(needs_viewers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {"VolView": {"Folder": str(npm.package(npm.VOLVIEW))}}
    with OurServer(tmp_path_factory.mktemp("server"), options) as server:
        yield server


def test_a_study_is_loaded(site: OurServer, tmp_path: Path) -> None:
    found = viewed.studies()
    for data in found.files:
        httpx.post(f"{site.url}/instances", content=data).raise_for_status()
    study = httpx.post(f"{site.url}/tools/lookup", content=found.ct).json()[0]["ID"]
    with Browser(tmp_path / "profile") as browser:
        viewed.prepare(browser)
        browser.open(
            f"{site.url}/volview/index.html?names=[study.zip]&urls=[../studies/{study}/archive]"
        )
        browser.wait_for_text("Viewed^Slices")
        browser.wait_for("document.querySelectorAll('canvas').length >= 3")


def test_its_addresses(site: OurServer) -> None:
    answer = httpx.get(f"{site.url}/volview")
    assert (answer.status_code, answer.headers["location"]) == (307, "volview/")
    assert httpx.get(f"{site.url}/volview/").headers["content-type"].startswith("text/html")
    assert httpx.get(f"{site.url}/plugins/volview").json()["RootUri"] == "../volview/index.html"
    assert httpx.get(f"{site.url}/volview/none.js").status_code == 404
