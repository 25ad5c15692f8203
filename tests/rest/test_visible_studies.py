"""What users with labels see on every way: the view of the administrator, without what is not
theirs."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support import generated
from support.users_site import HASHED, Site

LEVELS = ("patients", "studies", "series", "instances")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("visible"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def blue(site: Site) -> Iterator[httpx.Client]:
    with site.client("blue") as client:
        yield client


def seen_of(site: Site) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {level: set() for level in LEVELS}
    keys = ("ParentPatient", "ParentStudy", "ParentSeries", "ID")
    for each in site.instances:
        if each["ParentStudy"] in site.seen:
            for level, key in zip(LEVELS, keys, strict=True):
                found[level].add(each[key])
    return found


@pytest.mark.parametrize("level", LEVELS)
def test_lists(site: Site, blue: httpx.Client, level: str) -> None:
    seen = seen_of(site)[level]
    every = site.admin.get(f"/{level}").json()
    expected = [each for each in every if each in seen]
    assert blue.get(f"/{level}").json() == expected
    assert len(expected) < len(every)
    paged = [blue.get(f"/{level}?since={n}&limit=1").json() for n in range(len(expected) + 1)]
    assert paged == [*([each] for each in expected), []]
    shown = blue.get(f"/{level}?expand").json()
    assert [each["ID"] for each in shown] == expected
    if level != "patients":
        assert shown == [
            each for each in site.admin.get(f"/{level}?expand").json() if each["ID"] in seen
        ]


def test_a_patient_is_shown_as_far_as_he_is_seen(site: Site, blue: httpx.Client) -> None:
    patient = site.of_study(site.seen[0])["patients"]
    assert site.of_study(site.hidden[0])["patients"] == patient
    assert blue.get(f"/patients/{patient}").json()["Studies"] == [site.seen[0]]
    assert [each["ID"] for each in blue.get(f"/patients/{patient}/studies").json()] == [
        site.seen[0]
    ]
    of_study = blue.get(f"/studies/{site.seen[0]}/statistics").json()
    of_patient = blue.get(f"/patients/{patient}/statistics").json()
    assert of_patient["CountStudies"] == 1
    for name in ("CountSeries", "CountInstances", "DiskSize", "UncompressedSize", "DicomDiskSize"):
        assert of_patient[name] == of_study[name], name
    archive = blue.get(f"/patients/{patient}/archive")
    assert archive.status_code == 200
    assert archive.content.count(b"PK\x01\x02") == 2
    assert len(blue.get(f"/patients/{patient}/instances-tags").json()) == 2


def test_statistics_and_labels(site: Site, blue: httpx.Client) -> None:
    found = blue.get("/statistics").json()
    counts = [found[f"Count{level.title()}"] for level in LEVELS]
    assert counts == [len(seen_of(site)[level]) for level in LEVELS]
    assert blue.get("/tools/labels").json() == ["azure", "blue"]
    assert "red" in site.admin.get("/tools/labels").json()


QUERIES: tuple[dict[str, Any], ...] = (
    {},
    {"PatientID": "*"},
    {"PatientName": "*"},
    {"StudyDate": "19000101-20991231"},
    {"Modality": "CT"},
    {"PatientID": "*", "StudyDescription": "*", "SeriesDescription": "*"},
    {"SOPClassUID": "*"},
    {"PatientSex": "*"},  # of files at lower levels
    {"BitsAllocated": "16"},
)


@pytest.mark.parametrize("query", QUERIES, ids=map(str, QUERIES))
@pytest.mark.parametrize("level", ["Patient", "Study", "Series", "Instance"])
def test_searches(site: Site, blue: httpx.Client, level: str, query: dict[str, Any]) -> None:
    plural = {"Patient": "patients", "Study": "studies", "Series": "series"}.get(level, "instances")
    seen = seen_of(site)[plural]
    for more in (
        {},
        {"OrderBy": [{"Type": "DicomTag", "Key": "PatientID", "Direction": "DESC"}]},
        {"OrderBy": [{"Type": "Metadata", "Key": "LastUpdate", "Direction": "ASC"}]},
        {"Labels": ["blue", "red"], "LabelsConstraint": "Any"},
        {"Labels": ["blue"], "LabelsConstraint": "None"},
        {"ParentPatient": site.of_study(site.seen[0])["patients"]} if level != "Patient" else {},
        {"ParentStudy": site.hidden[0]} if level in ("Series", "Instance") else {},
    ):
        body = {"Level": level, "Query": query, **more}
        every = site.admin.post("/tools/find", json=body)
        if every.status_code != 200:
            continue
        expected = [each for each in every.json() if each in seen]
        found = blue.post("/tools/find", json=body)
        assert found.json() == expected, body
        limited = blue.post("/tools/find", json={**body, "Limit": 1, "Since": 1})
        assert limited.json() == expected[1:2], body
        count = site.admin.post("/tools/count-resources", json=body)
        if count.status_code == 200 and count.json()["Count"] == len(every.json()):
            found = blue.post("/tools/count-resources", json=body)
            assert found.json()["Count"] == len(expected), body


def test_changes(site: Site, blue: httpx.Client) -> None:
    seen = set().union(*seen_of(site).values())
    every = site.admin.get("/changes?limit=1000").json()["Changes"]
    expected = [each for each in every if each["ID"] in seen]
    assert 0 < len(expected) < len(every)
    assert blue.get("/changes?limit=1000").json()["Changes"] == expected
    found, since = [], 0
    for _ in range(len(every)):
        page = blue.get(f"/changes?limit=2&since={since}").json()
        found += page["Changes"]
        since = page["Last"]
        if page["Done"]:
            break
    assert found == expected
    middle = expected[len(expected) // 2]["Seq"]
    last = blue.get(f"/changes?limit=3&to={middle}").json()["Changes"]
    assert last == [each for each in expected if each["Seq"] <= middle][-3:]
    assert blue.get("/changes?last").json()["Changes"] == expected[-1:]
    kinds = blue.get("/changes?type=NewStudy&limit=1000").json()["Changes"]
    assert kinds == [each for each in expected if each["ChangeType"] == "NewStudy"]


def test_live_changes(site: Site, blue: httpx.Client) -> None:
    headers = {"Accept": "text/event-stream"}
    with blue.stream("GET", "/changes?since=0", headers=headers) as stream:
        lines = stream.iter_lines()
        for study in (site.hidden[0], site.seen[0]):
            path = f"/studies/{study}/metadata/1025"
            assert site.admin.put(path, content="new").status_code == 200
        text = ""
        for line in lines:
            text += line
            if "UpdatedMetadata" in line and site.seen[0] in text.rpartition("event:")[2]:
                break
    hidden = {name for study in site.hidden for name in list(site.of_study(study).values())[1:]}
    assert not [name for name in hidden if name in text]


def test_lists_of_resources(site: Site, blue: httpx.Client) -> None:
    wanted = [site.seen[0], site.hidden[0]]
    content = blue.post("/tools/bulk-content", json={"Resources": wanted}).json()
    assert [each["ID"] for each in content] == [site.seen[0]]
    for name in ("create-archive", "create-media"):
        both = blue.post(f"/tools/{name}", json=wanted)
        one = blue.post(f"/tools/{name}", json=wanted[:1])
        only = blue.post(f"/tools/{name}", json=wanted[1:])
        unknown = blue.post(f"/tools/{name}", json=["-".join(["00000000"] * 5)])
        assert one.status_code == 200
        assert only.status_code == unknown.status_code
        assert both.content.count(b"PK\x01\x02") in (0, one.content.count(b"PK\x01\x02"))
    uid = site.admin.get(f"/studies/{site.hidden[0]}").json()["MainDicomTags"]["StudyInstanceUID"]
    assert site.admin.post("/tools/lookup", content=uid).json()
    assert blue.post("/tools/lookup", content=uid).json() == []


def test_nothing_hidden_is_deleted(site: Site, blue: httpx.Client) -> None:
    for study in site.hidden:
        of_study = site.of_study(study)
        for level in LEVELS[1:]:
            assert blue.delete(f"/{level}/{of_study[level]}").status_code == 404
        listed = {"Resources": list(of_study.values())}
        assert blue.post("/tools/bulk-delete", json=listed).status_code == 200
        assert site.admin.get(f"/instances/{of_study['instances']}").status_code == 200
    patient = site.of_study(site.seen[1])["patients"]
    assert blue.delete(f"/patients/{patient}").status_code == 403
    number = "/metadata/1030"
    hidden, seen = site.hidden[0], site.seen[0]
    assert blue.put(f"/studies/{hidden}{number}", content="x").status_code == 404
    assert blue.put(f"/studies/{seen}{number}", content="x").status_code == 200
    assert blue.put(f"/studies/{seen}/labels/green").status_code == 403
    assert blue.delete(f"/studies/{seen}/labels/blue").status_code == 403


def test_jobs_are_his_own(site: Site, blue: httpx.Client) -> None:
    body = {"Asynchronous": True}
    theirs = site.admin.post(f"/studies/{site.seen[0]}/archive", json=body).json()["ID"]
    own = blue.post(f"/studies/{site.seen[0]}/archive", json=body).json()["ID"]
    listed = blue.get("/jobs").json()
    assert own in listed
    assert theirs not in listed
    assert [each["ID"] for each in blue.get("/jobs?expand").json()] == listed
    assert blue.get(f"/jobs/{own}").status_code == 200
    for path in (f"/jobs/{theirs}", f"/jobs/{theirs}/archive", f"/jobs/{theirs}/events"):
        assert blue.get(path).status_code == 404, path
    with site.client("hashed", HASHED) as reader:
        assert {own, theirs} <= set(reader.get("/jobs").json())


def test_dicom_web_and_wado(site: Site, blue: httpx.Client) -> None:
    tags = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}
    by_study = {}
    for study in [*site.seen, *site.hidden]:
        shown = site.admin.get(f"/studies/{study}").json()["MainDicomTags"]
        by_study[study] = shown["StudyInstanceUID"]
    seen_uids = {by_study[study] for study in site.seen}
    for level, tag in tags.items():
        every = site.admin.get(f"/dicom-web/{level}").json()
        found = blue.get(f"/dicom-web/{level}").json()
        assert [each[tag]["Value"] for each in found] == [
            each[tag]["Value"] for each in every if each["0020000D"]["Value"][0] in seen_uids
        ]
    hidden = by_study[site.hidden[0]]
    instance = site.of_study(site.hidden[0])["instances"]
    tags_of = site.admin.get(f"/instances/{instance}/simplified-tags").json()
    series, sop = tags_of["SeriesInstanceUID"], tags_of["SOPInstanceUID"]
    root = f"/dicom-web/studies/{hidden}"
    one = f"{root}/series/{series}/instances/{sop}"
    for path in (
        *(root, f"{root}/metadata", f"{root}/rendered", f"{root}/thumbnail"),
        *(f"{root}/series/{series}", f"{root}/series/{series}/metadata", one),
        *(f"{one}/metadata", f"{one}/frames/1", f"{one}/rendered", f"{one}/frames/1/rendered"),
        f"{one}/bulk/7fe00010",
    ):
        # Caches are full of what others have seen.
        assert site.admin.get(path).status_code in (200, 400), path
        assert blue.get(path).status_code == 404, path
    assert blue.get(f"{root}/series").json() == []
    wado = {"requestType": "WADO", "studyUID": hidden, "seriesUID": series, "objectUID": sop}
    assert site.admin.get("/wado", params=wado).status_code == 200
    assert blue.get("/wado", params=wado).status_code == 404


def test_webdav(site: Site, blue: httpx.Client) -> None:
    def names(client: httpx.Client, path: str) -> list[str]:
        answer = client.request("PROPFIND", path, headers={"Depth": "1"})
        assert answer.status_code == 207, path
        return [
            part.partition("<")[0] for part in answer.text.split("<D:displayname>")[2:]
        ] or answer.text.split("<D:href>")[2:]

    for path in ("/webdav/by-patients", "/webdav/by-studies", "/webdav/by-uids"):
        every = names(site.admin, path)  # first, so that it is in the memory of names
        found = names(blue, path)
        assert 0 < len(found) < len(every), path
        assert set(found) < set(every)
        assert names(site.admin, path) == every


def test_names_of_uploads_are_not_told(site: Site, blue: httpx.Client) -> None:
    put = site.admin.put(
        "/webdav/uploads/DOE^JANE.dcm", content=generated.small().number(9, 9, 9, 9)
    )
    assert put.status_code == 201
    depth = {"Depth": "1"}
    assert "DOE" in site.admin.request("PROPFIND", "/webdav/uploads", headers=depth).text
    assert "uploads" not in blue.request("PROPFIND", "/webdav", headers=depth).text
    for path in ("/webdav/uploads", "/webdav/uploads/DOE^JANE.dcm"):
        assert blue.request("PROPFIND", path, headers=depth).status_code == 404
        assert blue.get(path).status_code == 404
    known = {each["ParentPatient"] for each in site.instances}
    (patient,) = set(site.admin.get("/patients").json()) - known
    assert site.admin.delete(f"/patients/{patient}").status_code == 200


def test_pictures_and_files_of_an_instance(site: Site, blue: httpx.Client) -> None:
    instance = site.of_study(site.hidden[0])["instances"]
    for path in (
        *("file", "preview", "image-uint8", "rendered", "tags", "simplified-tags", "header"),
        *("content/0010-0010", "frames", "frames/0/raw", "matlab", "numpy", "metadata", "labels"),
        *("metadata/ReceptionDate", "attachments", "attachments/dicom/data", "module"),
        *("attachments/dicom/md5", "patient", "study", "series", "frames/0/preview"),
    ):
        assert site.admin.get(f"/instances/{instance}/{path}").status_code == 200, path
        assert blue.get(f"/instances/{instance}/{path}").status_code == 404, path
        ranged = blue.get(f"/instances/{instance}/{path}", headers={"Range": "bytes=0-9"})
        assert ranged.status_code == 404, path
