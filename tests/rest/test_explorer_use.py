"""The front page as a person uses it, in a real browser: by the mouse and by keys alone."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support import generated
from support.driven_browser import Browser
from support.server import OurServer

FILES = generated.small()


@pytest.fixture(scope="module")
def server(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    with OurServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(needs_browser: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running


@pytest.fixture(autouse=True)
def empty(server: OurServer) -> None:
    for patient in httpx.get(f"{server.url}/patients").json():
        httpx.delete(f"{server.url}/patients/{patient}").raise_for_status()


def upload(server: OurServer, *numbers: tuple[int, int, int, int]) -> None:
    for each in numbers:
        data = FILES.number(*each)
        httpx.post(f"{server.url}/instances", content=data).raise_for_status()


def stored(server: OurServer, level: str = "instances") -> int:
    return len(httpx.get(f"{server.url}/{level}").json())


def first(server: OurServer, level: str) -> str:
    identifier: str = httpx.get(f"{server.url}/{level}").json()[0]
    return identifier


def test_upload_by_the_file_input(server: OurServer, browser: Browser, tmp_path: Path) -> None:
    """More files than go at a time, of which one is refused and named."""
    browser.open(f"{server.url}/app/classic.html")
    browser.wait_for_text("Nothing is stored yet")
    paths = [tmp_path / f"{number}.dcm" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(FILES.number(1, 1, 1, number))
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear patient")
    browser.choose_files("#files", *paths, letter)
    browser.wait_for_text("6 of 7 files stored.")
    browser.wait_for_text("1 refused")
    assert browser.value("document.querySelector('#progress li').textContent").startswith(
        "letter.txt: "
    )
    browser.wait_for_text("1 to 1 of 1")
    browser.wait_for_text("1 studies, 6 instances")
    assert stored(server) == 6
    # The same file once more is a choice again.
    browser.choose_files("#files", letter)
    browser.wait_for_text("0 of 1 files stored.")


def test_delete(server: OurServer, browser: Browser) -> None:
    """After a question; then the parent that is left is shown, or the list."""
    upload(server, (1, 1, 1, 1), (1, 1, 2, 1), (1, 1, 2, 2))
    series = first(server, "series")
    browser.open(f"{server.url}/app/classic.html#/series/{series}")
    browser.wait_for_text("Delete…")
    browser.click("Delete…")
    browser.wait_for_text("This cannot be undone.")
    browser.click("Cancel")
    browser.wait_for("!document.querySelector('dialog').open")
    assert stored(server, "series") == 2

    browser.click("Delete…")
    browser.wait_for("document.querySelector('dialog').open")
    browser.click("Delete")
    browser.wait_for(f"location.hash === '#/studies/{first(server, 'studies')}'")
    browser.wait_for_text("1 series")
    assert series not in httpx.get(f"{server.url}/series").json()

    browser.click("Delete…")
    browser.wait_for("document.querySelector('dialog').open")
    browser.click("Delete")
    browser.wait_for("location.hash === '#/studies'")
    browser.wait_for_text("Nothing is stored yet")
    assert stored(server) == 0


def test_what_cannot_be_deleted_is_told(server: OurServer, browser: Browser) -> None:
    """Here because somebody else has deleted it meanwhile."""
    upload(server, (1, 1, 1, 1))
    study = first(server, "studies")
    browser.open(f"{server.url}/app/classic.html#/studies/{study}")
    browser.wait_for_text("Delete…")
    httpx.delete(f"{server.url}/studies/{study}").raise_for_status()
    browser.click("Delete…")
    browser.wait_for("document.querySelector('dialog').open")
    browser.click("Delete")
    browser.wait_for("document.querySelector('#progress .error')")
    assert browser.value("document.querySelector('#progress .error').textContent")


def test_keys_alone(server: OurServer, browser: Browser) -> None:
    """Search for a name as it is shown, open, think better of it, delete."""
    upload(server, (1, 1, 1, 1))
    smith = FILES.number(2, 1, 1, 1).replace(b"Test^Person", b"Smith^Alice")
    httpx.post(f"{server.url}/instances", content=smith).raise_for_status()
    wanted, other = "Smith Alice", "Test Person"
    browser.open(f"{server.url}/app/classic.html#/patients")
    browser.wait_for_text("1 to 2 of 2")
    browser.press("/")
    assert browser.focus == "Name"
    browser.write(wanted)
    browser.press("Enter")
    browser.wait_for_text("1 to 1 of 1")
    browser.wait_for("document.activeElement.id === 'main'")
    browser.tab_to(wanted)
    browser.press("Enter")
    browser.wait_for_text("Delete…")
    browser.wait_for("document.activeElement.id === 'main'")

    browser.tab_to("Delete…")
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog').open")
    assert browser.focus == "Cancel"
    browser.press("Escape")
    browser.wait_for("!document.querySelector('dialog').open")
    assert browser.focus == "Delete…"
    assert stored(server, "patients") == 2

    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog').open")
    browser.press("Tab")
    assert browser.focus == "Delete"
    browser.press("Enter")
    browser.wait_for("location.hash === '#/patients'")
    browser.wait_for_text(other)
    assert stored(server, "patients") == 1


def test_the_file_input_is_reached_by_tab(server: OurServer, browser: Browser) -> None:
    """And shows that it is: its outline is that of the label, the input itself is not seen."""
    browser.open(f"{server.url}/app/classic.html")
    browser.wait_for_text("Nothing is stored yet")
    browser.tab_to("Upload…")
    assert browser.value("document.activeElement.id") == "files"
    style = "getComputedStyle(document.querySelector('label[for=files]')).outlineStyle"
    assert browser.value(style) == "solid"


def test_the_skip_link_keeps_the_page(server: OurServer, browser: Browser) -> None:
    upload(server, (1, 1, 1, 1))
    address = f"#/studies/{first(server, 'studies')}"
    browser.open(f"{server.url}/app/classic.html{address}")
    browser.wait_for_text("Delete…")
    browser.press("Tab")
    assert browser.focus == "Skip to the list"
    browser.press("Enter")
    browser.wait_for("document.activeElement.id === 'main'")
    assert browser.value("location.hash") == address
    assert browser.value("document.body.innerText.includes('Delete…')")
