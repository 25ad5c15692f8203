"""Main tags and files read anew: against Orthanc 1.13, and what 1.13 adds. Source: reference
chapter 1, section 5.3."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import generated
from support.pair import Call, Pair, assert_same, started_pair
from support.server import OurServer

from orthanc_fast.config import load
from orthanc_fast.services.administration import check

EXTRA = {
    "ExtraMainDicomTags": {
        "Patient": ["PatientComments"],
        "Study": ["AdditionalPatientHistory", "ProcedureCodeSequence"],
        "Series": ["Laterality"],
        "Instance": ["Rows"],
    }
}
LEVELS = ("patients", "studies", "series", "instances")
GAINED = ("PatientComments", "AdditionalPatientHistory", "Laterality", "Rows")


@contextmanager
def ours(folder: Path, options: dict[str, Any]) -> Iterator[httpx.Client]:
    with (
        OurServer(folder, options) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield client


def test_extra_tags_that_are_main_tags_already(tmp_path: Path) -> None:
    extra = {
        "patients": ["PatientName"],
        "STUDY": ["PatientName", "0020-1206", "PatientComments", "StudyDate"],
        "Image": ["InstanceAvailability"],
    }
    with ours(tmp_path / "plain", {}) as client:
        expected = client.get("/system").json()["MainDicomTags"]
    with ours(tmp_path / "extra", {"ExtraMainDicomTags": extra}) as client:
        found = client.get("/system").json()["MainDicomTags"]
    study = sorted([*expected["Study"].split(";"), "0010,4000"])
    assert found == {**expected, "Study": ";".join(study)}
    assert "0020-1206" in (tmp_path / "extra" / "log").read_text()


def file(number: int, series: int = 1) -> bytes:
    """One instance, whose parents' tags name it."""
    dataset = generated.base()
    code = type(dataset)("", {})
    code.CodeMeaning = f"code {number}"
    dataset.ProcedureCodeSequence = [code]
    dataset.PatientComments = f"patient by {number}"
    dataset.AdditionalPatientHistory = f"study by {number}"
    dataset.SeriesDescription = f"series by {number}"
    dataset.Laterality = "LR"[number % 2]
    generated.add_pixels(dataset, generated.anatomy(16))
    return generated.encode(dataset).number(1, 1, series, number)


def fill(client: httpx.Client) -> list[dict[str, Any]]:
    """Two series of three instances; the answers in the order of the identifiers."""
    answers = [client.post("/instances", content=file(n, 1 + n // 3)).json() for n in range(6)]
    return sorted((answer | {"n": n} for n, answer in enumerate(answers)), key=lambda a: a["ID"])


def gained(client: httpx.Client, answer: dict[str, Any]) -> list[str | None]:
    """The extra tags of an instance and of its parents, patient first."""
    names = ("ParentPatient", "ParentStudy", "ParentSeries", "ID")
    return [
        client.get(f"/{level}/{answer[name]}").json()["MainDicomTags"].get(tag)
        for level, name, tag in zip(LEVELS, names, GAINED, strict=True)
    ]


@pytest.mark.parametrize("level", [*LEVELS, "tools"])
def test_tags_that_were_not_in_force(tmp_path: Path, level: str) -> None:
    with ours(tmp_path, {}) as client:
        stored = fill(client)
        changes = client.get("/changes").json()
    with ours(tmp_path, EXTRA) as client:
        one = stored[0]
        assert gained(client, one) == [None] * 4
        parent = {
            "patients": one["ParentPatient"],
            "studies": one["ParentStudy"],
            "series": one["ParentSeries"],
            "instances": one["ID"],
            "tools": "",
        }[level]
        path = f"/{level}/{parent}/reconstruct".replace("//", "/")
        answer = client.post(path)
        assert (answer.status_code, answer.content) == (200, b"")
        touched = [
            each
            for each in stored
            if level in ("patients", "studies", "tools")
            or (level == "series" and each["ParentSeries"] == one["ParentSeries"])
            or each is one
        ]
        # The greatest identifier has the last word about the parents.
        last = touched[-1]["n"]
        assert gained(client, one)[:2] == [f"patient by {last}", f"study by {last}"]
        of_series = [e["n"] for e in touched if e["ParentSeries"] == one["ParentSeries"]][-1]
        assert gained(client, one)[2:] == ["LR"[of_series % 2], "16"]
        series = client.get(f"/series/{one['ParentSeries']}").json()
        assert series["MainDicomTags"]["SeriesDescription"] == f"series by {of_series}"
        study = client.get(f"/studies/{one['ParentStudy']}").json()
        assert study["MainDicomTags"]["ProcedureCodeSequence"] == [{"CodeMeaning": f"code {last}"}]
        assert study["PatientMainDicomTags"]["PatientComments"] == f"patient by {last}"
        for each in stored:
            expected = "16" if each in touched else None
            assert gained(client, each)[3] == expected
        query = {"Level": "Study", "Query": {"AdditionalPatientHistory": f"STUDY BY {last}"}}
        assert client.post("/tools/find", json=query).json() == [one["ParentStudy"]]
        signature = client.get(f"/studies/{one['ParentStudy']}/metadata/MainDicomTagsSignature")
        assert "0010,21b0" in signature.text
        changed = client.get("/changes", params={"type": "NewInstance"}).json()["Changes"]
        assert len(changed) == 6
        assert client.get("/changes").json()["Last"] == changes["Last"], "no event"


@pytest.mark.parametrize("level", LEVELS)
def test_limited_to_one_level(tmp_path: Path, level: str) -> None:
    with ours(tmp_path, {}) as client:
        one = fill(client)[0]
    with ours(tmp_path, EXTRA) as client:
        at = LEVELS.index(level)
        name = ("ParentPatient", "ParentStudy", "ParentSeries", "ID")[at]
        path = f"/{level}/{one[name]}/reconstruct"
        options = {"LimitToThisLevelMainDicomTags": True, "ReconstructFiles": True}
        client.post(path, json=options).raise_for_status()
        found = gained(client, one)
        assert [value is not None for value in found] == [n == at for n in range(4)]


def test_the_files_follow_the_options(tmp_path: Path) -> None:
    with ours(tmp_path, {}) as client:
        answers = fill(client)
        one = answers[0]
        me = f"/instances/{one['ID']}"
        before = client.get(f"{me}/attachments/dicom/info").json()
        client.post(f"{me}/attachments/dicom/compress")
        client.post(f"{me}/attachments/dicom/uncompress")
    for compression in (True, False):
        options = {"StorageCompression": compression, "CheckRevisions": True}
        with ours(tmp_path, options) as client:
            path = f"/studies/{one['ParentStudy']}/reconstruct"
            client.post(path, json={"ReconstructFiles": True}).raise_for_status()
            for each in answers:
                me = f"/instances/{each['ID']}"
                names = client.get(f"{me}/attachments").json()
                assert names == ["dicom"] + ["dicom-until-pixel-data"] * compression
                info = client.get(f"{me}/attachments/dicom/info")
                assert info.headers["etag"].startswith('"0-')
                assert info.json()["Uuid"] != before["Uuid"]
                stored = client.get(f"{me}/attachments/dicom/is-compressed").text
                assert stored == str(int(compression))
                assert client.get(f"{me}/file").content == file(
                    int(each["n"]), 1 + int(each["n"]) // 3
                )
                assert client.get(f"{me}/tags").status_code == 200
            if compression:
                head = client.get(f"/instances/{one['ID']}/attachments/3/data").content
                assert client.get(f"/instances/{one['ID']}/file").content.startswith(head)
                assert len(head) == int(
                    client.get(f"/instances/{one['ID']}/metadata/PixelDataOffset").text
                )
        report = check.run(load([tmp_path / "configuration.json"]), repair=False)
        assert report == check.Report(6, 6 + 6 * compression, [])


def test_bodies_and_errors(tmp_path: Path) -> None:
    with ours(tmp_path, {}) as client:
        one = fill(client)[0]
        path = f"/instances/{one['ID']}/reconstruct"
        for body in (b"", b"no JSON", b"null", b"{}", b'{"ReconstructFiles":false}'):
            assert client.post(path, content=body).status_code == 200, body
        for name in ("ReconstructFiles", "LimitToThisLevelMainDicomTags"):
            refused = client.post(path, json={name: "yes"})
            assert (refused.status_code, refused.json()["OrthancStatus"]) == (400, 15)
        refused = client.post("/tools/reconstruct", json={"ReconstructFiles": 1})
        assert (refused.status_code, refused.json()["OrthancStatus"]) == (400, 15)
        for unknown in ("/instances/nope", f"/series/{one['ID']}"):
            answer = client.post(f"{unknown}/reconstruct")
            assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17)


def test_a_lost_file_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    with ours(tmp_path, {}) as client:
        answers = fill(client)
        uuid = client.get(f"/instances/{answers[2]['ID']}").json()["FileUuid"]
    (tmp_path / "storage" / uuid[:2] / uuid[2:4] / uuid).unlink()
    with ours(tmp_path, EXTRA) as client:
        for path in (f"/patients/{answers[0]['ParentPatient']}/reconstruct", "/tools/reconstruct"):
            answer = client.post(path)
            assert (answer.status_code, answer.json()["OrthancStatus"]) == (500, 2006)
        rows = [gained(client, each)[3] for each in answers]
        assert rows == ["16", "16", None, "16", "16", "16"]


def test_read_only(tmp_path: Path) -> None:
    with ours(tmp_path, {}) as client:
        one = fill(client)[0]
    with ours(tmp_path, {"ReadOnly": True}) as client:
        for path in (f"/instances/{one['ID']}", "/tools", f"/studies/{one['ParentStudy']}"):
            assert client.post(f"{path}/reconstruct").status_code == 404
        assert client.post("/tools/invalidate-tags").status_code == 404


CALLS = [
    Call("PUT", "/tools/default-encoding", b"Windows1251"),
    Call("GET", "/patients/{patients}"),
    Call("POST", "/instances/{instances}/reconstruct"),
    Call("POST", "/tools/reconstruct"),
    Call("POST", "/tools/invalidate-tags"),
    Call("POST", "/patients/nope/reconstruct"),
    Call("GET", "/patients/{patients}/reconstruct"),
    Call("GET", "/tools/invalidate-tags"),
    Call("GET", "/instances/{instances}/attachments"),
]


def test_another_character_set(needs_reference: None, tmp_path: Path) -> None:
    """The same file read under another default has other texts, and the same identifiers."""
    dataset = generated.base()
    del dataset.SpecificCharacterSet
    raw = generated.encode(dataset).number(5, 5, 5, 5)
    raw = raw.replace(b"Test^Person", "Иванов Иван".encode("cp1251"))
    with started_pair(tmp_path, {}) as pair:
        names = [
            client.post("/instances", content=raw).json() for client in (pair.ours, pair.theirs)
        ]
        assert names[0] == names[1]
        own = pair.names | {"instances": names[0]["ID"], "patients": names[0]["ParentPatient"]}
        pair = Pair(pair.ours, pair.theirs, own)
        for call in CALLS:
            ours, theirs = pair.send(call)
            if call.path == "/patients/{patients}":
                assert ours.json()["MainDicomTags"] == theirs.json()["MainDicomTags"]
            else:
                assert_same(call, ours, theirs)
        for path in (
            f"/patients/{own['patients']}",
            f"/instances/{own['instances']}/study",
            f"/instances/{own['instances']}",
        ):
            ours, theirs = (client.get(path).json() for client in (pair.ours, pair.theirs))
            for part in ("MainDicomTags", "PatientMainDicomTags"):
                assert ours.get(part) == theirs.get(part)
        name = pair.ours.get(f"/patients/{own['patients']}").json()["MainDicomTags"]
        assert name["PatientName"] == "Иванов Иван"
        query = {"Level": "Patient", "Query": {"PatientName": "иванов*"}}
        assert pair.ours.post("/tools/find", json=query).json() == [own["patients"]]
