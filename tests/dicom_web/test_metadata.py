"""Metadata against Orthanc's plugin: answers, negotiation, modes, errors. Source: reference
chapter 5, sections 4 and 12."""

import json
import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from support import dicom_web
from support.dicom_web import DicomWebPair
from support.encoded import BIG, EXPLICIT, IMPLICIT, element, file_of, fragments, item
from support.files import dicom_files, file_named
from support.generated import small
from support.server import OurServer

XML: Final = 'multipart/related; type="application/dicom+xml"'
LARGEST = 1 << 20

# What the plugin gets wrong: docs/deviations.md, section DICOMweb.
TINY = 1e-20
ISO_2022_JP = re.compile(r"\$B|[!-~]+")


@pytest.fixture(scope="module")
def filled(pair: DicomWebPair) -> DicomWebPair:
    """The small files of pydicom and pydicom-data that both servers take."""
    for path in dicom_files():
        if path.stat().st_size <= LARGEST:
            for client in pair:
                client.post("/instances", content=path.read_bytes())
    return pair


def places(client: httpx.Client) -> list[str]:
    """The paths of all instances."""
    found = []
    for row in client.get("/dicom-web/instances").json():
        study, series, sop = (row[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))
        found.append(f"/dicom-web/studies/{study}/series/{series}/instances/{sop}")
    return sorted(set(found))


def parsed(answer: httpx.Response) -> list[dict[str, Any]]:
    """With addresses that do not name the server."""
    text = answer.text.replace(str(answer.url.copy_with(path="/", query=None)), "http://here/")
    found: list[dict[str, Any]] = json.loads(text.replace("1e+9999", "null"))
    return found


def different(ours: dict[str, Any], theirs: dict[str, Any], path: str = "") -> list[str]:
    """The attributes that differ for another reason than those in the deviations."""
    found = []
    for key in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(key), theirs.get(key)
        if mine == other or _is_deviation(key, mine, other):
            continue
        if mine and other and mine["vr"] == other["vr"] == "SQ":
            pairs = zip(mine["Value"], other["Value"], strict=True)
            for number, (left, right) in enumerate(pairs, start=1):
                found += different(left, right, f"{path}{key}/{number}/")
        else:
            found.append(f"{path}{key}: {str(mine)[:200]} {str(other)[:200]}")
    return found


def _is_deviation(key: str, ours: Any, theirs: Any) -> bool:
    if ours is None:
        return False
    if theirs is None:  # pixel data of files whose header is odd, and UN with a known tag
        return "BulkDataURI" in ours
    mine, other = ours.get("Value"), theirs.get("Value")
    if ours["vr"] != theirs["vr"] or mine is None or other is None:
        return False
    if ours["vr"] in ("LT", "ST", "UT"):
        return "\\".join(str(each or "") for each in other) == mine[0] or _is_japanese(other)
    if ours["vr"] in ("FL", "FD"):
        return all(a == b or (abs(a) < TINY and b == 0) for a, b in zip(mine, other, strict=True))
    if all(isinstance(each, str) for each in mine + other):
        return [each.rstrip() for each in mine] == [each.rstrip() for each in other]
    if ours["vr"] != "PN":
        return False
    return _is_japanese(other) or mine == [
        {group: text.rstrip() for group, text in name.items()} for name in other
    ]


def _is_japanese(values: list[Any]) -> bool:
    """Whether escape sequences were taken for text."""
    return "$" in json.dumps(values) or ";" in json.dumps(values)


def test_instances_as_the_plugin_shows_them(filled: DicomWebPair) -> None:
    compared, wrong = 0, []
    for place in places(filled.theirs):
        ours, theirs = filled.get(f"{place}/metadata")
        if theirs.status_code == 404:
            continue  # one study of two patients
        assert ours.status_code == theirs.status_code == 200, place
        mine, other = parsed(ours), parsed(theirs)
        assert len(mine) == len(other)
        for left, right in zip(mine, other, strict=True):
            wrong += different(left, right)
        compared += 1
    assert compared > 80
    assert wrong == []


def test_headers(filled: DicomWebPair) -> None:
    ours, theirs = filled.get(f"{places(filled.theirs)[0]}/metadata")
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.headers["content-type"] == "application/dicom+json"


def test_studies_and_series_hold_the_same_instances(filled: DicomWebPair) -> None:
    several = 0
    for study in {place.split("/series/")[0] for place in places(filled.theirs)}:
        ours, theirs = filled.get(f"{study}/metadata")
        if theirs.status_code == 404:
            continue
        mine, other = ({_sop(each) for each in parsed(answer)} for answer in (ours, theirs))
        assert mine == other
        several += len(mine) > 1
    assert several > 3


def _sop(found: dict[str, Any]) -> str:
    return str(found["00080018"]["Value"][0])


ACCEPTED = [
    (None, "json"),
    ("*/*", "json"),
    ("application/*", "json"),
    ("application/json", "json"),
    ("application/dicom+json", "json"),
    ("application/dicom+json; charset=utf-8", "json"),
    (XML, "xml"),
    ("multipart/related; type=application/dicom+xml", "xml"),
    (
        "application/dicom+json, multipart/related; type=application/octet-stream;"
        " transfer-syntax=*",
        "json",
    ),
    ("application/dicom+json; q=0.5, " + XML, "xml"),
]


@pytest.mark.parametrize(("accept", "form"), ACCEPTED)
def test_accept(filled: DicomWebPair, accept: str | None, form: str) -> None:
    place = places(filled.theirs)[0]
    for client in filled:
        request = client.build_request("GET", f"{place}/metadata")
        del request.headers["accept"]
        if accept is not None:
            request.headers["accept"] = accept
        answer = client.send(request)
        assert answer.status_code == 200, answer.text
        expected = "application/dicom+json" if form == "json" else XML
        assert answer.headers["content-type"].startswith(expected)


@pytest.mark.parametrize(
    "accept", ["text/html", "application/octet-stream", "multipart/related; type=application/dicom"]
)
def test_nothing_acceptable(filled: DicomWebPair, accept: str) -> None:
    """The plugin answers 400."""
    ours, theirs = filled.get(f"{places(filled.theirs)[0]}/metadata", headers={"accept": accept})
    assert (ours.status_code, theirs.status_code) == (406, 400)


def test_form_by_argument(filled: DicomWebPair) -> None:
    place = places(filled.theirs)[0]
    answer = filled.ours.get(f"{place}/metadata", params={"accept": "application/dicom+xml"})
    assert answer.headers["content-type"].startswith(XML)


def test_unknown_and_elsewhere(filled: DicomWebPair) -> None:
    found = places(filled.theirs)
    one, other = found[0].split("/"), found[-1].split("/")
    wrong = "/".join([*one[:4], "series", other[5], "instances", other[7]])
    for path in ("/dicom-web/studies/1.2.3", "/dicom-web/studies/x/series/y", wrong):
        ours, theirs = filled.get(f"{path}/metadata")
        assert (ours.status_code, theirs.status_code) == (404, 404)
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]
        assert ours.json()["Details"] == theirs.json()["Details"]
    assert filled.ours.post(f"{found[0]}/metadata").status_code == 405


def test_xml_says_the_same_as_json(filled: DicomWebPair) -> None:
    for place in places(filled.theirs)[:20]:
        parts = dicom_web.parts(filled.ours.get(f"{place}/metadata", headers={"accept": XML}))
        found = filled.ours.get(f"{place}/metadata").json()[0]
        assert [part.headers["content-type"] for part in parts] == ["application/dicom+xml"]
        document = parts[0].content.decode()
        for key, member in found.items():
            assert f'tag="{key}" vr="{member["vr"]}"' in document
            if "BulkDataURI" in member:
                assert f'uri="{member["BulkDataURI"]}"' in document


MEMBERS = (
    (0x00280100, "US", b"\x10\0"),
    (0x00280010, "US", b"\1\0"),
    (0x00081030, "LO", b"a\\b"),
    (0x00189087, "FD", bytes(6) + b"\xf0\x3f"),
)


@pytest.mark.parametrize(
    "data",
    [
        file_of(*MEMBERS, (0x7FE00010, "OW", bytes(2))),
        file_of(*MEMBERS, (0x7FE00010, "OW", bytes(2)), syntax=IMPLICIT),
        file_of((0x00280100, "US", b"\0\x10"), (0x00020003, "UI", b"1"), syntax=BIG, tail=b""),
        file_of(*MEMBERS, announced="1.2.840.10008.1.2.5", tail=fragments(b"", b"\1\2")),
        file_of((0x00081140, "SQ", item(element(0x00081150, "UI", b"1.2\0")) + item(b""))),
    ],
    ids=["explicit", "implicit", "big endian", "compressed", "sequence"],
)
def test_made_files(filled: DicomWebPair, data: bytes) -> None:
    before = set(places(filled.theirs))
    filled.store(data)
    (place,) = set(places(filled.theirs)) - before
    ours, theirs = filled.get(f"{place}/metadata")
    assert parsed(ours) == parsed(theirs)


def test_big_endian_is_read(ours: httpx.Client) -> None:
    assert EXPLICIT != BIG
    data = file_of((0x00280100, "US", b"\0\x10"), syntax=BIG)
    instance = ours.post("/instances", content=data).json()["ID"]
    tags = ours.get(f"/instances/{instance}/simplified-tags").json()
    place = "/studies/{StudyInstanceUID}/series/{SeriesInstanceUID}/instances/{SOPInstanceUID}"
    found = ours.get(f"/dicom-web{place.format(**tags)}/metadata").json()[0]
    assert found["00280100"] == {"Value": [16], "vr": "US"}


# Modes


@pytest.fixture(scope="module", params=["MainDicomTags", "Extrapolate"])
def moded(
    request: pytest.FixtureRequest, needs_reference: None, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    tags = ["BitsAllocated", "PixelSpacing", "0008,0016", "Rows", "BodyPartExamined"]
    options = {
        "StudiesMetadata": request.param,
        "SeriesMetadata": request.param,
        "StudiesMetadataExtrapolatedTags": tags,
        "SeriesMetadataExtrapolatedTags": tags,
    }
    folder: Path = tmp_path_factory.mktemp(request.param)
    with dicom_web.started(folder, {"DicomWeb": options}) as both:
        template = small()
        both.store(*(template.number(1, 1, 1, number) for number in range(5)))
        names = ("CT_small.dcm", "MR_small.dcm", "examples_rgb_color.dcm")
        both.store(*(file_named(name).read_bytes() for name in names))
        yield both


def test_modes(moded: DicomWebPair) -> None:
    for place in places(moded.theirs):
        series = place.split("/instances/")[0]
        for path in (series, series.split("/series/")[0]):
            ours, theirs = moded.get(f"{path}/metadata")
            mine, other = (sorted(parsed(answer), key=_sop) for answer in (ours, theirs))
            assert list(map(_sop, mine)) == list(map(_sop, other))
            for left, right in zip(mine, other, strict=True):
                assert different(left, right) == []
        ours, theirs = moded.get(f"{place}/metadata")
        assert "7FE00010" in parsed(ours)[0]


def test_order_is_that_of_the_numbers(tmp_path: Path) -> None:
    """The plugin's is that of the identifiers, which means nothing."""
    uid = "1.2.826.0.1.3680043.10.1042.77"
    numbers = [5, 3, 11, 1, 10, 2]
    with OurServer(tmp_path) as server, httpx.Client(base_url=server.url) as client:
        for number in numbers:
            data = file_of(
                (0x0020000D, "UI", f"{uid}.1".encode()),
                (0x0020000E, "UI", f"{uid}.2".encode()),
                (0x00100020, "LO", b"ORDER"),
                (0x00200013, "IS", str(number).encode()),
            )
            assert client.post("/instances", content=data).status_code == 200
        found = client.get(f"/dicom-web/studies/{uid}.1/metadata").json()
        assert [each["00200013"]["Value"][0] for each in found] == sorted(numbers)
