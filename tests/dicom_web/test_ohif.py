"""The OHIF viewer, served by this server, in a browser: what it draws, and what it asks for."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from support import npm, viewed
from support.driven_browser import Browser
from support.server import OurServer
from support.viewed import FRAMES, SLICES, Studies

CANVAS = "canvas.cornerstone-canvas"


class Site(NamedTuple):
    """A server with studies, as a browser reaches it."""

    url: str
    studies: Studies


@pytest.fixture(scope="module")
def site(needs_viewers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = {"OHIF": {"Folder": str(npm.package(npm.OHIF))}}
    found = viewed.studies()
    with OurServer(tmp_path_factory.mktemp("server"), options) as server:
        for data in found.files:
            assert httpx.post(f"{server.url}/instances", content=data).status_code == 200
        yield Site(server.url, found)


@pytest.fixture
def browser(site: Site, tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as browser:
        viewed.prepare(browser)
        yield browser


def open_study(browser: Browser, site: Site, study: str) -> None:
    """The viewer with a study, as a link opens it, without what it says at first."""
    browser.open(f"{site.url}/ohif/viewer?StudyInstanceUIDs={study}")
    browser.wait_for_text("Confirm and hide")
    browser.click("Confirm and hide")


def all_answered(browser: Browser, *parts: str) -> None:
    """Every request for DICOMweb was answered well, and there was one for each of the parts."""
    asked = viewed.requests(browser, "/dicom-web/")
    assert [each for each in asked if each.status not in (200, 204)] == []
    for part in parts:
        assert any(part in each.url for each in asked), part


def test_list_of_studies(site: Site, browser: Browser) -> None:
    browser.open(f"{site.url}/ohif/")
    for text in ("Viewed, Slices", "Viewed, Frames", "Viewed, Report"):
        browser.wait_for_text(text)
    all_answered(browser, "/studies?")


def test_a_series_is_scrolled(site: Site, browser: Browser) -> None:
    open_study(browser, site, site.studies.ct)
    viewed.wait_for_column(browser, CANVAS, SLICES, SLICES - 1)  # the uppermost comes first
    for number in (SLICES - 2, SLICES - 3):
        browser.turn_wheel(CANVAS, 100)
        viewed.wait_for_column(browser, CANVAS, SLICES, number)
    all_answered(browser, "/series?", "/metadata", "/frames/1")


def test_frames_of_one_instance(site: Site, browser: Browser) -> None:
    open_study(browser, site, site.studies.multi_frame)
    viewed.wait_for_column(browser, CANVAS, FRAMES, 0)
    browser.turn_wheel(CANVAS, 100)
    viewed.wait_for_column(browser, CANVAS, FRAMES, 1)
    all_answered(browser, "/frames/1", "/frames/2")


def test_a_pdf(site: Site, browser: Browser) -> None:
    open_study(browser, site, site.studies.pdf)
    browser.wait_for("document.querySelector('object[type=\"application/pdf\"]')?.data")
    address = browser.value("document.querySelector('object[type=\"application/pdf\"]').data")
    kind, start = browser.value(
        f"fetch({address!r}).then(async (answer) => [answer.headers.get('content-type'),"
        "(await answer.text()).slice(0, 5)])"
    )
    assert (kind, start) == ("application/pdf", "%PDF-")
    all_answered(browser)
