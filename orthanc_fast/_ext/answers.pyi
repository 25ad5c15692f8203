from collections.abc import Callable, Mapping
from typing import Any

class Answers:
    def __init__(
        self,
        columns: list[bytes | tuple[int, bytes, int, int, bytes, bool]],
        big: bool,
        encode_text: Callable[[str], bytes],
        encode_element: Callable[[int, Any], bytes],
    ) -> None: ...
    def encode(self, values: Mapping[int, Any]) -> bytes: ...
