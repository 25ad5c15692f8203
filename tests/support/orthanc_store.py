"""Stores that real Orthancs have made, with a past, and everything that a server answers about
one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
from pydicom.data import get_testdata_file
from support import generated

LEVELS = ("patients", "studies", "series", "instances")
CONFIGURATION: dict[str, Any] = {
    "UserMetadata": {"note": 1024},
    "UserContentType": {"report": [1025, "application/pdf"]},
    "DicomModalitiesInDatabase": True,
    "OrthancPeersInDatabase": True,
    "LogExportedResources": True,
    "StableAge": 1000,
}
UPLOADED = ("rtplan.dcm", "SC_rgb_jpeg_dcmtk.dcm")


def fill(url: str, has_labels: bool = True, odd: bytes = b"\xff\0\xfe") -> None:
    """Instances of several kinds, then what clients do in the course of time. `odd` is a metadata:
    PostgreSQL takes texts only."""
    template = generated.small()
    with httpx.Client(base_url=url, timeout=30) as client:
        stored = [
            _sent(client, "POST", "/instances", template.number(patient, study, 1, instance))
            for patient in (1, 2, 3)
            for study in (1, 2)
            for instance in (1, 2, 3)
        ]
        for name in UPLOADED:
            content = Path(str(get_testdata_file(name))).read_bytes()
            _sent(client, "POST", "/instances", content)
        first, second = stored[0].json(), stored[3].json()
        _sent(client, "PUT", f"/patients/{first['ParentPatient']}/protected", b"1")
        _sent(client, "DELETE", f"/studies/{stored[6].json()['ParentStudy']}")
        _sent(client, "DELETE", f"/patients/{stored[-1].json()['ParentPatient']}")
        study = f"/studies/{first['ParentStudy']}"
        for name, value in (("note", b"first"), ("note", b"second"), ("1030", odd)):
            _sent(client, "PUT", f"{study}/metadata/{name}", value)
        _sent(client, "PUT", f"{study}/metadata/1031", b"")
        for content in (b"%PDF of old", b"%PDF of new" * 50):
            _sent(client, "PUT", f"{study}/attachments/report", content)
        _sent(client, "PUT", f"/instances/{first['ID']}/attachments/1026", b"some notes")
        _sent(client, "PUT", f"/series/{first['ParentSeries']}/attachments/1027", b"")
        if has_labels:
            _sent(client, "PUT", f"{study}/labels/seen")
            _sent(client, "PUT", f"/patients/{first['ParentPatient']}/labels/trial-7")
            _sent(client, "PUT", f"/instances/{first['ID']}/labels/seen")
        _sent(client, "PUT", "/modalities/ct", b'["CT","10.0.0.7",104]')
        _sent(client, "PUT", "/peers/far", b'["http://10.0.0.8:8042/","user","secret"]')
        _sent(client, "PUT", "/peers/self", json.dumps([url]).encode())
        for sent in (first["ParentStudy"], first["ID"]):
            _sent(client, "POST", "/peers/self/store", sent.encode())
        _sent(client, "POST", f"/studies/{second['ParentStudy']}/anonymize", b"{}")


def _sent(client: httpx.Client, method: str, path: str, content: bytes = b"") -> httpx.Response:
    answer = client.request(method, path, content=content)
    assert answer.status_code == 200, (path, answer.text)
    return answer


def answers(url: str) -> dict[str, Any]:
    """What a server answers to everything that can be asked of what it has stored: by path."""
    found: dict[str, Any] = {}
    with httpx.Client(base_url=url, timeout=30) as client:

        def ask(path: str) -> Any:
            found[path] = _shown(client.get(path))
            return found[path]["body"]

        for level in LEVELS:
            for resource in ask(f"/{level}?expand"):
                _ask_resource(ask, f"/{level}/{resource['ID']}", level)
        for path in ("/statistics", "/exports", "/tools/labels", "/modalities?expand"):
            ask(path)
        for path in ("/changes?limit=1000", "/changes?last", "/changes?since=20&limit=5"):
            ask(path)
        ask("/peers?expand")
        for query in QUERIES:
            answer = client.post("/tools/find", content=json.dumps(query))
            found[f"find {query}"] = _shown(answer)
    return found


QUERIES: tuple[dict[str, Any], ...] = (
    {"Level": "Patient", "Query": {"PatientName": "*Person*"}, "Expand": True},
    {"Level": "Study", "Query": {"PatientID": "patient0000000001"}, "Expand": True},
    {"Level": "Study", "Query": {"StudyDate": "20240101-20240131", "ModalitiesInStudy": "CT"}},
    {"Level": "Series", "Query": {"Modality": "MR\\CT"}, "RequestedTags": ["PatientName"]},
    {"Level": "Instance", "Query": {"SOPInstanceUID": "1.2.*", "InstanceNumber": "2"}},
    {"Level": "Study", "Query": {}, "Labels": ["seen"]},
    {"Level": "Study", "Query": {}, "MetadataQuery": {"note": "second"}},
)


def _ask_resource(ask: Any, path: str, level: str) -> None:
    for part in ("", "/statistics", "/labels", "/attachments?full", "/metadata?expand&numeric"):
        ask(path + part)
    for number in found_numbers(ask(f"{path}/metadata?numeric")):
        ask(f"{path}/metadata/{number}")
    for number in ask(f"{path}/attachments?full").values():
        attachment = f"{path}/attachments/{number}"
        for part in ("info", "md5", "compressed-md5", "size", "compressed-size", "is-compressed"):
            ask(f"{attachment}/{part}")
        ask(f"{attachment}/data")
        ask(f"{attachment}/compressed-data")
    if level == "instances":
        for part in ("/tags", "/simplified-tags", "/header", "/file", "/metadata"):
            ask(path + part)
    if level == "patients":
        ask(f"{path}/protected")


def found_numbers(answer: Any) -> list[int]:
    return [int(each) for each in answer]


def _shown(answer: httpx.Response) -> dict[str, Any]:
    kind = answer.headers.get("content-type", "")
    shown: dict[str, Any] = {"status": answer.status_code, "etag": answer.headers.get("etag")}
    shown["kind"] = kind
    if answer.status_code >= 400:
        shown["body"] = None
    elif kind.startswith("application/json"):
        shown["body"] = answer.json()
    else:
        shown["body"] = answer.content
    return shown


def state_of(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Of each file below a folder its checksum, its time of change and its inode."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
            path.stat().st_ino,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
