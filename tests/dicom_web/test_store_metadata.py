"""STOW-RS of metadata, as JSON or XML, with bulk data: PS3.18, section 10.5.2."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from support import generated
from support.http_peer import HttpPeer, answer
from support.stow import instance, outcome, post, stored

from orthanc_fast.dicom.attributes import read_attributes
from orthanc_fast.dicom.data_set_models import data_set_xml
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.model_reading import model_of_xml
from orthanc_fast.errors import BadFileFormat

KIND = 'multipart/related; type="application/dicom+json"; boundary=BB'
XML_KIND = 'multipart/related; type="application/dicom+xml"; boundary=BB'
ROOT = f"{generated.ROOT}.80"


def part(content: bytes, kind: str | None, location: str | None = None) -> bytes:
    fields = {"Content-Type": kind, "Content-Location": location}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return b"--BB\r\n" + "".join(lines).encode() + b"\r\n" + content + b"\r\n"


def split(dataset: Dataset, prefix: str = "bulk") -> tuple[dict[str, Any], bytes]:
    """The JSON of a data set, and the parts of its bulk data."""
    parts: list[bytes] = []

    def keep(element: Any) -> str:
        location = f"{prefix}/{len(parts)}"
        parts.append(part(element.value, "application/octet-stream", location))
        return location

    return dataset.to_json_dict(bulk_data_threshold=64, bulk_data_element_handler=keep), b"".join(
        parts
    )


def sample(number: int, **changes: Any) -> Dataset:
    pixels = np.arange(64, dtype="<u2").tobytes()
    return pydicom.dcmread(io.BytesIO(instance(number, 80, PixelData=pixels, **changes)))


def test_json_with_bulk_data(ours: httpx.Client) -> None:
    datasets = [sample(number, PatientName="Müller^Jörg") for number in range(3)]
    models, bulks = zip(*(split(each, f"b{at}") for at, each in enumerate(datasets)), strict=True)
    metadata = part(json.dumps(models).encode(), "application/dicom+json")
    for content in (metadata + b"".join(bulks), b"".join(bulks) + metadata):
        answer = post(ours, content + b"--BB--", kind=KIND)
        found = outcome(answer)
        assert found.status == 200
        assert [uid for _, uid, _ in found.stored] == [each.SOPInstanceUID for each in datasets]
        for dataset in datasets:
            same = stored(ours, dataset.SOPInstanceUID)
            assert same.SpecificCharacterSet == "ISO_IR 192"
            same.SpecificCharacterSet = dataset.SpecificCharacterSet
            assert same == dataset
        for each in datasets:
            ours.delete(f"/dicom-web/studies/{each.StudyInstanceUID}")


def test_inline_binary_and_nested_bulk_data(ours: httpx.Client) -> None:
    dataset = sample(10)
    dataset.IconImageSequence = [Dataset()]
    dataset.IconImageSequence[0].PixelData = bytes(range(100))
    dataset.IconImageSequence[0]["PixelData"].VR = "OB"
    model, bulks = split(dataset)
    content = part(json.dumps(model).encode(), None) + bulks + b"--BB--"
    assert outcome(post(ours, content, kind=KIND)).status == 200
    assert stored(ours, dataset.SOPInstanceUID) == dataset
    dataset.SOPInstanceUID = f"{ROOT}.1.11"
    inline = part(json.dumps([dataset.to_json_dict(1 << 20)]).encode(), "application/dicom+json")
    assert outcome(post(ours, inline + b"--BB--", kind=KIND)).status == 200
    assert stored(ours, dataset.SOPInstanceUID) == dataset


def test_xml_with_bulk_data(ours: httpx.Client) -> None:
    dataset = sample(20)
    pixels = bytes(dataset.PixelData)
    del dataset.PixelData
    file = instance(20, 80, PixelData=None)
    xml = data_set_xml(read_attributes(file, Dictionary(), "Latin1"))
    bulk = b'<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="p" /></DicomAttribute></Native'
    xml = xml.replace(b"</Native", bulk)
    content = part(xml, "application/dicom+xml") + part(pixels, "application/octet-stream", "p")
    assert outcome(post(ours, content + b"--BB--", kind=XML_KIND)).status == 200
    same = stored(ours, dataset.SOPInstanceUID)
    assert same.PixelData == pixels
    del same.PixelData
    assert same == dataset


@pytest.mark.parametrize(
    ("kind", "frame", "syntax"),
    [
        ("image/jp2", b"frame", "1.2.840.10008.1.2.4.90"),
        ("image/jls", b"frames", "1.2.840.10008.1.2.4.80"),
        ("image/jpeg", b"\xff\xd8\xff\xc0\0\x0b", "1.2.840.10008.1.2.4.50"),
        ("image/jpeg", b"\xff\xd8\xff\xe0\0\x02\xff\xc1\0\x0b", "1.2.840.10008.1.2.4.51"),
        ("image/jpeg", b"\xff\xd8\xff\xc3\0\x0b", "1.2.840.10008.1.2.4.70"),
        ("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.57", b"x", "1.2.840.10008.1.2.4.57"),
        ("image/dicom-rle", b"frame", "1.2.840.10008.1.2.5"),
        ("video/mp4", b"frame", "1.2.840.10008.1.2.4.102"),
    ],
)
def test_compressed_frames(ours: httpx.Client, kind: str, frame: bytes, syntax: str) -> None:
    """Parts of one address are the frames of an image."""
    dataset = sample(30, NumberOfFrames="2")
    dataset.SOPInstanceUID = f"{ROOT}.1.{abs(hash((kind, frame))) % 10**8}"
    del dataset.PixelData
    model = dataset.to_json_dict()
    model["7FE00010"] = {"vr": "OB", "BulkDataURI": "pixels"}
    frames = part(frame, kind, "pixels") + part(frame + b"2", kind, "pixels")
    content = part(json.dumps([model]).encode(), "application/dicom+json") + frames
    assert outcome(post(ours, content + b"--BB--", kind=KIND)).status == 200
    same = stored(ours, dataset.SOPInstanceUID)
    assert same.file_meta.TransferSyntaxUID == syntax
    found = [each.rstrip(b"\0") for each in generate_frames(same.PixelData, number_of_frames=2)]
    assert found == [frame, frame + b"2"]


def test_what_is_missing(ours: httpx.Client) -> None:
    whole, lost = sample(40), sample(41)
    models = [split(whole)[0], split(lost, "lost")[0], {"00100020": {"vr": "LO"}}]
    models[0]["00420011"] = {"vr": "OB", "BulkDataURI": "not there"}
    content = part(json.dumps(models).encode(), "application/dicom+json") + split(whole)[1]
    answer = post(ours, content + b"--BB--", kind=KIND)
    found = outcome(answer)
    assert found.status == 202
    assert [uid for _, uid, _ in found.stored] == [whole.SOPInstanceUID]
    assert found.failed == [(generated.CT, lost.SOPInstanceUID, 0xC000)]
    assert found.others == [0xC000]
    # The document was discarded, which the answer says.
    (item,) = answer.json()["00081199"]["Value"]
    assert item["00081196"] == {"vr": "US", "Value": [0xB006]}


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><NativeDicomModel/>'
FOREIGN = b'<?xml version="1.0" encoding="nonsense"?><NativeDicomModel/>'


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (KIND, part(b"no json", "application/dicom+json")),
        (KIND, part(b"[1, 2]", "application/dicom+json")),
        (KIND, part(b"[" * 100_000, "application/dicom+json")),
        (KIND, part(b'[{"zz": {"vr": "LO"}}]', "application/dicom+json")),
        (KIND, part(b'{"00080016": 1, "00080018": {"Value": 7}}', "application/dicom+json")),
        (KIND, part(b"x", "application/octet-stream")),
        (XML_KIND, part(b"<a>", "application/dicom+xml")),
        (XML_KIND, part(b"<html/>", "application/dicom+xml")),
        (XML_KIND, part(ENTITIES, "application/dicom+xml")),
        (XML_KIND, part(ENTITIES.decode().encode("utf-16"), "application/dicom+xml")),
        (XML_KIND, part(FOREIGN, "application/dicom+xml")),
        (XML_KIND, part(b"<x>" * 100_000, "application/dicom+xml")),
    ],
)
def test_metadata_that_are_none(ours: httpx.Client, kind: str, content: bytes) -> None:
    assert post(ours, content + b"--BB--", kind=kind).status_code == 400


def test_entities_in_any_encoding() -> None:
    for encoding in ("utf-8", "utf-16", "utf-16-be"):
        with pytest.raises(BadFileFormat, match="no entities"):
            model_of_xml(ENTITIES.decode().encode(encoding))


@pytest.mark.parametrize(
    ("key", "member"),
    [
        ("00420011", {"vr": "OB", "BulkDataURI": ["bulk/0"]}),
        ("7FE00010", {"vr": "OW", "BulkDataURI": {}}),
        ("00420011", {"vr": ["OB"], "BulkDataURI": "bulk/0"}),
        ("FFFFFFFF", {"vr": "OB", "BulkDataURI": "bulk/0"}),
        ("FFFEE0DD", {"vr": "OB", "InlineBinary": "AAAA"}),
        ("0x420011", {"vr": "OB", "BulkDataURI": "bulk/0"}),
        ("0_0_4_22", {"vr": "OB", "BulkDataURI": "bulk/0"}),
    ],
)
def test_references_that_are_none(ours: httpx.Client, key: str, member: Any) -> None:
    dataset = sample(60)
    model, bulks = split(dataset)
    content = part(json.dumps({**model, key: member}).encode(), None) + bulks + b"--BB--"
    found = outcome(post(ours, content, kind=KIND))
    assert found.status == 400
    assert found.failed == [(generated.CT, dataset.SOPInstanceUID, 0xC000)]


def test_addresses_of_others_are_never_asked(ours: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    with HttpPeer(lambda received: answer(200, b"secret")) as peer:
        for number, address in enumerate((f"file://{tmp_path}/secret", f"{peer.url}secret")):
            dataset = sample(70 + number)
            model, bulks = split(dataset)
            model["00420011"] = {"vr": "OB", "BulkDataURI": address}
            model["00081140"] = {"vr": "SQ", "Value": [{"00420011": model["00420011"]}]}
            content = part(json.dumps(model).encode(), None) + bulks + b"--BB--"
            assert outcome(post(ours, content, kind=KIND)).status == 200
            same = stored(ours, dataset.SOPInstanceUID)
            assert "EncapsulatedDocument" not in same
            assert not same.ReferencedImageSequence[0].get("EncapsulatedDocument")
        assert peer.connections == 0


def test_values_that_are_none(ours: httpx.Client) -> None:
    """Whatever pydicom thinks of them, it is the client's fault."""
    good = split(sample(50))[0]
    bad: list[Any] = [
        {"vr": "XX", "Value": [1]},
        {"vr": "US", "Value": ["x"]},
        {"vr": "US", "Value": [70_000]},
        {"vr": "SQ", "Value": [1]},
        {"vr": "PN", "Value": [{"Alphabetic": 7}]},
        {"vr": "OB", "InlineBinary": "?"},
        {"vr": "OB", "InlineBinary": base64.b64encode(b"x").decode(), "Value": [1]},
        {"Value": 7},
        7,
    ]
    for member in bad:
        model = {**good, "00091001": member}
        content = part(json.dumps(model).encode(), None) + split(sample(50))[1] + b"--BB--"
        assert post(ours, content, kind=KIND).status_code in (200, 400), member
