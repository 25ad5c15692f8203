import numpy as np
from typing_extensions import Buffer

_Bytes = Buffer | np.ndarray

def encode(cells: _Bytes, rows: int, columns: int, size: int, selection: int) -> bytes: ...
