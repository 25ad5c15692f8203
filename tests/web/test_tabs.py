"""Several pages in one browser: those that nobody looks at leave the connections, of which there
are six to a server, to the one in front; and miss nothing."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import DESK

TABS = 8
PAGES = ("changes", "studies", "jobs")
ROWS = "[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)"


def store(server: OurServer, number: int) -> dict[str, str]:
    data = bytes(generated.small().number(number, number, number, number))
    answer = httpx.post(f"{server.url}/instances", content=data).raise_for_status()
    return dict(answer.json())


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """No study becomes stable meanwhile: that would be another change, which a page hears that has
    missed the one before."""
    with OurServer(tmp_path_factory.mktemp("server"), {"StableAge": 3600}) as running:
        yield running


@pytest.fixture
def tabs(browser: Browser) -> Iterator[list[str]]:
    """The tabs that `opened` opens, which are closed again."""
    first = browser.tab
    found: list[str] = []
    yield found
    for tab in found:
        browser.close_tab(tab)
    browser.show_tab(first)


def opened(browser: Browser, tabs: list[str], url: str) -> None:
    tabs.append(browser.new_tab())
    browser.resize(*DESK)
    browser.open(url)


def test_more_pages_than_connections(browser: Browser, server: OurServer, tabs: list[str]) -> None:
    """All of them show what came while nobody looked, once."""
    store(server, 1)
    for number in range(TABS):
        opened(browser, tabs, f"{server.url}/app/explorer.html#{PAGES[number % len(PAGES)]}")
        browser.wait_for("document.querySelector('main h1')")
        browser.wait_for("!document.querySelector('.spinner')")
        browser.wait_for("fetch('../system').then((answer) => answer.ok)")
    stored = store(server, 2)
    job = {"Resources": [stored["ParentStudy"]], "Asynchronous": True}
    httpx.post(f"{server.url}/tools/create-archive", json=job).raise_for_status()
    came = {"changes": stored["ParentStudy"], "studies": "PATIENT0000000002", "jobs": "Archive"}
    for number, tab in enumerate(tabs):
        browser.drive_tab(tab)
        assert browser.value("document.hidden")
        browser.show_tab(tab)
        browser.wait_for("!document.hidden")
        wanted = json.dumps(came[PAGES[number % len(PAGES)]])
        browser.wait_for(f"{ROWS}.some((row) => row.includes({wanted}))")
        shown = browser.value(ROWS)
        assert len(shown) == len(set(shown))


def test_a_hidden_page_goes_on_with_its_job(
    browser: Browser, server: OurServer, tabs: list[str]
) -> None:
    """A modality lets it wait until the page is hidden, and then goes."""
    study = store(server, 3)["ParentStudy"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        slow = {"AET": "SLOW", "Host": "127.0.0.1", "Port": port, "Timeout": 600}
        httpx.put(f"{server.url}/modalities/slow", json=slow).raise_for_status()
        opened(browser, tabs, f"{server.url}/app/explorer.html#study?uuid={study}")
        browser.wait_for("document.querySelector('.series-card')")
        browser.click("Send")
        browser.wait_for("document.querySelector('dialog input:checked')")
        browser.click_on("dialog button[type=submit]")
        browser.wait_for("document.querySelector('.activity')")
        tabs.append(browser.new_tab())
        browser.drive_tab(tabs[0])
        browser.wait_for("document.hidden")
    browser.wait_for("document.querySelector('.toast.bad')?.innerText.includes('SLOW')")
    assert browser.value("document.hidden")
