"""What tells clients of DICOMweb, and the addresses in answers."""

import httpx
from support.dicom_web import DicomWebPair


def test_info(pair: DicomWebPair) -> None:
    ours, theirs = pair.get("/dicom-web/info")
    assert ours.json() == theirs.json()
    assert ours.headers["content-type"] == theirs.headers["content-type"]


def test_plugin(pair: DicomWebPair) -> None:
    ours, theirs = pair.get("/plugins/dicom-web")
    different = {"Description"}
    assert {k: v for k, v in ours.json().items() if k not in different} == {
        k: v for k, v in theirs.json().items() if k not in different
    }


def test_its_page(pair: DicomWebPair) -> None:
    """The address among the plugins leads somewhere."""
    for client in pair:
        page = client.get("/plugins/dicom-web").json()["RootUri"]
        assert page.removeprefix("..") == "/dicom-web/app/client/index.html"
        answer = client.get(f"/plugins/{page}", follow_redirects=True)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (200, "text/html")


def test_plugins(pair: DicomWebPair) -> None:
    ours, theirs = pair.get("/plugins")
    assert sorted(ours.json()) == sorted(theirs.json())


def test_paths_that_are_none(pair: DicomWebPair) -> None:
    for path in ("/dicom-web", "/dicom-web/", "/dicom-web/app", "/dicom-web/nonsense"):
        ours, theirs = pair.get(path)
        assert (ours.status_code, theirs.status_code) == (404, 404), path


def test_slash_at_the_end(ours: httpx.Client) -> None:
    assert ours.get("/dicom-web/info/").json() == ours.get("/dicom-web/info").json()
