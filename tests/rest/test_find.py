"""Searching over REST, rule by rule. Source: reference chapter 1, sections 4.2, 5.3, 9 and 12."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import pytest
from support import archive
from support.archive import CT, MR
from support.server import OurServer

Json = dict[str, Any]
LEVELS = ("Patient", "Study", "Series", "Instance")

LABELS = {"p1s1": ["red", "blue"], "p1s2": ["red"], "p2": ["Red"], "p2s1r1": ["red"]}
METADATA = {"p1s1": "Alpha", "p1s2": "beta", "p2s1": "10", "p2s2": "9", "p3s1": "Été", "p1": "x"}


def label(value: Any) -> str:
    """Names a case, always alike: tests in several processes must have the same names."""
    return str(sorted(value) if isinstance(value, set) else value)


class Archive(NamedTuple):
    client: httpx.Client
    ids: dict[str, str]
    names: dict[str, str]

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.client.post(path, json=body)

    def ask(self, level: str, query: Json | None = None, **more: Any) -> Any:
        """The answer to /tools/find."""
        answer = self.post("/tools/find", {"Level": level, "Query": query or {}, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def find(self, level: str, query: Json | None = None, **more: Any) -> list[str]:
        """The names of what is found, in order."""
        return [self.names[found] for found in self.ask(level, query, **more)]

    def one(self, name: str, **more: Any) -> Json:
        """A resource as /tools/find shows it."""
        level = LEVELS[len(name) // 2 - 1]
        above = {"Patient": "ParentPatient", "Study": "ParentStudy", "Series": "ParentSeries"}
        parent: Json = {above[level]: self.ids[name]} if level in above else {}
        found = [each for each in self.ask(level, **parent, **more) if each["ID"] == self.ids[name]]
        assert len(found) == 1
        shown: Json = found[0]
        return shown


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    options = {"UserMetadata": {"note": 1024}}
    with OurServer(tmp_path_factory.mktemp("find"), options) as server, filled(server) as found:
        yield found


@contextmanager
def filled(server: OurServer) -> Iterator[Archive]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        ids, names = archive.upload(client)
        for name, labels in LABELS.items():
            for label in labels:
                path = f"/{archive.PLURALS[len(name) // 2 - 1]}/{ids[name]}/labels/{label}"
                client.put(path).raise_for_status()
        for name, text in METADATA.items():
            path = f"/{archive.PLURALS[len(name) // 2 - 1]}/{ids[name]}/metadata/note"
            client.put(path, content=text.encode()).raise_for_status()
        yield Archive(client, ids, names)


ALL_STUDIES = set(archive.STUDIES)
DATED = {"p1s1", "p1s2", "p2s1", "p2s2", "p3s1"}
UID_11 = archive.uids("p1s1r1i1")[1]

# Level, query, names found; section 9.2 and 9.3.
FINDS: list[tuple[str, Json, set[str]]] = [
    # Levels
    ("Patient", {}, set(archive.PATIENTS)),
    ("patients", {}, set(archive.PATIENTS)),
    ("STUDY", {}, ALL_STUDIES),
    ("Studies", {}, ALL_STUDIES),
    ("series", {}, set(archive.SERIES)),
    ("Instance", {}, set(archive.INSTANCES)),
    ("instances", {}, set(archive.INSTANCES)),
    ("Image", {}, set(archive.INSTANCES)),
    ("images", {}, set(archive.INSTANCES)),
    # "" asks for nothing, not even for a tag that exists
    ("Study", {"PatientID": ""}, ALL_STUDIES),
    ("Study", {"NoSuchTag": "", "StudyDate": ""}, ALL_STUDIES),
    # Spellings of tags
    ("Patient", {"0010,0020": "P1"}, {"p1"}),
    ("Patient", {"0010-0020": "P1"}, {"p1"}),
    ("Patient", {"00100020": "P1"}, {"p1"}),
    # Equality: case, spaces, normal forms
    ("Patient", {"PatientID": "p1"}, {"p1"}),
    ("Patient", {"PatientID": "P_2"}, {"p2"}),
    ("Patient", {"PatientID": "P 2"}, set()),
    ("Patient", {"PatientID": "P1 "}, set()),
    ("Patient", {"PatientID": " P1"}, set()),
    ("Patient", {"PatientID": " a B"}, {"p3"}),
    ("Patient", {"PatientID": "A b"}, set()),
    ("Study", {"StudyInstanceUID": UID_11}, {"p1s1"}),
    ("Study", {"StudyInstanceUID": UID_11 + " "}, set()),
    ("Instance", {"SOPInstanceUID": archive.uids("p2s1r1i1")[3]}, {"p2s1r1i1"}),
    ("Study", {"StudyDescription": "T_50%"}, {"p1s1"}),
    ("Study", {"StudyDescription": "T 50%"}, set()),
    ("Study", {"StudyDescription": "THORAX"}, {"p1s2", "p2s1"}),
    ("Study", {"StudyDescription": " thorax"}, {"p4s1"}),
    ("Study", {"AccessionNumber": "ACC1"}, {"p1s1", "p2s1"}),
    # Accents: kept, and folded only where the index does not look at them
    ("Patient", {"PatientName": "müx^a"}, {"p1"}),
    ("Patient", {"PatientName": "MÜX*"}, {"p1"}),
    ("Patient", {"PatientName": "?ÜX*"}, {"p1"}),
    ("Patient", {"PatientName": "*ü*"}, {"p1"}),
    ("Patient", {"PatientName": "M?X^A"}, set()),
    ("Patient", {"PatientName": "MUX^A"}, set()),
    ("Patient", {"PatientName": "MX^A"}, set()),
    ("Patient", {"PatientName": "SMITH*"}, {"p2", "p3"}),
    ("Patient", {"PatientName": "smith^élodie"}, {"p3"}),
    ("Patient", {"PatientName": "山田*"}, {"p4"}),
    ("Patient", {"PatientName": "*太*"}, {"p4"}),
    ("Series", {"SeriesDescription": "Été chaud"}, {"p1s1r1"}),
    ("Series", {"SeriesDescription": "été chaud"}, set()),
    ("Series", {"SeriesDescription": "*CHAUD"}, {"p1s1r1"}),
    ("Series", {"SeriesDescription": "?T? *"}, {"p1s1r1", "p1s1r2"}),
    ("Study", {"InstitutionName": "hôpital"}, {"p1s2"}),
    ("Study", {"InstitutionName": "Hôpital*"}, {"p1s2"}),
    ("Study", {"InstitutionName": "hÔpital*"}, {"p2s2"}),
    ("Instance", {"ImageComments": "strasse"}, {"p3s1r1i1"}),
    ("Instance", {"ImageComments": "straße"}, {"p1s1r1i3"}),
    # Wildcards: any run, one character, nothing else is special
    ("Series", {"ProtocolName": "a.c"}, {"p1s1r1"}),
    ("Series", {"ProtocolName": "a?c"}, {"p1s1r1", "p1s1r2"}),
    ("Series", {"ProtocolName": "[ab]*"}, {"p1s2r1"}),
    ("Series", {"ProtocolName": "??"}, set()),
    ("Series", {"ProtocolName": "*"}, {"p1s1r1", "p1s1r2", "p1s2r1"}),
    ("Series", {"ProtocolName": "**c"}, {"p1s1r1", "p1s1r2", "p1s2r1"}),
    ("Instance", {"ImageComments": "a?b"}, {"p4s1r1i1"}),
    ("Instance", {"ImageComments": "a*"}, {"p4s1r1i1"}),
    # "*" wants the tag; an empty value is one, a value of more than 256 bytes is none
    ("Study", {"StudyDescription": "*"}, ALL_STUDIES - {"p2s2"}),
    ("Series", {"SeriesDescription": "*"}, {"p1s1r1", "p1s1r2", "p4s1r1"}),
    ("Patient", {"PatientSex": "*"}, {"p1", "p3"}),
    ("Instance", {"ImageComments": "*"}, {"p1s1r1i3", "p1s2r1i1", "p3s1r1i1", "p4s1r1i1"}),
    # Lists: items are literal
    ("Patient", {"PatientID": "p1\\P_2\\none"}, {"p1", "p2"}),
    ("Series", {"SeriesDescription": "*\\Été chaud"}, {"p1s1r1", "p4s1r1"}),
    ("Series", {"Modality": "MR\\CT"}, {"p1s1r1", "p1s1r2", "p2s1r1", "p3s1r1"}),
    ("Study", {"StudyDescription": "Thorax\\"}, {"p1s2", "p2s1", "p3s1"}),
    # Several values of a main tag are one text
    ("Study", {"InstitutionName": "A\\B"}, set()),
    ("Study", {"InstitutionName": "A"}, set()),
    ("Study", {"InstitutionName": "A*"}, {"p1s1"}),
    ("Series", {"OperatorsName": "A^B"}, set()),
    ("Series", {"OperatorsName": "*C^D"}, {"p2s2r1"}),
    # Ranges
    ("Study", {"StudyDate": "20200101"}, {"p1s1"}),
    ("Study", {"StudyDate": "20200101-20200115"}, {"p1s1", "p2s1", "p3s1"}),
    ("Study", {"StudyDate": "20200111-"}, {"p2s1", "p2s2"}),
    ("Study", {"StudyDate": "-20200110"}, {"p1s1", "p1s2", "p3s1"}),
    ("Study", {"StudyDate": "-"}, ALL_STUDIES),
    ("Study", {"StudyDate": "2020-2021"}, {"p1s1", "p2s1", "p3s1"}),
    ("Study", {"StudyDate": "20200101-20200110\\20210101"}, {"p1s1", "p3s1"}),
    ("Study", {"StudyDate": "20200101\\20210101"}, {"p1s1", "p2s2"}),
    ("Study", {"StudyTime": "10-11"}, {"p1s1"}),
    ("Study", {"StudyTime": "101530.250"}, {"p1s1"}),
    ("Patient", {"PatientBirthDate": "-19800101"}, {"p2"}),
    # Patients' tags below the patient
    ("Study", {"PatientName": "smith*"}, {"p2s1", "p2s2", "p3s1"}),
    ("Series", {"PatientID": "P1", "Modality": "CT"}, {"p1s1r1"}),
    ("Instance", {"PatientSex": "m", "StudyDate": "20200101", "InstanceNumber": "2"}, {"p1s1r1i2"}),
    ("Instance", {"InstanceNumber": "1"}, {"p1s1r1i1", "p1s1r2i1"}),
    ("Instance", {"InstanceNumber": "01"}, {"p2s1r1i1"}),
    # From the level below: never, but for the modalities
    ("Study", {"SeriesDescription": "*"}, set()),
    ("Study", {"Modality": "CT"}, set()),
    ("Patient", {"StudyDate": "20200101"}, set()),
    ("Series", {"InstanceNumber": "1"}, set()),
    ("Study", {"ModalitiesInStudy": "CT"}, {"p1s1", "p2s1", "p3s1"}),
    ("Study", {"ModalitiesInStudy": "ct\\PT"}, {"p1s1", "p2s1", "p2s2", "p3s1"}),
    ("Study", {"ModalitiesInStudy": "C*"}, set()),
    ("Study", {"ModalitiesInStudy": "*"}, set()),
    ("Study", {"ModalitiesInStudy": "CT", "PatientID": "P1"}, {"p1s1"}),
    ("Patient", {"ModalitiesInStudy": "CT"}, set()),
    ("Series", {"ModalitiesInStudy": "CT"}, set()),
    # Computed tags at their level
    ("Study", {"NumberOfStudyRelatedSeries": "2"}, {"p1s1"}),
    ("Study", {"NumberOfStudyRelatedInstances": "4"}, {"p1s1"}),
    ("Patient", {"NumberOfPatientRelatedStudies": "2"}, {"p1", "p2"}),
    ("Patient", {"NumberOfPatientRelatedInstances": "1"}, {"p3", "p4"}),
    ("Series", {"NumberOfSeriesRelatedInstances": "3"}, {"p1s1r1"}),
    ("Study", {"SOPClassesInStudy": f"{MR}\\1.2"}, {"p1s1"}),
    ("Instance", {"InstanceAvailability": "ONLINE", "InstanceNumber": "10"}, {"p1s1r1i3"}),
    ("Series", {"NumberOfStudyRelatedSeries": "2"}, set()),
    # Read from files
    ("Instance", {"KVP": "120"}, {"p1s1r1i1"}),
    ("Instance", {"KVP": "80\\120"}, {"p1s1r1i1", "p1s1r1i2"}),
    ("Instance", {"ImageType": "DERIVED\\OTHER"}, {"p1s1r1i2"}),
    ("Instance", {"ImageType": "PRIMARY"}, set()),
    ("Instance", {"ImageType": "primary\\x"}, {"p1s1r1i1", "p1s1r1i2"}),
    ("Instance", {"ImageType": "derived*"}, {"p1s1r1i2"}),
    ("Instance", {"AcquisitionDate": "20200101-20201231"}, {"p2s1r1i1"}),
    ("Instance", {"SOPClassUID": MR}, {"p1s1r2i1"}),
    ("Patient", {"PatientComments": "KIND"}, {"p1"}),
    ("Study", {"PatientComments": "k?nd"}, {"p1s1", "p1s2"}),
    ("Study", {"AcquisitionDate": "2021-"}, {"p2s2"}),
    ("Study", {"AcquisitionDate": "2021-", "PatientID": "P1"}, set()),
    ("Series", {"SOPClassUID": CT, "Modality": "PT"}, {"p2s2r1"}),
    ("Instance", {"TransferSyntaxUID": "1.2.840.10008.1.2.1"}, set()),
]


@pytest.mark.parametrize(("level", "query", "expected"), FINDS, ids=label)
def test_matching(held: Archive, level: str, query: Json, expected: set[str]) -> None:
    found = held.find(level, query)
    assert set(found) == expected
    assert [held.ids[name] for name in found] == sorted(held.ids[name] for name in expected)


CASE_SENSITIVE: list[tuple[str, Json, set[str]]] = [
    ("Patient", {"PatientID": "p1"}, set()),
    ("Patient", {"PatientID": "P1"}, {"p1"}),
    ("Patient", {"PatientName": "smith*"}, {"p3"}),
    ("Study", {"StudyDescription": "Thorax"}, {"p1s2"}),
    ("Study", {"InstitutionName": "hôpital"}, set()),
    ("Series", {"Modality": "ct"}, {"p3s1r1"}),
    ("Study", {"ModalitiesInStudy": "CT"}, {"p1s1", "p2s1"}),
    ("Patient", {"PatientComments": "KIND"}, set()),
    ("Study", {"StudyDate": "20200101-20200110"}, {"p1s1", "p3s1"}),
]


@pytest.mark.parametrize(("level", "query", "expected"), CASE_SENSITIVE, ids=label)
def test_case_sensitive(held: Archive, level: str, query: Json, expected: set[str]) -> None:
    assert set(held.find(level, query, CaseSensitive=True)) == expected


LABELLED: list[tuple[str, Json, set[str]]] = [
    ("Study", {"Labels": ["red"]}, {"p1s1", "p1s2"}),
    ("Study", {"Labels": ["red", "blue"]}, {"p1s1"}),
    ("Study", {"Labels": ["red", "blue"], "LabelsConstraint": "All"}, {"p1s1"}),
    ("Study", {"Labels": ["red", "blue"], "LabelsConstraint": "Any"}, {"p1s1", "p1s2"}),
    ("Study", {"Labels": ["blue"], "LabelsConstraint": "None"}, ALL_STUDIES - {"p1s1"}),
    ("Study", {"Labels": [], "LabelsConstraint": "None"}, ALL_STUDIES - {"p1s1", "p1s2"}),
    ("Study", {"LabelsConstraint": "None"}, ALL_STUDIES - {"p1s1", "p1s2"}),
    ("Study", {"Labels": [], "LabelsConstraint": "Any"}, ALL_STUDIES),
    ("Study", {"Labels": ["RED"]}, set()),
    ("Study", {"Labels": ["no such label!"]}, set()),
    ("Patient", {"Labels": ["red"]}, set()),  # of the level asked for only
    ("Patient", {"Labels": ["Red"]}, {"p2"}),
    ("Series", {"Labels": ["red"]}, {"p2s1r1"}),
]
ANNOTATED: list[tuple[str, Json, set[str]]] = [
    ("Study", {"MetadataQuery": {"note": "ALPHA"}}, {"p1s1"}),
    ("Study", {"MetadataQuery": {"1024": "alpha"}}, {"p1s1"}),
    ("Study", {"MetadataQuery": {"note": "ALPHA"}, "CaseSensitive": True}, set()),
    ("Study", {"MetadataQuery": {"note": "*a"}}, {"p1s1", "p1s2"}),
    ("Study", {"MetadataQuery": {"note": "?lpha"}}, {"p1s1"}),
    ("Study", {"MetadataQuery": {"note": "alpha\\BETA"}}, {"p1s1", "p1s2"}),
    ("Study", {"MetadataQuery": {"note": "été"}}, set()),  # ASCII folds, accents do not
    ("Study", {"MetadataQuery": {"note": "ÉTÉ"}}, set()),
    ("Study", {"MetadataQuery": {"note": "ÉTé"}}, {"p3s1"}),
    ("Study", {"MetadataQuery": {"note": "*"}}, {"p1s1", "p1s2", "p2s1", "p2s2", "p3s1"}),
    ("Study", {"MetadataQuery": {"note": ""}}, ALL_STUDIES),
    ("Study", {"MetadataQuery": {"note": "1-9"}}, set()),  # no range
    ("Patient", {"MetadataQuery": {"note": "*"}}, {"p1"}),
    ("Instance", {"MetadataQuery": {"Origin": "restapi", "IndexInSeries": "10"}}, {"p1s1r1i3"}),
    ("Instance", {"MetadataQuery": {"SopClassUid": MR}}, {"p1s1r2i1"}),
    ("Study", {"MetadataQuery": {"LastUpdate": "20*"}}, ALL_STUDIES),
    ("Study", {"MetadataQuery": {"LastUpdate": "19*"}}, set()),
    ("Study", {"MetadataQuery": {"MainDicomTagsSignature": "*0020,000d*"}}, ALL_STUDIES),
]


@pytest.mark.parametrize(("level", "more", "expected"), LABELLED + ANNOTATED, ids=label)
def test_labels_and_metadata(held: Archive, level: str, more: Json, expected: set[str]) -> None:
    assert set(held.find(level, **more)) == expected


def test_parents(held: Archive) -> None:
    ids = held.ids
    assert set(held.find("Study", ParentPatient=ids["p1"])) == {"p1s1", "p1s2"}
    assert held.find("Study", ParentStudy=ids["p1s1"]) == ["p1s1"]
    assert held.find("Patient", ParentPatient=ids["p1"]) == ["p1"]
    assert set(held.find("Instance", ParentStudy=ids["p1s1"])) == {
        name for name in archive.INSTANCES if name.startswith("p1s1")
    }
    assert held.find("Instance", {"InstanceNumber": "2"}, ParentSeries=ids["p1s1r1"]) == [
        "p1s1r1i2"
    ]
    # The first in this order counts; of what is not there, nothing is found.
    both: Json = {"ParentStudy": ids["p2s1"], "ParentPatient": ids["p1"]}
    assert set(held.find("Study", **both)) == {"p1s1", "p1s2"}
    for unknown in (ids["p1s1"], "nope", ""):
        assert held.find("Study", ParentPatient=unknown) == []


def order(kind: str, key: str, direction: str = "ASC") -> Json:
    return {"Type": kind, "Key": key, "Direction": direction}


def test_order(held: Archive) -> None:
    def studies(*orders: Json) -> list[str]:
        return held.find("Study", OrderBy=list(orders))

    by_date = ["p1s2", "p1s1", "p3s1", "p2s1", "p2s2"]
    assert studies(order("DicomTag", "StudyDate")) == [*by_date, "p4s1"]
    assert studies(order("dicomtag", "0008,0020", "desc")) == [*reversed(by_date), "p4s1"]
    without = ["p1s1", "p1s2", "p2s1"]  # as they came
    assert studies(order("DicomTag", "StudyID")) == ["p3s1", "p2s2", "p4s1", *without]
    assert studies(order("DicomTagAsInt", "StudyID")) == ["p2s2", "p4s1", "p3s1", *without]
    assert studies(order("DicomTagAsFloat", "StudyID", "DESC")) == [
        "p3s1",
        "p4s1",
        "p2s2",
        *without,
    ]
    notes = ["p4s1"]
    assert studies(order("Metadata", "note")) == ["p2s1", "p2s2", "p1s1", "p1s2", "p3s1", *notes]
    numbers = ["p1s1", "p1s2", "p3s1"]  # texts count as 0
    assert studies(order("MetadataAsInt", "note")) == [*numbers, "p2s2", "p2s1", *notes]
    # Orthanc's MetadataAsFloat sorts texts.
    assert studies(order("MetadataAsFloat", "note")) == studies(order("Metadata", "note"))
    assert studies(order("DicomTagWhatever", "StudyDate")) == [*by_date, "p4s1"]
    # What no study has in the index leaves all equal.
    for tag in ("KVP", "Modality"):
        for direction in ("ASC", "DESC"):
            found = studies(order("DicomTag", tag, direction))
            assert found == sorted(archive.STUDIES)  # as they came
    # Normal forms of identifiers: case and accents do not count.
    assert held.find("Patient", OrderBy=[order("DicomTag", "PatientName")]) == [
        "p1",
        "p2",
        "p3",
        "p4",
    ]
    # An ancestor's tag, then one of its own.
    found = held.find(
        "Series", OrderBy=[order("DicomTag", "StudyDate"), order("DicomTag", "Modality", "DESC")]
    )
    assert found == ["p1s2r1", "p1s1r2", "p1s1r1", "p3s1r1", "p2s1r1", "p2s2r1", "p4s1r1"]
    found = held.find(
        "Instance",
        ParentSeries=held.ids["p1s1r1"],
        OrderBy=[order("MetadataAsInt", "IndexInSeries", "DESC")],
    )
    assert found == ["p1s1r1i3", "p1s1r1i2", "p1s1r1i1"]


def test_pages(held: Archive) -> None:
    everything = held.find("Instance")
    size = len(everything)
    for since in range(size + 2):
        for limit in (0, 1, 2, 50):
            stop = since + limit if limit else None
            assert held.find("Instance", Since=since, Limit=limit) == everything[since:stop]
    # Full pages whatever decides: index, file, case, order.
    for query in ({"KVP": "80\\120"}, {"ImageType": "PRIMARY\\x"}, {"SOPClassUID": CT}):
        found = held.find("Instance", query)
        assert len(found) > 1
        pages = [held.find("Instance", query, Since=at, Limit=1) for at in range(len(found) + 1)]
        assert pages == [*([name] for name in found), []]
    sensitive = held.find("Patient", {"PatientName": "*^*"}, CaseSensitive=True)
    assert len(sensitive) == 4
    assert held.find("Patient", {"PatientName": "*^*"}, CaseSensitive=True, Since=2, Limit=1) == [
        sensitive[2]
    ]
    ordered = [order("DicomTag", "StudyDate", "DESC")]
    assert held.find("Study", OrderBy=ordered, Since=1, Limit=2) == ["p2s1", "p3s1"]


def test_expanded(held: Archive) -> None:
    for plural, level in zip(archive.PLURALS, LEVELS, strict=True):
        alone = [held.client.get(f"/{plural}/{found}").json() for found in held.ask(level)]
        assert held.ask(level, Expand=True) == alone
        assert held.ask(level, Expand=1) == alone
        assert held.client.get(f"/{plural}?expand").json() == alone
        assert held.ask(level, Expand=0) == held.client.get(f"/{plural}").json()
        for form in ("full", "short", "simplify"):
            alone = [
                held.client.get(f"/{plural}/{found}?{form}").json() for found in held.ask(level)
            ]
            flag: Json = {form.title(): True}
            assert held.ask(level, Expand=True, **flag) == alone
            assert held.client.get(f"/{plural}?expand&{form}").json() == alone
    shown = held.one("p1s1", Expand=True, Full=True, Short=True)
    assert shown["MainDicomTags"]["0008,1030"] == "T_50%"
    shown = held.one("p1s1", Expand=True, Full=True, Short=True, Simplify=True)
    assert shown["MainDicomTags"]["StudyDescription"] == "T_50%"
    shown = held.one("p1s1", Expand=True, Full=True)
    assert shown["MainDicomTags"]["0008,1030"] == {
        "Name": "StudyDescription",
        "Type": "String",
        "Value": "T_50%",
    }


REQUESTED: list[tuple[str, list[str], Json]] = [
    ("p1", ["NumberOfPatientRelatedStudies", "0020,1202", "0020-1204", "00100010"], {
        "NumberOfPatientRelatedStudies": "2",
        "NumberOfPatientRelatedSeries": "3",
        "NumberOfPatientRelatedInstances": "5",
        "PatientName": "MÜX^A",
    }),
    ("p1s1", ["ModalitiesInStudy", "SOPClassesInStudy", "NumberOfStudyRelatedSeries"], {
        "ModalitiesInStudy": "CT\\MR",
        "SOPClassesInStudy": f"{CT}\\{MR}",
        "NumberOfStudyRelatedSeries": "2",
    }),
    ("p1s1", ["NumberOfStudyRelatedInstances", "PatientName", "StudyDate"], {
        "NumberOfStudyRelatedInstances": "4",
        "PatientName": "MÜX^A",
        "StudyDate": "20200101",
    }),
    ("p1s1r1", ["NumberOfSeriesRelatedInstances", "Modality", "PatientID"], {
        "NumberOfSeriesRelatedInstances": "3",
        "Modality": "CT",
        "PatientID": "P1",
    }),
    ("p1s1r1i1", ["InstanceAvailability", "SOPClassUID", "StudyDate", "InstanceNumber"], {
        "InstanceAvailability": "ONLINE",
        "SOPClassUID": CT,
        "StudyDate": "20200101",
        "InstanceNumber": "1",
    }),
    # Computed tags of another level are not there; counted ones null once a file is read.
    ("p1", ["ModalitiesInStudy", "PatientID"], {"PatientID": "P1"}),
    ("p1", ["ModalitiesInStudy", "NumberOfStudyRelatedSeries", "PatientComments"], {
        "NumberOfStudyRelatedSeries": None,
        "PatientComments": "kind",
    }),
    # A main tag without value is known not to be there.
    ("p4s1", ["StudyDate", "StudyID"], {"StudyID": "9"}),
    # From a file: what it lacks is null.
    ("p1s1r1i1", ["KVP", "ImageType", "PatientComments", "EchoTime"], {
        "KVP": "120",
        "ImageType": "ORIGINAL\\PRIMARY",
        "PatientComments": "kind",
        "EchoTime": None,
    }),
    # Of a lower level: some child's
    ("p2s1", ["Modality", "AcquisitionDate"], {"Modality": "CT", "AcquisitionDate": "20200116"}),
    ("p2", ["SeriesNumber"], None),  # type: ignore[list-item]
    # The meta header is never shown.
    ("p1s1r1i1", ["TransferSyntaxUID"], {}),
    ("p1s1r1i1", ["TransferSyntaxUID", "KVP"], {"KVP": "120"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "tags", "expected"), REQUESTED, ids=label)
def test_requested_tags(held: Archive, name: str, tags: list[str], expected: Json | None) -> None:
    shown = held.one(name, Expand=True, RequestedTags=tags)["RequestedTags"]
    if expected is None:
        assert set(shown) == set(tags)
    else:
        assert shown == expected
    plural = archive.PLURALS[len(name) // 2 - 1]
    for argument in ("requested-tags", "requestedTags"):
        path = f"/{plural}/{held.ids[name]}?{argument}={';'.join(tags)}"
        assert held.client.get(path).json().get("RequestedTags") == shown


def test_requested_tags_and_forms(held: Archive) -> None:
    tags = {"RequestedTags": ["KVP", "EchoTime", "PatientID"]}
    assert held.one("p1s1r1i1", Expand=True, Short=True, **tags)["RequestedTags"] == {
        "0010,0020": "P1",
        "0018,0060": "120",
        "0018,0081": None,
    }
    full = held.one("p1s1r1i1", Expand=True, Full=True, **tags)["RequestedTags"]
    assert full["0018,0060"] == {"Name": "KVP", "Type": "String", "Value": "120"}
    assert full["0018,0081"]["Type"] == "Null"
    # Without expansion they have no effect.
    assert held.find("Patient", RequestedTags=["KVP"]) == held.find("Patient")
    plain = held.client.get("/patients").json()
    assert held.client.get("/patients?requested-tags=PatientID").json() == plain


def test_tags_of_the_query_are_shown(held: Archive) -> None:
    found = held.ask("Instance", {"KVP": "120", "InstanceNumber": "1"}, Expand=True)
    assert [each["RequestedTags"] for each in found] == [{"KVP": "120"}]


CONTENTS: list[tuple[str, list[str], set[str]]] = [
    ("p1s1", [], set()),
    ("p1s1", ["MainDicomTags"], {"MainDicomTags", "PatientMainDicomTags"}),
    ("p1s1", ["Children", "Parent"], {"Series", "ParentPatient"}),
    ("p1s1", ["Labels", "IsStable", "Metadata"], {"Labels", "IsStable", "Metadata"}),
    ("p1s1", ["Status", "IsProtected", "Attachments"], {"Attachments"}),
    ("p1", ["IsProtected", "Parent", "Children"], {"IsProtected", "Studies"}),
    ("p1s1r1", ["Status", "IsProtected"], {"Status"}),
    ("p1s1r1", ["Parent", "Children"], {"ParentStudy", "Instances"}),
    ("p1s1r1i1", ["Parent", "Children", "IsStable"], {"ParentSeries"}),
    ("p1s1r1i1", ["MainDicomTags", "Attachments"], {"MainDicomTags", "Attachments"}),
    ("p1s1", ["RequestedTags"], set()),
]


@pytest.mark.parametrize(("name", "groups", "members"), CONTENTS, ids=label)
def test_response_content(held: Archive, name: str, groups: list[str], members: set[str]) -> None:
    shown = held.one(name, ResponseContent=groups, Expand=False)
    assert set(shown) == {"ID", "Type"} | members
    plural = archive.PLURALS[len(name) // 2 - 1]
    listed = held.client.get(f"/{plural}?response-content={';'.join(groups)}").json()
    assert shown in listed
    assert [each["ID"] for each in listed] == held.client.get(f"/{plural}").json()
    # It overrides `expand`, and is nothing to a single resource.
    assert held.client.get(f"/{plural}?expand&response-content={';'.join(groups)}").json() == listed
    single = f"/{plural}/{held.ids[name]}"
    path = f"{single}?response-content={';'.join(groups)}"
    assert held.client.get(path).json() == held.client.get(single).json()


def test_values_of_response_content(held: Archive) -> None:
    everything = [
        "MainDicomTags", "Metadata", "Children", "Parent", "Labels", "Status", "IsStable",
        "IsProtected", "Attachments", "RequestedTags",
    ]  # fmt: skip
    for name in ("p1", "p1s1", "p1s1r1", "p1s1r1i1"):
        path = f"/{archive.PLURALS[len(name) // 2 - 1]}/{held.ids[name]}"
        expanded = held.client.get(path).json()
        shown = held.one(name, ResponseContent=everything)
        metadata, attachments = shown.pop("Metadata"), shown.pop("Attachments")
        assert shown.items() <= expanded.items()
        left_out = set(expanded) - set(shown)
        assert left_out <= {
            "LastUpdate", "FileSize", "FileUuid", "IndexInSeries", "ExpectedNumberOfInstances",
        }  # fmt: skip
        assert metadata == held.client.get(f"{path}/metadata?expand").json()
        assert [each["ContentType"] for each in attachments] == ([1] if len(name) == 8 else [])
    (attachment,) = attachments
    assert attachment["Uuid"] == expanded["FileUuid"]
    assert attachment["UncompressedSize"] == expanded["FileSize"] == attachment["CompressedSize"]
    assert set(attachment) == {
        "Uuid", "ContentType", "UncompressedSize", "CompressedSize", "UncompressedMD5",
        "CompressedMD5",
    }  # fmt: skip


def test_absent_main_tags_with_and_without_metadata(held: Archive) -> None:
    """Whether a main tag that a resource lacks is null depends on whether metadata are loaded."""
    tags = {"RequestedTags": ["StudyDate"]}
    assert held.one("p4s1", ResponseContent=[], **tags)["RequestedTags"] == {"StudyDate": None}
    assert held.one("p4s1", ResponseContent=["Metadata"], **tags)["RequestedTags"] == {}


def test_sequences_among_main_tags(held: Archive) -> None:
    """They are rebuilt from metadata: not there without."""
    steps = [{"ScheduledProcedureStepID": "step 1"}]
    name = "RequestAttributesSequence"
    assert held.one("p1s1r2", Expand=True)["MainDicomTags"][name] == steps
    assert held.client.get(f"/series/{held.ids['p1s1r2']}").json()["MainDicomTags"][name] == steps
    assert name not in held.one("p1s1r2", ResponseContent=["MainDicomTags"])["MainDicomTags"]
    shown = held.one("p1s1r2", ResponseContent=["MainDicomTags", "Metadata"])
    assert shown["MainDicomTags"][name] == steps
    shown = held.one("p1s1r2", Expand=True, RequestedTags=[name])
    assert shown["RequestedTags"] == {name: steps}
    assert held.find("Series", {name: "step 1"}) == []
    answer = held.post("/tools/find", {"Level": "Series", "Query": {name: "*"}})
    assert answer.json()["OrthancStatus"] == 3


# Body without Level or Query, which are added where they are missing; status and code.
WRONG: list[tuple[Json, int, int]] = [
    ({"Level": "Nope"}, 400, 3),
    ({"Level": ""}, 400, 3),
    ({"Level": 3}, 400, 8),
    ({"Level": None}, 400, 8),
    ({"Query": []}, 500, -1),
    ({"Query": "x"}, 500, -1),
    ({"Query": {"PatientID": 3}}, 400, 8),
    ({"Query": {"PatientID": None}}, 400, 8),
    ({"Query": {"NoSuchTag": "x"}}, 500, 27),
    ({"Query": {"StudyInstanceUID": "1.*"}}, 400, 3),
    ({"Query": {"StudyDate": "2020*"}}, 400, 3),
    ({"Query": {"StudyTime": "10?"}}, 400, 3),
    ({"Query": {"PatientAge": "0?0Y"}}, 400, 3),
    ({"Query": {"InstanceNumber": "?"}}, 400, 3),
    ({"Query": {"Modality": "CT"}, "Level": "Patient"}, 500, 1012),
    ({"Query": {"InstanceNumber": "1"}}, 500, 1012),
    ({"CaseSensitive": "yes"}, 400, 8),
    ({"CaseSensitive": 1}, 400, 8),
    ({"Expand": "yes"}, 500, -1),
    ({"Expand": []}, 500, -1),
    ({"Limit": -1}, 400, 3),
    ({"Limit": "1"}, 400, 8),
    ({"Limit": 1.5}, 400, 8),
    ({"Since": -1}, 400, 3),
    ({"Since": "1"}, 400, 8),
    ({"Labels": "x"}, 400, 8),
    ({"Labels": [1]}, 400, 8),
    ({"LabelsConstraint": "all"}, 400, 8),
    ({"LabelsConstraint": 1}, 400, 8),
    ({"MetadataQuery": []}, 400, 8),
    ({"MetadataQuery": {"note": 1}}, 400, 8),
    ({"MetadataQuery": {"nope": "x"}}, 404, 7),
    ({"OrderBy": {}}, 400, 8),
    ({"OrderBy": ["StudyDate"]}, 400, 8),
    ({"OrderBy": [{"Type": "DicomTag", "Key": "StudyDate"}]}, 400, 8),
    ({"OrderBy": [{"Type": "DicomTag", "Key": "StudyDate", "Direction": 1}]}, 400, 8),
    ({"OrderBy": [order("DicomTag", "StudyDate", "UP")]}, 400, 3),
    ({"OrderBy": [order("Tag", "StudyDate")]}, 400, 3),
    ({"OrderBy": [order("DicomTag", "NoSuchTag")]}, 500, 27),
    ({"OrderBy": [order("Metadata", "nope")]}, 404, 7),
    ({"ParentSeries": "x"}, 500, 6),
    ({"ParentStudy": 1}, 400, 8),
    ({"RequestedTags": "x", "Expand": True}, 400, 8),
    ({"RequestedTags": [1], "Expand": True}, 500, 27),
    ({"RequestedTags": ["NoSuchTag"], "Expand": True}, 500, 27),
    ({"RequestedTags": ["NoSuchTag"]}, 500, 27),
    ({"ResponseContent": "MainDicomTags"}, 400, 8),
    ({"ResponseContent": ["Nope"]}, 400, 3),
    ({"ResponseContent": [""]}, 400, 3),
]


@pytest.mark.parametrize(("body", "status", "code"), WRONG, ids=label)
def test_wrong_bodies(held: Archive, body: Json, status: int, code: int) -> None:
    answer = held.post("/tools/find", {"Level": "Study", "Query": {}, **body})
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (status, code), answer.text


@pytest.mark.parametrize("path", ["/tools/find", "/tools/count-resources"])
def test_missing_and_no_objects(held: Archive, path: str) -> None:
    for body in (b"", b"x", b"[]", b"3", b'{"Level":"Study"}', b'{"Query":{}}', b'{"Level":'):
        answer = held.client.post(path, content=body)
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (400, 8), body
    assert held.post(path, {"Level": "Study", "Query": None}).status_code == 200
    assert held.client.get(path).status_code == 405


def test_wrong_listings(held: Archive) -> None:
    wrong = {
        "since=1": (400, 8),
        "limit=1": (400, 8),
        "since=a&limit=1": (400, 5),
        "since=1&limit=": (400, 5),
        "since=-1&limit=1": (500, 1010),
        "since=1&limit=-1": (500, 1010),
        "expand=yes": (400, 3),
        "response-content=Nope": (400, 3),
        "response-content=Labels;": (400, 3),
        "expand&requested-tags=NoSuchTag": (400, 8),
    }
    for arguments, expected in wrong.items():
        answer = held.client.get(f"/studies?{arguments}")
        assert (answer.status_code, answer.json()["OrthancStatus"]) == expected, arguments


def test_pages_of_listings(held: Archive) -> None:
    for plural in archive.PLURALS:
        everything = held.client.get(f"/{plural}").json()
        assert everything == sorted(everything)
        for since, limit in ((0, 0), (2, 0), (0, 1), (1, 2), (3, 100), (1000, 1), (1000, 0)):
            page = everything[since : since + limit if limit else None]
            path = f"/{plural}?since={since}&limit={limit}"
            assert held.client.get(path).json() == page
            shown = held.client.get(f"{path}&expand").json()
            assert [each["ID"] for each in shown] == page


def test_relatives(held: Archive) -> None:
    """Children and parents: reference section 4.2."""
    ids, client = held.ids, held.client
    for name in ("p1", "p1s1", "p1s1r1"):
        depth = len(name) // 2
        for below in range(depth, 4):
            path = f"/{archive.PLURALS[depth - 1]}/{ids[name]}/{archive.PLURALS[below]}"
            expected = sorted(
                each for text, each in ids.items() if text.startswith(name)
                and len(text) == 2 * below + 2
            )  # fmt: skip
            assert client.get(f"{path}?expand=false").json() == expected
            assert client.get(f"{path}?expand=0&since=0&limit=1").json() == expected
            alone = [client.get(f"/{archive.PLURALS[below]}/{each}").json() for each in expected]
            assert client.get(path).json() == alone
            assert client.get(f"{path}?response-content=Labels").json() == alone
            assert client.get(f"{path}?expand=x").json()["OrthancStatus"] == 3
            tags = client.get(f"{path}?requested-tags=PatientID").json()
            assert {each["RequestedTags"]["PatientID"] for each in tags} == {"P1"}
    for name in ("p1s1r1i1", "p1s1r1", "p1s1"):
        depth = len(name) // 2
        for above, word in enumerate(("patient", "study", "series")[: depth - 1], start=1):
            path = f"/{archive.PLURALS[depth - 1]}/{ids[name]}/{word}"
            parent = client.get(f"/{archive.PLURALS[above - 1]}/{ids[name[: 2 * above]]}").json()
            assert client.get(path).json() == parent
            assert client.get(f"{path}?requested-tags=PatientID").json() == parent
    for path in ("/patients/nope/studies", "/series/nope/study", f"/series/{ids['p1']}/instances"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17)
    for path in (f"/instances/{ids['p1s1r1']}/study", f"/studies/{ids['p1s1r1i1']}/patient"):
        answer = client.get(path)  # known, but of another level
        assert (answer.status_code, answer.content) == (404, b"")


COUNTS: list[tuple[str, Json, int]] = [
    ("Patient", {}, 4),
    ("instances", {}, 9),
    ("Study", {"StudyDate": "2020-2021"}, 3),
    ("Study", {"StudyDescription": "thorax"}, 2),
    ("Study", {"ModalitiesInStudy": "CT"}, 3),
    ("Study", {"Modality": "CT\\MR"}, 3),  # some series does: not so with find
    ("Patient", {"PatientName": "M?X*"}, 0),
    ("Study", {"NoSuchTag": ""}, 6),
]


@pytest.mark.parametrize(("level", "query", "count"), COUNTS, ids=label)
def test_count(held: Archive, level: str, query: Json, count: int) -> None:
    # What does not concern counting is ignored, however wrong it is.
    more = {"Limit": -1, "Since": "x", "Expand": "x", "OrderBy": 3, "RequestedTags": 5}
    for ignored in ({}, more):
        body = {"Level": level, "Query": query, **ignored}
        answer = held.post("/tools/count-resources", body)
        assert answer.json() == {"Count": count}, answer.text


def test_count_with_labels_metadata_parents(held: Archive) -> None:
    for _, more, expected in LABELLED + ANNOTATED:
        if more.get("CaseSensitive"):
            continue
        answer = held.post("/tools/count-resources", {"Level": _, "Query": {}, **more})
        assert answer.json() == {"Count": len(expected)}, more
    body = {"Level": "Instance", "Query": {}, "ParentPatient": held.ids["p1"]}
    assert held.post("/tools/count-resources", body).json() == {"Count": 5}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"Query": {"KVP": "120"}}, 400, 8),
        ({"Query": {"NumberOfStudyRelatedSeries": "1"}}, 400, 8),
        ({"Query": {"PatientID": "P1"}, "CaseSensitive": True}, 400, 3),
        ({"CaseSensitive": True}, 400, 3),
        ({"Query": {"StudyDate": "2*"}}, 400, 3),
        ({"Query": {"NoSuchTag": "1"}}, 500, 27),
        ({"Level": "Nope"}, 400, 3),
        ({"LabelsConstraint": "x"}, 400, 8),
        ({"MetadataQuery": {"nope": "x"}}, 404, 7),
        ({"ParentSeries": "x"}, 500, 6),
    ],
    ids=label,
)
def test_wrong_counts(held: Archive, body: Json, status: int, code: int) -> None:
    answer = held.post("/tools/count-resources", {"Level": "Study", "Query": {}, **body})
    assert (answer.status_code, answer.json()["OrthancStatus"]) == (status, code), answer.text


def test_bulk_content(held: Archive) -> None:
    """Reference section 8.2."""
    ids = held.ids

    def ask(**body: Any) -> Any:
        answer = held.post("/tools/bulk-content", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    asked = [ids["p2s1"], ids["p1"], "nope", ids["p2s1"], ids["p1s1r1i1"]]
    expected = []
    for name in ("p2s1", "p1", "p2s1", "p1s1r1i1"):
        path = f"/{archive.PLURALS[len(name) // 2 - 1]}/{ids[name]}"
        metadata = held.client.get(f"{path}/metadata?expand").json()
        expected.append({**held.client.get(path).json(), "Metadata": metadata})
    assert ask(Resources=asked) == expected
    without = [
        {key: value for key, value in each.items() if key != "Metadata"} for each in expected
    ]
    assert ask(Resources=asked, Metadata=False) == without
    series = ask(Resources=[ids["p2s1"], ids["p2"], ids["p1s1r1i1"]], Level="Series")
    assert [each["ID"] for each in series] == sorted(ids[n] for n in ("p2s1r1", "p2s2r1", "p1s1r1"))
    short = ask(Resources=[ids["p1"]], Short=True)[0]
    assert short["MainDicomTags"]["0010,0020"] == "P1"
    for body, code in (
        (b"[]", 8),
        (b"{}", 15),
        (b'{"Resources":"x"}', 15),
        (b'{"Resources":[1]}', 15),
        (b'{"Resources":[],"Metadata":1}', 15),
        (b'{"Resources":[],"Level":"x"}', 3),
    ):
        answer = held.client.post("/tools/bulk-content", content=body)
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (400, code), body


# Options


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    options = {
        "LimitFindResults": 3,
        "LimitFindInstances": 5,
        "StorageAccessOnFind": "Never",
        "UserMetadata": {"note": 1024},
    }
    folder = tmp_path_factory.mktemp("bounded")
    with OurServer(folder, options) as server, filled(server) as found:
        yield found


def test_limits(bounded: Archive) -> None:
    for level, bound, total in (("Study", 3, 6), ("Series", 3, 7), ("Instance", 5, 9)):
        assert len(bounded.find(level)) == bound
        assert len(bounded.find(level, Limit=2)) == 2
        assert len(bounded.find(level, Limit=100)) == bound
        assert len(bounded.find(level, Limit=0)) == bound
        assert len(bounded.find(level, Since=1, Limit=100)) == bound
        assert len(bounded.find(level, Since=1)) == total - 1  # as in Orthanc
        assert len(bounded.find(level, Since=0)) == total
        count = bounded.post("/tools/count-resources", {"Level": level, "Query": {}})
        assert count.json() == {"Count": total}
    assert len(bounded.client.get("/studies").json()) == 6
    assert len(bounded.client.get(f"/patients/{bounded.ids['p1']}/instances").json()) == 5


def test_storage_is_never_read(bounded: Archive) -> None:
    assert bounded.find("Instance", {"KVP": "120"}) == []
    assert bounded.find("Instance", {"KVP": ""}, Limit=1)
    shown = bounded.ask("Instance", {"SOPClassUID": MR}, Expand=True, RequestedTags=["KVP"])
    assert [each["RequestedTags"] for each in shown] == [{}]
    tags = "requested-tags=PatientComments;PatientID"
    shown = bounded.client.get(f"/patients/{bounded.ids['p1']}?{tags}").json()
    assert shown["RequestedTags"] == {"PatientID": "P1"}


def test_storage_for_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """ "Answers" is "Always": section 9.3."""
    options = {"StorageAccessOnFind": "Answers", "UserMetadata": {"note": 1024}}
    with OurServer(tmp_path_factory.mktemp("answers"), options) as server, filled(server) as held:
        assert held.find("Instance", {"KVP": "120"}) == ["p1s1r1i1"]
        shown = held.one("p1s1r1i1", Expand=True, RequestedTags=["KVP"])
        assert shown["RequestedTags"] == {"KVP": "120"}


def warnings_in(server: OurServer) -> set[str]:
    text = server.log_path.read_text()
    return {f"W00{n}" for n in range(1, 8) if f"W00{n}" in text}


def test_warnings(tmp_path_factory: pytest.TempPathFactory) -> None:
    silent = {"W005_RequestingTagFromLowerResourceLevel": False}
    for number, (warnings, expected) in enumerate(
        (({}, {"W001", "W005", "W006"}), (silent, {"W001", "W006"}))
    ):
        options = {"UserMetadata": {"note": 1024}, "Warnings": warnings}
        folder = tmp_path_factory.mktemp(f"warnings{number}")
        with OurServer(folder, options) as server, filled(server) as held:
            held.one("p1", Expand=True, RequestedTags=["PatientName"])
            assert warnings_in(server) == set()
            held.one("p1", Expand=True, RequestedTags=["Modality", "TransferSyntaxUID"])
        assert warnings_in(server) == expected
