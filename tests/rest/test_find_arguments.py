"""Bodies of /tools/find and /tools/count-resources with values that do not belong there, orders,
and requested tags, one by one to our server and to Orthanc 1.13: reference chapter 1, section 9."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support import archive
from support.reference_server import ReferenceServer
from support.server import OurServer

Servers = tuple[httpx.Client, httpx.Client]
Json = dict[str, Any]

LEVELS = ("Patient", "Study", "Series", "Instance")
# Different in any two servers.
INDIVIDUAL = {"LastUpdate", "IsStable", "ReceptionDate", "FileUuid"}


@pytest.fixture(scope="module")
def both(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    theirs = ReferenceServer(tmp_path_factory.mktemp("theirs"))
    with (
        OurServer(tmp_path_factory.mktemp("ours")) as ours,
        theirs,
        httpx.Client(base_url=ours.url, timeout=60) as left,
        httpx.Client(base_url=theirs.url, timeout=60) as right,
    ):
        archive.upload(left)
        archive.upload(right)
        yield left, right


def outcome(client: httpx.Client, body: Json, route: str = "find") -> tuple[int, Any]:
    """Status and code of an error, or the answer: resources by identifier without OrderBy."""
    answer = client.post(f"/tools/{route}", json=body)
    value = answer.json()
    if answer.status_code != 200:
        return answer.status_code, value["OrthancStatus"]
    if isinstance(value, list) and "OrderBy" not in body:
        value.sort(key=lambda each: each if isinstance(each, str) else each["ID"])
    return 200, comparable(value)


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: comparable(member) for k, member in value.items() if k not in INDIVIDUAL}
    return [comparable(member) for member in value] if isinstance(value, list) else value


def compare(both: Servers, bodies: list[Json], route: str = "find") -> None:
    different = []
    for body in bodies:
        ours, theirs = (outcome(client, body, route) for client in both)
        if ours != theirs:
            different.append(f"{body}\n  {ours!r:.400}\n  {theirs!r:.400}")
    assert not different, "\n".join(different[:30]) + f"\n{len(different)}"


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 3.5, 1 << 40, "", "x", "Study", "All", "any", "0"),
    *([], ["x"], [1], [""], [None], ["PatientName"], ["nope"], ["a b"], ["é"], ["MainDicomTags"]),
    *({}, {"a": "b"}, {"PatientName": "*"}, {"PatientName": 1}, {"nope": "x"}, {"nope": ""}),
]
FIELDS = ["Level", "Query", "Expand", "Full", "Short", "Simplify", "Limit", "Since", "Labels"]
FIELDS += ["LabelsConstraint", "CaseSensitive", "RequestedTags", "ResponseContent", "OrderBy"]
FIELDS += ["MetadataQuery", "ParentPatient", "ParentStudy", "ParentSeries", "Unknown"]


@pytest.mark.parametrize("field", FIELDS)
def test_values_of_a_field(both: Servers, field: str) -> None:
    bodies = [{"Level": "Study", "Query": {}, field: value} for value in VALUES]
    compare(both, bodies)
    compare(both, [{"Expand": True, **body} for body in bodies])
    compare(both, bodies, "count-resources")


MAIN = {
    "Patient": ["PatientName", "PatientID"],
    "Study": ["StudyDate", "StudyDescription", "PatientName"],
    "Series": ["Modality", "SeriesNumber", "StudyDate"],
    "Instance": ["SOPInstanceUID", "InstanceNumber", "Modality"],
}
NOT_INDEXED = ["KVP", "ModalitiesInStudy", "SOPClassUID", "0002,0010", "PixelData", "0009,1001"]
DIRECTIONS = ("ASC", "DESC")
CONVERSIONS = ("", "AsInt", "AsFloat")


def ordered(level: str, *keys: tuple[str, str, str]) -> Json:
    order = [{"Type": kind, "Key": key, "Direction": way} for kind, key, way in keys]
    return {"Level": level, "Query": {}, "OrderBy": order}


@pytest.mark.parametrize("level", LEVELS)
def test_order(both: Servers, level: str) -> None:
    """Ties come in the order of insertion in both directions, whatever makes them."""
    tags = MAIN[level] + (NOT_INDEXED if level == "Instance" else [])
    bodies = [
        ordered(level, (f"{kind}{conversion}", key, way))
        for kind, keys in (("DicomTag", [*tags, "nope"]), ("Metadata", ["IndexInSeries", "1024"]))
        for key, conversion, way in itertools.product(keys, CONVERSIONS, DIRECTIONS)
    ]
    first = MAIN[level][0]
    for way, other in itertools.product(DIRECTIONS, DIRECTIONS):
        bodies.append(ordered(level, ("DicomTag", "PatientName", way), ("DicomTag", first, other)))
    compare(both, bodies)
    compare(both, [{**body, "Since": 1, "Limit": 2} for body in bodies])


def test_ties_are_in_the_order_of_insertion(both: Servers) -> None:
    """Said once in words: no resource has a value, and the last one stored is the last one."""
    ours = both[0]
    changes = ours.get("/changes?limit=1000").json()["Changes"]
    made = [each["ID"] for each in changes if each["ChangeType"] == "NewStudy"]
    assert made != sorted(made)
    for way in DIRECTIONS:
        body = ordered("Study", ("DicomTag", "KVP", way))
        assert ours.post("/tools/find", json=body).json() == made
        assert ours.post("/tools/find", json=body | {"Limit": 2}).json() == made[:2]


REQUESTED = ["PatientName", "PatientID", "StudyDate", "StudyDescription", "Modality"]
REQUESTED += ["SeriesNumber", "SOPInstanceUID", "InstanceNumber", "KVP", "ModalitiesInStudy"]
REQUESTED += ["NumberOfStudyRelatedSeries", "NumberOfSeriesRelatedInstances", "SOPClassUID"]
REQUESTED += ["SOPClassesInStudy", "NumberOfPatientRelatedStudies", "InstanceAvailability"]
REQUESTED += ["0002,0010", "PatientAge", "RetrieveURL", "RetrieveAETitle", "PixelData", "ImageType"]
REQUESTED += ["RequestAttributesSequence", "PatientComments"]
FORMS: list[Json] = [
    {"Expand": True},
    {"Expand": True, "Full": True},
    {"Expand": True, "Short": True},
    {"ResponseContent": ["RequestedTags"]},
    {"ResponseContent": ["RequestedTags", "Metadata"]},
    {"ResponseContent": []},
]


@pytest.mark.parametrize("level", LEVELS)
def test_requested_tags(both: Servers, level: str) -> None:
    compare(
        both,
        [
            {"Level": level, "Query": {}, "RequestedTags": [tag], **form}
            for tag in REQUESTED
            for form in FORMS
        ],
    )


@pytest.mark.parametrize("level", LEVELS)
def test_what_the_query_adds_to_expanded_answers(both: Servers, level: str) -> None:
    """Tags of files and computed ones become RequestedTags; which instance answers for a patient,
    study or series: the one that came first."""
    texts = ("*", "0", "1", "2", "CT", "CT\\MR", "120", "1*", "ONLINE", "?")
    compare(
        both,
        [
            {"Level": level, "Query": {tag: text}, "Expand": expand}
            for tag in REQUESTED
            for text in texts
            for expand in (True, False)
        ],
    )
