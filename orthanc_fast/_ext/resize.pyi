import numpy as np
from typing_extensions import Buffer

_Bytes = Buffer | np.ndarray

def nearest(
    source: _Bytes,
    rows: int,
    columns: int,
    samples: int,
    out: _Bytes,
    out_rows: int,
    out_columns: int,
) -> None: ...
def smooth(source: _Bytes, rows: int, columns: int, samples: int, out: _Bytes) -> None: ...
def average(
    source: _Bytes, rows: int, columns: int, samples: int, factor: int, out: _Bytes
) -> None: ...
