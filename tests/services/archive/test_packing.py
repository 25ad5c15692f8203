"""Who packs archives, and when."""

import os
import subprocess
import sys

import pytest

_ASKED = """
import os, threading
from orthanc_fast.services.archive.packing import PackingThreads

with PackingThreads({in_background}) as threads:
    ask = lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    print(threads.submit(ask).result() - os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.parametrize(
    ("of_process", "in_background", "more"),
    [(0, False, 10), (5, False, 10), (12, False, 7), (10, True, 0)],
)
def test_threads_step_back(of_process: int, in_background: bool, more: int) -> None:
    """Also where the server has been started with a niceness, of which nothing may be taken back;
    the highest is 19."""
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness:
        pytest.fail("this test counts from a niceness of 0")
    code = _ASKED.format(in_background=in_background)
    command = ["nice", "-n", str(of_process), sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(found.stdout) == more
