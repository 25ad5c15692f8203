"""Fuzzes the DICOM reader, the tag JSON and the content cursor: fuzz_reader.py FOLDER SECONDS.

FOLDER holds the instrumented extensions scan and tagjson; they take the place of the package's own.
"""

import sys
from contextlib import suppress

from guided import fuzz, use_instrumented

use_instrumented(sys.argv[1], "scan", "tagjson")

from support.files import file_named  # noqa: E402

from orthanc_fast.dicom.content import content  # noqa: E402
from orthanc_fast.dicom.dictionary import Dictionary  # noqa: E402
from orthanc_fast.dicom.main_tags import MainTags  # noqa: E402
from orthanc_fast.dicom.reader import read_header  # noqa: E402
from orthanc_fast.dicom.tag_json import tags_json  # noqa: E402
from orthanc_fast.errors import OrthancError  # noqa: E402

DICTIONARY = Dictionary()
MAIN_TAGS = MainTags(DICTIONARY, {})
PATHS: tuple[list[str], ...] = (
    [],
    ["0010-0010"],
    ["0008-1140", "0", "0008-1150"],
    ["7fe0-0010", "0"],
)


def target(data: bytes) -> None:
    """Raises nothing but the error of a bad file, whatever comes."""
    with suppress(OrthancError):
        read_header(data, MAIN_TAGS, DICTIONARY)
    with suppress(OrthancError):
        tags_json(data, "full", DICTIONARY, whole=True)
    for path in PATHS:
        with suppress(OrthancError):
            content(data, path, DICTIONARY)


SEEDS = (
    "MR_truncated.dcm",
    "nested_priv_SQ.dcm",
    "UN_sequence.dcm",
    "rtplan.dcm",
    "chrX2.dcm",
    "chrJapMulti.dcm",
    "SC_rgb_rle_2frame.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "image_dfl.dcm",
)

if __name__ == "__main__":
    # The pixels are of no interest and would take most of the mutations.
    fuzz(target, [file_named(name).read_bytes()[:6000] for name in SEEDS], float(sys.argv[2]))
