"""The viewer with everything that is no grey stack of slices, and with files that are not as they
should be."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from support import viewed, viewer_series
from support.driven_browser import Browser
from support.files import file_named
from support.server import OurServer
from support.viewer_page import (
    WATCH,
    annotations,
    box,
    canvas,
    open_series,
    place_of,
    rendered,
    shown_image,
    upload,
    wait_for_annotation,
)
from support.viewer_series import COLUMN_MM, COLUMNS, ROW_MM, ROWS, value
from support.web_ui import judge

SHAPE = (COLUMNS, ROWS, ROW_MM / COLUMN_MM)
# The first frame comes, others wait until they are let go.
HELD_BACK = """const real = window.fetch, waiting = [];
let count = 0;
window.letGo = () => { count = -Infinity; waiting.splice(0).forEach((go) => go()); };
window.fetch = async (url, ...more) => {
  if (String(url).includes('numpy') && count++ > 0) await new Promise((go) => waiting.push(go));
  return real(url, ...more);
};"""
# What a browser records of a canvas, in base64; the codec is one that it can play, too.
RECORDED = """new Promise((done) => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const context = canvas.getContext('2d');
  const kind = ['video/mp4;codecs=avc1', 'video/mp4;codecs=vp9', 'video/webm']
    .find((each) => MediaRecorder.isTypeSupported(each));
  const recorder = new MediaRecorder(canvas.captureStream(10), {mimeType: kind});
  const parts = [];
  let count = 0;
  const draw = () => {
    context.fillStyle = count % 2 ? 'red' : 'blue';
    context.fillRect(0, 0, 64, 64);
    if (++count === 12) recorder.stop();
    else setTimeout(draw, 60);
  };
  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.readAsDataURL(new Blob(parts));
  };
  recorder.start();
  draw();
})"""


@pytest.fixture(scope="module", autouse=True)
def watched(browser: Browser) -> Iterator[None]:
    script = browser.before_each_page(WATCH)
    yield
    browser.forget_script(script)


@pytest.fixture(autouse=True)
def no_faults(browser: Browser) -> Iterator[None]:
    yield
    assert browser.value("window.faults ?? []") == []


def sample(name: str) -> bytes:
    return Path(str(get_testdata_file(name))).read_bytes()


def shown(server: OurServer, browser: Browser, *files: bytes) -> str:
    """The series of the files in the viewer."""
    series = upload(server, list(files))
    browser.open(f"{server.url}/app/explorer.html#viewer?series={series}")
    return series


def test_a_report(server: OurServer, browser: Browser) -> None:
    shown(server, browser, sample("reportsi.dcm"))
    browser.wait_for("document.querySelector('.viewer-report li li')")
    text = browser.value("document.querySelector('.viewer-report').innerText")
    for part in ("Document Title", "Observation Context Mode: DIRECT", "Report Text: Enter text"):
        assert part in text
    judge(browser, "viewer-report")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rtstruct.dcm", "RT Structure Set"),
        ("liver_1frame.dcm", "Segmentation"),
        ("waveform_ecg.dcm", "12-lead ECG Waveform"),
    ],
)
def test_what_has_no_picture(server: OurServer, browser: Browser, name: str, kind: str) -> None:
    series = shown(server, browser, sample(name))
    browser.wait_for_text(f"There is no picture to show of this: {kind}.")
    instance = httpx.get(f"{server.url}/series/{series}").json()["Instances"][0]
    link = "[...document.querySelectorAll('main a')].find((e) => e.innerText === 'All tags').hash"
    assert browser.value(link) == f"#instance?uuid={instance}"
    if kind == "Segmentation":
        judge(browser, "viewer-other")


def test_a_document(server: OurServer, browser: Browser) -> None:
    series = shown(server, browser, viewed.studies().files[-1])
    browser.wait_for("document.querySelector('iframe.viewer-frame')")
    instance = httpx.get(f"{server.url}/series/{series}").json()["Instances"][0]
    frame = browser.value("document.querySelector('iframe.viewer-frame').src")
    assert frame == f"{server.url}/instances/{instance}/pdf"
    # The policy lets it in, or there would be a fault.
    browser.wait_for("performance.getEntriesByName(document.querySelector('iframe').src).length")


def test_a_video(server: OurServer, browser: Browser) -> None:
    browser.open(f"{server.url}/app/explorer.html")
    recorded = base64.b64decode(browser.value(RECORDED).partition(",")[2])
    shown(server, browser, viewed.video(recorded)[1])
    video = "document.querySelector('video')"
    browser.wait_for(f"{video}?.readyState >= 2")
    browser.value(f"{video}.muted = true; {video}.play().then(() => 0)")
    browser.wait_for(f"{video}.currentTime > 0.2")
    browser.value(f"{video}.currentTime = 0.1; 0")
    browser.wait_for(f"!{video}.seeking && {video}.error === null")
    judge(browser, "viewer-video")


def test_ranges_of_a_frame(server: OurServer) -> None:
    """Of one that is answered at once, and of one that is streamed."""
    for side in (64, 2048):
        parts = viewer_series.series([np.arange(side * side).reshape(side, side).astype("<u2")])
        series = upload(server, list(parts))
        instance = httpx.get(f"{server.url}/series/{series}").json()["Instances"][0]
        url = f"{server.url}/instances/{instance}/frames/0/raw"
        whole = httpx.get(url)
        assert whole.headers["accept-ranges"] == "bytes"
        for asked, expected in (
            ("0-9", whole.content[:10]),
            ("100-", whole.content[100:]),
            ("-7", whole.content[-7:]),
        ):
            part = httpx.get(url, headers={"Range": f"bytes={asked}"})
            assert part.status_code == 206
            assert part.content == expected
            assert part.headers["content-range"].endswith(f"/{len(whole.content)}")
        assert httpx.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


@pytest.mark.parametrize(
    "name", ["US1_J2KR.dcm", "examples_palette.dcm", "SC_ybr_full_422_uncompressed.dcm"]
)
def test_colours(server: OurServer, browser: Browser, name: str) -> None:
    dataset = dcmread(io.BytesIO(sample(name)))
    series = upload(server, [sample(name)])
    open_series(server, browser, series)
    browser.press("o")
    wait_for_annotation(browser, "Zoom 100 %")
    instance = httpx.get(f"{server.url}/series/{series}").json()["Instances"][0]
    expected = rendered(server, f"instances/{instance}/preview")
    assert expected.shape[:2] == (dataset.Rows, dataset.Columns)
    assert np.array_equal(shown_image(browser, dataset.Columns, dataset.Rows), expected)


def test_a_film(server: OurServer, browser: Browser) -> None:
    """At the rate that the file tells; keys begin and end it."""
    open_series(server, browser, upload(server, [viewed.studies().files[-2]]))
    wait_for_annotation(browser, f"Picture 1 of {viewed.FRAMES}")
    assert browser.value("document.querySelector('.viewer-bar select').value") == "25"
    browser.value(
        "window.seen = new Set(); new MutationObserver(() =>"
        "seen.add(document.querySelector('.viewer-corner.bottom.left').innerText.split('\\n')[0]))"
        ".observe(document.querySelector('.viewer-stage'), {subtree: true, characterData: true,"
        "childList: true}); 0"
    )
    browser.press(" ")
    browser.wait_for(f"seen.size === {viewed.FRAMES}")
    browser.press(" ")
    browser.wait_for("document.querySelector('[aria-label=Play]')")
    at = annotations(browser)
    browser.value("new Promise((done) => setTimeout(done, 200))")
    assert annotations(browser) == at


def test_series_of_a_study(server: OurServer, browser: Browser) -> None:
    first = [np.full((40, 40), 100, np.int16)] * 3
    one, other = (list(viewer_series.series(first, SeriesNumber=str(n))) for n in (1, 2))
    study = dcmread(io.BytesIO(one[0])).StudyInstanceUID
    moved = []
    for each in other:
        dataset = dcmread(io.BytesIO(each))
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.StudyInstanceUID, dataset.SeriesDescription = study, "<b>second</b> \u05d0\u05d1"
        data = io.BytesIO()
        dataset.save_as(data)
        moved.append(data.getvalue())
    upload(server, moved)
    series = upload(server, one)
    parent = httpx.get(f"{server.url}/series/{series}").json()["ParentStudy"]
    browser.open(f"{server.url}/app/explorer.html#study?uuid={parent}")
    browser.wait_for(
        "[...document.querySelectorAll('a')].some((e) => e.innerText.trim() === 'View')"
    )
    browser.click("View")
    wait_for_annotation(browser, "Series 1")
    # Pictures of both at the side.
    browser.wait_for(
        "[...document.querySelectorAll('.viewer-scout img')]"
        ".filter((e) => e.naturalWidth > 0).length === 2"
    )
    browser.press("]")
    wait_for_annotation(browser, "Series 2")
    assert "<b>second</b>" in annotations(browser)
    browser.press("[")
    wait_for_annotation(browser, "Series 1")
    browser.click_on(".viewer-panel li:nth-child(2) a")
    wait_for_annotation(browser, "Series 2")


def test_overlays(server: OurServer, browser: Browser) -> None:
    """Each pixel that the file draws, at its place on the image."""
    file = file_named("MR-SIEMENS-DICOM-WithOverlays.dcm")
    series = upload(server, [file.read_bytes()])
    open_series(server, browser, series)
    layer = "document.querySelector('.viewer-overlay')"
    assert not browser.value(layer)
    browser.click_on("button[aria-label=View]")
    browser.click("Overlays of the file")
    browser.wait_for(f"{layer}?.width === 484")
    drawn = browser.value(
        f"[...{layer}.getContext('2d').getImageData(0, 0, {layer}.width, {layer}.height).data]"
        ".flatMap((value, at) => at % 4 === 3 && value === 255 ? [at >> 2] : [])"
    )
    expected = dcmread(file).overlay_array(0x6000)
    assert drawn == np.flatnonzero(expected).tolist()
    assert drawn
    judge(browser, "viewer-overlays")
    # As large as the picture, of which it has one pixel for each.
    browser.press("o")
    wait_for_annotation(browser, "Zoom 100 %")
    *_, width, height = box(browser, ".viewer-overlay")
    assert (width, height) == (484, 484)
    browser.click_on("button[aria-label=View]")
    browser.click("Overlays of the file")
    browser.wait_for(f"!{layer}")


@pytest.mark.parametrize("size", [1, 4096])
def test_tiny_and_huge(server: OurServer, browser: Browser, size: int) -> None:
    pixels = np.full((size, size), 1500, np.uint16)
    parts = viewer_series.series([pixels], WindowCenter="500", WindowWidth="1000")
    open_series(server, browser, upload(server, list(parts)))
    wait_for_annotation(browser, "Picture 1 of 1")
    whole = canvas(browser)
    height, width = whole.shape[:2]
    # 1500 - 1024 in that window.
    assert abs(int(whole[height // 2, width // 2, 0]) - 122) <= 1


def test_slices_that_do_not_fit_together(server: OurServer, browser: Browser) -> None:
    """Of different sizes and without positions: each is shown all the same."""
    sizes = (40, 60, 50, 60, 30)
    pictures = [np.full((n, 2 * n), n * 20, np.uint16) for n in sizes]
    parts = viewer_series.series(
        pictures, ImagePositionPatient=None, ImageOrientationPatient=None, RescaleIntercept="0"
    )
    open_series(server, browser, upload(server, list(parts)))
    browser.wait_for("!document.body.innerText.includes(' loaded')")
    browser.press("Home")
    browser.press("Shift+ArrowDown")
    for number, size in enumerate(sizes):
        wait_for_annotation(browser, f"Picture {number + 1} of {len(sizes)}")
        wait_for_annotation(browser, f": {size * 20:,}")
        browser.press("ArrowDown")
    assert not browser.value("document.body.innerText.includes('Reformats')")


def test_pixels_that_are_cut_off(server: OurServer, browser: Browser) -> None:
    """The error of the server is shown, and the other slices are there."""
    files = list(viewer_series.ct(5))
    broken = dcmread(io.BytesIO(files[2]))
    broken.PixelData = broken.PixelData[:1000]
    data = io.BytesIO()
    broken.save_as(data)
    files[2] = data.getvalue()
    shown(server, browser, *files)
    browser.wait_for("document.querySelector('.viewer-trouble[role=alert]')")
    browser.wait_for_text("This picture cannot be shown.")
    browser.wait_for_text("4 of 5 loaded")
    judge(browser, "viewer-failed")
    browser.press("ArrowDown")
    wait_for_annotation(browser, "Zoom ")
    browser.wait_for("!document.querySelector('.viewer-trouble')")
    browser.press("ArrowUp")
    browser.wait_for("document.querySelector('.viewer-trouble[role=alert]')")


def test_a_server_that_goes_away(browser: Browser, tmp_path: Path) -> None:
    """What is not there yet is an error, not an endless wait; and comes when the server is back."""
    with OurServer(tmp_path, {"HttpWorkers": 1}) as server:
        series = upload(server, list(viewer_series.ct(6)))
        script = browser.before_each_page(HELD_BACK)
        try:
            open_series(server, browser, series)
        finally:
            browser.forget_script(script)
        # Before it is there, the mouse is on the picture that will be.
        browser.press("Home")
        browser.wait_for_text("Loading")
        browser.move(*place_of(browser, *SHAPE, 5.5, 5.5))
        server.kill_all()
        browser.value("window.letGo()")
        browser.wait_for("document.querySelector('.viewer-trouble[role=alert]')")
        server.start()
        browser.value("document.querySelector('.viewer-trouble button').click()")
        wait_for_annotation(browser, f"5, 5: {value(0, 5, 5)} HU")
        browser.wait_for("!document.body.innerText.includes(' loaded')")


def test_addresses_that_name_nothing(server: OurServer, browser: Browser) -> None:
    browser.open(f"{server.url}/app/explorer.html#viewer")
    browser.wait_for_text("This address names no study and no series.")
    browser.open(f"{server.url}/app/explorer.html#viewer?series=none")
    browser.wait_for("document.querySelector('[role=alert]')")
    browser.open(f"{server.url}/app/explorer.html#viewer?study=none")
    browser.wait_for("document.querySelector('[role=alert]')")


def test_other_viewers_of_the_server(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "ohif").mkdir()
    (tmp_path / "ohif" / "index.html").write_text("<title>another viewer</title>")
    with OurServer(tmp_path / "server", {"OHIF": {"Folder": str(tmp_path / "ohif")}}) as server:
        files = list(viewer_series.ct(1))
        open_series(server, browser, upload(server, files))
        browser.click_on("button[aria-label=More]")
        browser.wait_for_text("Open in OHIF")
        browser.click("Open in OHIF")
        browser.wait_for("document.title === 'another viewer'")
        study = dcmread(io.BytesIO(files[0])).StudyInstanceUID
        assert browser.value("location.search") == f"?StudyInstanceUIDs={study}"


@pytest.mark.parametrize("mode", ["Reformats", "3D"])
def test_volumes(server: OurServer, browser: Browser, mode: str, tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :48]
    ball = [
        np.where((x - 24) ** 2 + (y - 24) ** 2 + (z - 20) ** 2 < 300, 1124, 0).astype(np.int16)
        for z in range(40)
    ]
    open_series(server, browser, upload(server, list(viewer_series.series(ball))))
    browser.click(mode)
    browser.wait_for("document.querySelector('.viewer-3d')")
    browser.wait_for("!document.querySelector('.viewer-trouble')")
    browser.screenshot(tmp_path / "shown.png")
    left, top, width, height = (int(each) for each in box(browser, ".viewer-3d-stage"))
    whole = np.asarray(Image.open(tmp_path / "shown.png").convert("RGB"))
    pixels = whole[top : top + height, left : left + width]
    bright = (pixels.max(axis=2) > 60).mean()
    assert 0.01 < bright < 0.9
    judge(browser, f"viewer-{mode.lower()}")
    browser.click(mode)
    wait_for_annotation(browser, "Zoom ")
