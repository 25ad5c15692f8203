"""What is done with selected resources: download, labels, protection, deletion."""

import io
import json
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.uid import UID
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import DESK, TELEPHONE, judge

SCRIPT = "<script>document.write(1)</script>"
IMAGES = 3


def image(number: int, patient: int, name: str, pixels: bool = True) -> bytes:
    data: FileDataset = generated.base()
    if pixels:
        generated.add_pixels(data, np.full((16, 16), number, np.uint16))
    data.SpecificCharacterSet = "ISO_IR 192"
    data.PatientName, data.PatientID = name, f"ACT{patient}"
    data.StudyInstanceUID = UID(f"{generated.ROOT}.91.{patient}")
    data.SeriesInstanceUID = UID(f"{data.StudyInstanceUID}.1")
    data.SOPInstanceUID = UID(f"{data.SeriesInstanceUID}.{number}")
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.InstanceNumber = number
    data.ImagePositionPatient = [0, 0, number]
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


def store(server: OurServer, patient: int, name: str = "Doe^Jane", pixels: bool = True) -> str:
    """A study of IMAGES images in one series."""
    for number in range(1, IMAGES + 1):
        data = image(number, patient, name, pixels)
        answer = httpx.post(f"{server.url}/instances", content=data).json()
    found: str = answer["ParentStudy"]
    return found


def shown(browser: Browser, server: OurServer, page: str, identifier: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#{page}?uuid={identifier}")
    browser.wait_for("document.querySelector('.resource-head button')")


def select_all(browser: Browser, server: OurServer, patients: str, count: int) -> None:
    """By the mouse, all studies whose patient ID matches."""
    browser.open(f"{server.url}/app/explorer.html#studies?PatientID={patients}")
    browser.wait_for(f"document.querySelectorAll('tbody tr').length === {count}")
    browser.click_on("thead input[type=checkbox]")
    browser.wait_for_text(f"{count} selected")


def only(server: OurServer, study: str, level: str) -> str:
    found: str = httpx.get(f"{server.url}/studies/{study}/{level}").json()[0]["ID"]
    return found


def names_in(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_download_of_a_study(browser: Browser, server: OurServer, tmp_path: Path) -> None:
    study = store(server, 1, f"Dôe^{SCRIPT}")
    shown(browser, server, "study", study)
    browser.save_into(tmp_path)
    browser.click("Download")
    judge(browser, "download-menu")
    browser.resize(*TELEPHONE, is_phone=True)
    inside = "(box) => box.left >= 0 && box.right <= innerWidth"
    browser.wait_for(f"({inside})(document.querySelector('[role=menu]').getBoundingClientRect())")
    browser.resize(*DESK)
    browser.click("ZIP archive")
    # What systems do not take in names of files is not in it.
    path = browser.saved("Dôe script document.write 1 script Thorax.zip")
    assert sum(name.endswith(".dcm") for name in names_in(path)) == IMAGES
    browser.tab_to("Download")
    browser.save_into(tmp_path / "medium")
    browser.press("Enter")
    browser.wait_for("document.activeElement.innerText.trim() === 'ZIP archive'")
    browser.press("ArrowDown", "Enter")
    assert "DICOMDIR" in names_in(browser.saved(path.name))


def test_download_of_a_series(browser: Browser, server: OurServer, tmp_path: Path) -> None:
    series = only(server, store(server, 2), "series")
    shown(browser, server, "series", series)
    browser.save_into(tmp_path)
    browser.click("Download")
    judge(browser, "download-series")
    browser.click("NumPy array (.npy)")
    volume = np.load(browser.saved("Axial 1 mm.npy"))
    assert volume.shape == (IMAGES, 16, 16, 1)
    browser.click("Download")
    browser.click("NIfTI volume (.nii)")
    assert browser.saved(f"{series}.nii").read_bytes()[344:347] == b"n+1"


def test_a_series_that_is_no_volume(browser: Browser, server: OurServer) -> None:
    """The reason is told instead of a download that fails."""
    shown(browser, server, "series", only(server, store(server, 3, pixels=False), "series"))
    browser.click("Download")
    browser.click("NIfTI volume (.nii)")
    browser.wait_for("document.querySelector('.toast.bad')")
    judge(browser, "download-failed")


def test_download_of_an_instance(browser: Browser, server: OurServer, tmp_path: Path) -> None:
    instance = only(server, store(server, 4), "instances")
    shown(browser, server, "instance", instance)
    browser.save_into(tmp_path)
    browser.click("Download")
    browser.click("DICOM file")
    data = browser.saved(f"{instance}.dcm").read_bytes()
    assert data == httpx.get(f"{server.url}/instances/{instance}/file").content


def test_download_of_a_selection(browser: Browser, server: OurServer, tmp_path: Path) -> None:
    for patient in (51, 52):
        store(server, patient)
    select_all(browser, server, "ACT5", 2)
    browser.save_into(tmp_path)
    browser.click("Download")
    browser.click("ZIP archive")
    names = names_in(browser.saved("studies.zip"))
    assert {name.split("/")[0] for name in names} == {"ACT51 - Doe^Jane", "ACT52 - Doe^Jane"}


def test_download_of_many(browser: Browser, server: OurServer, tmp_path: Path) -> None:
    """More than an address has room for: a job packs them."""
    for number in range(101):
        data = generated.small().number(600 + number, 600 + number, 1, 1)
        httpx.post(f"{server.url}/instances", content=data).raise_for_status()
    browser.open(f"{server.url}/app/explorer.html#studies")
    browser.value("localStorage.setItem('orthanc-fast.studies.size', '200')")
    select_all(browser, server, "PATIENT0000000", 101)
    browser.save_into(tmp_path)
    browser.click("Download")
    browser.click("ZIP archive")
    assert len(names_in(browser.saved("studies.zip"))) == 101
    browser.value("localStorage.clear()")


def test_labels_of_a_selection(browser: Browser, server: OurServer) -> None:
    """By keys: one is on some of them, one is on none, one cannot be."""
    first, second = store(server, 71), store(server, 72)
    httpx.put(f"{server.url}/studies/{first}/labels/urgent").raise_for_status()
    select_all(browser, server, "ACT7", 2)
    browser.tab_to("Labels")
    browser.press("Enter")
    browser.wait_for_text("on 1 of 2")
    suggested = "[...document.querySelectorAll('dialog option')].map((each) => each.value)"
    browser.wait_for(f"{suggested}.includes('urgent')")
    judge(browser, "labels")
    browser.write("teaching")
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog ul').innerText.includes('teaching')")
    browser.click_on("dialog button[aria-label='Add urgent to all']")
    browser.wait_for("!document.body.innerText.includes('on 1 of 2')")
    for study in (first, second):
        assert httpx.get(f"{server.url}/studies/{study}/labels").json() == ["teaching", "urgent"]
    browser.click_on("dialog button[aria-label='Remove urgent from all']")
    browser.wait_for("!document.querySelector('dialog ul').innerText.includes('urgent')")
    browser.value("document.querySelector('dialog input').focus(), 0")
    browser.write(SCRIPT)
    browser.press("Enter")
    browser.wait_for_text("A label has 1 to 64 of the characters")
    judge(browser, "labels-refused")
    browser.press("Escape")
    rows = "[...document.querySelectorAll('tbody tr')]"
    browser.wait_for(f"{rows}.length === 2 && {rows}.every((e) => e.innerText.match('teaching'))")


def test_protection(browser: Browser, server: OurServer) -> None:
    patient = httpx.get(f"{server.url}/studies/{store(server, 8)}").json()["ParentPatient"]
    shown(browser, server, "patient", patient)
    browser.click("Protect")
    browser.wait_for_text("Protected from recycling")
    assert httpx.get(f"{server.url}/patients/{patient}/protected").text == "1"
    judge(browser, "protected")
    browser.click("Delete")
    browser.wait_for_text("This cannot be deleted")
    judge(browser, "delete-refused")
    browser.press("Enter")  # the button to close it has the focus
    browser.wait_for("!document.querySelector('dialog')")
    browser.tab_to("Unprotect")
    browser.press("Enter")
    browser.wait_for("!document.body.innerText.includes('Protected from recycling')")
    assert httpx.get(f"{server.url}/patients/{patient}/protected").text == "0"


def test_a_selection_is_deleted(browser: Browser, server: OurServer) -> None:
    """What is protected stays, and is named; nothing goes before yes is said."""
    first, second, kept = store(server, 91), store(server, 92, SCRIPT), store(server, 93)
    patient = httpx.get(f"{server.url}/studies/{kept}").json()["ParentPatient"]
    httpx.put(f"{server.url}/patients/{patient}/protected", content="1").raise_for_status()
    select_all(browser, server, "ACT9", 3)
    browser.tab_to("Delete")
    browser.press("Enter")
    browser.wait_for_text("Delete 2 studies?")
    text = browser.value("document.querySelector('dialog').innerText")
    assert f"2 series · {2 * IMAGES} images" in text
    assert "the patient is protected" in text
    assert SCRIPT in text
    judge(browser, "delete")
    browser.press("Enter")  # to cancel has the focus
    browser.wait_for("!document.querySelector('dialog')")
    assert httpx.get(f"{server.url}/studies/{first}").status_code == 200
    browser.tab_to("Delete")
    browser.press("Enter")
    browser.wait_for_text("Delete 2 studies?")
    browser.click_on("dialog footer .danger")
    browser.wait_for("document.querySelectorAll('tbody tr').length === 1")
    found = [httpx.get(f"{server.url}/studies/{one}").status_code for one in (first, second, kept)]
    assert found == [404, 404, 200]


@pytest.mark.parametrize("level", ["series", "instance"])
def test_what_lies_above_is_shown(browser: Browser, server: OurServer, level: str) -> None:
    """When what was shown has been deleted; the last series takes study and patient with it."""
    study = store(server, 10)
    series = only(server, study, "series")
    identifier = series if level == "series" else only(server, study, "instances")
    shown(browser, server, level, identifier)
    browser.click("Delete")
    browser.wait_for(f"document.body.innerText.includes('Delete this {level}?')")
    browser.click_on("dialog footer .danger")
    above = json.dumps("#studies" if level == "series" else f"#series?uuid={series}")
    browser.wait_for(f"location.hash === {above}")
