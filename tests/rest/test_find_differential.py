"""Several hundred queries to our server and to Orthanc 1.13 over the same instances.

Values come from what is stored: as they are, in other case, with wildcards, in lists and ranges.
Labels, metadata, order and requested tags are in `test_find.py`.
"""

import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support import archive
from support.files import dicom_files
from support.reference_server import ReferenceServer
from support.server import OurServer

LEVELS = ("Patient", "Study", "Series", "Instance")
TAGS = {
    "Patient": ["PatientID", "PatientName", "PatientBirthDate", "PatientSex"],
    "Study": [
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "InstitutionName",
        "ReferringPhysicianName",
        "StudyDescription",
        "StudyInstanceUID",
        "StudyID",
    ],
    "Series": [
        "SeriesDate",
        "Modality",
        "Manufacturer",
        "SeriesDescription",
        "BodyPartExamined",
        "ProtocolName",
        "SeriesInstanceUID",
        "SeriesNumber",
        "OperatorsName",
    ],
    "Instance": ["SOPInstanceUID", "InstanceNumber", "ImageComments", "NumberOfFrames"],
}
# In files only; asked together with something that narrows, which is what users do.
IN_FILES = ["KVP", "ImageType", "AcquisitionDate", "PatientComments", "Rows", "SOPClassUID"]
DATES = {"StudyDate", "StudyTime", "SeriesDate", "PatientBirthDate", "AcquisitionDate"}
AMOUNT = 700

Query = dict[str, str]
Servers = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="module")
def both(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    files = [path.read_bytes() for path in dicom_files() if path.stat().st_size < 40_000]
    theirs = ReferenceServer(tmp_path_factory.mktemp("theirs"), {"SyncStorageArea": False})
    with (
        OurServer(tmp_path_factory.mktemp("ours")) as ours,
        theirs,
        httpx.Client(base_url=ours.url, timeout=60) as left,
        httpx.Client(base_url=theirs.url, timeout=60) as right,
    ):
        archive.upload(left)
        archive.upload(right)
        for data in files:
            answers = [client.post("/instances", content=data) for client in (left, right)]
            if answers[0].status_code != answers[1].status_code:
                # Only what both accept can be found in both.
                for client, answer in zip((left, right), answers, strict=True):
                    if answer.status_code == 200:
                        client.delete(answer.json()["Path"])
        for plural in archive.PLURALS:
            held = [set(client.get(f"/{plural}").json()) for client in (left, right)]
            assert held[0] == held[1]
            assert len(held[0]) > 25
        yield left, right


def stored(client: httpx.Client) -> dict[str, list[str]]:
    """The values that the server has of each tag."""
    found: dict[str, set[str]] = {}
    for level, plural in zip(LEVELS, archive.PLURALS, strict=True):
        for resource in client.get(f"/{plural}?expand").json():
            for tag in TAGS[level]:
                value = resource["MainDicomTags"].get(tag)
                if isinstance(value, str):
                    found.setdefault(tag, set()).add(value)
    values = {tag: sorted(each) for tag, each in found.items()}
    values["KVP"] = ["120", "80", "100"]
    values["ImageType"] = ["ORIGINAL\\PRIMARY", "DERIVED", "PRIMARY\\x", "ORIGINAL"]
    values["AcquisitionDate"] = ["20200116", "20210102", "2004"]
    values["PatientComments"] = ["kind", "KIND"]
    values["Rows"] = ["64", "512", "128\\64"]
    values["SOPClassUID"] = [archive.CT, archive.MR]
    return values


def variation(rng: random.Random, tag: str, values: list[str]) -> str:
    """A text to search for, made of stored values."""
    value, other = rng.choice(values), rng.choice(values)
    if tag in DATES and rng.random() < 0.5:
        return rng.choice([f"{value}-{other}", f"{value}-", f"-{value}", f"{value[:4]}-{other}"])
    if not value:
        return "*"
    at = rng.randrange(len(value))
    return rng.choice(
        [
            value,
            value.upper(),
            value.lower(),
            f"{value}\\{other}",
            f"{value[:at]}*",
            f"*{value[at:]}",
            f"*{value[at : at + 2].lower()}*",
            f"{value[:at]}?{value[at + 1 :]}",
            "*",
            value + " ",
            value[:at],
        ]
    )


def queries(values: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    rng = random.Random(20240115)
    for _ in range(AMOUNT):
        depth = rng.randrange(4)
        known = [tag for level in LEVELS[: depth + 1] for tag in TAGS[level] if tag in values]
        tags = rng.sample(known, rng.choice([1, 1, 1, 2, 3]))
        if depth == 1 and rng.random() < 0.2:
            tags.append("ModalitiesInStudy")
        if rng.random() < 0.1:
            tags.append(rng.choice(IN_FILES))
        texts = {
            tag: variation(rng, tag, values["Modality" if tag == "ModalitiesInStudy" else tag])
            for tag in tags
        }
        body: dict[str, Any] = {"Level": LEVELS[depth], "Query": texts}
        if rng.random() < 0.2:
            body["CaseSensitive"] = True
        yield body


def outcome(client: httpx.Client, body: dict[str, Any]) -> tuple[int, Any]:
    answer = client.post("/tools/find", json=body)
    if answer.status_code != 200:
        return answer.status_code, answer.json()["OrthancStatus"]
    return 200, sorted(answer.json())


def test_same_results(both: Servers) -> None:
    left, right = both
    different, found = [], 0
    for body in queries(stored(left)):
        ours, theirs = outcome(left, body), outcome(right, body)
        found += ours[0] == 200 and bool(ours[1])
        if ours != theirs:
            different.append((body, ours, theirs))
    assert not different, "\n".join(map(str, different[:60])) + f"\n{len(different)}"
    assert found > AMOUNT / 3
