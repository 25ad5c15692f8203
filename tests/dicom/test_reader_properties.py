"""Generated data sets, written by pydicom in every encoding: our reader sees what pydicom wrote."""

import io
import json
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from support.encoded import BIG, EXPLICIT, IMPLICIT, Exactly, file_of

from orthanc_fast.dicom.dictionary import VRS, Dictionary
from orthanc_fast.dicom.identifiers import identify
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import OrthancError
from orthanc_fast.model import Level

DICTIONARY = Dictionary()
MAIN_TAGS = MainTags(DICTIONARY, {})

SYNTAXES = st.sampled_from(
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ]
)
TEXT = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=16)
UIDS = st.lists(st.integers(1, 10**6), min_size=1, max_size=6).map(
    lambda parts: "1.2." + ".".join(map(str, parts))
)

# Tags of most VRs that are no identifiers, with strategies of what pydicom takes for them.
ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "Modality": TEXT.map(lambda text: text[:16].upper()),
    "Manufacturer": TEXT,
    "PatientName": TEXT.map(lambda text: f"{text}^Given"),
    "PatientBirthDate": st.dates(date(1800, 1, 1)).map(lambda day: f"{day:%Y%m%d}"),
    "StudyTime": st.times().map(lambda time: f"{time:%H%M%S}"),
    "PatientAge": st.integers(0, 999).map(lambda years: f"{years:03d}Y"),
    "SeriesNumber": st.integers(-999, 9999),
    "InstanceNumber": st.integers(0, 99999),
    "PatientWeight": st.integers(0, 300).map(lambda kilograms: f"{kilograms}.5"),
    "FrameIncrementPointer": st.just(0x00181063),
    "Rows": st.integers(1, 65535),
    "Columns": st.integers(1, 65535),
    "ReferencePixelX0": st.integers(-(2**31), 2**31 - 1),
    "RecommendedDisplayFrameRateInFloat": st.just(2.5),
    "ImageComments": TEXT,
    "ReferencedSOPInstanceUIDInFile": UIDS,
    "InstitutionAddress": TEXT,
}
FLAT = st.fixed_dictionaries({}, optional=ELEMENTS)


def dataset(values: dict[str, Any], nested: list[dict[str, Any]], undefined: bool) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    if nested:
        items = [dataset(item, [], undefined) for item in nested]
        for item in items:
            item.is_undefined_length_sequence_item = undefined
        made.ReferencedSeriesSequence = DicomSequence(items)
        made["ReferencedSeriesSequence"].is_undefined_length = undefined
    return made


def encoded(data: Dataset, syntax: str) -> bytes:
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    buffer = io.BytesIO()
    dcmwrite(buffer, data, enforce_file_format=True)
    return buffer.getvalue()


def text(value: Any) -> str:
    """What the JSON shows of one of the values above."""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


@settings(max_examples=120, deadline=None)
@given(
    values=FLAT,
    nested=st.lists(FLAT, max_size=3),
    undefined=st.booleans(),
    syntax=SYNTAXES,
    identifiers=st.tuples(TEXT, UIDS, UIDS, UIDS),
    private=st.booleans(),
)
def test_round_trip(
    values: dict[str, Any],
    nested: list[dict[str, Any]],
    undefined: bool,
    syntax: str,
    identifiers: tuple[str, str, str, str],
    private: bool,
) -> None:
    written = dataset(values, nested, undefined)
    written.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    written.PatientID, written.StudyInstanceUID = identifiers[:2]
    written.SeriesInstanceUID, written.SOPInstanceUID = identifiers[2:]
    if private:
        block = written.private_block(0x0029, "ORTHANC_FAST TEST", create=True)
        block.add_new(0x01, "LO", "private")
    data = encoded(written, syntax)

    header = read_header(data, MAIN_TAGS, DICTIONARY)

    assert (header.patient_id, header.study_uid, header.series_uid, header.sop_uid) == identifiers
    assert header.transfer_syntax == syntax
    assert header.sop_class == written.SOPClassUID
    for level in Level:
        for tag, shown in header.main_tags[level].items():
            assert shown == text(written[tag].value)

    simple = json.loads(tags_json(data, "simplify", DICTIONARY, "Latin1"))
    full = json.loads(tags_json(data, "full", DICTIONARY, "Latin1"))
    for name, value in values.items():
        if name != "FrameIncrementPointer":
            assert simple[name] == text(value), name
    assert simple.get("FrameIncrementPointer", "0018,1063") == "0018,1063"
    if nested:
        shown = simple["ReferencedSeriesSequence"]
        assert [set(item) for item in shown] == [set(item) for item in nested]
        for item, expected in zip(shown, nested, strict=True):
            for name, value in expected.items():
                if name != "FrameIncrementPointer":
                    assert item[name] == text(value)
    if private:
        assert full["0029,0010"]["Value"] == "ORTHANC_FAST TEST"
        # Implicit VR does not say what a private value is.
        known = syntax != ImplicitVRLittleEndian
        assert full["0029,1001"]["Value"] == ("private" if known else None)
    assert set(full) == {
        f"{element.tag.group:04x},{element.tag.element:04x}" for element in written
    }


PADDINGS = st.text(alphabet=" \0", max_size=5).map(str.encode)
WHITE = st.text(alphabet=" \t\n\v\f\r", max_size=3).map(str.encode)


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.tuples(WHITE, UIDS.map(str.encode)), min_size=1, max_size=3),
    behind=PADDINGS,
    patient=TEXT,
    syntax=st.sampled_from([IMPLICIT, EXPLICIT, BIG]),
)
def test_padding_changes_no_identifier(
    parts: list[tuple[bytes, bytes]], behind: bytes, patient: str, syntax: str
) -> None:
    clean = b"".join(uid for _, uid in parts)
    padded = b"".join(white + uid for white, uid in parts)
    identities = {
        identify(
            read_header(
                file_of(
                    (0x00100020, "LO", Exactly(patient.encode() + end)),
                    *((tag, "UI", Exactly(uid + end)) for tag in (0x20000D, 0x20000E, 0x80018)),
                    syntax=syntax,
                ),
                MAIN_TAGS,
                DICTIONARY,
            )
        )
        for uid, end in ((clean, b""), (padded, behind), (clean, behind))
    }
    assert len(identities) == 1


@settings(max_examples=300, deadline=None)
@given(
    tag=st.sampled_from([0x00100020, 0x00200013, 0x00280010, 0x00280100, 0x00540081, 0x00280106]),
    vr=st.sampled_from([*sorted(VRS - {"SQ"}), "--", "ZZ", "??"]),
    value=st.binary(max_size=40) | st.text("0123456789+-. \\\\", max_size=300).map(str.encode),
    syntax=st.sampled_from([IMPLICIT, EXPLICIT, BIG]),
)
def test_any_value_with_any_vr(tag: int, vr: str, value: bytes, syntax: str) -> None:
    """Stored or refused; the header says what the JSON shows, and numbers stay small."""
    data = file_of(
        (0x00280103, "US", bytes(2)),
        (tag, vr, Exactly(value)),
        (0x7FE00010, "OB", b"ab"),
        syntax=syntax,
    )
    try:
        header = read_header(data, MAIN_TAGS, DICTIONARY)
    except OrthancError:
        return
    shown = json.loads(tags_json(data, "short", DICTIONARY))[f"{tag >> 16:04x},{tag & 0xFFFF:04x}"]
    for level in Level:
        if tag in MAIN_TAGS.levels[level]:
            assert header.main_tags[level].get(tag) == shown
    assert header.pixels is not None
    for number in (header.pixels.rows, header.pixels.bits_allocated):
        assert number is None or abs(number) < 1 << 64
