"""The page of worklists: what stands there is what modalities find."""

from collections.abc import Iterator

import httpx
import pytest
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import allowed, fill, judge, press_button

ROWS = "[...document.querySelectorAll('.worklists tbody tr')]"


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    folder = tmp_path_factory.mktemp("worklists")
    options = {"Worklists": {"Enable": True, "Directory": str(folder)}}
    with OurServer(tmp_path_factory.mktemp("server"), options) as running:
        yield running


@pytest.fixture(autouse=True)
def empty(server: OurServer) -> None:
    for each in httpx.get(f"{server.url}/worklists").json():
        httpx.delete(f"{server.url}/worklists/{each['ID']}").raise_for_status()


def planned(server: OurServer, name: str, day: str) -> str:
    step = {"Modality": "CT", "ScheduledProcedureStepStartDate": day}
    tags = {
        "PatientName": name,
        "PatientComments": "in a wheelchair",
        "ScheduledProcedureStepSequence": [{**step, "ScheduledStationName": "ROOM2"}],
    }
    answer = httpx.post(f"{server.url}/worklists/create", json={"Tags": tags})
    found: str = answer.raise_for_status().json()["ID"]
    return found


def opened(browser: Browser, server: OurServer) -> None:
    browser.open(f"{server.url}/app/explorer.html#worklists")
    browser.wait_for("document.querySelector('.worklists')")


def test_a_worklist_is_made(browser: Browser, server: OurServer) -> None:
    opened(browser, server)
    browser.wait_for_text("No examination is planned.")
    judge(browser, "worklists-none")
    browser.wait_for_text("New worklist")
    browser.click("New worklist")
    fill(browser, "Patient name", "Miller^Mary")
    fill(browser, "Patient ID", "M1")
    press_button(browser, "Save")
    browser.wait_for("document.querySelector('dialog [role=alert]')")  # no modality, no date
    judge(browser, "worklist-refused")
    fill(browser, "Modality", "MR")
    browser.value(
        "(() => { const found = [...document.querySelectorAll('dialog label')]"
        ".find((label) => label.innerText.trim() === 'Date').control;"
        " found.value = '2026-05-04'; found.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )
    fill(browser, "Time", "08:30")
    judge(browser, "worklist-form")
    press_button(browser, "Save")
    browser.wait_for(f"{ROWS}.length === 1")
    judge(browser, "worklists")
    (made,) = httpx.get(f"{server.url}/worklists").json()
    assert made["Tags"]["PatientName"] == "Miller^Mary"
    (step,) = made["Tags"]["ScheduledProcedureStepSequence"]
    assert step["Modality"] == "MR"
    assert step["ScheduledProcedureStepStartDate"] == "20260504"
    assert step["ScheduledProcedureStepStartTime"] == "0830"


def test_it_is_edited_by_keys_and_what_is_not_shown_stays(
    browser: Browser, server: OurServer
) -> None:
    planned(server, "Second^One", "20260602")
    identifier = planned(server, "First^One", "20260601")
    opened(browser, server)
    browser.wait_for(f"{ROWS}.length === 2")
    assert "First One" in browser.value(f"{ROWS}[0].innerText")  # by the date
    browser.value(f"{ROWS}[0].focus()")
    browser.press("Enter")
    fill(browser, "Patient name", "Third^One")
    browser.press("Enter")
    browser.wait_for_text("Third One")
    tags = httpx.get(f"{server.url}/worklists/{identifier}").json()["Tags"]
    assert tags["PatientName"] == "Third^One"
    assert tags["PatientComments"] == "in a wheelchair"
    assert tags["ScheduledProcedureStepSequence"][0]["ScheduledStationName"] == "ROOM2"


def test_it_is_deleted(browser: Browser, server: OurServer) -> None:
    planned(server, "Gone^Soon", "20260601")
    opened(browser, server)
    browser.wait_for(f"{ROWS}.length === 1")
    browser.click_on("button[aria-label='Delete: Gone Soon']")
    browser.wait_for_text("Delete the worklist of Gone Soon?")
    judge(browser, "worklist-delete")
    press_button(browser, "Delete")
    browser.wait_for_text("No examination is planned.")
    assert httpx.get(f"{server.url}/worklists").json() == []


def test_who_may_only_look(browser: Browser, server: OurServer) -> None:
    planned(server, "Read^Only", "20260601")
    with allowed(browser, "browse"):
        opened(browser, server)
        browser.wait_for(f"{ROWS}.length === 1")
        assert not browser.value("document.querySelector('.worklists button')")


def test_who_sees_some_studies_only(browser: Browser, server: OurServer) -> None:
    """Worklists are of all, so the server refuses him to change them."""
    planned(server, "Read^Only", "20260601")
    with allowed(browser, "browse", "modify", labels=["cardio"]):
        opened(browser, server)
        browser.wait_for(f"{ROWS}.length === 1")
        assert not browser.value("document.querySelector('.worklists button')")
