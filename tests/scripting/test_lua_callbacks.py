"""The callbacks of one Lua script in Orthanc 1.13 and here: which are called, with what, and what
comes of their answers."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import pytest
from pynetdicom import AE
from support import generated
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.waiting import until

SCRIPT = Path(__file__).with_name("callbacks.lua")
PATIENCE = 60.0  # seconds, on a busy machine

# What differs between any two servers, or two stores of the same instance; the file that comes by
# C-STORE gets the meta information of the server.
INDIVIDUAL = {"LastUpdate", "ReceptionDate", "PixelDataOffset"}


class Side(NamedTuple):
    server: ServerProcess
    client: httpx.Client
    dicom_port: int
    calls: Path

    def noted(self, name: str) -> list[Any]:
        """The arguments of the calls of a callback, in order."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        calls = [json.loads(line) for line in lines]
        return [_comparable(call["arguments"]) for call in calls if call["name"] == name]


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items() if key not in INDIVIDUAL}
    return [_comparable(each) for each in value] if isinstance(value, list) else value


Make = Callable[[Path, dict[str, Any]], ServerProcess]


def started(make: Make, folder: Path, script: Path = SCRIPT) -> Iterator[Side]:
    folder.mkdir()
    own = folder / "script.lua"
    own.write_text(script.read_text().replace("FOLDER", str(folder)))
    port = free_port()
    options = {
        "DicomServerEnabled": True,
        "DicomPort": port,
        "LuaScripts": [str(own)],
        "StableAge": 1,
    }
    server = make(folder / "server", options)
    with server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield Side(server, client, port, folder / "calls")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    yield from started(OurServer, tmp_path_factory.mktemp("callbacks") / "ours")


@pytest.fixture(scope="module")
def theirs(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    yield from started(ReferenceServer, tmp_path_factory.mktemp("callbacks") / "theirs")


def file_with(number: int, **tags: str) -> bytes:
    data = pydicom.dcmread(BytesIO(generated.small().number(number, 1, 1, 1)))
    for name, value in tags.items():
        setattr(data, name, value)
    written = BytesIO()
    data.save_as(written)
    return written.getvalue()


def c_store(port: int, data: bytes) -> int:
    dataset = pydicom.dcmread(BytesIO(data))
    ae = AE("SENDER")
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", port, ae_title="CALLED")
    assert association.is_established
    status = association.send_c_store(dataset)
    association.release()
    return int(status.Status)


def test_rest_upload(ours: Side, theirs: Side) -> None:
    data = file_with(1)
    for side in (ours, theirs):
        assert side.client.post("/instances", content=data).json()["Status"] == "Success"
    for name in (
        *("Initialize", "ReceivedInstanceFilter", "OnStoredInstance"),
        *("OnStableStudy", "OnStableSeries", "OnStablePatient"),
    ):
        until(lambda: bool(ours.noted(name)) and bool(theirs.noted(name)))  # noqa: B023
        assert ours.noted(name) == theirs.noted(name), name


@pytest.mark.parametrize("name", ["Refuse", "Raise", "Text", "Nothing"])
def test_filter_of_uploads(ours: Side, theirs: Side, name: str) -> None:
    data = file_with(2, PatientName=name)
    left, right = (side.client.post("/instances", content=data) for side in (ours, theirs))
    assert left.status_code == right.status_code
    if right.status_code == 200:
        assert left.json() == right.json()
    else:
        assert left.json()["OrthancStatus"] == right.json()["OrthancStatus"]
    assert ours.client.get("/instances").json() == theirs.client.get("/instances").json()


@pytest.mark.parametrize("name", ["Refuse", "Raise", "Text", "Nothing"])
def test_filter_of_c_store(ours: Side, theirs: Side, name: str) -> None:
    data = file_with(3, PatientName=name)
    assert c_store(ours.dicom_port, data) == c_store(theirs.dicom_port, data)


@pytest.mark.parametrize(
    "comment", ["Full", "Warn", "Text", "Large", "Float", "Part", "Raise", "Nothing", "Keep"]
)
def test_status_of_c_store(ours: Side, theirs: Side, comment: str) -> None:
    data = file_with(4, PatientComments=comment)
    assert c_store(ours.dicom_port, data) == c_store(theirs.dicom_port, data)
    name = "ReceivedCStoreInstanceFilter"
    assert ours.noted(name)[-1:] == theirs.noted(name)[-1:] != []
    assert ours.client.get("/instances").json() == theirs.client.get("/instances").json()


def test_stored_by_c_store(ours: Side, theirs: Side) -> None:
    data = file_with(5)
    for side in (ours, theirs):
        assert c_store(side.dicom_port, data) == 0
        until(
            lambda: any(call[3].get("CalledAet") for call in side.noted("OnStoredInstance"))  # noqa: B023
        )
    assert ours.noted("OnStoredInstance")[-1] == theirs.noted("OnStoredInstance")[-1]


@pytest.mark.parametrize(
    "path",
    [
        *("/filtered/yes", "/filtered/no", "/filtered/number", "/filtered/nothing"),
        *("/filtered/raise", "/filtered/table", "/filtered/%6eo/", "/filtered/no?a=b"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_filter_of_requests(ours: Side, theirs: Side, method: str, path: str) -> None:
    answers = [
        side.client.request(method, path, headers=[(b"X-Own", "é".encode())])
        for side in (ours, theirs)
    ]
    assert answers[0].status_code == answers[1].status_code
    if answers[1].content:
        assert answers[0].json()["OrthancStatus"] == answers[1].json()["OrthancStatus"]
    name = "IncomingHttpRequestFilter"
    assert ours.noted(name)[-1] == theirs.noted(name)[-1]


def test_updates(ours: Side, theirs: Side) -> None:
    data = file_with(6)
    for side in (ours, theirs):
        made = side.client.post("/instances", content=data).json()
        for level, key in (
            *(("instances", "ID"), ("series", "ParentSeries")),
            *(("studies", "ParentStudy"), ("patients", "ParentPatient")),
        ):
            path = f"/{level}/{made[key]}/metadata/1024"
            assert side.client.put(path, content=b"x").status_code == 200
            assert side.client.delete(path).status_code == 200
        side.client.put(f"/series/{made['ParentSeries']}/attachments/1024", content=b"x")
        side.client.put(f"/series/{made['ParentSeries']}/labels/a")
    for name in ("OnUpdatedInstance", "OnUpdatedSeries", "OnUpdatedStudy", "OnUpdatedPatient"):
        until(lambda: len(ours.noted(name)) == len(theirs.noted(name)) > 1)  # noqa: B023
        assert ours.noted(name) == theirs.noted(name)


def test_finalize(ours: Side, theirs: Side) -> None:
    """The last test of the module: it stops the servers."""
    for side in (ours, theirs):
        assert side.server.stop() == 0
        assert side.noted("Finalize") == [[]]
