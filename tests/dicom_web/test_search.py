"""QIDO-RS beside the plugin: each row of reference chapter 5, section 2."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from support import dicom_web
from support.dicom_web import DicomWebPair
from support.searched import BARE, CT_SERIES, FOREIGN, MIXED, MR, MR_SERIES, files

AVAILABLE_SYNTAXES = "00083002"  # ours alone, in answers about instances


@pytest.fixture(scope="module")
def filled(pair: DicomWebPair) -> DicomWebPair:
    pair.store(*files())
    return pair


def listed(answer: httpx.Response, base: str = "") -> list[dict[str, Any]]:
    """The answers by UID, with addresses below {base}."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    text = answer.text.replace(str(answer.request.url.copy_with(path="/", query=None)), "{base}/")
    found: list[dict[str, Any]] = json.loads(text)
    for each in found:
        each.pop(AVAILABLE_SYNTAXES, None)
    return sorted(found, key=lambda each: each["00081190"]["Value"])


def check(pair: DicomWebPair, query: str, amount: int | None = None) -> None:
    """That both answer alike, with so many results."""
    ours, theirs = map(listed, pair.get(f"/dicom-web/{query}"))
    assert ours == theirs, query
    if amount is not None:
        assert len(ours) == amount, query


def amount(client: httpx.Client, query: str) -> int:
    return len(listed(client.get(f"/dicom-web/{query}")))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("studies", 3),
        ("studies/", 3),
        ("series", 5),
        ("instances", 6),
        (f"studies/{MIXED}/series", 2),
        (f"studies/{MIXED}/instances", 3),
        (f"studies/{MIXED}/series/{CT_SERIES}/instances", 2),
        ("studies/1.2.3/series", 0),
        (f"studies/{BARE}/series/{CT_SERIES}/instances", 0),
        # What a parent is that the query names is not repeated, but what the path names is.
        (f"series?StudyInstanceUID={MIXED}", 2),
        ("series?StudyInstanceUID=", 5),
        (f"series?0020000D={MIXED}", 2),
        (f"studies/{MIXED}/series?StudyInstanceUID=1.2", 2),
        (f"instances?StudyInstanceUID={MIXED}", 3),
        (f"instances?SeriesInstanceUID={CT_SERIES}", 2),
        (f"instances?StudyInstanceUID={MIXED}&SeriesInstanceUID={CT_SERIES}", 2),
    ],
)
def test_levels_and_their_attributes(filled: DicomWebPair, query: str, expected: int) -> None:
    check(filled, query, expected)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("PatientID=ANNA-1", 1),
        ("00100020=ANNA-1", 1),
        ("0010,0020=ANNA-1", 1),
        ("0010-0020=ANNA-1", 1),
        ("PatientID=anna-1", 1),
        ("patientid=nobody", 3),
        ("Foo=bar", 3),
        ("", 3),
        ("&includefield=StudyDescription&offset=0", 3),
        ("PatientName=*", 3),
        ("ReferringPhysicianName=*", 1),
        ("PatientName=", 3),
        ("PatientName=knix*", 1),
        ("PatientName=KNIX", 0),
        ("PatientName=KNIX%5EANNA%5E", 0),
        ("PatientName=KNIX%5EANN?%5EMARIA", 1),
        ("PatientName=*%E5%B1%B1%E7%94%B0*", 1),
        ("PatientName=m%C3%BCller*", 1),
        ("StudyDescription=*berblick", 1),
        ("StudyDate=20130111", 1),
        ("StudyDate=20130101-20131231", 1),
        ("StudyDate=-20131231", None),
        ("StudyDate=20130112-", 1),
        ("StudyDate=abc", 0),
        ("StudyDate=20130111,20140202", 2),
        ("StudyTime=0837-0838", 1),
        ("StudyTime=083722", 0),
        ("StudyTime=083722.000000", 1),
        (f"StudyInstanceUID={MIXED},{BARE}", 2),
        (f"StudyInstanceUID={MIXED}%2C{BARE}", 2),
        ("ModalitiesInStudy=MR", 1),
        ("ModalitiesInStudy=SR,CT", 2),
        ("ModalitiesInStudy=CT,", 1),
        ("ModalitiesInStudy=US", 0),
        ("SOPClassesInStudy=1.2.840.10008.5.1.4.1.1.88.11", 1),
        ("NumberOfStudyRelatedSeries=2", 2),
        ("NumberOfStudyRelatedInstances=3", 1),
        ("Modality=CT", 1),
        ("SeriesDescription=Axial", 1),
        ("SeriesNumber=2", 1),
        (f"SeriesInstanceUID={CT_SERIES}", 1),
        ("Rows=4", 2),
        ("EchoTime=20", 0),  # only one file of each is read
        ("Rows=4&Columns=6&PatientID=BARE-3", 1),
        ("00080000=1", None),
        ("00020010=1.2", 0),
        ("RequestAttributesSequence=x", 0),
        ("8,20=20130111", 1),
        ("PatientID=ANNA-1&PatientID=JP-2", 1),
    ],
)
def test_matching_of_studies(filled: DicomWebPair, key: str, expected: int | None) -> None:
    check(filled, f"studies?{key}", expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("series?Modality=MR", 1),
        ("series?Modality=MR,SR", 3),
        ("series?SeriesNumber=10", 1),
        ("series?EchoTime=20", 1),
        ("series?NumberOfSeriesRelatedInstances=2", 1),
        ("series?PatientName=*anna*", 2),
        (f"studies/{FOREIGN}/series?Modality=MR", 0),
        ("instances?InstanceNumber=1", 2),
        (f"instances?SOPClassUID={MR}", 1),
        (f"instances?SOPInstanceUID={MR_SERIES}.3,{CT_SERIES}.2", 2),
        ("instances?InstanceAvailability=ONLINE", 6),
        ("instances?KVP=120", 1),
        (f"studies/{MIXED}/instances?Modality=CT", 2),
        (f"studies/{MIXED}/series/{CT_SERIES}/instances?InstanceNumber=2", 1),
    ],
)
def test_matching_below_studies(filled: DicomWebPair, query: str, expected: int) -> None:
    check(filled, query, expected)


@pytest.mark.parametrize(
    "query",
    [
        "studies?includefield=StudyDescription",
        "studies?includefield=00081030,00080060&includefield=00101000",
        "studies?includefield=0008-1030",
        "studies?includefield=",
        "studies?includefield=Nonsense,PixelData,00290010,00020010,00080005",
        "studies?includefield=SeriesDescription,SeriesInstanceUID,Rows",
        f"studies?includefield=EchoTime&StudyInstanceUID={MIXED}",
        "studies?includefield=SOPClassesInStudy,NumberOfSeriesRelatedInstances",
        "series?includefield=ProtocolName,StudyDescription,BodyPartExamined",
        "series?includefield=RequestAttributesSequence,InstanceAvailability",
        "instances?includefield=ConceptNameCodeSequence,KVP,PatientAge",
        "instances?includefield=ImagePositionPatient,PhotometricInterpretation,PixelSpacing",
    ],
)
def test_included_attributes(filled: DicomWebPair, query: str) -> None:
    check(filled, query)


@pytest.mark.parametrize("level", ["studies", "series", "instances"])
def test_pages(filled: DicomWebPair, level: str) -> None:
    for client in filled:
        everything = listed(client.get(f"/dicom-web/{level}"))
        pages = [
            listed(client.get(f"/dicom-web/{level}?limit=2&offset={offset}"))
            for offset in range(0, len(everything) + 2, 2)
        ]
        assert pages[-1] == []
        joined = [each for page in pages for each in page]
        assert sorted(joined, key=json.dumps) == sorted(everything, key=json.dumps)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", 3),
        ("limit=-1", 3),
        ("limit=%2B1", 1),
        ("offset=-1", 0),
        ("offset=99", 0),
        ("limit=1&limit=2", 2),
    ],
)
def test_limits(filled: DicomWebPair, query: str, expected: int) -> None:
    for client in filled:
        assert amount(client, f"studies?{query}") == expected


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("studies?limit=a", 400, 15),
        ("studies?limit=", 400, 15),
        ("studies?limit=1.5", 400, 15),
        ("studies?limit=%201", 400, 15),
        ("studies?offset=a", 400, 15),
        ("studies?fuzzymatching=1", 400, 8),
        ("studies?fuzzymatching=True", 400, 8),
        ("studies?fuzzymatching", 400, 8),
        ("studies?StudyDate=*", 400, 3),
        ("studies?StudyTime=*", 400, 3),
        ("studies?StudyInstanceUID=2.16.*", 400, 3),
        ("studies?PatientAge=*", 400, 3),
        ("studies/1.*/series", 400, 3),
        ("studies/1/instances/2", 404, 17),
    ],
)
def test_bad_input(filled: DicomWebPair, query: str, status: int, code: int) -> None:
    for answer in filled.get(f"/dicom-web/{query}"):
        assert answer.status_code == status
        assert answer.json()["OrthancStatus"] == code


def test_methods(filled: DicomWebPair) -> None:
    for client in filled:
        for path in ("series", "instances", f"studies/{MIXED}/series"):
            answer = client.post(f"/dicom-web/{path}")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "accept", ["application/dicom+json", "application/json", "*/*", None, "application/*"]
)
def test_json_is_accepted(filled: DicomWebPair, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    ours, theirs = filled.get("/dicom-web/studies?limit=1", headers=headers)
    for answer in (ours, theirs):
        assert len(listed(answer)) == 1


def test_no_match_is_an_empty_array(filled: DicomWebPair) -> None:
    for answer in filled.get("/dicom-web/studies?PatientID=nobody"):
        assert (answer.status_code, answer.json()) == (200, [])
    assert filled.ours.get("/dicom-web/studies?PatientID=nobody").content == b"[]"


def test_ohif_asks_for_its_list(filled: DicomWebPair) -> None:
    check(
        filled,
        "studies?PatientName=*a*&00100020=*a*&AccessionNumber=&StudyDescription="
        "&ModalitiesInStudy=&StudyDate=20100101-20200101&limit=101&offset=0&fuzzymatching=false"
        "&includefield=00081030,00080060,00080090,00100030",
        1,
    )
    check(filled, f"studies/{MIXED}/series?includefield=0008103E,00080021", 2)


@pytest.fixture(scope="module")
def strict(
    needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DicomWebPair]:
    """Both servers, with files closed to searches and the case of letters counting."""
    configuration = {
        "StorageAccessOnFind": "Never",
        "ExtraMainDicomTags": {"Instance": ["KVP"], "Study": ["StationName"]},
        "DicomWeb": {"Enable": True, "QidoCaseSensitive": True},
    }
    with dicom_web.started(tmp_path_factory.mktemp("strict"), configuration) as both:
        both.store(*files())
        yield both


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("studies", 3),
        ("studies?PatientName=KNIX*", 1),
        ("studies?PatientName=knix*", 0),
        ("studies?AccessionNumber=a100", 0),
        ("studies?Rows=4", 0),
        ("studies?includefield=EchoTime,StationName", 3),
        ("instances?KVP=120&includefield=KVP", 1),
    ],
)
def test_other_options(strict: DicomWebPair, query: str, expected: int) -> None:
    ours, theirs = map(listed, strict.get(f"/dicom-web/{query}"))
    assert len(ours) == expected
    for each in ours:  # the index knows them of every image
        for tag in ("00280010", "00280011", "00280100"):
            each.pop(tag, None)
    assert ours == theirs


def test_the_index_needs_no_files(strict: DicomWebPair) -> None:
    """What the plugin takes from a file is known here, though files are closed."""
    query = "/dicom-web/studies?Modality=CT&includefield=Modality,EchoTime"
    ours, theirs = map(listed, strict.get(query))
    assert theirs == []
    assert [each["00080060"]["Value"] for each in ours] == [["CT"]] * len(ours) != []
    assert not any("00180081" in each for each in ours)


def test_a_path_is_what_it_says(filled: DicomWebPair) -> None:
    """Characters of UIDs that are none are passed on as they are."""
    for answer in filled.get(f"/dicom-web/studies/{quote('a b,c')}/series"):
        assert answer.json() == []
