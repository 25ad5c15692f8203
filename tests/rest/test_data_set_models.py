"""The DICOM JSON model and the Native DICOM Model of files, against Orthanc 1.13 for every file of
pydicom's collections, and by hand where the standard says otherwise.

Source: reference chapter 2, section 1.12; PS3.18 annex F; PS3.19 annex A.
"""

import base64
import json
import struct
import xml.etree.ElementTree as ElementTree
from typing import Any

import httpx
import pytest
from support.encoded import (
    BIG,
    IMPLICIT,
    SEQUENCE_END,
    UNDEFINED,
    element,
    file_of,
    fragments,
    item,
)
from support.files import dicom_files

Clients = tuple[httpx.Client, httpx.Client]

JSON, XML = "application/dicom+json", "application/dicom+xml"
PALETTE_DESCRIPTORS = {"00281101", "00281102", "00281103"}
NAMESPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def file_as(client: httpx.Client, identifier: str, kind: str) -> httpx.Response:
    answer = client.get(f"/instances/{identifier}/file", headers={"Accept": kind})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    return answer


def stored_anew(client: httpx.Client, data: bytes) -> httpx.Response:
    """The answer to the upload of the file, in place of what another file of its instance left:
    `ours` holds what other modules stored, and several files of pydicom share an instance."""
    answer = client.post("/instances", content=data)
    if answer.status_code != 200 or answer.json()["Status"] == "Success":
        return answer
    client.delete(f"/instances/{answer.json()['ID']}")
    return client.post("/instances", content=data)


def json_of(client: httpx.Client, data: bytes) -> dict[str, Any]:
    answer = client.post("/instances", content=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = file_as(client, answer.json()["ID"], JSON).json()
    return found


# Why a member differs from that of Orthanc 1.13: see docs/deviations.md.
LEFT_OUT = "it leaves out what is in UN and no text"
PADDED = "it keeps the padding of texts in UN"
SPLIT = "it splits texts that have one value at backslashes"
TINY = "it takes tiny numbers for 0"
PRIVATE = "its dictionary lacks the private tag"
EXTENDED = "it does not follow code extensions"
FOLLOWED = {"chrH32.dcm": ("PN",), "chrJapMultiExplicitIR6.dcm": ("PN", "LT")}
REASONS = {LEFT_OUT, PADDED, SPLIT, TINY, PRIVATE, EXTENDED}


def reason(file: str, mine: Any, other: Any) -> str | None:
    """Why the two members differ, None for no good reason."""
    if mine is None:
        return None
    if other is None:
        return LEFT_OUT if mine["vr"] == "UN" else None
    values, others = mine.get("Value"), other.get("Value")
    if values is not None and other["vr"] == "UN":
        same = base64.b64decode(other["InlineBinary"]).strip() == joined(values).encode()
        return PRIVATE if same else None
    if values is None or others is None or mine["vr"] != other["vr"]:
        return None
    if mine["vr"] in FOLLOWED.get(file, ()):
        return EXTENDED
    if mine["vr"] in ("FL", "FD"):
        return TINY if others == [pytest.approx(x, rel=0, abs=1e-13) for x in values] else None
    if mine["vr"] in ("LT", "ST", "UT", "UR"):
        return SPLIT if values == [joined(others)] else None
    if list(map(unpadded, others)) == values:
        return PADDED
    return None


def joined(values: list[str | None]) -> str:
    return "\\".join(value or "" for value in values)


def unpadded(value: Any) -> Any:
    if isinstance(value, dict):
        return {group: text.rstrip() for group, text in value.items()}
    return value.rstrip() if isinstance(value, str) else value


def test_json_of_collected_files(both: Clients) -> None:
    compared = 0
    different = []
    reasons = set()
    for file in dicom_files():
        data = file.read_bytes()
        answers = [stored_anew(client, data) for client in both]
        if any(answer.status_code != 200 for answer in answers):
            continue
        identifier = answers[0].json()["ID"]
        mine, other = (file_as(client, identifier, JSON).json() for client in both)
        compared += 1
        for tag in mine.keys() | other.keys():
            one, two = mine.get(tag), other.get(tag)
            if one == two:
                continue
            why = reason(file.name, one, two)
            reasons.add(why)
            if why is None:
                different.append(f"{file.name} {tag}: {one!r:.200} {two!r:.200}")
    assert different == [], "\n".join(different)
    assert reasons == REASONS
    assert compared > 150


EVERYTHING = (
    (0x00080000, "UL", struct.pack("<I", 100)),
    (0x00080005, "CS", b"\\ISO 2022 IR 100"),
    (0x00080050, "SH", b" x "),
    (0x00080008, "CS", b"A \\\\ B"),
    (0x00081115, "SQ", b""),
    (0x00081140, "SQ", item(b"") + item(element(0x00080050, "SH", b"in"))),
    (0x00100010, "PN", b"M\xfcller^J==P\\\\A^B^C^D^E"),
    (0x00104000, "LT", b"a\\b"),
    (0x00200013, "IS", b"007\\x\\\\1.0\\ -8 "),
    (0x00200011, "IS", b"x"),
    (0x00200032, "DS", b"1.50 \\x\\ 2,5\\3."),
    (0x00280009, "AT", struct.pack("<HH", 0x7FE0, 0xABCD)),
    (0x00280010, "US", b""),
    (0x00290010, "LO", b"SOMEBODY"),
    (0x00291001, "UN", b"ab"),
    (0x00720076, "FL", struct.pack("<ffff", 0.1, 1e10, float("inf"), float("nan"))),
    (0x00720069, "OW", struct.pack("<HH", 1, 65535)),
    (0x00720081, "OV", struct.pack("<Q", 2**64 - 1)),
    (0x00720082, "SV", struct.pack("<q", -(2**62))),
    (0x7FE00010, "OW", b"1234"),
    (0x7FE10010, "LO", b"AFTER "),
)
AS_JSON = {
    "00080005": {"vr": "CS", "Value": ["ISO 2022 IR 100"]},
    "00080050": {"vr": "SH", "Value": [" x"]},
    "00080008": {"vr": "CS", "Value": ["A ", None, " B"]},
    "00081115": {"vr": "SQ"},
    "00081140": {"vr": "SQ", "Value": [{}, {"00080050": {"vr": "SH", "Value": ["in"]}}]},
    "00100010": {
        "vr": "PN",
        "Value": [
            {"Alphabetic": "M\u00fcller^J", "Ideographic": "", "Phonetic": "P"},
            {},
            {"Alphabetic": "A^B^C^D^E"},
        ],
    },
    "00104000": {"vr": "LT", "Value": ["a\\b"]},
    "00200013": {"vr": "IS", "Value": [7, None, -8]},
    "00200011": {"vr": "IS", "Value": []},
    "00200032": {"vr": "DS", "Value": ["1.50", "2.5", "3"]},
    "00280009": {"vr": "AT", "Value": ["7FE0ABCD"]},
    "00280010": {"vr": "US"},
    "00290010": {"vr": "LO", "Value": ["SOMEBODY"]},
    "00291001": {"vr": "UN", "InlineBinary": "YWI="},
    "00720076": {"vr": "FL", "Value": [0.10000000149011612, 10**10, None, None]},
    "00720069": {"vr": "OW", "Value": [1, 65535]},
    "00720081": {"vr": "OV", "Value": [2**64 - 1]},
    "00720082": {"vr": "SV", "Value": [-(2**62)]},
    "7FE00010": {"vr": "OW", "InlineBinary": "MTIzNA=="},
    "7FE10010": {"vr": "LO", "Value": ["AFTER"]},
}


def test_json_by_hand(ours: httpx.Client) -> None:
    found = json_of(ours, file_of(*EVERYTHING))
    identifiers = {"00080016", "00080018", "00100020", "0020000D", "0020000E"}
    assert {tag: member for tag, member in found.items() if tag not in identifiers} == AS_JSON
    assert identifiers < found.keys()


def test_json_of_other_encodings(ours: httpx.Client) -> None:
    implicit = json_of(
        ours,
        file_of(
            (0x00280106, "US", b"\xff\xff"),
            (0x00281201, "OW", b"\1\0\2\0"),
            (0x00290010, "LO", b"SIEMENS CSA HEADER"),
            (0x00291008, "CS", b"IMAGE "),
            (0x00299999, "CS", b"ab"),
            syntax=IMPLICIT,
        ),
    )
    assert implicit["00280106"] == {"vr": "US", "Value": [65535]}
    assert implicit["00281201"] == {"vr": "OW", "Value": [1, 2]}
    assert implicit["00291008"] == {"vr": "CS", "Value": ["IMAGE"]}
    assert implicit["00299999"] == {"vr": "UN", "InlineBinary": "YWI="}
    hidden = item(element(0x00080050, "SH", b"in", IMPLICIT)) + SEQUENCE_END
    sequence = element(0x00081140, "UN", hidden, length=UNDEFINED)
    big = json_of(
        ours,
        file_of(
            (0x00189073, "FD", struct.pack(">d", 1.5)),
            (0x00280010, "US", struct.pack(">H", 2)),
            (0x7FE00010, "OW", struct.pack(">H", 258)),
            syntax=BIG,
        ),
    )
    assert big["00189073"]["Value"] == [1.5]
    assert big["00280010"]["Value"] == [2]
    assert base64.b64decode(big["7FE00010"]["InlineBinary"]) == struct.pack("<H", 258)
    unknown = json_of(ours, file_of(tail=sequence))
    assert unknown["00081140"]["Value"] == [{"00080050": {"vr": "SH", "Value": ["in"]}}]
    compressed = "1.2.840.10008.1.2.4.50"
    encapsulated = json_of(ours, file_of(announced=compressed, tail=fragments(b"", b"1234")))
    assert "7FE00010" not in encapsulated


def test_xml_holds_what_json_holds(both: Clients) -> None:
    data = file_of(*EVERYTHING)
    # Of whole numbers above 2^32 - 1 Orthanc makes no XML.
    fewer = file_of(*(each for each in EVERYTHING if each[1] != "OV"))
    mine, other = (
        ElementTree.fromstring(
            file_as(client, client.post("/instances", content=content).json()["ID"], XML).content
        )
        for client, content in zip(both, (data, fewer), strict=True)
    )
    assert mine.tag == other.tag
    found = {attribute.get("tag"): attribute for attribute in mine}
    assert list(found) == sorted(AS_JSON.keys() | json_of(both[0], data).keys())
    assert found["00080050"].attrib == {"tag": "00080050", "vr": "SH", "keyword": "AccessionNumber"}
    assert "keyword" not in found["00291001"].attrib
    assert [value.text for value in found["00080008"]] == ["A ", None, " B"]
    assert [value.get("number") for value in found["00080008"]] == ["1", "2", "3"]
    assert [value.text for value in found["00720081"]] == [str(2**64 - 1)]
    assert [value.text for value in found["00720076"]][1:] == ["10000000000", "inf", "nan"]
    # No Value elements beside the items, which the standard does not have.
    items = list(found["00081140"])
    assert [(each.tag, each.get("number")) for each in items] == [
        (f"{NAMESPACE}Item", "1"),
        (f"{NAMESPACE}Item", "2"),
    ]
    names = {attribute.get("tag"): attribute for attribute in other}["00100010"]
    assert ElementTree.tostring(found["00100010"]) == ElementTree.tostring(names)


def test_only_exactly_these_values_of_accept(ours: httpx.Client) -> None:
    identifier = ours.post("/instances", content=file_of()).json()["ID"]
    for accept in (
        f"{JSON};q=1",
        f"{JSON}, */*",
        "application/DICOM+json",
        "application/json",
        "multipart/related",
    ):
        answer = ours.get(f"/instances/{identifier}/file", headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/dicom", accept
    missing = ours.get(f"/instances/{identifier[:-8]}00000000/file", headers={"Accept": JSON})
    assert missing.status_code == 404
    assert json.loads(missing.content)["OrthancStatus"] == 17
