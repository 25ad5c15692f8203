import numpy as np
from typing_extensions import Buffer

_Bytes = Buffer | np.ndarray

def rgb_from_ybr(raw: _Bytes, out: _Bytes, width: int, bits: int, partial: bool) -> None: ...
def apply_palette(
    indices: _Bytes, width: int, table: _Bytes, entry_width: int, out: _Bytes
) -> None: ...
