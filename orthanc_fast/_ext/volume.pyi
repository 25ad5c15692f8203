import numpy as np
from typing_extensions import Buffer

_Bytes = Buffer | np.ndarray

def to_float32(
    raw: _Bytes, kind: str, out: _Bytes, left: int, right: int, slope: float, intercept: float
) -> None: ...
def to_int16(values: _Bytes, out: _Bytes) -> None: ...
