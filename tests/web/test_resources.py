"""The pages of a study, a patient, a series and an instance."""

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID
from support import generated
from support.driven_browser import Browser
from support.files import file_named
from support.server import OurServer
from support.web_ui import allowed, field, fill, judge, press_button

SLICES = 5
SCRIPT = "<script>document.title='taken'</script>"
LARGE = "L" * 65000
STAGE = "document.querySelector('.stage img')"
FIRST_CELLS = (
    "[...document.querySelectorAll('.tags tbody tr')].map((row) => row.cells[0].innerText)"
)


def slice_of(number: int, series: int = 1) -> bytes:
    data = generated.base()
    generated.add_pixels(data, np.full((64, 64), 40 * number, np.uint16))
    data.PatientName, data.PatientID = "Doe^Jane", "R1"
    data.StudyInstanceUID = UID(f"{generated.ROOT}.55")
    data.SeriesInstanceUID = UID(f"{data.StudyInstanceUID}.{series}")
    data.SOPInstanceUID = UID(f"{data.SeriesInstanceUID}.{number}")
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.InstanceNumber, data.SeriesNumber = number, series
    data.StudyDescription, data.SeriesDescription = "Thorax", f"Series {SCRIPT}"
    data.StudyDate = "20240105"
    item, inner = Dataset(), Dataset()
    inner.CodeMeaning = "Deep inside"
    item.PurposeOfReferenceCodeSequence = [inner]
    data.ReferencedImageSequence = [item]
    data.add(DataElement(0x00204000, "LT", LARGE, validation_mode=IGNORE))
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server"), {"UserMetadata": {"ward": 1024}}) as running:
        yield running


@pytest.fixture(scope="module")
def stored(server: OurServer) -> dict[str, Any]:
    """What the server says of the first slice; there is a second series."""
    for number in range(SLICES, 0, -1):
        answer = httpx.post(f"{server.url}/instances", content=slice_of(number)).json()
    httpx.post(f"{server.url}/instances", content=slice_of(1, 2)).raise_for_status()
    return dict(answer)


def shown(browser: Browser, server: OurServer, page: str, identifier: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#{page}?uuid={identifier}")
    browser.wait_for("document.querySelector('h1')")


def all_loaded(browser: Browser, selector: str) -> None:
    images = f"[...document.querySelectorAll('{selector}')]"
    browser.wait_for(f"{images}.length && {images}.every((each) => each.naturalWidth)")


def test_a_study(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    shown(browser, server, "study", stored["ParentStudy"])
    browser.wait_for_text("2 series")
    all_loaded(browser, ".series-card img")
    assert browser.value("document.querySelector('h1').innerText") == "Thorax"
    browser.wait_for_text("Doe Jane")
    card = browser.value("document.querySelector('.series-card').innerText")
    assert SCRIPT in card
    assert f"{SLICES} images" in card
    judge(browser, "study")
    assert browser.value("document.title") == "Thorax"


@pytest.mark.parametrize("level", ["patient", "study", "series", "instance"])
def test_addresses_of_orthanc_explorer(
    browser: Browser, server: OurServer, stored: dict[str, Any], level: str
) -> None:
    """And those of the front page before this one."""
    names = {"study": "ParentStudy", "series": "ParentSeries", "patient": "ParentPatient"}
    identifier = stored[names.get(level, "ID")]
    shown(browser, server, level, identifier)
    heading = browser.value("document.querySelector('h1').innerText")
    plural = {"study": "studies", "series": "series"}.get(level, f"{level}s")
    browser.open(f"{server.url}/app/explorer.html#/{plural}/{identifier}")
    browser.wait_for(f"document.querySelector('h1')?.innerText === {json.dumps(heading)}")


def test_from_page_to_page(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    """Down by the mouse, up by the path, back by the browser."""
    shown(browser, server, "patient", stored["ParentPatient"])
    browser.wait_for("document.querySelector('.series-card')")
    judge(browser, "patient")
    browser.click_on(".series-card")
    browser.wait_for("location.hash.startsWith('#study') && document.querySelector('.series-card')")
    browser.click_on(".series-card")
    browser.wait_for("document.querySelector('.strip a')")
    browser.click_on(".strip li:nth-child(2) a")
    browser.wait_for_text("Instance 2")
    browser.click("Thorax")
    browser.wait_for("location.hash.startsWith('#study')")
    browser.value("history.back()")
    browser.wait_for_text("Instance 2")


def test_labels(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    address = f"{server.url}/studies/{stored['ParentStudy']}/labels"
    shown(browser, server, "study", stored["ParentStudy"])
    browser.wait_for("document.querySelector('.label-editor input')")
    browser.value("document.querySelector('.label-editor input').focus()")
    browser.write("teaching")
    browser.press("Enter")
    browser.wait_for("document.querySelector('.label-editor .label')")
    assert httpx.get(address).json() == ["teaching"]
    judge(browser, "study-label")
    browser.click_on("button[aria-label='Remove the label teaching']")
    browser.wait_for("!document.querySelector('.label-editor .label')")
    assert httpx.get(address).json() == []
    browser.value("document.querySelector('.label-editor input').focus()")
    browser.write("no label can hold this: ü")
    browser.press("Enter")
    browser.wait_for("document.querySelector('.toast [role=alert], .toast[role=alert]')")


def test_metadata_attachments_tags(
    browser: Browser, server: OurServer, stored: dict[str, Any]
) -> None:
    shown(browser, server, "instance", stored["ID"])
    browser.click("Metadata")
    browser.wait_for_text("Reception Date")
    judge(browser, "instance-metadata")
    browser.click("Attachments")
    browser.wait_for("document.querySelector('.attachments a')")
    link = browser.value("document.querySelector('.attachments a').href")
    assert httpx.get(link).content == slice_of(1)
    shown(browser, server, "study", stored["ParentStudy"])
    browser.click("Tags")
    browser.wait_for("document.querySelector('aside .tags tbody tr')")
    browser.wait_for_text("Referring Physician Name")


def test_a_series(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    """The middle slice first; keys and wheel go through them."""
    shown(browser, server, "series", stored["ParentSeries"])
    all_loaded(browser, ".strip img")
    all_loaded(browser, ".stage img")
    numbers = "[...document.querySelectorAll('.slice-number')].map((each) => each.innerText)"
    assert browser.value(numbers) == ["1", "2", "3", "4", "5"]
    browser.wait_for_text("Image 3 of 5")
    judge(browser, "series")
    browser.value("document.querySelector('.stack input').focus()")
    browser.press("ArrowRight")
    browser.wait_for_text("Image 4 of 5")
    browser.turn_wheel(".stage", -100)
    browser.wait_for_text("Image 3 of 5")
    current = "document.querySelector('.strip a[aria-current]').innerText"
    assert browser.value(current) == "3"


def brightest(browser: Browser, selector: str) -> int:
    """Of the pixels of a picture, once it is there."""
    all_loaded(browser, selector)
    found: int = browser.value(
        f"(() => {{ const image = document.querySelector('{selector}');"
        "const area = document.createElement('canvas').getContext('2d');"
        "[area.canvas.width, area.canvas.height] = [image.naturalWidth, image.naturalHeight];"
        "area.drawImage(image, 0, 0);"
        "return area.getImageData(0, 0, image.naturalWidth, image.naturalHeight)"
        ".data.filter((_, at) => at % 4 === 0).reduce((a, b) => Math.max(a, b)); })()"
    )
    return found


def test_a_file_without_a_window_is_not_black(browser: Browser, server: OurServer) -> None:
    content = file_named("CT_small.dcm").read_bytes()
    answer = httpx.post(f"{server.url}/instances", content=content).json()
    shown(browser, server, "series", answer["ParentSeries"])
    assert brightest(browser, ".stage img") > 200
    assert brightest(browser, ".strip img") > 200
    browser.open(f"{server.url}/app/explorer.html#viewer?study={answer['ParentStudy']}")
    assert brightest(browser, ".viewer-scout img") > 200


def test_frames(browser: Browser, server: OurServer) -> None:
    answer = httpx.post(
        f"{server.url}/instances", content=generated.ultrasound(20).number(1, 1, 1, 1)
    )
    shown(browser, server, "instance", answer.json()["ID"])
    browser.wait_for_text("Image 1 of 20")
    browser.value("document.querySelector('.stack input').focus()")
    browser.press("End")
    browser.wait_for_text("Image 20 of 20")
    browser.wait_for(f"{STAGE}.src.includes('/frames/19/rendered') && {STAGE}.naturalWidth")


def test_what_has_no_picture(browser: Browser, server: OurServer) -> None:
    answer = httpx.post(
        f"{server.url}/instances", content=file_named("test-SR.dcm").read_bytes()
    ).json()
    shown(browser, server, "series", answer["ParentSeries"])
    browser.wait_for_text("There is no picture of it.")
    judge(browser, "series-report")


def test_tags_as_a_tree(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    shown(browser, server, "instance", stored["ID"])
    row = "document.querySelector('.tags tr[aria-expanded]')"
    browser.wait_for(row)
    assert "Deep inside" not in browser.value("document.body.innerText")
    browser.value(f"{row}.focus()")
    browser.press("ArrowRight")
    browser.wait_for_text("Item 1")
    browser.press("ArrowDown", "ArrowRight", "ArrowDown", "ArrowRight", "ArrowDown", "Enter")
    browser.wait_for_text("Deep inside")
    judge(browser, "instance")
    browser.press("ArrowUp", "ArrowUp", "ArrowUp", "ArrowLeft")
    browser.wait_for("!document.body.innerText.includes('Deep inside')")


def test_tags_are_searched(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    """By tag, name and value, in sequences too."""
    shown(browser, server, "instance", stored["ID"])
    browser.wait_for("document.querySelector('.tags tbody tr')")
    rows = "[...document.querySelectorAll('.tags tbody tr')].map((row) => row.innerText)"
    for text, expected in (("deep", "Deep inside"), ("0010,0020", "R1"), ("patient id", "R1")):
        browser.value("document.querySelector('.tag-search').select()")
        browser.write(text)
        browser.wait_for(f"{rows}.length < 8 && {rows}.at(-1).includes({json.dumps(expected)})")
    browser.value("document.querySelector('.tag-search').select()")
    browser.write("no such thing")
    browser.wait_for_text("No tag matches.")


def test_a_long_value(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    """64 KB of text, when they are asked for."""
    shown(browser, server, "instance", stored["ID"])
    browser.wait_for("document.querySelector('.tags tbody tr')")
    browser.click("Show the long value")
    found = "[...document.querySelectorAll('.tag-value')].map((cell) => cell.textContent.length)"
    browser.wait_for(f"Math.max(...{found}) === {len(LARGE)}")
    judge(browser, "instance-long")


def test_what_is_gone(browser: Browser, server: OurServer) -> None:
    shown(browser, server, "study", "0" * 40)
    browser.wait_for_text("There is no such resource")
    judge(browser, "gone")


def value_of(name: str) -> str:
    return (
        "[...document.querySelectorAll('.metadata > div')]"
        f".find((row) => row.querySelector('dt').innerText === {json.dumps(name)})"
        "?.querySelector('dd .value').innerText"
    )


def test_metadata_are_edited(browser: Browser, server: OurServer, stored: dict[str, Any]) -> None:
    """Those of users, by a name or a number; what belongs to the server is refused by name."""
    path = f"{server.url}/studies/{stored['ParentStudy']}/metadata"
    shown(browser, server, "study", stored["ParentStudy"])
    browser.click("Metadata")
    browser.wait_for_text("Add metadata")
    browser.click("Add metadata")
    browser.wait_for(f"{field('Name')}.value === 'ward'")  # the only name of UserMetadata
    fill(browser, "Name", "Origin")
    fill(browser, "Value", SCRIPT)
    press_button(browser, "Save")
    browser.wait_for_text("This name does not belong to users. Possible are: ward")
    judge(browser, "metadata-refused")
    fill(browser, "Name", "ward")
    press_button(browser, "Save")
    browser.wait_for(f"{value_of('ward')} === {json.dumps(SCRIPT)}")
    assert httpx.get(f"{path}/ward").text == SCRIPT
    judge(browser, "metadata")
    browser.click("Add metadata")
    fill(browser, "Name", "1024")  # the number of that name
    fill(browser, "Value", "other")
    press_button(browser, "Save")
    browser.wait_for_text("1024 is set already")
    fill(browser, "Name", "1999")
    press_button(browser, "Save")
    browser.wait_for(f"{value_of('1999')} === 'other'")
    browser.click_on("button[aria-label='Remove: 1999']")
    press_button(browser, "Remove")
    browser.wait_for(f"!{value_of('1999')}")
    assert httpx.get(f"{path}/1999").status_code == 404


def test_metadata_that_somebody_else_has_changed(
    browser: Browser, server: OurServer, stored: dict[str, Any]
) -> None:
    path = f"{server.url}/series/{stored['ParentSeries']}/metadata/ward"
    httpx.put(path, content="7").raise_for_status()
    shown(browser, server, "series", stored["ParentSeries"])
    browser.click("Metadata")
    browser.click_on("button[aria-label='Edit: ward']")
    browser.wait_for(f"{field('Value')}?.value === '7'")
    version = httpx.get(path).headers["ETag"]
    httpx.put(path, content="8", headers={"If-Match": version}).raise_for_status()
    fill(browser, "Value", "9")
    press_button(browser, "Save")
    browser.wait_for("document.querySelector('dialog [role=alert]')")
    assert httpx.get(path).text == "8"
    browser.press("Escape")
    browser.click_on("button[aria-label='Edit: ward']")
    browser.wait_for(f"{field('Value')}?.value === '8'")
    fill(browser, "Value", "9")
    press_button(browser, "Save")
    browser.wait_for(f"{value_of('ward')} === '9'")
    httpx.delete(path, headers={"If-Match": httpx.get(path).headers["ETag"]}).raise_for_status()


def test_metadata_of_who_may_only_look(
    browser: Browser, server: OurServer, stored: dict[str, Any]
) -> None:
    path = f"{server.url}/instances/{stored['ID']}/metadata/ward"
    httpx.put(path, content="7").raise_for_status()
    with allowed(browser, "browse"):
        shown(browser, server, "instance", stored["ID"])
        browser.click("Metadata")
        browser.wait_for(f"{value_of('ward')} === '7'")
        assert not browser.value("document.querySelector('.metadata button, .add-metadata')")
