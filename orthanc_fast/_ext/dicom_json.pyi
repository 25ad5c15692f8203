from collections.abc import Callable

from typing_extensions import Buffer

class DataSetError(ValueError): ...

def data_set_json(
    data: Buffer,
    start: int,
    explicit: bool,
    big: bool,
    mode: int,
    prefix: bytes,
    plain: bool,
    vr_of: Callable[[int, int, bytes | None, bool, bool], int],
    values_of: Callable[[int, int, bytes], bytes | None],
    inline_of: Callable[[int, bytes, bool], bytes],
) -> bytes: ...
