import numpy as np
from typing_extensions import Buffer

_Bytes = Buffer | np.ndarray

def filter_up(pixels: _Bytes, rows: int, stride: int, swapped: bool, out: _Bytes) -> None: ...
def undo_filters(
    filtered: _Bytes, rows: int, columns: int, samples: int, kept: int, wide: bool, out: _Bytes
) -> None: ...
