from collections.abc import Callable
from typing import Any

from typing_extensions import Buffer

class EditError(ValueError): ...

class Rules:
    def __init__(
        self,
        root: bytes,
        nested: bytes,
        spans: bytes,
        steps: bytes,
        nodes: bytes,
        known: bytes,
        private_root: bool,
        private_nested: bool,
        safe: bytes = b"",
        creators: bytes = b"",
        texts: int = -1,
        dates: int = -1,
    ) -> None: ...

def edit(
    data: Buffer,
    start: int,
    end: int,
    explicit: bool,
    big: bool,
    rules: Rules,
    values: list[tuple[bytes, bytes]],
    remap: Callable[[int, bytes], bytes],
    trace: list[Any] | None = None,
) -> tuple[list[bytes | memoryview], list[bytes | memoryview]]: ...
