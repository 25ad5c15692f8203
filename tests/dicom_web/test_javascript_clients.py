"""cornerstone's loaders and dicomweb-client in a browser, on a page of another origin."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from support import generated, npm, viewed
from support.driven_browser import Browser
from support.server import OurServer
from support.viewed import FRAMES, SLICES, Studies
from support.web_pages import pages

CANVAS = "canvas.cornerstone-canvas"
SCRIPTS = {
    npm.CORNERSTONE: "dist/cornerstone.js",
    npm.DICOM_PARSER: "dist/dicomParser.js",
    npm.WADO_IMAGE_LOADER: "dist/cornerstoneWADOImageLoaderNoWebWorkers.bundle.min.js",
    npm.DICOMWEB_CLIENT: "build/dicomweb-client.js",
}


class Site(NamedTuple):
    """A server, a page of another origin that may use it, and what the server has."""

    server: str
    page: str
    studies: Studies


@pytest.fixture(scope="module")
def site(needs_viewers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pages")
    shutil.copy(Path(__file__).with_name("javascript.html"), folder)
    for name, path in SCRIPTS.items():
        shutil.copy(npm.package(name) / path, folder)
    found = viewed.studies()
    (folder / "new.dcm").write_bytes(generated.small().number(7, 7, 7, 7))
    with pages(folder) as port:
        options = {"Cors": {"AllowedOrigins": [f"http://127.0.0.1:{port}"]}}
        with OurServer(tmp_path_factory.mktemp("server"), options) as server:
            for data in found.files:
                assert httpx.post(f"{server.url}/instances", content=data).status_code == 200
            yield Site(server.url, f"http://127.0.0.1:{port}/javascript.html", found)


@pytest.fixture(scope="module")
def browser(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as browser:
        viewed.prepare(browser)
        browser.open(site.page)
        yield browser


def series_of(site: Site, study: str) -> str:
    found = httpx.get(f"{site.server}/dicom-web/studies/{study}/series").json()
    series: str = found[0]["0020000E"]["Value"][0]
    return series


@pytest.mark.parametrize("loader", ["wadoRs", "wadoUri"])
def test_a_series_by_the_loaders(site: Site, browser: Browser, loader: str) -> None:
    study = site.studies.ct
    where = f"{site.server!r}, {study!r}, {series_of(site, study)!r}"
    count = browser.value(f"{loader}({where}).then((ids) => (window.ids = ids).length)")
    assert count == SLICES
    for number in (0, 5, SLICES - 1):
        browser.value(f"show(ids[{number}]).then(() => null)")
        viewed.wait_for_column(browser, CANVAS, SLICES, number)


def test_frames_by_the_loader(site: Site, browser: Browser) -> None:
    study = site.studies.multi_frame
    where = f"{site.server!r}, {study!r}, {series_of(site, study)!r}"
    count = browser.value(f"wadoRs({where}).then((ids) => (window.ids = ids).length)")
    assert count == FRAMES
    for number in (FRAMES - 1, 0):
        browser.value(f"show(ids[{number}]).then(() => null)")
        viewed.wait_for_column(browser, CANVAS, FRAMES, number)


class Client:
    """dicomweb-client of the page; results as `shown` of the page gives them."""

    def __init__(self, site: Site, browser: Browser) -> None:
        self._site, self._browser = site, browser
        study = site.studies.ct
        self.study = {"studyInstanceUID": study}
        self.series = {**self.study, "seriesInstanceUID": series_of(site, study)}
        path = f"{site.server}/dicom-web/studies/{study}/instances?InstanceNumber=3"
        found = httpx.get(path).json()[0]["00080018"]["Value"][0]
        self.instance = {**self.series, "sopInstanceUID": found}
        self.file = next(data for data in site.studies.files if found.encode() in data)

    def __call__(self, method: str, options: dict[str, Any]) -> Any:
        found = self._browser.value(f"call({self._site.server!r}, {method!r}, {_literal(options)})")
        assert not (isinstance(found, dict) and "failed" in found), found
        return found

    def store(self, source: str) -> Any:
        return self._browser.value(f"store({self._site.server!r}, {source!r})")


def _literal(options: dict[str, Any]) -> str:
    return json.dumps(options)


@pytest.fixture
def client(site: Site, browser: Browser) -> Client:
    return Client(site, browser)


def test_search(client: Client) -> None:
    studies = client("searchForStudies", {"queryParams": {"PatientID": "V1"}})
    assert [each["0020000D"]["Value"] for each in studies] == [[client.study["studyInstanceUID"]]]
    assert client("searchForStudies", {"queryParams": {"PatientID": "none"}}) == []
    assert len(client("searchForSeries", client.study)) == 1
    assert len(client("searchForInstances", client.series)) == SLICES


def test_metadata(client: Client) -> None:
    for method, options, count in (
        ("retrieveStudyMetadata", client.study, SLICES),
        ("retrieveSeriesMetadata", client.series, SLICES),
    ):
        found = client(method, options)
        assert len(found) == count
        assert {each["00280010"]["Value"][0] for each in found} == {viewed.SIZE}
    (one,) = client("retrieveInstanceMetadata", client.instance)
    assert one["00200013"]["Value"] == [3]


def test_files(client: Client) -> None:
    found = client("retrieveInstance", client.instance)
    assert found["bytes"] == pytest.approx(len(client.file), abs=200)  # the file's own header
    assert len(client("retrieveSeries", client.series)) == SLICES
    assert len(client("retrieveStudy", client.study)) == SLICES


def test_frames(client: Client) -> None:
    (found,) = client("retrieveInstanceFrames", {**client.instance, "frameNumbers": [1]})
    pixels = viewed.marked(2, SLICES).astype("<u2") * 4
    assert found == {"bytes": pixels.nbytes, "sum": _sum(pixels.tobytes())}


def test_pictures(client: Client) -> None:
    for method in ("retrieveInstanceRendered", "retrieveInstanceThumbnail"):
        for kind in ("image/jpeg", "image/png"):
            options = {**client.instance, "mediaTypes": [{"mediaType": kind}]}
            (picture,) = client(method, options)
            assert picture["bytes"] > 100
    options = {**client.instance, "frameNumbers": [1], "mediaTypes": [{"mediaType": "image/png"}]}
    (picture,) = client("retrieveInstanceFramesRendered", options)
    assert picture["bytes"] > 100


def test_bulk_data(client: Client) -> None:
    (one,) = client("retrieveInstanceMetadata", client.instance)
    found = client("retrieveBulkData", {"BulkDataURI": one["7FE00010"]["BulkDataURI"]})
    assert found[0]["bytes"] == 2 * viewed.SIZE**2


def test_store(site: Site, client: Client) -> None:
    assert client.store("new.dcm") is not None
    found = httpx.get(f"{site.server}/dicom-web/studies?PatientID=PATIENT0000000007").json()
    assert len(found) == 1


def _sum(data: bytes) -> int:
    return sum(data) % 65521
