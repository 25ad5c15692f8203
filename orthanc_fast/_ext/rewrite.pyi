from typing import Protocol

from typing_extensions import Buffer

class RewriteError(ValueError): ...
class NestedPixels(RewriteError): ...

class _Dictionary(Protocol):
    standard: dict[int, tuple[bytes, bytes]]
    private: dict[bytes, dict[int, tuple[bytes, bytes]]]

def rewrite(
    data: Buffer,
    start: int,
    end: int,
    explicit: bool,
    big: bool,
    to_explicit: bool,
    to_big: bool,
    dictionary: _Dictionary,
    edits: list[tuple[int, bytes]],
    nested_pixels: bool,
) -> bytes: ...
