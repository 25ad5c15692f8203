"""The page of changes, live."""

import httpx
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import judge

ROWS = "document.querySelectorAll('tbody tr').length"


def store(server: OurServer, number: int) -> str:
    data = bytes(generated.small().number(number, number, number, number))
    study: str = httpx.post(f"{server.url}/instances", content=data).json()["ParentStudy"]
    return study


def test_changes_appear_while_one_looks(browser: Browser, server: OurServer) -> None:
    browser.open(f"{server.url}/app/explorer.html#changes")
    browser.wait_for_text("Nothing has changed yet")
    study = store(server, 91)
    browser.wait_for(f"{ROWS} >= 3")
    assert browser.value(f"document.body.innerText.includes({study!r})")
    judge(browser, "changes")


def test_with_single_images(browser: Browser, server: OurServer) -> None:
    store(server, 92)
    browser.open(f"{server.url}/app/explorer.html#changes")
    browser.wait_for(f"{ROWS} >= 3")
    before = browser.value(ROWS)
    browser.value("document.querySelector('main input[type=checkbox]').click(), 0")
    browser.wait_for(f"{ROWS} > {before}")


def test_a_change_leads_to_its_resource(browser: Browser, server: OurServer) -> None:
    browser.open(f"{server.url}/app/explorer.html#changes")
    browser.wait_for(f"{ROWS} >= 3")
    browser.value("document.querySelector('tbody tr').focus(), 0")
    browser.press("Enter")
    browser.wait_for("/#(patient|study|series)\\?uuid=/.test(location.hash)")
