"""Fuzzes the editor of data sets: fuzz_edit.py FOLDER SECONDS.

FOLDER holds the instrumented extensions edit and scan; they take the place of the package's own.
"""

import sys
from contextlib import suppress

from guided import fuzz, use_instrumented

use_instrumented(sys.argv[1], "edit", "scan")

from support.files import file_named  # noqa: E402
from support.rewriting import EXPLICIT, IMPLICIT, Form  # noqa: E402

from orthanc_fast._ext.edit import EditError, edit  # noqa: E402
from orthanc_fast.dicom.dictionary import Dictionary  # noqa: E402
from orthanc_fast.dicom.edits import Action, Rule, Tables  # noqa: E402
from orthanc_fast.dicom.elements import Writer  # noqa: E402
from orthanc_fast.dicom.part10 import open_dicom  # noqa: E402
from orthanc_fast.dicom.tag_paths import parse_path  # noqa: E402

FORMS = (IMPLICIT, EXPLICIT, Form(False, True), Form(True, True))
HEAD = 2
DICTIONARY = Dictionary()
TABLES = Tables(DICTIONARY)
RULES: dict[int, Rule] = {
    0x00080016: (Action.KEEP, 0),
    0x00080018: (Action.MAP, 0),
    0x00080020: (Action.CLEAR, 0),
    0x00081140: (Action.REMOVE, 0),
    0x00081155: (Action.MAP, 1),
    0x00100010: (Action.REPLACE, 0),
    0x00400275: (Action.CLEAR, 0),
}
PATHS = [
    (parse_path(text, DICTIONARY), action, 0)
    for text, action in (
        ("BeamSequence[*].BeamName", Action.REMOVE),
        ("BeamSequence[0].PatientName", Action.REPLACE),
        ("ReferencedImageSequence[1].0008,1155", Action.KEEP),
    )
]
SAFE = {"GEMS_ACQU_01": [0x1902, 0x1923], "AB": [0x0901], "SIEMENS MEDCOM HEADER": [0x2908]}
STEPS = (
    TABLES.rules(RULES, RULES, [(0xFF010000, 0x00180000)], PATHS, True, True),
    TABLES.rules({}, {}, paths=PATHS),
    TABLES.rules(RULES, {}),
    TABLES.rules({}, {}, private_nested=True),
    TABLES.rules(RULES, RULES, [], [], True, True, SAFE, 16, 17),
    TABLES.rules({}, {}, private_root=True, safe=SAFE, dates=17),
)


def target(data: bytes) -> None:
    """The first byte chooses the encoding, the second the rules and whether all is told; the rest
    is the data set. What has been edited can be edited again."""
    if len(data) < HEAD:
        return
    form, rules = FORMS[data[0] & 3], STEPS[(data[1] & 0x7F) % len(STEPS)]
    values = [
        (
            Writer(form.explicit, form.big).text(0x00100010, "PN", "new"),
            Writer(False, False).text(0x00100010, "PN", "new"),
        )
    ]
    found = data[HEAD:]
    trace: list[object] | None = [] if data[1] & 0x80 else None
    with suppress(EditError):
        for _ in range(2):
            head, rest = edit(
                found,
                0,
                len(found),
                form.explicit,
                form.big,
                rules,
                values,
                lambda kind, old: b"1.2.%d" % (kind + len(old)),
                trace,
            )
            found = b"".join([*head, *rest])


def seed(name: str, rules: int) -> bytes:
    """The beginning of a file, whose pixels are of no interest."""
    file = open_dicom(file_named(name).read_bytes())
    head = bytes((FORMS.index(Form(file.explicit, file.big)), rules))
    return head + bytes(file.data[file.start : file.start + 6000])


NAMES = (
    "CT_small.dcm",
    "nested_priv_SQ.dcm",
    "UN_sequence.dcm",
    "rtplan.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "image_dfl.dcm",
)

if __name__ == "__main__":
    seeds = [seed(name, rules) for name in NAMES for rules in (*range(len(STEPS)), 0x84)]
    fuzz(target, seeds, float(sys.argv[2]))
