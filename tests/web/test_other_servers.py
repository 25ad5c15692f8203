"""The pages beside other people's servers: studies are found, retrieved and sent at Orthanc 1.13,
by DICOM and by DICOMweb, and at dcmtk's archive and its receiver."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pydicom
import pytest
from support import generated
from support.dcmqrscp import AET as DCMTK
from support.dcmqrscp import dcmqrscp
from support.driven_browser import Browser
from support.ports import free_port, wait_for_port
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.web_ui import choose, fill, judge

AET = "OURS"
ROWS = "[...document.querySelectorAll('.query tbody tr')]"
WHERE = (
    "modality:orthanc",
    "modality:orthanc-gets",
    "web:orthanc",
    "modality:dcmtk",
    "modality:dcmtk-gets",
)


class Study(NamedTuple):
    number: int
    character_set: str | None
    name: str
    shown: str  # by the pages


STUDIES = (
    Study(701, "ISO_IR 100", "Müller^Jörg^^Dr.", "Müller Jörg Dr."),
    Study(702, "ISO_IR 192", "Łódź^日本", "Łódź 日本"),
    Study(703, None, "Plain^Name", "Plain Name"),
)
IMAGES = 2


def files() -> Iterator[bytes]:
    for number, character_set, name, _ in STUDIES:
        for instance in range(1, IMAGES + 1):
            found = generated.base()
            found.SpecificCharacterSet, found.PatientName = character_set, name
            found.PatientID, found.StudyDate = f"OTHER{number}", "20260304"
            found.StudyDescription, found.SeriesDescription = "Knee", "Sagittal"
            found.StudyInstanceUID = f"1.2.3.{number}"
            found.SeriesInstanceUID = f"1.2.3.{number}.1"
            found.SOPInstanceUID = f"1.2.3.{number}.1.{instance}"
            found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
            found.InstanceNumber = instance
            yield generated.encode_once(found)


class Site(NamedTuple):
    server: OurServer
    orthanc: str  # its address


@pytest.fixture(scope="module")
def site(
    needs_browser: None, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Our server knows an Orthanc, by DICOM and DICOMweb, and dcmtk's archive, which have all
    studies."""
    port = free_port()
    options = {
        "DicomServerEnabled": True,
        "DicomPort": port,
        "DicomAet": AET,
        "DefaultEncoding": "Utf8",
    }
    theirs = {
        "DicomServerEnabled": True,
        "DicomPort": free_port(),
        "DicomAet": "ORTHANC",
        "DefaultEncoding": "Utf8",
        "DicomModalities": {"ours": [AET, "127.0.0.1", port]},
    }
    folder = tmp_path_factory.mktemp("others")
    orthanc = ReferenceServer(folder / "orthanc", theirs, ("libOrthancDicomWeb.so",))
    with (
        orthanc,
        dcmqrscp(folder / "dcmtk", {AET: port}) as archive,
        OurServer(folder / "ours", options) as running,
    ):
        for number, each in enumerate(files()):
            httpx.post(f"{orthanc.url}/instances", content=each).raise_for_status()
            path = archive.folder / f"{number}.dcm"
            path.write_bytes(each)
            archive.add(path)
        known = {"AET": "ORTHANC", "Host": "127.0.0.1", "Port": theirs["DicomPort"]}
        dcmtk = {"AET": DCMTK, "Host": "127.0.0.1", "Port": archive.port}
        modalities = {
            "orthanc": {**known, "RetrieveMethod": "C-MOVE"},
            "orthanc-gets": {**known, "RetrieveMethod": "C-GET"},
            "dcmtk": {**dcmtk, "RetrieveMethod": "C-MOVE"},
            "dcmtk-gets": {**dcmtk, "RetrieveMethod": "C-GET"},
        }
        for name, modality in modalities.items():
            httpx.put(f"{running.url}/modalities/{name}", json=modality).raise_for_status()
        web = {"Url": f"{orthanc.url}/dicom-web/"}
        httpx.put(f"{running.url}/dicom-web/servers/orthanc", json=web).raise_for_status()
        httpx.put(f"{running.url}/peers/orthanc", json={"Url": orthanc.url}).raise_for_status()
        yield Site(running, orthanc.url)


@pytest.fixture(scope="module")
def server(site: Site) -> OurServer:
    return site.server


@pytest.fixture(autouse=True)
def empty(server: OurServer) -> None:
    for patient in httpx.get(f"{server.url}/patients").json():
        httpx.delete(f"{server.url}/patients/{patient}").raise_for_status()


@pytest.mark.parametrize("where", WHERE)
def test_studies_are_found_and_retrieved(browser: Browser, server: OurServer, where: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#query")
    choose(browser, "Server", where)
    fill(browser, "Patient ID", "OTHER")
    browser.press("Enter")
    browser.wait_for(f"{ROWS}.length === {len(STUDIES)}")
    for study in STUDIES:
        row = f"{ROWS}.find((row) => row.innerText.includes('OTHER{study.number}'))"
        cells = browser.value(f"{row}.innerText.split(/\\s*\\t\\s*/)")
        assert {study.shown, "2026-03-04", "Knee"} <= set(cells)
    judge(browser, f"query-{where.replace(':', '-')}")
    browser.value(f"{row}.querySelector('button[aria-label^=Retrieve]').click()")
    browser.wait_for(f"{row}?.querySelector('.column-here a')")
    stored = httpx.get(f"{server.url}/studies?expand").json()
    assert [each["PatientMainDicomTags"]["PatientID"] for each in stored] == ["OTHER703"]
    assert len(httpx.get(f"{server.url}/instances").json()) == IMAGES


@pytest.mark.parametrize("where", WHERE)
def test_one_series_is_retrieved(browser: Browser, server: OurServer, where: str) -> None:
    browser.open(f"{server.url}/app/explorer.html#query")
    choose(browser, "Server", where)
    fill(browser, "Patient ID", "OTHER701")
    browser.press("Enter")
    browser.wait_for(f"{ROWS}.length === 1")
    browser.value(f"{ROWS}[0].focus()")
    browser.press("Enter")
    browser.wait_for("document.querySelector('dialog tbody button')")
    if "dcmtk" not in where:  # which knows no descriptions of series
        browser.wait_for_text("Sagittal")
    browser.value("document.querySelector('dialog tbody button').click()")
    browser.wait_for("document.querySelector('.toast a')")
    assert len(httpx.get(f"{server.url}/instances").json()) == IMAGES


def sent(browser: Browser, server: OurServer, name: str, kind: str) -> None:
    """The first study, whose pixels are now of our server only."""
    for each in files():
        httpx.post(f"{server.url}/instances", content=each).raise_for_status()
    (study,) = httpx.post(f"{server.url}/tools/lookup", content="1.2.3.701").json()
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study['ID']}")
    browser.wait_for("document.querySelector('.series-card')")
    browser.click("Send")
    label = (
        "[...document.querySelectorAll('dialog fieldset')]"
        f".find((each) => each.querySelector('legend')?.innerText === '{kind}')"
        "?.querySelectorAll('label')"
    )
    wanted = f"[...({label} ?? [])].find((each) => each.innerText.trim() === '{name}')"
    browser.wait_for(wanted)
    browser.value(f"{wanted}.querySelector('input').click()")
    browser.click_on("dialog button[type=submit]")
    browser.wait_for_text(f"has been sent to {name}")


@pytest.mark.parametrize("kind", ["Modalities (DICOM)", "Peers", "DICOMweb servers"])
def test_sent_to_orthanc(browser: Browser, site: Site, kind: str) -> None:
    server, orthanc = site
    for patient in httpx.get(f"{orthanc}/patients").json():
        httpx.delete(f"{orthanc}/patients/{patient}").raise_for_status()
    sent(browser, server, "orthanc", kind)
    (study,) = httpx.get(f"{orthanc}/studies?expand").json()
    assert study["PatientMainDicomTags"]["PatientName"] == STUDIES[0].name
    assert len(httpx.get(f"{orthanc}/instances").json()) == IMAGES
    for each in files():  # for the other tests
        httpx.post(f"{orthanc}/instances", content=each).raise_for_status()


def test_sent_to_storescp(browser: Browser, server: OurServer, tmp_path: Path) -> None:
    port = free_port()
    command = ["storescp", "--output-directory", str(tmp_path), str(port)]
    known = {"AET": "STORESCP", "Host": "127.0.0.1", "Port": port}
    httpx.put(f"{server.url}/modalities/storescp", json=known).raise_for_status()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        sent(browser, server, "storescp", "Modalities (DICOM)")
    finally:
        process.terminate()
        process.wait()
    received = [pydicom.dcmread(path) for path in tmp_path.iterdir()]
    assert len(received) == IMAGES
    assert {str(each.PatientName) for each in received} == {STUDIES[0].name}
