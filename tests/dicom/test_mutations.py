"""Files that were cut or changed somewhere: an answer, or the error of a bad file. Never
anything else.

Seeds are fixed; the endless version of this is `make fuzz`.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from support.files import file_named
from support.mutations import mutated

from orthanc_fast.dicom.content import content
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.reader import read_header
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import OrthancError

DICTIONARY = Dictionary()
MAIN_TAGS = MainTags(DICTIONARY, {})
NAMES = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "image_dfl.dcm",
    "JPEG2000.dcm",
    "nested_priv_SQ.dcm",
    "priv_SQ.dcm",
    "rtplan.dcm",
    "UN_sequence.dcm",
    "chrX2.dcm",
    "emri_small_RLE.dcm",
    "DICOMDIR",
)
MUTATIONS = 400
# The longest form spends this much on one byte of input: a name, a type and a value for each.
GROWTH = 200


def use(data: bytes) -> int:
    """Everything that the doors do with a file; the number of calls that gave an answer."""
    answered = 0
    calls: list[Callable[[], object]] = [
        lambda: read_header(data, MAIN_TAGS, DICTIONARY),
        lambda: content(data, [], DICTIONARY),
        lambda: content(data, ["0010-0010"], DICTIONARY),
        lambda: content(data, ["7fe0-0010", "0"], DICTIONARY),
    ]
    for call in calls:
        try:
            call()
            answered += 1
        except OrthancError:
            continue
    for form in ("full", "short", "simplify"):
        try:
            text = tags_json(data, form, DICTIONARY, whole=True)
        except OrthancError:
            continue
        answered += 1
        assert len(text) <= GROWTH * max(len(data), 512)
    return answered


def test_unchanged_files_are_answered() -> None:
    assert all(use(file_named(name).read_bytes()) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_mutations(name: str) -> None:
    data = file_named(name).read_bytes()
    chance = random.Random(Path(name).stem)
    for _ in range(MUTATIONS):
        use(mutated(data, chance))


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_of_the_header(name: str) -> None:
    data = file_named(name).read_bytes()
    for end in range(0, min(len(data), 1500), 7):
        use(data[:end])
