"""The audit log: who read, changed, sent or deleted what, by HTTP and by DICOM."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.ports import free_port
from support.server import OurServer
from support.waiting import until

from orthanc_fast.config_audit import AuditLog as Options
from orthanc_fast.services.audit.log import AuditFile

TEMPLATE = generated.small()
Line = dict[str, Any]


class Audited:
    """A server that keeps an audit log, and what is new in that."""

    def __init__(self, server: OurServer, path: Path, dicom: int) -> None:
        self.server = server
        self.dicom = dicom
        self.alice = httpx.Client(base_url=server.url, auth=("alice", "secret"), timeout=30)
        self._path = path
        self._seen = 0

    def new(self, is_wanted: Callable[[Line], bool]) -> Line:
        """The only new line that is wanted; waits for it."""

        def look() -> list[Line]:
            lines = [json.loads(line) for line in self._path.read_text().splitlines()]
            return [line for line in lines[self._seen :] if is_wanted(line)]

        (found,) = until(look)
        self._seen = len(self._path.read_text().splitlines())
        return found

    def upload(self, patient: int, number: int) -> Line:
        data = bytes(TEMPLATE.number(patient, patient, patient, number))
        answer = self.alice.post("/instances", content=data)
        assert answer.status_code == 200
        found: Line = answer.json()
        return found


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audited")
    dicom = free_port()
    options = {
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"alice": "secret"},
        "AuditLog": {"Path": "audit.jsonl"},
        "DicomServerEnabled": True,
        "DicomPort": dicom,
        "DicomWorkers": 1,
        "HttpWorkers": 2,
        "DicomAlwaysAllowFind": True,
    }
    with OurServer(folder, options) as server:
        found = Audited(server, folder / "audit.jsonl", dicom)
        yield found
        found.alice.close()


def test_what_is_stored_is_one_line_for_a_study(audited: Audited) -> None:
    for number in range(3):
        audited.upload(1, number)
    stored: list[Line] = []
    while sum(line["Instances"] for line in stored) < 3:
        stored.append(audited.new(lambda line: line.get("Instances", 0) > 0))
    for line in stored:
        assert (line["Event"], line["User"], line["Address"]) == ("store", "alice", "127.0.0.1")
        (study,) = line["Resources"]
        answer = audited.alice.get(f"/studies/{study['ID']}").json()
        assert study["StudyInstanceUID"] == answer["MainDicomTags"]["StudyInstanceUID"]
        assert study["PatientID"] == answer["PatientMainDicomTags"]["PatientID"]


def test_reading_changing_and_deleting(audited: Audited) -> None:
    made = audited.upload(2, 1)
    tags = audited.alice.get(f"/studies/{made['ParentStudy']}").json()
    patient = tags["PatientMainDicomTags"]["PatientID"]
    study = tags["MainDicomTags"]["StudyInstanceUID"]
    line = audited.new(lambda line: line.get("Path") == f"/studies/{made['ParentStudy']}")
    assert (line["Event"], line["Outcome"], line["Status"]) == ("read", "success", 200)
    assert line["Route"] == "/studies/{}"
    assert line["Resources"] == [
        {
            "Level": "Study",
            "ID": made["ParentStudy"],
            "PatientID": patient,
            "StudyInstanceUID": study,
        }
    ]
    audited.alice.get(f"/dicom-web/studies/{study}/metadata")
    line = audited.new(lambda line: line.get("Route", "").startswith("/dicom-web/studies/"))
    assert line["Route"] == "/dicom-web/studies/{}/metadata"
    assert line["Resources"][0]["PatientID"] == patient

    audited.alice.put(f"/instances/{made['ID']}/labels/seen")
    line = audited.new(lambda line: line.get("Method") == "PUT")
    assert (line["Event"], line["Resources"][0]["Level"]) == ("change", "Instance")
    assert line["Resources"][0]["StudyInstanceUID"] == study

    answer = audited.alice.post("/tools/find", json={"Level": "Study", "Query": {}})
    assert answer.status_code == 200
    assert audited.new(lambda line: line.get("Route") == "/tools/find")["Event"] == "search"

    audited.alice.delete(f"/instances/{made['ID']}")
    line = audited.new(lambda line: line["Event"] == "delete")
    assert line["Resources"][0]["PatientID"] == patient, "known though it is gone"

    again = audited.upload(2, 1)
    audited.alice.post("/tools/bulk-delete", json={"Resources": [again["ParentSeries"]]})
    line = audited.new(lambda line: line["Event"] == "delete")
    assert line["Route"] == "/tools/bulk-delete"
    assert line["Resources"] == [
        {
            "Level": "Series",
            "ID": again["ParentSeries"],
            "PatientID": patient,
            "StudyInstanceUID": study,
        }
    ]


def test_who_is_refused_or_finds_nothing(audited: Audited) -> None:
    assert httpx.get(f"{audited.server.url}/patients").status_code == 401
    line = audited.new(lambda line: line["Outcome"] == "refused")
    assert (line["Path"], line["Status"]) == ("/patients", 401)
    assert "User" not in line
    public = "-".join(["01234567"] * 5)
    assert audited.alice.get(f"/series/{public}").status_code == 404
    line = audited.new(lambda line: line["Outcome"] == "failed")
    assert line["Resources"] == [{"ID": public}]


def test_what_says_nothing_of_patients_has_no_line(audited: Audited) -> None:
    for path in ("/system", "/health/ready", "/statistics", "/tools/log-level"):
        assert audited.alice.get(path).status_code == 200
    audited.alice.get("/patients")
    seen: list[Line] = []
    audited.new(lambda line: seen.append(line) or line.get("Route") == "/patients")  # type: ignore[func-returns-value]
    assert {line["Path"] for line in seen if "Path" in line} == {"/patients"}


def test_associations(audited: Audited, tmp_path: Path) -> None:
    file = tmp_path / "slice.dcm"
    file.write_bytes(bytes(TEMPLATE.number(5, 5, 5, 5)))
    peer = ["-aet", "SCANNER", "-aec", "ORTHANC", "127.0.0.1", str(audited.dicom)]
    subprocess.run(["storescu", *peer, str(file)], check=True)
    line = audited.new(lambda line: line["Origin"] == "DicomProtocol")
    assert (line["Event"], line["AET"], line["CalledAET"]) == ("store", "SCANNER", "ORTHANC")
    assert (line["Instances"], line["Address"]) == (1, "127.0.0.1")
    study = line["Resources"][0]["StudyInstanceUID"]
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}", "PatientName=")
    subprocess.run(
        ["findscu", "-S", *peer, *(part for key in keys for part in ("-k", key))], check=True
    )
    line = audited.new(lambda line: line.get("Route") == "C-FIND")
    assert (line["Event"], line["Outcome"], line["Status"]) == ("search", "success", 0)
    assert line["Query"]["StudyInstanceUID"] == study
    assert line["Query"]["QueryRetrieveLevel"] == "STUDY"
    assert line["Resources"][0]["PatientID"]
    move = ["movescu", "-S", *peer, "-aem", "NOBODY", "-k", keys[0], "-k", keys[1]]
    subprocess.run(move, check=False, stderr=subprocess.DEVNULL)  # it is not allowed
    line = audited.new(lambda line: line["Outcome"] == "refused")
    assert (line["Event"], line["Route"], line["AET"]) == ("send", "Move", "SCANNER")


def test_a_file_is_moved_away_when_it_is_large(tmp_path: Path) -> None:
    """By two who append to it, as processes do; and when somebody else has moved it."""
    path = tmp_path / "audit"
    options = Options(path, 1000, 3, True)
    files = [AuditFile(options) for _ in range(2)]
    for number in range(80):
        files[number % 2].append(b"%098d\n" % number + b"\n")
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["audit", "audit.1", "audit.2", "audit.3"]
    kept = b"".join((tmp_path / name).read_bytes() for name in reversed(names))
    numbers = [int(line) for line in kept.split()]
    assert numbers == list(range(numbers[0], 80)), "in their order, none twice, none lost"
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(tmp_path / "by-logrotate")
    for each in files:
        each.append(b"new\n")
        each.close()
    assert path.read_bytes() == b"new\nnew\n"


def test_an_audit_log_that_cannot_be_written_is_no_start(tmp_path: Path) -> None:
    server = OurServer(tmp_path, {"AuditLog": {"Path": "/nowhere/at/all/audit"}})
    with pytest.raises(RuntimeError, match="AuditLog: cannot write /nowhere/at/all/audit"):
        server.start()
