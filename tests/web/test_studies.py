"""The list of studies, by mouse and by keys."""

import io
import json

import httpx
import pydicom
import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.uid import UID
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import judge

# Family and given name, ID, day, modality, description, accession number.
STUDIES = [
    ("Smith^Alice", "A1", "20240105", "CT", "Thorax", "X1"),
    ("Smith^Bob", "B1", "20240210", "MR", "Head", "X2"),
    ("Müller^Carla", "C1", "20240315", "CT", "Abdomen", "X3"),
    ("Jones^Dora", "D1", "20250101", "US", "Abdomen", "Y1"),
]
SCRIPT = "<script>document.title='taken'</script>"
RIGHT_TO_LEFT = "\u202eشريف^أحمد"
LARGE = "L" * 65000
ROWS = "[...document.querySelectorAll('tbody tr')]"
NAMES = f"{ROWS}.map((row) => row.querySelector('.column-PatientName').innerText)"


def study(number: int, *values: str) -> bytes:
    name, identifier, day, modality, description, accession = values
    data = generated.base(modality=modality)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName, data.PatientID, data.StudyDate = name, identifier, day
    # Longer than the standard allows, as some are.
    data.add(DataElement(0x00081030, "LO", description, validation_mode=IGNORE))
    data.AccessionNumber = accession
    data.StudyInstanceUID = UID(f"{generated.ROOT}.77.{number}")
    data.SeriesInstanceUID = UID(f"{data.StudyInstanceUID}.1")
    data.SOPInstanceUID = UID(f"{data.StudyInstanceUID}.2")
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="module", autouse=True)
def stored(server: OurServer) -> list[str]:
    """The studies' identifiers; the second has a label."""
    found = []
    for number, values in enumerate(STUDIES):
        answer = httpx.post(f"{server.url}/instances", content=study(number, *values))
        found.append(answer.json()["ParentStudy"])
    httpx.put(f"{server.url}/studies/{found[1]}/labels/urgent").raise_for_status()
    return found


def shown(browser: Browser, server: OurServer, query: str = "") -> None:
    browser.open(f"{server.url}/app/explorer.html#studies{query}")
    browser.wait_for(f"{ROWS}.length && !document.querySelector('[aria-busy=true]')")


def wait_for_names(browser: Browser, *names: str) -> None:
    expected = json.dumps(names, ensure_ascii=False, separators=(",", ":"))
    browser.wait_for(f"JSON.stringify({NAMES}) === {json.dumps(expected)}")


def span(first: int, last: int, total: int) -> str:
    return f"{first}\N{EN DASH}{last} of {total}"


def test_the_newest_first(browser: Browser, server: OurServer) -> None:
    shown(browser, server)
    wait_for_names(browser, "Jones Dora", "Müller Carla", "Smith Bob", "Smith Alice")
    browser.wait_for_text(span(1, 4, 4))
    row = browser.value(f"{ROWS}[2].innerText.split(/\\s*\\t\\s*/)")
    assert {"Smith Bob", "B1", "2024-02-10", "MR", "Head", "X2", "urgent"} <= set(row)
    judge(browser, "studies")


def test_search_as_one_types(browser: Browser, server: OurServer) -> None:
    """A name as it is shown; the search is in the address and survives."""
    shown(browser, server)
    browser.press("/")
    assert browser.focus == "Patient"
    browser.write("smith")
    wait_for_names(browser, "Smith Bob", "Smith Alice")
    browser.write(" al")
    wait_for_names(browser, "Smith Alice")
    shown(browser, server, browser.value("location.hash.slice('#studies'.length)"))
    wait_for_names(browser, "Smith Alice")
    browser.click("Clear")
    browser.wait_for_text(span(1, 4, 4))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?PatientID=c", ["Müller Carla"]),
        ("?PatientName=m%C3%BCl", ["Müller Carla"]),
        ("?StudyDescription=abdo", ["Jones Dora", "Müller Carla"]),
        ("?AccessionNumber=x&StudyDescription=Abdomen", ["Müller Carla"]),
        ("?modality=US,MR", ["Jones Dora", "Smith Bob"]),
        ("?label=urgent", ["Smith Bob"]),
        ("?from=2024-02-01&to=2024-12-31", ["Müller Carla", "Smith Bob"]),
        ("?to=2024-02-10", ["Smith Bob", "Smith Alice"]),
        ("?sort=PatientName", ["Jones Dora", "Müller Carla", "Smith Alice", "Smith Bob"]),
        ("?sort=-PatientID", ["Jones Dora", "Müller Carla", "Smith Bob", "Smith Alice"]),
    ],
)
def test_searches(browser: Browser, server: OurServer, query: str, names: list[str]) -> None:
    shown(browser, server, query)
    wait_for_names(browser, *names)


def test_filters_by_the_mouse(browser: Browser, server: OurServer) -> None:
    shown(browser, server)
    browser.click_on("button[aria-label='Modality: Any']")
    browser.click("CT")
    wait_for_names(browser, "Müller Carla", "Smith Alice")
    browser.press("Escape")
    browser.click_on("button[aria-label='Date: Any']")
    browser.wait_for("document.querySelector('input[type=date]')")
    judge(browser, "studies-date")
    browser.click("Last 7 days")
    browser.wait_for_text("No study matches.")
    browser.click("Clear")
    browser.click_on("button[aria-label='Labels: Any']")
    browser.wait_for_text("urgent")
    browser.click("urgent")
    wait_for_names(browser, "Smith Bob")


def test_sorting_and_pages(browser: Browser, server: OurServer) -> None:
    shown(browser, server)
    browser.value("localStorage.setItem('orthanc-fast.studies.size', '2')")
    shown(browser, server, "?sort=PatientName")
    wait_for_names(browser, "Jones Dora", "Müller Carla")
    browser.wait_for_text(span(1, 2, 4))
    browser.click_on("button[aria-label='Next page']")
    wait_for_names(browser, "Smith Alice", "Smith Bob")
    browser.wait_for_text(span(3, 4, 4))
    assert browser.value("document.querySelector('button[aria-label=\"Next page\"]').disabled")
    browser.click("Patient")  # the other direction, from the first page
    wait_for_names(browser, "Smith Bob", "Smith Alice")
    browser.value("localStorage.clear()")


def test_columns_are_chosen_and_remembered(browser: Browser, server: OurServer) -> None:
    shown(browser, server)
    browser.click("Columns")
    judge(browser, "studies-columns")
    browser.click("Institution")
    browser.click("Accession")
    heads = "[...document.querySelectorAll('thead th')].map((head) => head.innerText.trim())"
    browser.wait_for(f"{heads}.includes('Institution')")
    shown(browser, server)
    found = browser.value(heads)
    assert "Institution" in found
    assert "Accession" not in found
    browser.value("localStorage.clear()")


def test_selection_by_keys(browser: Browser, server: OurServer) -> None:
    shown(browser, server)
    selected = f"{ROWS}.map((row) => row.ariaSelected === 'true')"
    browser.press("/", "ArrowDown")
    browser.press("ArrowDown", " ")
    browser.wait_for_text("1 selected")
    browser.press("Shift+ArrowDown")
    browser.wait_for_text("2 selected")
    assert browser.value(selected) == [False, True, True, False]
    judge(browser, "studies-selected")
    browser.press("Control+a")
    browser.wait_for_text("4 selected")
    browser.press("Escape")
    browser.wait_for(f"!{selected}.includes(true)")
    browser.press("End", "Enter")
    browser.wait_for("location.hash.startsWith('#study?uuid=')")


def test_selection_by_the_mouse(browser: Browser, server: OurServer, stored: list[str]) -> None:
    """It stays where the list is searched anew."""
    shown(browser, server)
    browser.click_on("tbody tr:nth-child(2) input[type=checkbox]")
    browser.wait_for_text("1 selected")
    browser.press("/")
    browser.write("Jones")
    wait_for_names(browser, "Jones Dora")
    browser.click_on("thead input[type=checkbox]")
    browser.wait_for_text("2 selected")
    browser.click("Unselect all")
    browser.wait_for_text(span(1, 1, 1))
    browser.click_on("tbody tr .column-StudyDescription")
    browser.wait_for(f"location.hash === '#study?uuid={stored[3]}'")


def test_what_comes_is_seen(browser: Browser, server: OurServer) -> None:
    """Without a key or a click."""
    browser.open(f"{server.url}/app/explorer.html#studies?PatientID=arriving")
    browser.wait_for_text("No study matches.")
    values = ("Late^Comer", "arriving", "20240401", "CT", "Thorax", "L1")
    answer = httpx.post(f"{server.url}/instances", content=study(200, *values)).json()
    wait_for_names(browser, "Late Comer")
    httpx.delete(f"{server.url}/studies/{answer['ParentStudy']}").raise_for_status()


def test_hostile_names_are_text(needs_browser: None, browser: Browser, server: OurServer) -> None:
    texts = (SCRIPT, RIGHT_TO_LEFT, LARGE)
    stored = [
        httpx.post(
            f"{server.url}/instances",
            content=study(100 + number, "Evil^Name", "E1", "20230101", "CT", text, "Z"),
        ).json()["ParentStudy"]
        for number, text in enumerate(texts)
    ]
    try:
        shown(browser, server, "?PatientID=E1")
        cells = "[...document.querySelectorAll('td.column-StudyDescription')]"
        found = browser.value(f"{cells}.map((cell) => cell.innerText)")
        assert SCRIPT in found
        assert any(RIGHT_TO_LEFT in text for text in found)
        # The index holds no value of that size, as Orthanc's does not.
        assert "" in found
        assert browser.value("document.title") == "Studies"
        assert not browser.value("document.querySelector('td script')")
        # What stands beside is not turned around.
        assert browser.value(f"{cells}.every((cell) => cell.querySelector('bdi'))")
        judge(browser, "studies-hostile")
    finally:
        for each in stored:
            httpx.delete(f"{server.url}/studies/{each}").raise_for_status()


def test_what_the_server_refuses_is_told(browser: Browser, server: OurServer) -> None:
    browser.open(f"{server.url}/app/explorer.html#studies?sort=NoSuchTag")
    browser.wait_for("document.querySelector('[role=alert]')")
    judge(browser, "studies-refused")
