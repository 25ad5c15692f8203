"""What PS3.18 asks of QIDO-RS beyond the plugin. Reference chapter 5, section 14, items 1 to 7."""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from support.dicom_web import parts
from support.searched import BARE, CREATOR, CT, CT_SERIES, FOREIGN, MIXED, MR_SERIES, files
from support.server import OurServer

NAMESPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("search")
    with (
        OurServer(folder) as server,
        httpx.Client(base_url=f"{server.url}/dicom-web/", timeout=60) as found,
    ):
        for data in files():
            assert found.post(f"{server.url}/instances", content=data).status_code == 200
        yield found


def get(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = client.get(query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def uids(client: httpx.Client, query: str) -> list[str]:
    """Of the studies that are found, in order."""
    return [each["0020000D"]["Value"][0] for each in get(client, query)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("studies?SeriesDescription=T1", [MIXED]),
        ("studies?Modality=MR", [MIXED]),
        ("studies?Modality=MR&SeriesDescription=Axial", [MIXED]),  # of two series
        (f"studies?SeriesInstanceUID={MR_SERIES}", [MIXED]),
        (f"studies?SOPInstanceUID={MR_SERIES}.3", [MIXED]),
        ("studies?InstanceNumber=5", [FOREIGN]),
        ("studies?InstanceNumber=*", None),
        ("studies?NumberOfFrames=3", [BARE]),
        ("studies?ModalitiesInStudy=M*", [MIXED]),
        ("series?InstanceNumber=5", [FOREIGN]),
        (f"series?SOPInstanceUID={CT_SERIES}.2", [MIXED]),
    ],
)
def test_any_descendant(client: httpx.Client, query: str, expected: list[str] | None) -> None:
    if expected is None:  # IS has no wildcards
        assert client.get(query).status_code == 400
    else:
        assert uids(client, query) == expected


def test_the_value_of_a_descendant_is_one_that_matches(client: httpx.Client) -> None:
    (study,) = get(client, "studies?Modality=MR")
    assert study["00080060"]["Value"] == ["MR"]
    (study,) = get(client, f"studies?SOPInstanceUID={MR_SERIES}.3")
    assert study["00080018"]["Value"] == [f"{MR_SERIES}.3"]


@pytest.mark.parametrize("separator", ["\\", "\\\\", "%5C", "%5C%5C", ",", "%2C", ",,"])
def test_lists_of_uids(client: httpx.Client, separator: str) -> None:
    found = uids(client, f"studies?StudyInstanceUID={MIXED}{separator}{BARE}")
    assert found == [MIXED, BARE]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("knix", [MIXED]),
        ("kni", [MIXED]),
        ("ann", [MIXED]),
        ("maria anna", [MIXED]),
        ("Anna Knix", [MIXED]),
        ("nix", []),
        ("*nix", [MIXED]),
        ("*n*", [MIXED, BARE]),
        ("anna tarou", []),
        ("KNIX%5EANNA%5EMARIA", [MIXED]),
        ("muller", [BARE]),
        ("MÜLLER", [BARE]),
        ("jurg mull", [BARE]),
        ("Müller^Jürgen", [BARE]),
        ("山田", [FOREIGN]),
        ("太", [FOREIGN]),
        ("田", []),
        ("a?na", [MIXED]),
        ("kn,mu", [MIXED, BARE]),
        ("(", []),
        ("^", []),
    ],
)
def test_fuzzy_names(client: httpx.Client, name: str, expected: list[str]) -> None:
    answer = client.get(f"studies?PatientName={name}&fuzzymatching=true")
    assert "warning" not in answer.headers
    assert [each["0020000D"]["Value"][0] for each in answer.json()] == expected


def test_fuzzy_is_for_names_only(client: httpx.Client) -> None:
    assert uids(client, "studies?PatientID=ANNA&fuzzymatching=true") == []
    assert uids(client, "studies?PatientName=knix&fuzzymatching=false") == []


def test_empty_values(client: httpx.Client) -> None:
    flag = "emptyvaluematching=true"
    assert uids(client, f'studies?AccessionNumber=""&{flag}') == [FOREIGN, BARE]
    assert uids(client, f'studies?StudyDate=""&{flag}') == [BARE]
    assert uids(client, f'studies?ModalitiesInStudy=""&{flag}') == [BARE]
    assert uids(client, f'studies?SeriesNumber=""&{flag}') == [FOREIGN, BARE]
    assert uids(client, f'studies?EchoTime=""&PatientID=ANNA-1&{flag}') == [MIXED]
    assert uids(client, f'studies?Rows=""&{flag}') == [FOREIGN]
    assert uids(client, 'studies?AccessionNumber=""') == []
    assert uids(client, f"studies?AccessionNumber=&{flag}") == [FOREIGN, MIXED, BARE]


def test_several_values(client: httpx.Client) -> None:
    flag = "multiplevaluematching=true"
    assert uids(client, f"studies?ModalitiesInStudy=MR,CT&{flag}") == [MIXED]
    assert uids(client, f"studies?ModalitiesInStudy=MR,SR&{flag}") == []
    assert uids(client, f"studies?OtherPatientIDs=B,A&{flag}") == [FOREIGN]
    assert uids(client, f"studies?OtherPatientIDs=A,C&{flag}") == []
    # Lists of UIDs are alternatives: PS3.4, section C.2.2.2.2.
    assert uids(client, f"studies?StudyInstanceUID={MIXED},{BARE}&{flag}") == [MIXED, BARE]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("series?RequestAttributesSequence.RequestedProcedureID=PROCEDURE*", [MIXED]),
        ("series?00400275.00400009=STEP%207", [MIXED]),
        ("series?0040,0275.0040,0009=STEP%208", []),
        ("studies?00400275.00400009=STEP%207", [MIXED]),  # of its second series
        ("instances?00400275.00400009=STEP%207", [MIXED]),
        ("instances?ConceptNameCodeSequence.CodeValue=113100", [FOREIGN]),
        ("series?0040A043.00080100=113100", [FOREIGN]),
        ("series?0040A043.00080100=1131*", [FOREIGN]),
        ("series?0040A043.PatientName=x", []),
        ("series?PatientName.00080100=113100", []),
    ],
)
def test_sequences(client: httpx.Client, query: str, expected: list[str]) -> None:
    assert uids(client, query) == expected


def test_sequences_in_answers(client: httpx.Client) -> None:
    (series,) = get(
        client,
        "series?includefield=ConceptNameCodeSequence.CodeValue&Modality=SR&limit=1&SeriesNumber=&0040A043.00080100=113100",
    )
    assert series["0040A043"]["Value"][0]["00080100"]["Value"] == ["113100"]


def test_private_elements(client: httpx.Client) -> None:
    found = get(client, f"studies?00290010={CREATOR}&00291001=secret%20value")
    assert [each["0020000D"]["Value"] for each in found] == [[BARE]]
    assert found[0]["00290010"] == {"vr": "LO", "Value": [CREATOR]}
    assert uids(client, f"studies?00290010={CREATOR}&00291001=other") == []
    assert uids(client, "studies?00290010=OTHER&00291001=secret%20value") == []


def test_private_elements_without_creator(client: httpx.Client) -> None:
    answer = client.get("studies?00291001=secret")
    assert len(answer.json()) == 3
    assert "ignored: 00291001" in answer.headers["warning"]


def test_unknown_parameters_are_named(client: httpx.Client) -> None:
    answer = client.get("studies?Foo=bar&includefield=B%C3%A4r%0D%0AX:y")
    assert len(answer.json()) == 3
    text = answer.headers["warning"]
    assert text.startswith(f"299 {client.base_url}")
    assert text.endswith("ignored: Foo, B?r??X:y")


def test_order(client: httpx.Client) -> None:
    assert uids(client, "studies") == [FOREIGN, MIXED, BARE]
    series = get(client, "series")
    assert [each["0020000E"]["Value"][0] for each in series] == [
        f"{FOREIGN}.2",  # an empty number comes before none
        f"{FOREIGN}.1",
        CT_SERIES,
        MR_SERIES,
        f"{BARE}.1",
    ]
    instances = get(client, f"studies/{MIXED}/instances")
    assert [each["00080018"]["Value"][0] for each in instances] == [
        f"{CT_SERIES}.2",
        f"{CT_SERIES}.1",
        f"{MR_SERIES}.3",
    ]
    everything = get(client, "instances")
    pages = [get(client, f"instances?limit=1&offset={at}") for at in range(6)]
    assert [page[0] for page in pages] == everything


def test_total_count(client: httpx.Client) -> None:
    for query, total in (
        ("studies?limit=1", "3"),
        ("studies?PatientName=*a*&limit=1", "2"),
        ("studies?PatientName=nobody", "0"),
        (f"studies/{MIXED}/instances?limit=1", "3"),
        ("series?Modality=SR&limit=1", "2"),
    ):
        assert client.get(query).headers["x-total-count"] == total, query


def test_all_attributes(client: httpx.Client) -> None:
    (study,) = get(client, f"studies?includefield=all&StudyInstanceUID={MIXED}")
    assert study["00081030"]["Value"] == ["Thorax mit Kontrast"]
    assert sorted(study["00080062"]["Value"]) == [CT, "1.2.840.10008.5.1.4.1.1.4"]
    assert "0008103E" not in study
    (series,) = get(client, f"series?includefield=all&SeriesInstanceUID={CT_SERIES}")
    assert series["0008103E"]["Value"] == ["Axial"]
    instance = get(client, "instances?includefield=all&limit=1")[0]
    assert "00083002" in instance


def test_available_transfer_syntaxes(client: httpx.Client) -> None:
    for query in ("instances?limit=1", "instances?includefield=AvailableTransferSyntaxUID&limit=1"):
        (instance,) = get(client, query)
        assert instance["00083002"] == {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}
    assert "00083002" not in get(client, "studies?includefield=00083002")[0]


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/dicom+xml"',
        "multipart/related; type=application/dicom+xml",
        "application/dicom+xml",
        "application/xml",
        "text/xml",
        "multipart/related",
        "application/dicom+json;q=0.1, application/dicom+xml",
    ],
)
def test_xml(client: httpx.Client, accept: str) -> None:
    answer = client.get("studies", headers={"Accept": accept})
    kind = answer.headers["content-type"]
    assert kind.startswith('multipart/related; type="application/dicom+xml"; boundary=')
    found = parts(answer)
    assert len(found) == 3
    assert {part.headers["content-type"] for part in found} == {"application/dicom+xml"}
    first = ElementTree.fromstring(found[0].content)
    assert first.tag == f"{NAMESPACE}NativeDicomModel"
    names = first.findall(f"{NAMESPACE}DicomAttribute[@tag='00100010']/{NAMESPACE}PersonName/*")
    assert [each.tag.removeprefix(NAMESPACE) for each in names] == [
        "Alphabetic",
        "Ideographic",
        "Phonetic",
    ]
    assert names[1].find(f"{NAMESPACE}FamilyName").text == "山田"  # type: ignore[union-attr]


def test_xml_says_what_json_says(client: httpx.Client) -> None:
    """Sequences, empty values, numbers."""
    query = "instances?includefield=RequestAttributesSequence,OtherPatientIDs"
    documents = parts(client.get(query, headers={"Accept": "text/xml"}))
    shown = [_model(ElementTree.fromstring(each.content)) for each in documents]
    assert shown == [_texts(each) for each in get(client, query)]


def _model(parent: ElementTree.Element) -> dict[str, Any]:
    """An element of the native model as the JSON model has it, with numbers as texts."""
    found: dict[str, Any] = {}
    for attribute in parent:
        values: list[Any] = []
        for value in attribute:
            kind = value.tag.removeprefix(NAMESPACE)
            if kind == "Item":
                values.append(_model(value))
            elif kind == "PersonName":
                values.append({group.tag.removeprefix(NAMESPACE): _name(group) for group in value})
            else:
                values.append(value.text)
            assert value.get("number") == str(len(values))
        shown: dict[str, Any] = {"vr": attribute.get("vr")}
        if values:
            shown["Value"] = values
        found[str(attribute.get("tag"))] = shown
    return found


def _name(group: ElementTree.Element) -> str:
    return "^".join(part.text or "" for part in group)


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    return str(value) if isinstance(value, int | float) else value


def test_no_match_in_xml(client: httpx.Client) -> None:
    answer = client.get("studies?PatientID=nobody", headers={"Accept": "text/xml"})
    assert answer.status_code == 200
    assert parts(answer) == []


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/dicom", "a/b;q=0.5"])
def test_nothing_acceptable(client: httpx.Client, accept: str) -> None:
    assert client.get("studies", headers={"Accept": accept}).status_code == 406
    assert client.get(f"studies?accept={accept.partition(';')[0]}").status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["", "application/dicom+xml, application/dicom+json", "text/html,*/*;q=0.8"],
)
def test_json_comes_first(client: httpx.Client, accept: str) -> None:
    answer = client.get("studies", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/dicom+json"


def test_accept_as_a_parameter(client: httpx.Client) -> None:
    assert len(parts(client.get("studies?accept=application/dicom%2Bxml"))) == 3


def test_head(client: httpx.Client) -> None:
    answer = client.head("studies")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/dicom+json"


@pytest.mark.parametrize(
    "query",
    ["studies?emptyvaluematching=1", "studies?multiplevaluematching=", "studies?offset=1e3"],
)
def test_bad_parameters(client: httpx.Client, query: str) -> None:
    assert client.get(query).status_code == 400


def test_strange_queries(client: httpx.Client) -> None:
    """None of them fails."""
    for query in (
        "studies?=x",
        "studies?.=x",
        "studies?00400275.=x",
        "studies?" + ".".join(["00400275"] * 100) + "=x",
        "studies?PatientName=" + "%20".join(f"a{n}*" for n in range(300)) + "&fuzzymatching=true",
        "studies?PatientName=" + "*a" * 500,
        "studies?PatientName=%FF%FE%00",
        "studies?StudyInstanceUID=" + ",".join(f"1.2.{n}" for n in range(500)),
        "studies?includefield=" + ",".join(f"0008{n:04X}" for n in range(500)),
        "studies?includefield=.,00400275.,all,all",
    ):
        answer = client.get(query)
        assert answer.status_code in (200, 400), (query[:80], answer.text)


def test_limits_of_the_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    """They bound every query, and each answer that they cut says so."""
    configuration = {"LimitFindResults": 2, "LimitFindInstances": 3}
    folder = tmp_path_factory.mktemp("limits")
    with OurServer(folder, configuration) as server:
        for data in files():
            httpx.post(f"{server.url}/instances", content=data)
        base = f"{server.url}/dicom-web/"
        for query, amount, is_cut in (
            ("studies", 2, True),
            ("studies?limit=9", 2, True),
            ("studies?limit=2", 2, False),
            ("studies?limit=1", 1, False),
            ("studies?offset=1", 2, False),
            ("studies?PatientName=k*", 1, False),
            ("instances", 3, True),
            (f"studies/{MIXED}/instances", 3, False),
        ):
            answer = httpx.get(base + query)
            assert len(answer.json()) == amount, query
            assert ("warning" in answer.headers) == is_cut, query
            if is_cut:
                assert "exceeded the maximum" in answer.headers["warning"]
        assert httpx.get(base + "studies").headers["x-total-count"] == "3"
