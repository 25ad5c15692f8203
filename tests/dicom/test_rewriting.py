"""Data sets in another encoding: what the rewriter makes of files that are cut or changed, and of
what no regular file holds. Regular files are read back by pydicom in tests/services/test_transcode.
"""

import random

import pytest
from support.files import file_named
from support.mutations import mutated
from support.rewriting import EXPLICIT, IMPLICIT, Form, check_lengths, rewritten

from orthanc_fast._ext.rewrite import RewriteError
from orthanc_fast.dicom.elements import Writer
from orthanc_fast.dicom.part10 import open_dicom

BIG = Form(True, True)
EXPLICIT_FORMS = (EXPLICIT, BIG)
NAMES = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "chrJapMulti.dcm",  # with group lengths
    "nested_priv_SQ.dcm",
    "rtplan.dcm",
)
MUTATIONS = 200


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_sound_whatever_was_read(name: str) -> None:
    file = open_dicom(file_named(name).read_bytes())
    source = Form(file.explicit, file.big)
    data = bytes(file.data[file.start :])
    chance = random.Random(name)
    written = 0
    for _ in range(MUTATIONS):
        changed = mutated(data, chance)
        for form in EXPLICIT_FORMS:
            try:
                once = rewritten(changed, source, form)
            except RewriteError:
                continue
            check_lengths(once, form)
            assert rewritten(once, form, form) == once
            written += 1
    assert written


@pytest.mark.parametrize("form", [IMPLICIT, *EXPLICIT_FORMS])
def test_group_lengths_of_one_group_twice(form: Form) -> None:
    """Both are computed; before, the first one was what the memory held."""
    write = Writer(*form)
    length = write.element(0x00100000, "UL", b"\xff" * 4)
    name = write.text(0x00100010, "PN", "Name")
    result = rewritten(length + name + length + name, form, form)
    check_lengths(result, form)
    length_of_name = len(name).to_bytes(4, "big" if form.big else "little")
    right = write.element(0x00100000, "UL", length_of_name)
    assert result == (right + name) * 2
