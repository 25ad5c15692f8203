"""Anonymizing and modifying, from the form over the preview to the new study."""

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import allowed, choose, field, fill, judge, press_button, tick

SMALL = generated.small()
RESULT = ".toast a[href^='#']"


@pytest.fixture(autouse=True)
def empty(server: OurServer) -> None:
    for patient in httpx.get(f"{server.url}/patients").json():
        httpx.delete(f"{server.url}/patients/{patient}").raise_for_status()


def stored(server: OurServer, patient: int, study: int) -> str:
    """A study of two images."""
    for instance in (1, 2):
        data = bytes(SMALL.number(patient, study, study, instance))
        answer = httpx.post(f"{server.url}/instances", content=data).raise_for_status()
    found: str = answer.json()["ParentStudy"]
    return found


def opened(browser: Browser, server: OurServer, study: str, action: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
    browser.wait_for(
        f"[...document.querySelectorAll('button')].find((e) => e.innerText.trim() === '{action}')"
    )
    browser.click(action)
    browser.wait_for("document.querySelector('dialog form')")


def made(browser: Browser, server: OurServer) -> dict[str, object]:
    """The resource to which the message at the end leads."""
    browser.wait_for(f'document.querySelector("{RESULT}")')
    browser.click_on(RESULT)
    browser.wait_for(f"location.hash !== '' && !document.querySelector(\"{RESULT}\")")
    identifier = browser.value("location.hash").removeprefix("#study?uuid=")
    found: dict[str, object] = (
        httpx.get(f"{server.url}/studies/{identifier}").raise_for_status().json()
    )
    return found


def test_anonymize_with_a_preview(browser: Browser, server: OurServer) -> None:
    study = stored(server, 301, 301)
    opened(browser, server, study, "Anonymize")
    judge(browser, "anonymize")
    choose(browser, "Patient name", "Replace")
    fill(browser, "Patient name: new value", "Case^42")
    choose(browser, "Study description", "Keep")
    press_button(browser, "Preview")
    browser.wait_for_text("Nothing has been done yet.")
    rows = browser.value(
        "[...document.querySelectorAll('.preview tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    )
    by_path = {row[0].split()[-1]: row[1:] for row in rows}
    assert by_path["0010,0010"] == ["Replaced", "Test^Person", "Case^42", "2"]
    assert by_path["0008,0080"] == ["Removed", "General Hospital", "", "2"]
    assert by_path["0020,000d"][0] == "New identifier"
    assert "0008,1030" not in by_path  # it stays
    assert len(httpx.get(f"{server.url}/studies").json()) == 1
    judge(browser, "anonymize-preview")
    tick(browser, "Show what stays as it is too")
    browser.wait_for("document.querySelector('.preview .Kept')")
    press_button(browser, "Back")
    browser.wait_for(f"{field('Patient name: new value')}.value === 'Case^42'")
    press_button(browser, "Preview")
    browser.wait_for_text("Nothing has been done yet.")
    press_button(browser, "Anonymize")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    browser.wait_for("document.querySelector('h1') && !document.querySelector('.spinner')")
    judge(browser, "anonymize-done")
    new = made(browser, server)
    assert new["AnonymizedFrom"] == study
    assert new["PatientMainDicomTags"]["PatientName"] == "Case^42"  # type: ignore[index]
    assert new["MainDicomTags"]["StudyDescription"] == "Thorax"  # type: ignore[index]


def test_options_and_the_key_give_the_same_study_again(browser: Browser, server: OurServer) -> None:
    study = stored(server, 302, 302)
    body = {
        "Options": ["CleanDescriptors", "RetainLongitudinalModifiedDates"],
        "DateShift": -40,
        "PseudonymKey": "of a project",
        "DicomVersion": "2021b",
    }
    expected = httpx.post(f"{server.url}/studies/{study}/anonymize", json=body).json()["ID"]
    httpx.delete(f"{server.url}/studies/{expected}").raise_for_status()
    opened(browser, server, study, "Anonymize")
    choose(browser, "Profile", "2021b")
    tick(browser, "Keep descriptions, cleaned of what identifies")
    tick(browser, "Keep dates, moved by the same days for a patient")
    fill(browser, "Move dates by days", "-40")
    fill(browser, "Key of pseudonyms", "of a project")
    browser.value("document.querySelector('summary').click()")
    fill(browser, "Rectangles to blank", "0 0 4 2")
    judge(browser, "anonymize-options")
    browser.value("document.querySelector('dialog .content').scrollTo(0, 1e6)")
    judge(browser, "anonymize-options-end")
    press_button(browser, "Anonymize")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    tags = httpx.get(f"{server.url}/studies/{expected}/instances-tags?simplify").raise_for_status()
    for instance in tags.json().values():
        assert instance["StudyDate"] == "20231206"
        assert instance["BurnedInAnnotation"] == "NO"


def test_modify_by_keys(browser: Browser, server: OurServer) -> None:
    study = stored(server, 303, 303)
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
    browser.wait_for_text("Modify")
    browser.tab_to("Modify")
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog form')")
    browser.tab_to("Study description")
    browser.press("ArrowDown")
    browser.tab_to("Study description: new value")
    assert browser.value("document.activeElement.value") == "Thorax"
    browser.press("Control+a")
    browser.write("Thorax and neck")
    browser.tab_to("Another tag")
    browser.write("PatientComments")
    browser.press("Enter")
    browser.wait_for(field("PatientComments: new value"))
    browser.value(f"{field('PatientComments')}.focus()")
    browser.press("Tab")
    browser.write("seen twice")
    judge(browser, "modify")
    browser.press("Enter")
    browser.wait_for_text("Nothing has been done yet.")
    browser.wait_for("document.activeElement !== document.body")
    judge(browser, "modify-preview")
    browser.tab_to("Modify")
    browser.press("Enter")
    new = made(browser, server)
    assert new["ModifiedFrom"] == study
    assert new["MainDicomTags"]["StudyDescription"] == "Thorax and neck"  # type: ignore[index]
    first = httpx.get(f"{server.url}/studies/{new['ID']}/instances-tags?simplify").json()
    assert {each["PatientComments"] for each in first.values()} == {"seen twice"}


def test_originals_go_where_that_is_wanted(browser: Browser, server: OurServer) -> None:
    study = stored(server, 304, 304)
    opened(browser, server, study, "Modify")
    choose(browser, "Patient ID", "Replace")
    fill(browser, "Patient ID: new value", "NEW7")
    browser.wait_for_text("Identifiers are set by hand")
    tick(browser, "Delete the originals afterwards")
    judge(browser, "modify-force")
    press_button(browser, "Modify")
    # The study is gone, and its patient with it.
    browser.wait_for("location.hash === '#studies'")
    new = made(browser, server)
    assert new["PatientMainDicomTags"]["PatientID"] == "NEW7"  # type: ignore[index]
    assert httpx.get(f"{server.url}/studies").json() == [new["ID"]]


def test_what_the_server_refuses_stands_at_the_form(browser: Browser, server: OurServer) -> None:
    study = stored(server, 305, 305)
    stored(server, 305, 306)  # the patient has another one
    opened(browser, server, study, "Modify")
    choose(browser, "Patient name", "Replace")
    fill(browser, "Patient name: new value", "Other^Name")
    press_button(browser, "Modify")
    browser.wait_for(
        "document.querySelector('dialog [role=alert]')?.innerText.includes('already exists')"
    )
    judge(browser, "modify-refused")
    choose(browser, "Patient name", "")
    fill(browser, "Another tag", "NoSuchTag")
    browser.press("Enter")
    press_button(browser, "Preview")
    browser.wait_for(
        "document.querySelector('dialog [role=alert]')?.innerText.includes('NoSuchTag')"
    )
    browser.press("Escape")
    browser.wait_for("!document.querySelector('dialog')")
    assert len(httpx.get(f"{server.url}/studies").json()) == 2


def test_several_studies_at_once(browser: Browser, server: OurServer) -> None:
    sources = [stored(server, 307, 307), stored(server, 308, 308)]
    browser.open(f"{server.url}/app/explorer.html#studies")
    browser.wait_for("document.querySelectorAll('tbody tr').length === 2")
    browser.press("/", "ArrowDown", "Control+a")
    browser.wait_for_text("2 selected")
    browser.click("Anonymize")
    browser.wait_for_text("Anonymize 2")
    press_button(browser, "Preview")
    browser.wait_for_text("in 4 images")
    press_button(browser, "Anonymize")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    browser.wait_for_text("4 images anonymized.")
    origins = {
        httpx.get(f"{server.url}/studies/{each}").json().get("AnonymizedFrom")
        for each in httpx.get(f"{server.url}/studies").json()
    }
    assert origins == {None, *sources}


def test_who_may_not_modify_is_not_offered_it(browser: Browser, server: OurServer) -> None:
    study = stored(server, 309, 309)
    with allowed(browser, "browse"):
        browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
        browser.wait_for("document.querySelector('.resource-head h1')")
        shown = browser.value("[...document.querySelectorAll('button')].map((e) => e.innerText)")
        assert not {"Anonymize", "Modify"} & {each.strip() for each in shown}
