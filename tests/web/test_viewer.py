"""The viewer: a series of 200 slices whose values are known, by mouse and by keys."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from support import viewer_series
from support.driven_browser import Browser
from support.server import OurServer
from support.viewer_page import (
    STAGE,
    WATCH,
    annotations,
    box,
    letters,
    open_series,
    place_of,
    rendered,
    shown_image,
    upload,
    wait_for_annotation,
    zoom,
)
from support.viewer_series import COLUMN_MM, COLUMNS, ROW_MM, ROWS, SLICES, value
from support.web_ui import judge

MIDDLE = SLICES // 2
LENGTH = "document.querySelector('.viewer-lines text')"
ASPECT = ROW_MM / COLUMN_MM
# As if there were a graphics processor.
WEBGL = """const real = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options, ...more) {
  const found = real.call(this, kind, {...options, failIfMajorPerformanceCaveat: false}, ...more);
  if (kind === 'webgl2' && found) window.hasWebgl = true;
  return found;
};"""


@pytest.fixture(scope="module")
def ct(server: OurServer) -> str:
    return upload(server, list(viewer_series.ct()))


@pytest.fixture(scope="module", autouse=True)
def watched(browser: Browser) -> Iterator[None]:
    script = browser.before_each_page(WATCH)
    yield
    browser.forget_script(script)


@pytest.fixture(autouse=True)
def no_faults(browser: Browser) -> Iterator[None]:
    yield
    assert browser.value("window.faults ?? []") == []


@pytest.fixture
def shown(server: OurServer, browser: Browser, ct: str) -> None:
    open_series(server, browser, ct)


def at(column: float, row: float, browser: Browser) -> tuple[float, float]:
    return place_of(browser, COLUMNS, ROWS, ASPECT, column, row)


def test_it_opens_in_the_middle(browser: Browser, shown: None) -> None:
    for text in (
        "Test Person",
        "PATIENT7777777777",
        "2024-01-15",
        "Thorax",
        "Axial 1 mm",
        f"Picture {MIDDLE + 1} of {SLICES}",
        f"Position {MIDDLE}.0 mm",
        "W 400 C 40",
    ):
        assert text in annotations(browser)
    assert letters(browser) == "A L P R"
    browser.wait_for_text("Not for diagnosis")
    # All slices come, without anybody asking for them.
    browser.wait_for("!document.body.innerText.includes(' loaded')")
    assert browser.value("document.title") == "Test Person \N{EN DASH} Viewer"


def test_the_value_under_the_mouse(browser: Browser, shown: None) -> None:
    for column, row in ((0, 0), (20, 7), (159, 119), (101, 60)):
        browser.move(*at(column + 0.5, row + 0.5, browser))
        expected = f"{value(MIDDLE, column, row):,}"
        wait_for_annotation(browser, f"{column}, {row}: {expected} HU")
    left, top, *_ = box(browser)
    browser.move(left + 1, top + 1)  # beside the image
    browser.wait_for("!document.querySelector('.viewer-value')")


def test_the_value_at_a_cursor_that_keys_move(browser: Browser, shown: None) -> None:
    browser.press("Shift+ArrowRight", "Shift+ArrowDown", "Control+Shift+ArrowLeft")
    column, row = COLUMNS // 2 + 1 - 10, ROWS // 2 + 1
    wait_for_annotation(browser, f"{column}, {row}: {value(MIDDLE, column, row)} HU")
    said = f"{value(MIDDLE, column, row)} HU at column {column}, row {row}"
    browser.wait_for_text(said)
    assert browser.value(
        "[...document.querySelectorAll('[role=status]')].map(e => e.innerText)"
        ".some((text) => text.includes('HU at column'))"
    )


def test_a_length_by_the_mouse(browser: Browser, shown: None) -> None:
    browser.press("l")
    browser.drag(at(20, 30, browser), at(120, 90, browser))
    expected = np.hypot(100 * COLUMN_MM, 60 * ROW_MM)
    browser.wait_for(f"{LENGTH}?.textContent === '{expected:.1f} mm'")
    # It belongs to its slice.
    browser.press("ArrowDown")
    browser.wait_for(f"!{LENGTH}")
    browser.press("ArrowUp")
    browser.wait_for(LENGTH)
    browser.press("Delete")
    browser.wait_for(f"!{LENGTH}")


def test_a_length_by_keys(browser: Browser, shown: None) -> None:
    browser.press(
        "l", "Enter", *["Control+Shift+ArrowRight"] * 3, *["Shift+ArrowDown"] * 8, "Enter"
    )
    expected = np.hypot(30 * COLUMN_MM, 8 * ROW_MM)
    browser.wait_for_text(f"Length {expected:.1f} mm")


def test_scrolling(browser: Browser, shown: None) -> None:
    def wait_for(number: int) -> None:
        wait_for_annotation(browser, f"Picture {number} of {SLICES}")

    browser.press("ArrowDown")
    wait_for(MIDDLE + 2)
    browser.press("PageUp", "ArrowUp")
    wait_for(MIDDLE - 9)
    browser.press("Home")
    wait_for(1)
    browser.press("ArrowUp")
    browser.press("End")
    wait_for(SLICES)
    browser.turn_wheel(STAGE, -120)
    wait_for(SLICES - 1)
    browser.turn_wheel(STAGE, 120)
    wait_for(SLICES)
    browser.press("s")
    left, top, width, height = box(browser)
    middle = (left + width / 2, top + height / 2)
    browser.drag(middle, (middle[0], middle[1] - 200))
    wait_for(SLICES - 5)
    # The bar, dragged to its beginning, and by its own keys.
    browser.value("document.querySelector('.viewer-scroll').focus()")
    browser.press("Home")
    wait_for(1)
    browser.press("ArrowRight", "ArrowRight")
    wait_for(3)
    # The picture is that of the slice: the value at a place says so.
    browser.move(*at(5.5, 5.5, browser))
    wait_for_annotation(browser, f"5, 5: {value(2, 5, 5)} HU")


def test_each_slice_has_its_own_scale(server: OurServer, browser: Browser) -> None:
    """As those of PET have; and a window of its own."""
    files = []
    for number, part in enumerate(viewer_series.ct(3)):
        dataset = dcmread(io.BytesIO(part))
        dataset.Modality, dataset.Units = "PT", "BQML"
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{number + 1}.5", "0"
        dataset.WindowCenter, dataset.WindowWidth = "500", f"{900 + number}"
        data = io.BytesIO()
        dataset.save_as(data)
        files.append(data.getvalue())
    open_series(server, browser, upload(server, files))
    browser.move(*at(20.5, 7.5, browser))
    for number, key in enumerate(("Home", "ArrowDown", "ArrowDown")):
        browser.press(key)
        expected = int(viewer_series.stored(number)[7, 20]) * (number + 1.5)
        wait_for_annotation(browser, f"20, 7: {expected:,.1f}".removesuffix(".0"))
        wait_for_annotation(browser, "Bq/ml")
        wait_for_annotation(browser, f"W {900 + number} C 500")


def test_windows(browser: Browser, shown: None) -> None:
    left, top, width, height = box(browser)
    middle = (left + width / 2, top + height / 2)
    browser.drag(middle, (middle[0] + 150, middle[1]))
    browser.wait_for("!document.querySelector('.viewer-window').innerText.includes('W 400')")
    assert annotations(browser).count("C 40\n") == 1
    browser.press("2")
    wait_for_annotation(browser, "W 1,500 C -600")
    browser.press("0")
    wait_for_annotation(browser, "W 400 C 40")
    browser.click_on("button[aria-label=Windows]")
    browser.wait_for("document.querySelector('[role=menu]')")
    browser.click("Bone")
    wait_for_annotation(browser, "W 1,800 C 400")
    browser.press("x")
    wait_for_annotation(browser, "W 400 C 40")


def test_the_view(browser: Browser, shown: None) -> None:
    fitted = zoom(browser)
    browser.press("r")
    browser.wait_for("document.querySelector('.viewer-letters .right').innerText === 'A'")
    assert letters(browser) == "R A L P"
    browser.press("h")
    browser.wait_for("document.querySelector('.viewer-letters .left').innerText === 'A'")
    assert letters(browser) == "R P L A"
    browser.press("x", "v")
    browser.wait_for("document.querySelector('.viewer-letters .top').innerText === 'P'")
    assert letters(browser) == "P L A R"
    browser.press("x")
    browser.drag((700, 400), (700, 300), button="right")
    browser.wait_for("!document.body.innerText.includes('Zoom 100 %')")
    assert zoom(browser) == pytest.approx(fitted * 2, rel=0.01)
    browser.press("x")
    # Moved by the middle button: the same point of the screen shows another pixel.
    before = at(80.5, 60.5, browser)
    browser.drag(before, (before[0] + 4 * fitted, before[1]), button="middle")
    browser.move(*before)
    wait_for_annotation(browser, "76, 60: ")
    browser.press("a")
    browser.wait_for("!document.querySelector('.viewer-corner')")
    browser.press("a")
    browser.wait_for("document.querySelector('.viewer-corner')")


def test_help(browser: Browser, shown: None) -> None:
    browser.press("?")
    browser.wait_for("document.querySelector('dialog').open")
    browser.wait_for_text("Begin and end a length at the cursor")
    judge(browser, "viewer-help")
    browser.press("Escape")
    browser.wait_for("!document.querySelector('dialog')")


def test_nothing_to_complain_of(browser: Browser, shown: None) -> None:
    browser.wait_for("!document.body.innerText.includes(' loaded')")
    judge(browser, "viewer")


@pytest.mark.parametrize(
    ("language", "notice"),
    [
        ("fr", "Pas pour le diagnostic"),
        ("de", "Nicht zur Befundung"),
        ("es", "No apto para diagnóstico"),
    ],
)
def test_languages(
    server: OurServer, browser: Browser, ct: str, language: str, notice: str
) -> None:
    browser.value(f"localStorage.setItem('orthanc-fast.language', '\"{language}\"')")
    try:
        browser.open(f"{server.url}/app/explorer.html#viewer?series={ct}")
        browser.wait_for_text(notice)
    finally:
        browser.value("localStorage.clear()")


# Of pydicom; and made here: what differs from a grey wedge of 16 bits.
REAL = ["vlut_04.dcm", "mlut_18.dcm", "CT_small.dcm", "MR_small.dcm"]
MADE: dict[str, dict[str, Any]] = {
    "monochrome1": {"PhotometricInterpretation": "MONOCHROME1"},
    "sigmoid": {"VOILUTFunction": "SIGMOID"},
    "exact": {"VOILUTFunction": "LINEAR_EXACT"},
    "fraction": {"RescaleSlope": "0.37", "RescaleIntercept": "-12.5"},
    "signed": {"WindowCenter": "-600", "WindowWidth": "1500"},
    "bytes": {"WindowCenter": "100", "WindowWidth": "200"},
}


@pytest.fixture(scope="module")
def greys(server: OurServer) -> dict[str, str]:
    """The series of each, by name."""
    wedge = np.mgrid[:200, :256][1] * 4
    kinds = {"signed": "<i2", "bytes": "u1"}
    shifts = {"signed": -1300}
    files: dict[str, list[bytes]] = {}
    for name, elements in MADE.items():
        pixels = (wedge + shifts.get(name, 0)).astype(kinds.get(name, "<u2"))
        square = {"PixelSpacing": [1, 1], "RescaleIntercept": "0"}
        files[name] = list(viewer_series.series([pixels], **{**square, **elements}))
    for name in REAL:
        dataset = dcmread(str(get_testdata_file(name)))
        dataset.PixelSpacing = [1, 1]
        if name == "CT_small.dcm":  # has no window, and so each viewer its own
            dataset.WindowCenter, dataset.WindowWidth = "100", "900"
        data = io.BytesIO()
        dataset.save_as(data)
        files[name] = [data.getvalue()]
    return {name: upload(server, parts) for name, parts in files.items()}


def compare(server: OurServer, browser: Browser, series: str, voi: str) -> None:
    """One to one, the canvas shows what the server draws."""
    open_series(server, browser, series)
    browser.press("o")
    wait_for_annotation(browser, "Zoom 100 %")
    instance = httpx.get(f"{server.url}/series/{series}").json()["Instances"][0]
    expected = rendered(server, f"instances/{instance}/rendered{voi}")
    found = shown_image(browser, expected.shape[1], expected.shape[0])
    assert np.ptp(expected) > 100
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", [*MADE, *REAL])
def test_the_canvas_shows_what_the_server_draws(
    server: OurServer, browser: Browser, greys: dict[str, str], name: str
) -> None:
    compare(server, browser, greys[name], "?voi=standard")


@pytest.mark.parametrize("name", ["monochrome1", "vlut_04.dcm"])
def test_with_webgl_it_shows_the_same(
    server: OurServer, browser: Browser, greys: dict[str, str], name: str
) -> None:
    script = browser.before_each_page(WEBGL)
    try:
        compare(server, browser, greys[name], "?voi=standard")
        assert browser.value("window.hasWebgl")
    finally:
        browser.forget_script(script)
