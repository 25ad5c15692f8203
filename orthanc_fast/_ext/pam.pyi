import numpy as np
from typing_extensions import Buffer

_Bytes = Buffer | np.ndarray

def swap_bytes(samples: _Bytes, out: _Bytes) -> None: ...
