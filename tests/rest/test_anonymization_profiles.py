"""Every tag of every profile, at the root and in items, in three encodings, beside Orthanc 1.13."""

import itertools
import json
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from support import generated
from support.edited import Canonical, file_bytes, item, read, sequence

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.services.modification.profiles import profile
from orthanc_fast.services.transcoding.transcode import transcode

Both = tuple[httpx.Client, httpx.Client]

VERSIONS = ("2008", "2017c", "2021b", "2023b")
ENCODINGS = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)

DICTIONARY = Dictionary()
# The server's own business, or what holds this test's items, or that which Orthanc fails with at
# the root.
APART = {0x00080018, 0x0020000D, 0x0020000E, 0x00100020, 0x00100010, 0x00080005}
FAILS_AT_ROOT = {0x0072006D}
PLACE = 0x00081115  # a sequence that no profile touches
RANGES = [0x50000010, 0x50003000, 0x60003000, 0x60004000, 0x60000022, 0x601E3000]

VALUES: dict[str, Any] = {
    **{vr: b"\1\2\3\4\5\6\7\1" for vr in ("OB", "OW", "UN", "OF", "OD", "OL", "OV")},
    **{vr: 7 for vr in ("US", "SS", "UL", "SL", "UV", "SV")},
    **{vr: 1.5 for vr in ("FL", "FD")},
    **{"DA": "20200101", "TM": "101010", "DT": "20200101101010", "AS": "012Y"},
    **{"IS": "7", "DS": "1.5", "AT": 0x00100010, "CS": "CODE", "UR": "http://x"},
}


def every_tag() -> list[int]:
    found = set(RANGES)
    for version in VERSIONS:
        table = profile(version)
        found |= table.removed | table.cleared | table.uids
    return sorted(tag for tag in found - APART if tag >> 16 > 8 or tag >> 16 == 8)


def add_all(dataset: Dataset, numbers: "itertools.count[int]", without: set[int]) -> None:
    for tag in every_tag():
        if tag in without:
            continue
        vr = DICTIONARY.entry(tag)
        name = "UN" if vr is None else vr[1].decode().split(" ")[-1]
        number = next(numbers)
        if name == "SQ":
            value: Any = sequence(item(CodeValue=f"V{number}"))
        elif name == "UI":
            value = f"1.2.3.{number}"
        else:
            value = VALUES.get(name, f"Value {number}")
        dataset.add_new(tag, name, value)


def sample(syntax: Any) -> FileDataset:
    dataset = generated.base()
    numbers = itertools.count(1)
    keys = [dataset[tag] for tag in (0x00080018, 0x0020000D, 0x0020000E, 0x00100020)]
    add_all(dataset, numbers, FAILS_AT_ROOT)
    for element in keys:
        dataset[element.tag] = element
    root = f"1.2.840.{ENCODINGS.index(syntax)}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = root, f"{root}.1"
    uid = UID(f"{root}.1.1")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    inside, below = Dataset(), Dataset()
    add_all(inside, numbers, set())
    add_all(below, numbers, set())
    inside.PatientID = below.PatientID = dataset.PatientID
    inside.add_new(PLACE, "SQ", sequence(below))
    dataset.add_new(PLACE, "SQ", sequence(inside, Dataset()))
    if syntax == ImplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def encoded(syntax: Any) -> bytes:
    data = file_bytes(sample(syntax))
    if syntax == ExplicitVRBigEndian:
        return transcode(data, syntax, 90, DICTIONARY).data
    return data


@pytest.mark.parametrize("syntax", ENCODINGS, ids=lambda uid: uid.name)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_tag(both: Both, version: str, syntax: Any) -> None:
    data = encoded(syntax)
    answers = [client.post("/instances", content=data).json() for client in both]
    trees = []
    for client, stored in zip(both, answers, strict=True):
        body = json.dumps({"DicomVersion": version})
        answer = client.post(f"/instances/{stored['ID']}/anonymize", content=body)
        assert answer.status_code == 200, answer.text
        trees.append(Canonical().tree(read(answer.content)))
    ours, theirs = trees
    for tag in RANGES:
        if version != "2008" and tag != 0x60000022:
            assert theirs.pop(f"{tag:08x}", None) is not None  # deviation: they stay there
    assert ours == theirs


@pytest.mark.parametrize("version", VERSIONS)
def test_no_value_is_left(ours: httpx.Client, version: str) -> None:
    """Those that are removed or emptied, and the old UIDs, are nowhere in the file."""
    dataset = sample(ExplicitVRLittleEndian)
    dataset.ReferencedSeriesSequence[0].PatientName = "Nested^Name"
    stored = ours.post("/instances", content=file_bytes(dataset)).json()
    body = json.dumps({"DicomVersion": version})
    found = ours.post(f"/instances/{stored['ID']}/anonymize", content=body).content
    table = profile(version)
    for place in (dataset, dataset.ReferencedSeriesSequence[0]):
        for tag in table.uids & set(every_tag()):
            if tag in place:
                assert str(place[tag].value).encode() not in found.split(b"\0")
    for value in (b"Nested^Name", b"Test^Person", b"PATIENT7777777777"):
        assert value not in found
