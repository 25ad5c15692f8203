"""Splitting and merging studies."""

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import choose, field, fill, judge, press_button, tick

SMALL = generated.small()
RESULT = ".toast a[href^='#']"
SOME_SERIES = "dialog .some-series input"
AXIAL = "CT #2 Axial 1 mm (1 image)"


@pytest.fixture(autouse=True)
def empty(server: OurServer) -> None:
    for patient in httpx.get(f"{server.url}/patients").json():
        httpx.delete(f"{server.url}/patients/{patient}").raise_for_status()


def stored(server: OurServer, patient: int, study: int, *series: int) -> str:
    for number in series:
        data = bytes(SMALL.number(patient, study, number, number))
        answer = httpx.post(f"{server.url}/instances", content=data).raise_for_status()
    found: str = answer.json()["ParentStudy"]
    return found


def series_of(server: OurServer, study: str) -> int:
    return len(httpx.get(f"{server.url}/studies/{study}").raise_for_status().json()["Series"])


def opened(browser: Browser, server: OurServer, study: str, action: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
    browser.wait_for_text(action)
    browser.click(action)
    browser.wait_for("document.querySelector('dialog form')")


def test_split(browser: Browser, server: OurServer) -> None:
    study = stored(server, 401, 401, 1, 2, 3)
    opened(browser, server, study, "Split")
    assert browser.value("document.querySelector('dialog [type=submit]').disabled")
    tick(browser, AXIAL)
    browser.wait_for_text("1 series will leave this study")
    fill(browser, "Description of the new study", "One of them")
    judge(browser, "split")
    press_button(browser, "Split")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    browser.wait_for_text("2 series")  # the page of the old one
    judge(browser, "split-done")
    browser.click_on(RESULT)
    browser.wait_for(f"location.hash.startsWith('#study') && !location.hash.includes('{study}')")
    new = browser.value("location.hash").removeprefix("#study?uuid=")
    assert series_of(server, new) == 1
    assert series_of(server, study) == 2
    tags = httpx.get(f"{server.url}/studies/{new}").json()["MainDicomTags"]
    assert tags["StudyDescription"] == "One of them"


def test_split_warns_where_nothing_would_be_left(browser: Browser, server: OurServer) -> None:
    study = stored(server, 402, 402, 1, 2)
    opened(browser, server, study, "Split")
    browser.value(
        "[...document.querySelectorAll('dialog fieldset input')].forEach((each) => each.click())"
    )
    browser.wait_for_text("this study will be gone")
    judge(browser, "split-all")
    tick(browser, "Keep the chosen series in this study too")
    browser.wait_for_text("This study stays as it is")
    browser.press("Escape")
    browser.wait_for("!document.querySelector('dialog')")
    assert series_of(server, study) == 2


def test_what_split_refuses_stands_at_the_form(browser: Browser, server: OurServer) -> None:
    study = stored(server, 403, 403, 1, 2)
    opened(browser, server, study, "Split")
    tick(browser, AXIAL)
    httpx.delete(f"{server.url}/studies/{study}").raise_for_status()
    press_button(browser, "Split")
    browser.wait_for("document.querySelector('dialog [role=alert]')")
    judge(browser, "split-refused")
    browser.press("Escape")


def test_merge_with_another_study_by_keys(browser: Browser, server: OurServer) -> None:
    """Of the same patient, which are offered."""
    study = stored(server, 404, 404, 1)
    other = stored(server, 404, 405, 2, 3)
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
    browser.wait_for_text("Merge")
    browser.tab_to("Merge")
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog fieldset input')")
    browser.value("document.querySelector('dialog fieldset input').focus()")
    browser.press(" ")
    browser.wait_for_text("2 series will go into")
    judge(browser, "merge")
    browser.tab_to("Merge")
    browser.press("Enter")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    assert series_of(server, study) == 3
    assert httpx.get(f"{server.url}/studies").json() == [study]
    assert other != study


def test_merge_of_those_that_are_selected(browser: Browser, server: OurServer) -> None:
    studies = {stored(server, 406, 406, 1), stored(server, 407, 407, 2)}
    browser.open(f"{server.url}/app/explorer.html#studies")
    browser.wait_for("document.querySelectorAll('tbody tr').length === 2")
    browser.press("/", "ArrowDown", "Control+a")
    browser.wait_for_text("2 selected")
    browser.click("Merge")
    browser.wait_for_text("These studies are of different patients")
    target = browser.value(f"[...{field('The study that stays')}.options].at(-1).value")
    choose(browser, "The study that stays", target)
    tick(browser, "Keep the chosen series where they are too")
    browser.wait_for_text("will be copied into")
    judge(browser, "merge-selected")
    press_button(browser, "Merge")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    assert set(httpx.get(f"{server.url}/studies").json()) == studies
    assert series_of(server, target) == 2


def test_merge_of_some_series(browser: Browser, server: OurServer) -> None:
    """The study that they leave stays, with the others."""
    study = stored(server, 408, 408, 1)
    other = stored(server, 408, 409, 2, 3)
    opened(browser, server, study, "Merge")
    browser.click_on("dialog summary")
    browser.wait_for(f"document.querySelectorAll('{SOME_SERIES}').length === 2")
    browser.value(f"document.querySelector('{SOME_SERIES}').click()")
    browser.wait_for_text("1 of 2 series")
    assert browser.value("document.querySelector('dialog fieldset input').indeterminate")
    browser.wait_for_text("1 series will go into")
    judge(browser, "merge-series")
    press_button(browser, "Merge")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    assert series_of(server, study) == 2
    assert series_of(server, other) == 1


def test_merge_of_a_series_from_its_page(browser: Browser, server: OurServer) -> None:
    stored(server, 410, 410, 1, 2)
    target = stored(server, 410, 411, 3)
    series = httpx.get(f"{server.url}/series").json()
    found = {each: httpx.get(f"{server.url}/series/{each}").json() for each in series}
    moved = next(each for each, of in found.items() if of["ParentStudy"] != target)
    source = found[moved]["ParentStudy"]
    browser.open(f"{server.url}/app/explorer.html#series?uuid={moved}")
    browser.wait_for("document.querySelector('.stack')")
    browser.click("Merge")
    browser.wait_for_text("1 of 2 series")
    browser.wait_for_text("1 series will go into")
    press_button(browser, "Merge")
    browser.wait_for(f'document.querySelector("{RESULT}")')
    assert series_of(server, target) == 2
    assert series_of(server, source) == 1
    browser.wait_for(f"location.hash === '#study?uuid={source}'")  # the series is gone
