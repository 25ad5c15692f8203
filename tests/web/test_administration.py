"""The administrator's page."""

import fcntl
import os
import struct
import time
from pathlib import Path

import httpx
from support import generated
from support.dicom_door import Shelf, serving
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import judge


def opened(browser: Browser, server: OurServer) -> None:
    browser.open(f"{server.url}/app/explorer.html#administration")
    browser.wait_for_text("AE title")


def test_what_is_stored(browser: Browser, server: OurServer) -> None:
    data = bytes(generated.small().number(95, 95, 95, 95))
    httpx.post(f"{server.url}/instances", content=data).raise_for_status()
    opened(browser, server)
    found = browser.value(
        "[...document.querySelectorAll('dt')].map((name) =>"
        " [name.innerText, name.nextElementSibling.innerText])"
    )
    shown = dict(found)
    assert shown["Images"] == "1"
    assert shown["Size on disk"].endswith(("kB", "bytes"))
    assert shown["Name"] == "Ward 7"
    assert shown["Read only"] == "No"
    judge(browser, "administration")


def test_servers_are_asked_whether_they_are_there(
    browser: Browser, server: OurServer, tmp_path: Path
) -> None:
    gone = {"AET": "GONE", "Host": "127.0.0.1", "Port": 9}
    httpx.put(f"{server.url}/modalities/gone", json=gone).raise_for_status()
    httpx.put(f"{server.url}/peers/self", json={"Url": server.url}).raise_for_status()
    with serving(Shelf(tmp_path)) as door:
        here = {"AET": "HERE", "Host": "127.0.0.1", "Port": door.port}
        httpx.put(f"{server.url}/modalities/here", json=here).raise_for_status()
        opened(browser, server)
        for name in ("here", "self"):
            ask(browser, name)
            browser.wait_for_text(f"{name} answers.")
        ask(browser, "gone")
        browser.wait_for("document.querySelector('.toast.bad')")
    judge(browser, "administration-servers")


def ask(browser: Browser, name: str) -> None:
    button = f"document.querySelector(\"button[aria-label='Test: {name}']\")"
    browser.wait_for(button)
    browser.value(f"{button}.click(), 0")


def test_the_log_level(browser: Browser, server: OurServer) -> None:
    opened(browser, server)
    browser.wait_for("document.querySelector('main select')")
    browser.value(
        "(() => { const chosen = document.querySelector('main select'); chosen.value = 'verbose';"
        " chosen.dispatchEvent(new Event('change', {bubbles: true})); return 0 })()"
    )
    browser.wait_for(
        "fetch('../tools/log-level').then((answer) => answer.text())"
        ".then((text) => text.trim() === 'verbose')"
    )
    httpx.put(f"{server.url}/tools/log-level", content="default").raise_for_status()


def test_plots_of_the_last_hour(browser: Browser, server: OurServer) -> None:
    """With samples as they would be after an hour, written as the server writes them."""
    ring = next(Path(server.folder).rglob("history"))
    now = time.time()
    content = b"".join(
        struct.pack("<d4d", now - 30 * (120 - n), n * n, n * 5e6, n * 2e6, n * 40.0)
        for n in range(121)
    )
    with ring.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.pwrite(file.fileno(), content, 0)
    opened(browser, server)
    browser.wait_for("document.querySelectorAll('.plot polyline').length === 4")
    judge(browser, "administration-plots")
