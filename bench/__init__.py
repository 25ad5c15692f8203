"""Benchmarks by name: `python -m bench [rest] [ingest] [million] [kernels]`. See `__main__`.

They use the servers and the generated files of the tests.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
