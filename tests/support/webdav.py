"""Requests of WebDAV, and instances whose tags make difficult names."""

import io
import re
import warnings
from typing import Any, NamedTuple

import httpx
from pydicom.uid import UID
from support import generated

ENTRY = re.compile(r"<D:response>.*?</D:response>", re.DOTALL)
# Ours are those of RFC 4918, Orthanc's are all RFC 3339.
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
ROOT = "/webdav"


def instance(place: tuple[int, int, int], **tags: Any) -> bytes:
    """A file without pixel data, by the numbers of its study, series and itself; None takes a tag
    away."""
    study, series, number = place
    data_set = generated.base()
    data_set.StudyInstanceUID = f"1.2.3.{study}"
    data_set.SeriesInstanceUID = f"1.2.3.{study}.{series}"
    data_set.SOPInstanceUID = f"1.2.3.{study}.{series}.{number}"
    data_set.file_meta.MediaStorageSOPInstanceUID = UID(data_set.SOPInstanceUID)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of the values are no DICOM, on purpose
        for name, value in tags.items():
            if value is not None:
                setattr(data_set, name, value)
            elif name in data_set:
                delattr(data_set, name)
        file = io.BytesIO()
        data_set.save_as(file, enforce_file_format=True)
    return file.getvalue()


def person(number: str, name: str, date: str | None) -> dict[str, str | None]:
    return {"PatientID": number, "PatientName": name, "StudyDate": date}


def described(study: str | None, series: str, modality: str = "CT") -> dict[str, str | None]:
    return {"StudyDescription": study, "SeriesDescription": series, "Modality": modality}


def difficult() -> list[bytes]:
    """Names that are the same once reduced, that are empty, and that no path or XML may hold."""
    jane: dict[str, str | None] = {"PatientID": "P1", "PatientName": "Doe^Jane"}
    numbered: list[tuple[tuple[int, int, int], dict[str, str | None]]] = [
        ((1, 1, 1), jane),
        ((1, 1, 2), jane),
        ((1, 2, 1), jane),
        ((1, 3, 1), jane | {"SeriesDescription": 'a/b\\c:d*e?f"g<h>|i'}),
        ((2, 1, 1), jane | {"StudyDate": "20231231", "StudyDescription": None}),
        ((3, 1, 1), person("P2", "Müller^Jörg", "") | described("", "Ä Ö")),
        ((4, 1, 1), person("P/3", "A/B", "2024") | described("Thorax", "", "")),
        ((5, 1, 1), person("", "", None) | described(None, "Axial")),
        (
            (6, 1, 1),
            person("P5\x01x", "Name\ttab & <x> 'q' \"", "20240215")
            | described("50% & more #?+;=", " lead"),
        ),
        ((7, 1, 1), person("..", "", "20240115") | described("x", "x", "..")),
        ((8, 1, 1), person("P8", "^^", "abcdefgh") | described("^", "^")),
        ((9, 1, 1), person("P8", "^^", "20241301") | described("X (1)", "X")),
        ((10, 1, 1), person("P8", "^^", "20241301") | described("X", "X")),
        ((11, 1, 1), person("P8", "^^", "20241301") | described("X", "X")),
        ((12, 1, 1), person("Ä", "", "20240115") | described("Ä", "Ä", "")),
    ]
    return [instance(place, **tags) for place, tags in numbered]


def ask(
    client: httpx.Client,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """A request below /webdav, whose path goes out as it is."""
    request = client.build_request(method, "/", content=body, headers=headers)
    request.url = request.url.copy_with(raw_path=f"{ROOT}{path}".encode())
    return client.send(request)


def listing(client: httpx.Client, path: str, depth: str = "1") -> httpx.Response:
    return ask(client, "PROPFIND", path, headers={"Depth": depth})


def entries(response: httpx.Response) -> list[tuple[str, bool]]:
    """The paths below /webdav in a listing, and whether they are folders."""
    found = []
    for each in ENTRY.findall(response.text):
        href = re.search("<D:href>(.*?)</D:href>", each)
        assert href is not None
        found.append((href[1].removeprefix(ROOT), "<D:collection" in each))
    return found


def inside(client: httpx.Client, path: str) -> list[str]:
    """The paths of what lies in a folder."""
    answer = listing(client, path)
    assert answer.status_code == 207, answer.text
    return [name for name, _ in entries(answer)[1:]]


def count(client: httpx.Client) -> int:
    """Instances in the store."""
    return int(client.get("/statistics").json()["CountInstances"])


class Pair(NamedTuple):
    """Our server and Orthanc."""

    ours: httpx.Client
    theirs: httpx.Client

    def store(self, files: list[bytes]) -> None:
        for client in self:
            for data in files:
                client.post("/instances", content=data).raise_for_status()

    def empty(self) -> None:
        for client in self:
            for patient in client.get("/patients").json():
                client.delete(f"/patients/{patient}").raise_for_status()
