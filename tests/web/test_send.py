"""Sending to modalities, peers and DICOMweb servers: another server of ours."""

from collections.abc import Iterator

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.ports import free_port
from support.server import OurServer
from support.web_ui import judge

DIALOG = "document.querySelector('dialog')"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {"DicomServerEnabled": True, "DicomPort": free_port(), "DicomAet": "TARGET"}
    with OurServer(tmp_path_factory.mktemp("target"), options) as running:
        yield running


@pytest.fixture
def study(server: OurServer, target: OurServer) -> str:
    """Of two images, which the target does not have; the server knows nobody."""
    for each in httpx.get(f"{target.url}/studies").json():
        httpx.delete(f"{target.url}/studies/{each}").raise_for_status()
    for kind in ("modalities", "peers", "dicom-web/servers"):
        for name in httpx.get(f"{server.url}/{kind}").json():
            httpx.delete(f"{server.url}/{kind}/{name}").raise_for_status()
    for number in (1, 2):
        data = generated.small().number(5, 5, 5, number)
        answer = httpx.post(f"{server.url}/instances", content=bytes(data)).json()
    found: str = answer["ParentStudy"]
    return found


def know(server: OurServer, kind: str, name: str, **values: object) -> None:
    httpx.put(f"{server.url}/{kind}/{name}", json=values).raise_for_status()


def know_all(server: OurServer, target: OurServer) -> None:
    port = target.configuration["DicomPort"]
    know(server, "modalities", "archive", AET="TARGET", Host="127.0.0.1", Port=port)
    know(server, "peers", "clinic", Url=f"{target.url}/")
    know(server, "dicom-web/servers", "cloud", Url=f"{target.url}/dicom-web/")


def opened(browser: Browser, server: OurServer, study: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
    browser.wait_for("document.querySelector('.series-card')")
    browser.click("Send")
    browser.wait_for(DIALOG)


@pytest.mark.parametrize("name", ["archive", "clinic", "cloud"])
def test_each_kind(
    browser: Browser, server: OurServer, target: OurServer, study: str, name: str
) -> None:
    know_all(server, target)
    opened(browser, server, study)
    if name == "archive":
        judge(browser, "send")
    radio = (
        "[...document.querySelectorAll('dialog label')]"
        f".find((each) => each.innerText.trim() === '{name}').querySelector('input')"
    )
    browser.value(f"{radio}.id = 'wanted'")
    browser.click_on("#wanted")
    browser.click_on("dialog button[type=submit]")
    browser.wait_for_text(f"has been sent to {name}")
    assert len(httpx.get(f"{target.url}/instances").json()) == 2


def test_by_keys(browser: Browser, server: OurServer, target: OurServer, study: str) -> None:
    """A selection of studies; the one that was chosen last is chosen again."""
    know_all(server, target)
    browser.open(f"{server.url}/app/explorer.html#studies")
    browser.value("localStorage.clear()")
    browser.open(f"{server.url}/app/explorer.html#studies")
    browser.wait_for("document.querySelector('tbody tr')")
    browser.press("/", "ArrowDown")
    browser.press(" ")
    browser.tab_to("Send")
    browser.press("Enter")
    browser.wait_for(DIALOG)
    assert browser.focus == "archive"
    browser.press("ArrowDown")
    assert browser.focus == "clinic"
    browser.press("Enter")
    browser.wait_for_text("has been sent to clinic")
    assert len(httpx.get(f"{target.url}/instances").json()) == 2
    browser.click("Send")
    browser.wait_for(DIALOG)
    browser.wait_for("document.activeElement.closest('label')?.innerText.trim() === 'clinic'")
    browser.press("Escape")
    browser.wait_for(f"!{DIALOG}")


def test_nobody_to_send_to(browser: Browser, server: OurServer, study: str) -> None:
    opened(browser, server, study)
    browser.wait_for_text("No modality, peer or DICOMweb server is configured.")
    assert browser.value("document.querySelector('dialog [type=submit]').disabled")
    judge(browser, "send-none")


def test_only_kinds_that_exist(
    browser: Browser, server: OurServer, target: OurServer, study: str
) -> None:
    know(server, "peers", "clinic", Url=f"{target.url}/")
    opened(browser, server, study)
    assert browser.value("document.querySelectorAll('dialog legend').length") == 1


def test_a_failure_leads_to_its_job(browser: Browser, server: OurServer, study: str) -> None:
    know(server, "modalities", "nobody", AET="NOBODY", Host="127.0.0.1", Port=free_port())
    opened(browser, server, study)
    browser.click_on("dialog button[type=submit]")
    browser.wait_for("document.querySelector('.toast.bad')")
    judge(browser, "send-failed")
    browser.click("Show the job")
    browser.wait_for(f"{DIALOG}?.innerText.includes('NOBODY')")
    assert "job=" in browser.value("location.hash")
