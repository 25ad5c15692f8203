"""Fuzzes the rewriting of data sets into other encodings: fuzz_rewrite.py FOLDER SECONDS.

FOLDER holds the instrumented extension rewrite; it takes the place of the package's own.
"""

import importlib.util
import sys
from contextlib import suppress
from pathlib import Path

from guided import fuzz

FOLDER = Path(sys.argv[1])
(path,) = FOLDER.glob("rewrite*.so")
spec = importlib.util.spec_from_file_location("orthanc_fast._ext.rewrite", path)
assert spec is not None and spec.loader is not None
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)

from support.files import file_named  # noqa: E402

from orthanc_fast._ext.rewrite import RewriteError, rewrite  # noqa: E402
from orthanc_fast.dicom.dictionary import Dictionary  # noqa: E402
from orthanc_fast.dicom.encoding import open_encoding  # noqa: E402

DICTIONARY = Dictionary()
EDITS = [(0x00080018, b""), (0x00280004, b"\x28\0\x04\0CS\x04\0RGB ")]


def target(data: bytes) -> None:
    """The first byte chooses the encodings and whether compressed icons may stay, the rest is the
    data set."""
    if not data:
        return
    explicit, big, to_explicit, to_big, nested, edited = (bool(data[0] >> n & 1) for n in range(6))
    edits = EDITS if edited else []
    with suppress(RewriteError):
        rewrite(data, 1, len(data), explicit, big, to_explicit, to_big, DICTIONARY, edits, nested)


NAMES = (
    "nested_priv_SQ.dcm",
    "UN_sequence.dcm",
    "rtplan.dcm",
    "chrX2.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
)


def seeds() -> list[bytes]:
    found = []
    for name in NAMES:
        source = open_encoding(file_named(name).read_bytes())
        content = bytes(source.data[source.start : source.start + 4000])
        own = source.explicit | source.big << 1
        found += [bytes([choice | own]) + content for choice in range(0, 64, 4)]
    return found


if __name__ == "__main__":
    fuzz(target, seeds(), float(sys.argv[2]))
