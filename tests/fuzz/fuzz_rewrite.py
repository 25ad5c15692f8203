"""Fuzzes the rewriter of data sets: fuzz_rewrite.py FOLDER SECONDS.

FOLDER holds the instrumented extensions rewrite and scan; they take the place of the package's own.
"""

import sys
from contextlib import suppress

from guided import fuzz, use_instrumented

use_instrumented(sys.argv[1], "rewrite", "scan")

from support.files import file_named  # noqa: E402
from support.rewriting import EXPLICIT, IMPLICIT, Form, check_lengths, rewritten  # noqa: E402

from orthanc_fast._ext.rewrite import RewriteError  # noqa: E402
from orthanc_fast.dicom.elements import Writer  # noqa: E402
from orthanc_fast.dicom.part10 import open_dicom  # noqa: E402

FORMS = (IMPLICIT, EXPLICIT, Form(False, True), Form(True, True))
TAGS = (0x00080000, 0x00080016, 0x00100010, 0x00280103, 0x00400275, 0x7FE00010)
HEAD = 2


def target(data: bytes) -> None:
    """The first byte chooses the encodings and whether compressed icons may stay, the second the
    edits; the rest is the data set."""
    if len(data) < HEAD:
        return
    source, form, nested = FORMS[data[0] & 3], FORMS[data[0] >> 2 & 3], data[0] >= 128
    write = Writer(form.explicit, form.big)
    edits = [
        (tag, write.text(tag, "LO", "new") if data[1] & 64 and tag & 0xFFFF else b"")
        for bit, tag in enumerate(TAGS)
        if data[1] >> bit & 1
    ]
    with suppress(RewriteError):
        once = rewritten(data[HEAD:], source, form, edits, nested)
        if nested and not source == form == EXPLICIT:
            return  # the items of compressed icons would have to change
        if form.explicit:
            check_lengths(once, form)
            assert rewritten(once, form, form, [], nested) == once
            return
        # Without VRs the dictionary decides what is a sequence, which may be none.
        twice = rewritten(once, form, form)
        assert rewritten(twice, form, form) == twice


def seed(name: str, form: Form, edits: int, nested: bool = False) -> bytes:
    """The beginning of a file, whose pixels are of no interest."""
    file = open_dicom(file_named(name).read_bytes())
    source = FORMS.index(Form(file.explicit, file.big))
    head = bytes((source | FORMS.index(form) << 2 | nested << 7, edits))
    return head + bytes(file.data[file.start : file.start + 6000])


NAMES = (
    "MR_truncated.dcm",
    "nested_priv_SQ.dcm",
    "UN_sequence.dcm",
    "rtplan.dcm",
    "chrX2.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "image_dfl.dcm",
    "chrJapMulti.dcm",
    "ExplVR_BigEnd.dcm",
)

if __name__ == "__main__":
    seeds = [seed(name, form, 0) for name in NAMES for form in FORMS]
    seeds += [seed(name, form, 127) for name in NAMES[:3] for form in FORMS]
    seeds += [seed(name, EXPLICIT, 0, nested=True) for name in NAMES[:5]]
    fuzz(target, seeds, float(sys.argv[2]))
