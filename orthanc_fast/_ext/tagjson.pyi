from collections.abc import Callable
from typing import Any, Protocol

from typing_extensions import Buffer

class TagError(ValueError): ...

class _Dictionary(Protocol):
    standard: dict[int, tuple[bytes, bytes]]
    private: dict[bytes, dict[int, tuple[bytes, bytes]]]
    signed: frozenset[int]

class _CharacterSet(Protocol):
    @property
    def name(self) -> str: ...

_Decode = Callable[[bytes, Any, str], str]

def dataset_json(
    data: Buffer,
    start: int,
    end: int,
    explicit: bool,
    big: bool,
    form: int,
    whole: bool,
    inject: bool,
    dictionary: _Dictionary,
    character_set: _CharacterSet,
    decode: _Decode,
    unlimited: frozenset[int],
) -> bytes: ...
def sequence_json(
    element: Buffer,
    explicit: bool,
    big: bool,
    dictionary: _Dictionary,
    character_set: _CharacterSet,
    decode: _Decode,
) -> bytes: ...
def value_text(raw: bytes, vr: int, big: bool) -> str | None: ...
