"""The OHIF viewer, served by this server, in a browser: what it draws, and what it asks for."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from support import npm, viewed
from support.driven_browser import PATIENCE, Browser
from support.nginx import BELOW_A_PREFIX, nginx
from support.server import OurServer
from support.viewed import FRAMES, SLICES, Studies

# JPEG 2000, RLE, JPEG-LS, lossless and lossy JPEG; gray, colour, several frames.
COMPRESSED = (
    "693_J2KI.dcm",
    "MR_small_RLE.dcm",
    "emri_small_jpeg_ls_lossless.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm",
    "examples_ybr_color.dcm",
)
CANVAS = "canvas.cornerstone-canvas"


class Site(NamedTuple):
    """A server with studies, as a browser reaches it."""

    url: str
    studies: Studies


@pytest.fixture(scope="module")
def site(needs_viewers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    options = {
        "OHIF": {"Folder": str(npm.package(npm.OHIF))},
        "TrustedProxies": ["127.0.0.1"],
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
    }
    found = viewed.studies()
    with OurServer(tmp_path_factory.mktemp("server"), options) as server:
        for data in found.files:
            assert httpx.post(f"{server.url}/instances", content=data).status_code == 200
        yield Site(server.url, found)


@pytest.fixture
def browser(site: Site, tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as browser:
        viewed.prepare(browser)
        yield browser


def open_study(browser: Browser, site: Site, study: str) -> None:
    """The viewer with a study, as a link opens it, without what it says at first."""
    browser.open(f"{site.url}/ohif/viewer?StudyInstanceUIDs={study}")
    browser.wait_for_text("Confirm and hide")
    browser.click("Confirm and hide")


def all_answered(browser: Browser, *parts: str) -> None:
    """Every request for DICOMweb was answered well, and there was one for each of the parts."""
    asked = viewed.requests(browser, "/dicom-web/")
    assert [each for each in asked if each.status not in (200, 204)] == []
    for part in parts:
        assert any(part in each.url for each in asked), part


def document_of(data: bytes) -> bytes:
    document: bytes = dcmread(io.BytesIO(data)).EncapsulatedDocument
    return document


def test_list_of_studies(site: Site, browser: Browser) -> None:
    browser.open(f"{site.url}/ohif/")
    for text in ("Viewed, Slices", "Viewed, Frames", "Viewed, Report"):
        browser.wait_for_text(text)
    all_answered(browser, "/studies?")


def test_a_series_is_scrolled(site: Site, browser: Browser) -> None:
    open_study(browser, site, site.studies.ct)
    viewed.wait_for_column(browser, CANVAS, SLICES, SLICES - 1)  # the uppermost comes first
    for number in (SLICES - 2, SLICES - 3):
        viewed.scroll_to(browser, CANVAS, SLICES, number, -1)
    all_answered(browser, "/series?", "/metadata", "/frames/1")


def test_frames_of_one_instance(site: Site, browser: Browser) -> None:
    open_study(browser, site, site.studies.multi_frame)
    viewed.wait_for_column(browser, CANVAS, FRAMES, 0)
    viewed.scroll_to(browser, CANVAS, FRAMES, 1, 1)
    all_answered(browser, "/frames/1", "/frames/2")


def test_from_the_viewer_of_this_server(site: Site, browser: Browser) -> None:
    found = httpx.post(f"{site.url}/tools/lookup", content=site.studies.multi_frame).json()
    browser.open(f"{site.url}/app/explorer.html#viewer?study={found[0]['ID']}")
    browser.wait_for("document.querySelector('button[aria-haspopup=menu][aria-label=More]')")
    browser.click_on("button[aria-haspopup=menu][aria-label=More]")
    browser.wait_for_text("Open in OHIF")
    browser.click("Open in OHIF")
    viewed.wait_for_column(browser, CANVAS, FRAMES, 0)


def test_a_loop_of_500_frames(site: Site, browser: Browser) -> None:
    study, data = viewed.cine(500)
    httpx.post(f"{site.url}/instances", content=data).raise_for_status()
    open_study(browser, site, study)
    viewed.wait_for_column(browser, CANVAS, FRAMES, 0)
    end = time.monotonic() + PATIENCE
    while viewed.white_column(browser, CANVAS, FRAMES) != 499 % FRAMES:
        assert time.monotonic() < end
        browser.press("End")  # again where the viewer did not listen yet
        time.sleep(1)
    all_answered(browser, "/frames/500")


def test_a_pdf(site: Site, browser: Browser) -> None:
    open_study(browser, site, site.studies.pdf)
    browser.wait_for("document.querySelector('object[type=\"application/pdf\"]')?.data")
    address = browser.value("document.querySelector('object[type=\"application/pdf\"]').data")
    kind, start = browser.value(
        f"fetch({address!r}).then(async (answer) => [answer.headers.get('content-type'),"
        "(await answer.text()).slice(0, 5)])"
    )
    assert (kind, start) == ("application/pdf", "%PDF-")
    assert not browser.value("document.querySelector('object > div').checkVisibility()")
    all_answered(browser, "/rendered")


def test_a_pdf_as_bulk_data(site: Site, tmp_path: Path) -> None:
    """As OHIF asks for it by itself; so told by a script of the user."""
    script = tmp_path / "mine.js"
    script.write_text("delete window.config.dataSources[0].configuration.singlepart;")
    folder = str(npm.package(npm.OHIF))
    options = {"OHIF": {"Folder": folder, "UserConfiguration": str(script)}}
    with (
        OurServer(tmp_path / "server", options) as server,
        Browser(tmp_path / "profile") as browser,
    ):
        httpx.post(f"{server.url}/instances", content=site.studies.files[-1]).raise_for_status()
        viewed.prepare(browser)
        open_study(browser, Site(server.url, site.studies), site.studies.pdf)
        browser.wait_for("document.querySelector('object')?.data.startsWith('blob:')")
        size = (
            "fetch(document.querySelector('object').data).then(async (a) => (await a.blob()).size)"
        )
        assert abs(browser.value(size) - len(document_of(site.studies.files[-1]))) <= 1
        all_answered(browser, "/bulk/")


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_images(site: Site, browser: Browser, name: str) -> None:
    """They come as they are stored, and the viewer decodes them."""
    path = get_testdata_file(name)
    assert path is not None
    data = Path(str(path)).read_bytes()
    httpx.post(f"{site.url}/instances", content=data).raise_for_status()
    open_study(browser, site, dcmread(str(path), stop_before_pixels=True).StudyInstanceUID)
    viewed.wait_for_picture(browser, CANVAS)
    all_answered(browser, "/frames/1")


def test_two_studies(site: Site, browser: Browser) -> None:
    """The viewer shows that whose metadata come first."""
    studies = (site.studies.ct, site.studies.multi_frame)
    open_study(browser, site, ",".join(studies))
    end = time.monotonic() + PATIENCE
    while (
        viewed.white_column(browser, CANVAS, SLICES) != SLICES - 1
        and viewed.white_column(browser, CANVAS, FRAMES) != 0
    ):
        assert time.monotonic() < end
        time.sleep(0.1)
    for study in studies:
        viewed.wait_for_request(browser, f"/studies/{study}/series/")
    all_answered(browser)


def test_below_a_prefix_of_nginx(site: Site, needs_nginx: None, tmp_path: Path) -> None:
    with (
        nginx(tmp_path / "nginx", BELOW_A_PREFIX.format(server=site.url)) as url,
        Browser(tmp_path / "profile") as browser,
    ):
        viewed.prepare(browser)
        open_study(browser, Site(f"{url}/orthanc", site.studies), site.studies.multi_frame)
        viewed.wait_for_column(browser, CANVAS, FRAMES, 0)
        all_answered(browser, f"{url}/orthanc/dicom-web/studies")


# Records a canvas as H.264 in MP4: stripes of gray that move.
_RECORD = """(async () => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 320, height: 240});
  const context = canvas.getContext("2d");
  const form = {mimeType: "video/mp4;codecs=avc1.42E01E"};
  const recorder = new MediaRecorder(canvas.captureStream(25), form);
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((resolve) => { recorder.onstop = resolve; });
  recorder.start();
  for (let frame = 0; frame < 40; frame++) {
    for (let stripe = 0; stripe < 8; stripe++) {
      const gray = (stripe + frame) % 8 * 36;
      context.fillStyle = `rgb(${gray}, ${gray}, ${gray})`;
      context.fillRect(stripe * 40, 0, 40, 240);
    }
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
})()"""
# The viewer plays it in an element that is not in the page, and draws that on its canvas.
_REMEMBER_VIDEOS = """
const create = document.createElement.bind(document);
window.videos = [];
document.createElement = (name, ...more) => {
  const made = create(name, ...more);
  if (name === "video") window.videos.push(made);
  return made;
};"""


def test_a_video(site: Site, browser: Browser) -> None:
    """The browser plays it, as far as it has the codec, H.264: the test records one with it."""
    browser.open(f"{site.url}/ohif/")
    study, data = viewed.video(base64.b64decode(browser.value(_RECORD)))
    httpx.post(f"{site.url}/instances", content=data).raise_for_status()
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=_REMEMBER_VIDEOS)
    open_study(browser, site, study)
    browser.wait_for("window.videos.some((each) => each.readyState >= 2)")
    size = "((each) => [each.videoWidth, each.videoHeight, each.error])(window.videos[0])"
    assert browser.value(size) == [320, 240, None]
    viewed.wait_for_picture(browser, CANVAS)
    browser.value("window.videos[0].play()")
    browser.wait_for("window.videos[0].currentTime > 0.2")
    asked = viewed.requests(browser, "/rendered")
    assert asked and {each.status for each in asked} <= {200, 206}


# Whether the picture has a colour: the images have none.
_HAS_COLOUR = """(() => {
  const canvas = document.querySelector("canvas.cornerstone-canvas");
  const made = document.createElement("canvas");
  made.width = made.height = 64;
  const context = made.getContext("2d");
  context.drawImage(canvas, 0, 0, 64, 64);
  const data = context.getImageData(0, 0, 64, 64).data;
  let count = 0;
  for (let at = 0; at < data.length; at += 4) count += Math.abs(data[at] - data[at + 1]) > 20;
  return count > 50;
})()"""
_SEGMENTS = "document.querySelector('[data-cy=study-browser-thumbnail-no-image]')"
_OPEN_SEGMENTS = f"{_SEGMENTS}.dispatchEvent(new MouseEvent('dblclick', {{bubbles: true}}))"


def test_a_segmentation(site: Site, browser: Browser) -> None:
    """Over the series that it belongs to."""
    slices = viewed.studies().files[:SLICES]
    for data in (*slices, viewed.segmentation(slices)):
        httpx.post(f"{site.url}/instances", content=data).raise_for_status()
    open_study(browser, site, dcmread(io.BytesIO(slices[0])).StudyInstanceUID)
    viewed.wait_for_column(browser, CANVAS, SLICES, SLICES - 1)
    assert not browser.value(_HAS_COLOUR)
    browser.wait_for(_SEGMENTS)
    browser.value(_OPEN_SEGMENTS)
    browser.wait_for_text("Do you want to open this Segmentation?")
    browser.click("Yes")
    browser.wait_for(_HAS_COLOUR)
    all_answered(browser, "/instances/")
