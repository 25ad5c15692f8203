"""Orthanc Explorer 2 as a site's own copy: its pages, what they are told, and each call that they
make, as reference chapter 6, section 1, lists them."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from support import generated
from support.server import OurServer

PAGE = '<!doctype html><html lang="en" data-bs-theme="auto"><head><title>App</title></head></html>'


def make_instance(**attributes: str) -> bytes:
    """A file with these attributes."""
    dataset = generated.base()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return generated.encode_once(dataset)


def copy_of(folder: Path) -> Path:
    """A folder as a build of the application leaves it, with pages of its shape."""
    for name, content in {
        "dist/index.html": PAGE,
        "dist/token-landing.html": "<html><title>Landing</title></html>",
        "dist/favicon.ico": "icon",
        "dist/assets/index-DiwrgTda.js": "start()" * 300,
        "src/assets/css/defaults-light.css": ":root{--a:light}",
        "src/assets/css/defaults-dark.css": ":root{--a:dark}",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "dist"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    options = {
        "OrthancExplorer2": {"Folder": str(copy_of(tmp_path_factory.mktemp("copy")))},
        "DicomWeb": {"Enable": True},
        "DicomModalities": {"self": ["ORTHANC", "127.0.0.1", 1]},
        "Worklists": {"Enable": True, "SaveInOrthancDatabase": True},
    }
    with OurServer(tmp_path_factory.mktemp("server"), options) as server:
        yield server


@pytest.fixture(scope="module")
def client(site: OurServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def study(client: httpx.Client) -> str:
    """A study of two instances."""
    found = ""
    for number in (1, 2):
        data = make_instance(
            PatientID="OE2",
            PatientName="Explorer^Two",
            StudyInstanceUID="1.2.826.0.1.3680043.8.498.2",
            SeriesInstanceUID="1.2.826.0.1.3680043.8.498.2.1",
            SOPInstanceUID=f"1.2.826.0.1.3680043.8.498.2.1.{number}",
            InstanceNumber=str(number),
        )
        found = client.post("/instances", content=data).json()["ParentStudy"]
    return found


def test_its_page_is_the_first(client: httpx.Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "ui/app/")
    answer = client.get("/ui/app")
    assert (answer.status_code, answer.headers["location"]) == (307, "app/")


@pytest.mark.parametrize("path", ["", "filtered-studies", "settings/labels?a=b", "index.html"])
def test_addresses_of_its_history_are_the_page(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/ui/app/{path}")
    assert answer.text == PAGE.replace("auto", "light")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_its_files(client: httpx.Client) -> None:
    script = client.get("/ui/app/assets/index-DiwrgTda.js")
    assert script.text == "start()" * 300
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-encoding"] == "gzip"
    assert client.get("/ui/app/favicon.ico").text == "icon"
    landing = client.get("/ui/app/token-landing.html").text
    assert landing == '<html data-bs-theme="light"><title>Landing</title></html>'
    assert client.get("/ui/app/assets/none.js").status_code == 404
    assert client.get("/ui/app/%2e%2e/src/assets/css/defaults-dark.css").status_code == 404


def test_style_of_the_theme(client: httpx.Client) -> None:
    answer = client.get("/ui/app/customizable/custom.css")
    assert answer.text == ":root{--a:light}"
    assert answer.headers["content-type"].startswith("text/css")
    assert "no-cache" in answer.headers["cache-control"]
    known = {"If-None-Match": answer.headers["etag"]}
    assert client.get("/ui/app/customizable/custom.css", headers=known).status_code == 304


def test_configuration(client: httpx.Client) -> None:
    found = client.get("/ui/api/configuration").json()
    assert found["Keycloak"] is None
    assert found["HasCustomLogo"] is False
    assert "CustomLogoUrl" not in found
    assert found["Tokens"] == {
        "InstantLinksValidity": 200,
        "ShareType": "stone-viewer-publication",
        "RequiredForLinks": False,
    }
    assert found["AdvancedOptions"]["AdaptUiOnReadOnlySystems"] is True
    options = found["UiOptions"]
    assert options["MaxStudiesDisplayed"] == 100
    assert options["PageLoadSize"] == 50
    assert options["StudyListSearchMode"] == "search-as-you-type"
    assert options["EnableUpload"] is True
    assert options["EnableAuditLogs"] is False
    plugins = found["Plugins"]
    assert plugins["dicom-web"]["Enabled"] is True
    assert plugins["dicom-web"]["RootUri"].startswith("../../")
    assert plugins["orthanc-worklists"]["Enabled"] is True
    assert plugins["orthanc-explorer-2"]["RootUri"] == "../../ui/app/"


def test_before_a_log_in(client: httpx.Client) -> None:
    assert client.get("/ui/api/pre-login-configuration").json() == {
        "Keycloak": None,
        "TokensLandingOptions": None,
        "Inbox": None,
    }


def test_options_of_a_site(tmp_path: Path) -> None:
    folder = copy_of(tmp_path / "copy")
    (folder.parent / "DefaultConfiguration.json").write_text(
        '{ // as it comes\n "OrthancExplorer2": {"UiOptions": {"New": [1], "PageLoadSize": 7}}}'
    )
    (tmp_path / "mine.css").write_text("b{}")
    (tmp_path / "logo.png").write_bytes(b"logo")
    section: dict[str, Any] = {
        "Folder": str(folder),
        "Root": "/site/pages",
        "IsDefaultOrthancUI": False,
        "Theme": "dark",
        "CustomCssPath": str(tmp_path / "mine.css"),
        "CustomLogoPath": str(tmp_path / "logo.png"),
        "CustomTitle": "Mine & yours",
        "UiOptions": {"EnableShares": True, "EnableUpload": True},
        "Tokens": {"LandingOptions": [{"Type": "download-study"}]},
    }
    options = {"OrthancExplorer2": section, "ReadOnly": True}
    with OurServer(tmp_path / "server", options) as server:
        assert httpx.get(server.url).headers["location"] == "app/explorer.html"
        page = httpx.get(f"{server.url}/site/pages/app/").text
        assert 'data-bs-theme="dark"' in page
        assert "<title>Mine &amp; yours</title>" in page
        style = httpx.get(f"{server.url}/site/pages/app/customizable/custom.css").text
        assert style == ":root{--a:dark}\nb{}"
        logo = httpx.get(f"{server.url}/site/pages/app/customizable/custom-logo")
        assert (logo.content, logo.headers["content-type"]) == (b"logo", "image/png")
        found = httpx.get(f"{server.url}/site/pages/api/configuration").json()
        assert found["HasCustomLogo"] is True
        assert found["CustomTitle"] == "Mine & yours"
        assert found["Plugins"]["dicom-web"]["Enabled"] is False
        assert found["Plugins"]["dicom-web"]["RootUri"].startswith("../../../")
        shown = found["UiOptions"]
        assert (shown["New"], shown["PageLoadSize"], shown["EnableShares"]) == ([1], 7, True)
        assert (shown["EnableUpload"], shown["EnableDownloadZip"]) == (False, True)
        before = httpx.get(f"{server.url}/site/pages/api/pre-login-configuration").json()
        assert before["TokensLandingOptions"] == [{"Type": "download-study"}]


# Its calls, as it starts and lists.


def test_calls_at_the_start(client: httpx.Client) -> None:
    system = client.get("/system").json()
    assert system["ApiVersion"] >= 22
    assert system["Capabilities"]["HasExtendedFind"] is True
    assert system["Capabilities"]["HasExtendedChanges"] is True
    for name in (
        *("DicomAet", "Name", "Version", "ReadOnly", "OverwriteInstances", "StorageCompression"),
        *("IngestTranscoding", "DicomPort", "MaximumPatientCount", "MaximumStorageSize"),
        *("MaximumStorageMode", "DicomDefaultRetrieveMethod", "PatientLevelEnabled"),
    ):
        assert name in system, name
    statistics = client.get("/statistics").json()
    for name in ("Patients", "Studies", "Series", "Instances"):
        assert f"Count{name}" in statistics
    assert "TotalDiskSizeMB" in statistics
    assert "RetrieveMethod" in client.get("/modalities?expand").json()["self"]
    assert client.get("/peers").json() == []
    assert client.get("/dicom-web/servers").json() == []
    assert "dicom-web" in client.get("/plugins").json()


def test_calls_of_the_list(client: httpx.Client, study: str) -> None:
    query = {
        "Level": "Study",
        "Limit": 50,
        "Query": {"PatientName": "*explorer*", "StudyDate": ""},
        "RequestedTags": [
            *("ModalitiesInStudy", "NumberOfStudyRelatedInstances"),
            *("NumberOfStudyRelatedSeries", "SOPClassesInStudy"),
        ],
        "Expand": True,
        "LabelsConstraint": "All",
        "OrderBy": [{"Type": "Metadata", "Key": "LastUpdate", "Direction": "DESC"}],
        "Since": 0,
    }
    found = client.post("/tools/find", json=query).json()
    assert [each["ID"] for each in found] == [study]
    assert found[0]["RequestedTags"]["NumberOfStudyRelatedInstances"] == "2"
    for name in ("MainDicomTags", "PatientMainDicomTags", "Series", "Labels", "ParentPatient"):
        assert name in found[0], name
    changes = client.get("/changes?last").json()
    for name in ("Changes", "Last", "Done"):
        assert name in changes
    address = f"/changes?to={changes['Last']}&limit=10&type=NewStudy;StableStudy"
    assert study in [each["ID"] for each in client.get(address).json()["Changes"]]
    patient = {"Level": "Patient", "Query": {"PatientID": "OE2"}, "CaseSensitive": True}
    assert len(client.post("/tools/find", json={**patient, "Expand": True}).json()) == 1


def test_calls_of_details(client: httpx.Client, study: str) -> None:
    series = client.get(f"/studies/{study}/series").json()[0]["ID"]
    slices = {
        "Level": "Instance",
        "Query": {},
        "ParentSeries": series,
        "OrderBy": [{"Type": "MetadataAsInt", "Key": "IndexInSeries", "Direction": "ASC"}],
        "Since": 0,
        "Limit": 50,
        "Expand": True,
    }
    instances = client.post("/tools/find", json=slices).json()
    assert [each["IndexInSeries"] for each in instances] == [1, 2]
    one = instances[0]["ID"]
    address = f"/studies/{study}?requestedTags=PatientName;ModalitiesInStudy"
    assert "ModalitiesInStudy" in client.get(address).json()["RequestedTags"]
    assert client.get(f"/series/{series}/study").json()["ID"] == study
    assert len(client.get(f"/series/{series}/instances").json()) == 2
    plain = client.get(f"/studies/{study}/instances?expand=false").json()
    assert sorted(plain) == sorted(each["ID"] for each in instances)
    expanded = client.get(f"/studies/{study}/instances?expanded&requestedTags=Rows").json()
    assert expanded[0]["ID"] in plain
    assert client.get(f"/instances/{one}/tags?ignore-length=VisitComments").status_code == 200
    assert client.get(f"/instances/{one}/tags?simplify").json()["PatientID"] == "OE2"
    assert "0002,0010" in client.get(f"/instances/{one}/header").json()
    uid = "1.2.826.0.1.3680043.8.498.2"
    assert client.post("/tools/lookup", content=uid).json()[0]["ID"] == study


def test_calls_of_downloads(client: httpx.Client, study: str) -> None:
    for path in (
        f"/studies/{study}/archive?filename=mine.zip",
        f"/studies/{study}/media?filename=mine.zip",
        f"/tools/create-archive?resources={study}&filename=mine.zip",
        f"/tools/create-media?resources={study}&filename=mine.zip",
    ):
        answer = client.get(path)
        assert 'filename="mine.zip"' in answer.headers["content-disposition"], path
        names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert len([name for name in names if not name.endswith("DICOMDIR")]) == 2, path
    one = client.get(f"/studies/{study}/instances?expand=false").json()[0]
    file = client.get(f"/instances/{one}/file?filename=mine.dcm")
    assert 'filename="mine.dcm"' in file.headers["content-disposition"]
    assert dcmread(io.BytesIO(file.content)).PatientID == "OE2"


def test_calls_of_uploads_and_deletions(client: httpx.Client) -> None:
    data = make_instance(PatientID="OE2-UP")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.dcm", data)
    found = client.post("/instances", content=archive.getvalue()).json()
    assert [each["Status"] for each in found] == ["Success"]
    parent = found[0]["ParentStudy"]
    tags = {"SeriesDescription": "Report", "Modality": "DOC"}
    pdf = "data:application/pdf;base64,JVBERi0xLjQK"
    body = {"Parent": parent, "Tags": tags, "Content": pdf}
    made = client.post("/tools/create-dicom", json=body).json()["ID"]
    assert client.get(f"/instances/{made}/pdf").content.startswith(b"%PDF")
    bad = client.post("/instances", content=b"no DICOM")
    assert bad.status_code == 400
    assert bad.json()["Message"]
    body = {"Resources": [made], "Level": "Instance"}
    assert client.post("/tools/bulk-delete", json=body).status_code == 200
    assert client.delete(f"/studies/{parent}").status_code == 200


def test_calls_of_modifications(client: httpx.Client) -> None:
    source = client.post("/instances", content=make_instance(PatientID="OE2-M")).json()
    study = source["ParentStudy"]
    anonymized = {
        "Replace": {"PatientName": "Nobody"},
        "Remove": ["StudyDescription"],
        "KeepSource": True,
        "Force": True,
        "Synchronous": False,
    }
    modified = {**anonymized, "Keep": ["StudyInstanceUID"], "KeepLabels": True}
    modified["Replace"] = {"StudyDescription": "New"}
    modified["Remove"] = []
    bulk = {**modified, "Keep": [], "Resources": [study], "Level": "Study", "UserData": {"a": 1}}
    made = [
        client.post(f"/studies/{study}/anonymize", json=anonymized),
        client.post(f"/studies/{study}/modify", json=modified),
        client.post("/tools/bulk-modify", json=bulk),
    ]
    for answer in made:
        assert answer.status_code == 200, answer.text
        job = client.get(f"/jobs/{answer.json()['ID']}").json()
        for name in ("State", "Progress", "Type", "Priority", "Content", "ErrorCode"):
            assert name in job
    assert client.get("/jobs?expand").json()
    assert client.post(f"/jobs/{made[0].json()['ID']}/pause").status_code in (200, 400)


def test_calls_of_labels(client: httpx.Client, study: str) -> None:
    assert client.put(f"/studies/{study}/labels/oe2").status_code == 200
    assert client.get(f"/studies/{study}/labels").json() == ["oe2"]
    assert "oe2" in client.get("/tools/labels").json()
    count = {"Level": "Study", "Query": {}, "Labels": ["oe2"], "LabelsConstraint": "Any"}
    assert client.post("/tools/count-resources", json=count).json() == {"Count": 1}
    assert client.delete(f"/studies/{study}/labels/oe2").status_code == 200


def test_calls_of_settings(client: httpx.Client) -> None:
    level = client.get("/tools/log-level").text
    assert client.put("/tools/log-level", content=level).status_code == 200
    assert "." in client.get("/tools/generate-uid?level=study").text
    for line in client.get("/tools/metrics-prometheus").text.splitlines():
        assert len(line.split(" ")) == 3, line


def test_calls_of_worklists(client: httpx.Client) -> None:
    step = {"Modality": "CT", "ScheduledProcedureStepStartDate": "20261201"}
    tags = {"PatientID": "W", "ScheduledProcedureStepSequence": [step]}
    made = client.post("/worklists/create", json={"Tags": tags}).json()["ID"]
    found = client.get("/worklists?format=Full").json()
    assert len(found) == 1
    assert client.put(f"/worklists/{made}", json={"Tags": tags}).status_code == 200
    assert client.delete(f"/worklists/{made}").status_code == 200
