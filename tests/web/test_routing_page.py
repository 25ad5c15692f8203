"""The page of routing: queues as they are, and a rule that is tried."""

from collections.abc import Iterator

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import DESK, TELEPHONE, judge

ROW = (
    "[...document.querySelectorAll('.routing tbody tr')]"
    ".find((row) => row.querySelector('td').innerText === {!r})"
)


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """One destination is a folder, the other a modality that is not there."""
    folder = tmp_path_factory.mktemp("disk")
    options = {
        "DicomModalities": {"gone": ["GONE", "127.0.0.1", 9]},
        "Routing": {
            "Destinations": {"disk": {"Folder": str(folder)}, "archive": {"Modality": "gone"}},
            "Rules": {
                "all-to-disk": {"Destinations": ["disk"]},
                "ct-to-archive": {"Query": {"Modality": "CT"}, "Destinations": ["archive"]},
                "mr-to-archive": {"Query": {"Modality": "MR"}, "Destinations": ["archive"]},
            },
        },
    }
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        data = bytes(generated.small().number(601, 601, 601, 601))
        httpx.post(f"{running.url}/instances", content=data).raise_for_status()
        yield running


def opened(browser: Browser, server: OurServer) -> None:
    browser.open(f"{server.url}/app/explorer.html#routing")
    browser.wait_for("document.querySelectorAll('.routing tbody tr').length === 5")


def test_queues_are_paused_and_go_on(browser: Browser, server: OurServer) -> None:
    opened(browser, server)
    disk, archive = ROW.format("disk"), ROW.format("archive")
    browser.wait_for(f"{disk}.querySelector('.column-sent').innerText === '1'")
    browser.wait_for(f"{archive}.innerText.includes('Failing')")
    browser.wait_for(f"{archive}.querySelector('.column-lastError').innerText.includes('GONE')")
    assert browser.value(f"{archive}.querySelector('.column-pending').innerText") == "1"
    judge(browser, "routing")
    try:
        browser.resize(*TELEPHONE, is_phone=True)  # where the column has no room
        browser.wait_for("document.querySelector('.routing tbody').innerText.includes('GONE')")
    finally:
        browser.resize(*DESK)
    for action, state in (("Pause", "Paused"), ("Resume", "Failing"), ("Try again now", "Failing")):
        browser.click_on("button[aria-label='Actions: archive']")
        browser.click(action)
        browser.wait_for(f"{archive}.innerText.includes('{state}')")
    found = httpx.get(f"{server.url}/routing/destinations/archive").json()
    assert found["State"] == "Failing"


@pytest.mark.parametrize(
    ("rule", "said"), [("ct-to-archive", "Yes: 1 image"), ("mr-to-archive", "No")]
)
def test_a_rule_is_tried_by_keys(browser: Browser, server: OurServer, rule: str, said: str) -> None:
    opened(browser, server)
    archive = ROW.format("archive")  # what is stored has entered its queue
    browser.wait_for(f"{archive}.querySelector('.column-pending').innerText === '1'")
    browser.value(f"document.querySelector('button[aria-label=\"Try: {rule}\"]').focus()")
    browser.press("Enter")
    browser.wait_for("document.querySelector('.trial tbody tr')")
    assert browser.value("document.querySelector('.trial td.column-would').innerText") == said
    judge(browser, f"routing-trial-{rule}")
    browser.press("Escape")
    assert httpx.get(f"{server.url}/routing/destinations/archive").json()["Pending"] == 1


def test_where_nothing_is_routed(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pages of what is not configured are not in the navigation, and say so."""
    with OurServer(tmp_path_factory.mktemp("plain"), {}) as plain:
        for page, text in (("routing", "No routing is"), ("worklists", "Worklists are not")):
            browser.open(f"{plain.url}/app/explorer.html#{page}")
            browser.wait_for_text(text)
            judge(browser, f"{page}-off")
        shown = browser.value("[...document.querySelectorAll('nav a')].map((e) => e.innerText)")
        assert "Studies" in shown
        assert not {"Routing", "Worklists"} & set(shown)
