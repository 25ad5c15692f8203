"""Fuzzes the parsers of multipart bodies: fuzz_multipart.py FOLDER SECONDS.

FOLDER holds the instrumented extension buffers; it takes the place of the package's own. What
steers the fuzzer are the lines of the parsers, which are in Python.
"""

import sys

from guided import fuzz, mark_lines_of, use_instrumented

use_instrumented(sys.argv[1], "buffers")

from support.multipart_target import SEEDS, target  # noqa: E402

from orthanc_fast import multipart  # noqa: E402
from orthanc_fast.rest import form_data  # noqa: E402

if __name__ == "__main__":
    with mark_lines_of(multipart, form_data):
        fuzz(target, SEEDS, float(sys.argv[2]))
