"""The tree of directory records: its offsets, and what is refused."""

import io
import zlib

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_fast._ext.dicomdir import Directory
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.file_meta import meta_header
from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE

HEADER = meta_header(b"1.2.840.10008.1.3.10", b"1.2.3", EXPLICIT_LITTLE)
KIND = 0x00041430
COMMENTS = 0x00104000


def body(name: str) -> bytes:
    return Writer(explicit=True, big=False).text(KIND, "CS", name)


@given(st.lists(st.integers(0, 1 << 30), max_size=60))
def test_offsets_lead_through_the_tree(chosen: list[int]) -> None:
    """Each record has a parent among those before it, or none."""
    directory, parents = Directory(zlib.compress, zlib.decompress), list[int]()
    for number, choice in enumerate(chosen):
        parent = choice % (number + 1) - 1
        if parent >= 0 and depth(parents, parent) > 6:
            parent = -1
        assert directory.add(parent, body(f"R{number}")) == number
        parents.append(parent)
    assert len(directory) == len(chosen)
    size, made = directory.begin(HEADER, b"MEDIA")
    while part := directory.part(chosen[0] % 500 if chosen else 0):
        made += part
    assert len(made) == size
    found = pydicom.dcmread(io.BytesIO(made))
    by_offset = {record.seq_item_tell: record for record in found.DirectoryRecordSequence}
    assert len(by_offset) == len(chosen)
    walked: list[tuple[str, int]] = []

    def walk(offset: int, parent: int) -> None:
        while offset:
            record = by_offset[offset]
            name = record.DirectoryRecordType
            walked.append((name, parent))
            walk(record.OffsetOfReferencedLowerLevelDirectoryEntity, int(name[1:]))
            offset = record.OffsetOfTheNextDirectoryRecord

    walk(found.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity, -1)
    assert sorted(walked) == sorted((f"R{n}", parent) for n, parent in enumerate(parents))
    assert [record.DirectoryRecordType for record in found.DirectoryRecordSequence] == [
        name for name, _ in walked
    ]
    roots = [number for number, parent in enumerate(parents) if parent < 0]
    last = found.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity
    assert last == 0 if not roots else by_offset[last].DirectoryRecordType == f"R{roots[-1]}"


def test_elements_of_many_blocks() -> None:
    """Which are asked for in another order than they came."""
    directory, write = Directory(zlib.compress, zlib.decompress), Writer(explicit=True, big=False)
    roots = [directory.add(-1, body(f"R{number}")) for number in range(3)]
    texts = [f"{number} " * 700 for number in range(400)]
    for number, text in enumerate(texts):
        directory.add(roots[number % 3], body("X") + write.text(COMMENTS, "LT", text))
    _, made = directory.begin(HEADER, b"MEDIA")
    while part := directory.part(10_000):
        made += part
    found = pydicom.dcmread(io.BytesIO(made)).DirectoryRecordSequence
    shown = [record.PatientComments for record in found if "PatientComments" in record]
    assert shown == [text.rstrip() for start in range(3) for text in texts[start::3]]


def depth(parents: list[int], number: int) -> int:
    levels = 0
    while number >= 0:
        number, levels = parents[number], levels + 1
    return levels


def test_what_is_no_tree_is_refused() -> None:
    directory = Directory(zlib.compress, zlib.decompress)
    for parent in (-2, 0, 5):
        with pytest.raises(ValueError, match="no record"):
            directory.add(parent, b"")
    below = -1
    for _ in range(8):
        below = directory.add(below, body("R"))
    with pytest.raises(ValueError, match="deep"):
        directory.add(below, body("R"))
    with pytest.raises(ValueError, match="17 bytes"):
        directory.begin(HEADER, b"A" * 17)
