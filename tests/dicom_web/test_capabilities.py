"""What the server says that it offers: PS3.18, section 8.9."""

from xml.etree import ElementTree

import httpx
import pytest
from support.dicom_web import DicomWebPair

NAMESPACE = "{http://wadl.dev.java.net/2009/02}"
WADL = "application/vnd.sun.wadl+xml"


def listed(client: httpx.Client) -> set[tuple[str, str]]:
    answer = client.options("/dicom-web/", headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    resources = answer.json()["resources"]
    return {(each["path"], method["name"]) for each in resources for method in each["methods"]}


@pytest.mark.parametrize("accept", ["*/*", WADL, "text/xml", f"image/png, {WADL};q=0.1"])
def test_wadl(ours: httpx.Client, accept: str) -> None:
    for path in ("/dicom-web", "/dicom-web/"):
        answer = ours.options(path, headers={"accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, WADL)
        (resources,) = ElementTree.fromstring(answer.content)
        assert resources.get("base") == f"{ours.base_url}/dicom-web/".replace("//dicom", "/dicom")
        found = {
            (resource.get("path"), method.get("name"))
            for resource in resources
            for method in resource.findall(f"{NAMESPACE}method")
        }
        assert found == listed(ours)
        for resource in resources:
            names = [each.get("name") for each in resource.findall(f"{NAMESPACE}param")]
            assert all(f"{{{name}}}" in str(resource.get("path")) for name in names)


def test_every_method_is_there(ours: httpx.Client) -> None:
    """The list is no invention: each path has an answer to its method."""
    found = listed(ours)
    expected = {("studies", "POST"), ("studies/{study}", "POST"), ("studies/{study}", "DELETE")}
    assert expected < found
    for path, method in found:
        address = "/dicom-web/" + path.replace("{", "").replace("}", "")
        assert ours.request(method, address).status_code != 405, (path, method)


def test_root_of_clients_that_do_not_ask_for_it(pair: DicomWebPair) -> None:
    for accept in ("*/*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"):
        ours, theirs = pair.get("/dicom-web/", headers={"accept": accept})
        assert (ours.status_code, theirs.status_code) == (404, 404)
        assert {**ours.json(), "Uri": ""} == {**theirs.json(), "Uri": ""}
    answer = pair.ours.get("/dicom-web/", headers={"accept": WADL})
    assert (answer.status_code, answer.headers["content-type"]) == (200, WADL)
    assert pair.ours.put("/dicom-web/").status_code == 404


def test_nothing_that_is_acceptable(ours: httpx.Client) -> None:
    answer = ours.options("/dicom-web/", headers={"accept": "image/png"})
    assert answer.status_code == 406
    assert WADL in answer.json()["Details"]


def test_options_of_other_paths(ours: httpx.Client) -> None:
    answer = ours.options("/dicom-web/studies/1.2.3")
    assert answer.status_code == 204
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["workitems", "workitems/1.2.3", "workitems/1.2.3/state"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_worklists_say_that_they_are_left_out(ours: httpx.Client, method: str, path: str) -> None:
    answer = ours.request(method, f"/dicom-web/{path}")
    assert answer.status_code == 501
    assert "UPS-RS" in answer.json()["Details"]
