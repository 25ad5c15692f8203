"""Other servers are searched, and studies of them retrieved: two servers of ours."""

from collections.abc import Iterator

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.ports import free_port
from support.server import OurServer
from support.web_ui import allowed, choose, fill, judge

SMALL = generated.small()
ROWS = "[...document.querySelectorAll('.query tbody tr')]"
STORED = {501: 2, 502: 1}


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {"DicomServerEnabled": True, "DicomPort": free_port(), "DicomAet": "OURS"}
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        yield running


@pytest.fixture(scope="module")
def remote(server: OurServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    """A server with studies of 2 and 1 images; both know each other."""
    options = {"DicomServerEnabled": True, "DicomPort": free_port(), "DicomAet": "REMOTE"}
    with OurServer(tmp_path_factory.mktemp("remote"), options) as running:
        for study, count in STORED.items():
            for instance in range(count):
                data = bytes(SMALL.number(study, study, study, instance))
                httpx.post(f"{running.url}/instances", content=data).raise_for_status()
        system = httpx.get(f"{server.url}/system").json()
        ours = {"AET": system["DicomAet"], "Host": "127.0.0.1", "Port": system["DicomPort"]}
        httpx.put(f"{running.url}/modalities/ours", json=ours).raise_for_status()
        port = httpx.get(f"{running.url}/system").json()["DicomPort"]
        theirs = {"AET": "REMOTE", "Host": "127.0.0.1", "Port": port}
        for name, method in (("moves", "C-MOVE"), ("gets", "C-GET")):
            body = {**theirs, "RetrieveMethod": method}
            httpx.put(f"{server.url}/modalities/{name}", json=body).raise_for_status()
        web = {"Url": f"{running.url}/dicom-web/"}
        httpx.put(f"{server.url}/dicom-web/servers/web", json=web).raise_for_status()
        yield running


def searched(browser: Browser, server: OurServer, name: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#query")
    choose(browser, "Server", name)
    fill(browser, "Patient", "test per")
    browser.press("Enter")
    browser.wait_for(f"{ROWS}.length === 2")


@pytest.mark.parametrize("name", ["modality:moves", "modality:gets", "web:web"])
def test_a_study_is_found_and_retrieved(
    browser: Browser, server: OurServer, remote: OurServer, name: str
) -> None:
    for study in httpx.get(f"{server.url}/studies").json():
        httpx.delete(f"{server.url}/studies/{study}").raise_for_status()
    searched(browser, server, name)
    row = f"{ROWS}.find((row) => row.innerText.includes('PATIENT0000000501'))"
    cells = browser.value(f"{row}.innerText.split(/\\s*\\t\\s*/)")
    assert {"Test Person", "1970-01-01", "2024-01-15", "CT", "Thorax", "A1042"} <= set(cells)
    judge(browser, f"query-{name.split(':')[1]}")
    browser.value(f"{row}.querySelector('button[aria-label^=Retrieve]').click()")
    browser.wait_for("document.querySelector('.toast a')")
    browser.wait_for(f"{row}?.querySelector('.column-here a')")
    judge(browser, "query-retrieved")
    browser.click_on(".toast a")
    browser.wait_for("location.hash.startsWith('#study')")
    identifier = browser.value("location.hash").removeprefix("#study?uuid=")
    found = httpx.get(f"{server.url}/studies/{identifier}/statistics").json()
    assert int(found["CountInstances"]) == 2


def test_series_by_keys(browser: Browser, server: OurServer, remote: OurServer) -> None:
    searched(browser, server, "modality:moves")
    browser.value(f"{ROWS}[0].focus()")
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog tbody tr')")
    browser.wait_for_text("Axial 1 mm")
    judge(browser, "query-series")
    browser.value("document.querySelector('dialog tbody button').focus()")
    browser.press("Enter")
    browser.wait_for("document.querySelector('.toast a')")
    browser.press("Escape")


def test_who_does_not_answer(browser: Browser, server: OurServer, remote: OurServer) -> None:
    gone = {"AET": "GONE", "Host": "127.0.0.1", "Port": 9}
    httpx.put(f"{server.url}/modalities/gone", json=gone).raise_for_status()
    browser.open(f"{server.url}/app/explorer.html#query")
    choose(browser, "Server", "modality:gone")
    fill(browser, "Patient ID", "x")
    browser.press("Enter")
    browser.wait_for("document.querySelector('[role=alert]')")
    assert "GONE" in browser.value("document.querySelector('[role=alert]').innerText")
    judge(browser, "query-gone")
    httpx.delete(f"{server.url}/modalities/gone").raise_for_status()


def test_nothing_found_and_no_condition(
    browser: Browser, server: OurServer, remote: OurServer
) -> None:
    browser.open(f"{server.url}/app/explorer.html#query")
    choose(browser, "Server", "modality:moves")
    choose(browser, "Modality", "US")
    browser.click("Search")
    browser.wait_for_text("moves has no such study.")
    choose(browser, "Modality", "")
    browser.click("Search")
    browser.wait_for_text("Search all of it?")
    judge(browser, "query-all")
    browser.press("Escape")
    assert browser.value(f"{ROWS}.length") == 0


def test_who_may_not_upload_is_not_offered_it(browser: Browser, server: OurServer) -> None:
    with allowed(browser, "browse", "modify"):
        browser.open(f"{server.url}/app/explorer.html#studies")
        browser.wait_for("document.querySelector('nav a')")
        shown = browser.value("[...document.querySelectorAll('nav a')].map((e) => e.innerText)")
    assert "Studies" in shown
    assert "Query" not in shown
