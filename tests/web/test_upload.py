"""Uploads: dropped and chosen files, folders and archives."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer
from support.web_ui import judge

SCRIPT = "<script>document.title='taken'<|script>.dcm"
RIGHT_TO_LEFT = "\u202eصورة.dcm"
COUNTS = (
    "Object.fromEntries([...document.querySelectorAll('.upload-counts div')]"
    ".map((each) => [...each.children].map((cell) => cell.innerText)))"
)
DIALOG = "document.querySelector('dialog')"


def image(number: int, study: int) -> bytes:
    return bytes(generated.small().number(study, study, study, number))


@pytest.fixture
def studies_page(browser: Browser, server: OurServer) -> Iterator[Browser]:
    """The list, of a server that holds nothing."""
    for study in httpx.get(f"{server.url}/studies").json():
        httpx.delete(f"{server.url}/studies/{study}").raise_for_status()
    browser.open(f"{server.url}/app/explorer.html#studies")
    browser.wait_for_text("Nothing is stored yet.")
    yield browser
    browser.block()


def folder_of(root: Path, count: int, study: int = 1) -> Path:
    """Images in folders of a hundred, of which one is below the other."""
    at = root
    for first in range(0, count, 100):
        at = at / f"part {first}"
        at.mkdir(parents=True)
        for number in range(first, min(first + 100, count)):
            (at / f"{number}.dcm").write_bytes(image(number, study))
    return root


def counts(browser: Browser) -> dict[str, str]:
    found: dict[str, str] = browser.value(COUNTS)
    return found


def test_a_dropped_folder(studies_page: Browser, server: OurServer, tmp_path: Path) -> None:
    """More files than a folder is read at a time; what systems leave in it stays out."""
    root = folder_of(tmp_path / "medium", 250)
    for hidden in (".DS_Store", "part 0/._1.dcm", "DICOMDIR", "Thumbs.db"):
        (root / hidden).write_bytes(b"no image")
    studies_page.hold_over(root)
    studies_page.wait_for_text("Drop files, folders or ZIP archives")
    judge(studies_page, "upload-drop")
    studies_page.drop(root)
    studies_page.wait_for_text("The upload is complete.")
    assert counts(studies_page) == {
        "New images": "250",
        "Already here": "0",
        "Refused": "0",
        "Hidden, left out": "4",
        "Left": "0",
    }
    assert len(httpx.get(f"{server.url}/instances").json()) == 250
    studies_page.wait_for_text("Test Person")
    judge(studies_page, "upload-done")
    # The link leads to the study, and the list knows of it.
    studies_page.click_on("dialog .upload-studies a")
    study = httpx.get(f"{server.url}/studies").json()[0]
    studies_page.wait_for(f"location.hash === '#study?uuid={study}' && !{DIALOG}")


def test_refused_files_have_reasons(
    studies_page: Browser, server: OurServer, tmp_path: Path
) -> None:
    """And hostile names; the list can be copied and saved."""
    root = tmp_path / "mixed"
    root.mkdir()
    (root / "good.dcm").write_bytes(image(1, 2))
    (root / "again.dcm").write_bytes(image(1, 2))
    (root / SCRIPT).write_bytes(b"no image")
    (root / RIGHT_TO_LEFT).write_bytes(b"no image either")
    (root / "two\nlines").write_bytes(b"")
    with zipfile.ZipFile(root / "some.zip", "w") as archive:
        archive.writestr("inside/a", image(2, 2))
        archive.writestr("inside/readme.txt", "text")
    with zipfile.ZipFile(root / "none.zip", "w") as archive:
        archive.writestr("readme.txt", "text")
    studies_page.drop(root)
    studies_page.wait_for_text("The upload is complete.")
    found = counts(studies_page)
    assert (found["New images"], found["Already here"], found["Refused"]) == ("2", "1", "4")
    area = "document.querySelector('dialog textarea')"
    lines = studies_page.value(f"{area}.value").split("\n")
    assert len(lines) == 4
    reasons = dict(line.removeprefix("mixed/").split(": ", 1) for line in lines)
    assert reasons["none.zip"] == "There is no DICOM file in it"
    assert "Bad file format" in reasons[SCRIPT]
    assert "Bad file format" in reasons[RIGHT_TO_LEFT.replace("\u202e", "\ufffd")]
    assert "empty DICOM file" in reasons["two\ufffdlines"]
    assert studies_page.value("document.title") == "Studies"
    judge(studies_page, "upload-refused")

    studies_page.value(
        "document.addEventListener('copy', () => { window.copied = getSelection().toString(); })"
    )
    studies_page.click("Copy")
    assert studies_page.value("copied").split("\n") == lines
    studies_page.save_into(tmp_path / "saved")
    studies_page.click("Save")
    assert studies_page.saved("refused.txt").read_text().splitlines() == lines


def test_chosen_by_keys(studies_page: Browser, server: OurServer, tmp_path: Path) -> None:
    """The menu opens the browser's own dialog, which hands over what is chosen in it."""
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(image(number, 3))
    studies_page.tab_to("Upload")
    studies_page.press("Enter")
    studies_page.wait_for("document.activeElement.innerText.trim() === 'Files…'")
    judge(studies_page, "upload-menu")
    studies_page.press("ArrowDown")
    assert studies_page.focus == "Folder…"
    studies_page.press("Escape")
    assert studies_page.focus == "Upload"
    studies_page.choose_files(".upload-files", *(tmp_path / f"{n}.dcm" for n in range(3)))
    studies_page.wait_for_text("The upload is complete.")
    studies_page.tab_to("Test Person")
    studies_page.press("Enter")
    studies_page.wait_for("location.hash.startsWith('#study?uuid=')")


def test_a_chosen_folder(studies_page: Browser, server: OurServer, tmp_path: Path) -> None:
    studies_page.choose_files(".upload-folder", folder_of(tmp_path / "medium", 120, 4))
    studies_page.wait_for_text("The upload is complete.")
    assert counts(studies_page)["New images"] == "120"
    studies_page.press("Escape")
    studies_page.wait_for("document.querySelectorAll('tbody tr').length === 1")


def test_nothing_to_upload(studies_page: Browser, tmp_path: Path) -> None:
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / ".hidden").write_bytes(b"")
    studies_page.drop(tmp_path / "medium")
    studies_page.wait_for_text("1 hidden file was left out")


def test_the_network_is_lost(studies_page: Browser, server: OurServer, tmp_path: Path) -> None:
    """It pauses, names what is left and goes on, by itself or when told to."""
    root = folder_of(tmp_path / "medium", 20, 5)
    studies_page.block("*/instances")
    studies_page.drop(root)
    studies_page.wait_for_text("The connection was lost")
    studies_page.wait_for(f"{DIALOG}.innerText.includes('Paused')")
    assert counts(studies_page)["Left"] == "20"
    left = studies_page.value("document.querySelector('dialog textarea').value").split("\n")
    assert sorted(left) == sorted(f"medium/part 0/{number}.dcm" for number in range(20))
    judge(studies_page, "upload-paused")
    studies_page.block()
    studies_page.wait_for_text("The upload is complete.")
    assert counts(studies_page)["New images"] == "20"
    assert len(httpx.get(f"{server.url}/instances").json()) == 20


def test_continued_while_paused(studies_page: Browser, server: OurServer, tmp_path: Path) -> None:
    """Nobody has to wait until it is tried again: here that would be for ever."""
    studies_page.value(
        "{ const real = setTimeout;"
        "window.setTimeout = (run, after) => after >= 1000 ? 0 : real(run, after); }"
    )
    studies_page.block("*/instances")
    studies_page.drop(folder_of(tmp_path / "medium", 10, 8))
    studies_page.wait_for_text("The connection was lost")
    studies_page.block()
    studies_page.tab_to("Continue")
    studies_page.press("Enter")
    studies_page.wait_for_text("The upload is complete.")
    assert len(httpx.get(f"{server.url}/instances").json()) == 10


def test_stopped_and_continued(studies_page: Browser, server: OurServer, tmp_path: Path) -> None:
    """By keys; in the background meanwhile."""
    root = folder_of(tmp_path / "medium", 30, 6)
    studies_page.block("*/instances")
    studies_page.drop(root)
    studies_page.wait_for_text("The connection was lost")
    studies_page.press("Escape")
    studies_page.wait_for(f"!{DIALOG}")
    judge(studies_page, "upload-background")
    studies_page.click("Upload")
    studies_page.wait_for("document.activeElement.innerText.trim() === 'Files…'")
    studies_page.press("Escape")
    studies_page.click_on(".activity-label")
    studies_page.wait_for(DIALOG)
    studies_page.press("Escape")
    studies_page.click_on(".activities button[aria-label^='Stop']")
    studies_page.wait_for_text("Stopped")
    assert counts(studies_page)["Left"] == "30"
    judge(studies_page, "upload-stopped")
    studies_page.block()
    studies_page.tab_to("Continue")
    studies_page.press("Enter")
    studies_page.wait_for_text("The upload is complete.")
    assert len(httpx.get(f"{server.url}/instances").json()) == 30


def test_leaving_asks_while_something_is_sent(
    studies_page: Browser, server: OurServer, tmp_path: Path
) -> None:
    studies_page.asked.clear()
    studies_page.block("*/instances")
    studies_page.drop(folder_of(tmp_path / "medium", 2, 11))
    studies_page.wait_for_text("The connection was lost")
    studies_page.press("Tab")  # browsers ask only where somebody has done something
    studies_page.open(f"{server.url}/app/explorer.html#jobs")
    assert [kind for kind, _ in studies_page.asked] == ["beforeunload"]


def test_a_thousand_files_take_no_memory(
    studies_page: Browser, server: OurServer, tmp_path: Path
) -> None:
    """What is not yet sent is not read: the page holds far less than the 10 MB that are sent."""
    studies_page.call("HeapProfiler.enable")
    root = folder_of(tmp_path / "medium", 1000, 9)
    size = "performance.memory.usedJSHeapSize"
    studies_page.call("HeapProfiler.collectGarbage")
    before = studies_page.value(size)
    studies_page.drop(root)
    studies_page.wait_for_text("The upload is complete.")
    assert counts(studies_page)["New images"] == "1,000"
    studies_page.call("HeapProfiler.collectGarbage")
    assert studies_page.value(size) - before < 2_000_000


def test_a_file_that_vanishes(studies_page: Browser, tmp_path: Path) -> None:
    """It is not taken for a lost connection."""
    root = folder_of(tmp_path / "medium", 2, 7)
    studies_page.block("*/instances")
    studies_page.drop(root)
    studies_page.wait_for_text("The connection was lost")
    (root / "part 0" / "1.dcm").unlink()
    studies_page.block()
    studies_page.wait_for_text("The upload is complete.")
    assert counts(studies_page)["Refused"] == "1"
    studies_page.wait_for(
        "document.querySelector('dialog textarea').value ==="
        " 'medium/part 0/1.dcm: The file cannot be read any more'"
    )
