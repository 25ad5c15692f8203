"""What deploy/monitoring asks for is what the running server gives."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support import generated
from support.ports import free_port
from support.server import OurServer
from support.waiting import until

FOLDER = Path(__file__).parents[1] / "deploy" / "monitoring"
NAME = re.compile(r"\borthanc_[a-z0-9_]+")
LABEL = re.compile(r"(\w+)=~?\"")


def dashboard() -> list[str]:
    panels = json.loads((FOLDER / "grafana-dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def alerts() -> list[dict[str, Any]]:
    content = yaml.safe_load((FOLDER / "orthanc-alerts.yml").read_text())
    found: list[dict[str, Any]] = [rule for group in content["groups"] for rule in group["rules"]]
    return found


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server that has stored something, refused something, and failed with a job."""
    folder = tmp_path_factory.mktemp("watched")
    dicom = free_port()
    routing = {
        "Destinations": {"away": {"Folder": str(folder / "away"), "Path": "{SOPInstanceUID}.dcm"}},
        "Rules": {},
    }
    options = {
        "DicomServerEnabled": True,
        "DicomPort": dicom,
        "DicomWorkers": 1,
        "HttpWorkers": 1,
        "AuditLog": {"Path": "audit"},
        "DicomModalities": {"nobody": ["NOBODY", "127.0.0.1", free_port()]},
        "Routing": routing,
    }
    with OurServer(folder, options) as server, httpx.Client(base_url=server.url) as client:
        data = bytes(generated.small().number(1, 1, 1, 1))
        study = client.post("/instances", content=data).json()["ParentStudy"]
        job = client.post(
            "/modalities/nobody/store", json={"Resources": [study], "Asynchronous": True}
        ).json()["ID"]
        until(lambda: client.get(f"/jobs/{job}").json()["State"] == "Failure")
        yield client.get("/tools/metrics-prometheus").text


# These appear with the first of what they count: an association is not made here.
LATER = {"orthanc_dicom_stores_total", "orthanc_dicom_associations_total"}


def test_all_names_are_there(metrics: str) -> None:
    from orthanc_fast.network import meters

    given = set(NAME.findall(metrics))
    source = Path(meters.__file__).read_text()
    for name in LATER:
        assert name.removeprefix("orthanc_dicom_") in source
    asked = {name for text in dashboard() for name in NAME.findall(text)}
    asked |= {name for rule in alerts() for name in NAME.findall(rule["expr"])}
    assert len(asked) > 25
    assert asked - given - LATER == set()
    assert "orthanc_ready 1 " in metrics


def test_labels_are_there(metrics: str) -> None:
    """Beside those that Prometheus adds."""
    given = set(LABEL.findall(metrics)) | {"instance", "job", "result"}
    for text in (*dashboard(), *(rule["expr"] for rule in alerts())):
        assert set(LABEL.findall(text)) <= given, text


def test_alerts_say_what_they_are_about() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("warning", "critical")
