"""Fuzzes the requestor's side of an association: fuzz_requestor.py FOLDER SECONDS.

FOLDER holds the instrumented extensions pdata and pdata_writer; they take the places of the
package's own.
"""

import logging
import sys
import warnings

from guided import fuzz, use_instrumented

use_instrumented(sys.argv[1], "pdata", "pdata_writer")

from support.requestor_target import SEEDS, target  # noqa: E402

if __name__ == "__main__":
    logging.disable()  # pynetdicom tells of each bad answer
    warnings.simplefilter("ignore")  # and pydicom of each odd value
    fuzz(target, SEEDS, float(sys.argv[2]))
