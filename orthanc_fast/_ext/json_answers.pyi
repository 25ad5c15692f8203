from collections.abc import Callable, Mapping
from typing import Any

class JsonAnswers:
    """Writes answers. `fixed` is the member that all begin with, `columns` are (tag, VR) in their
    order."""

    def __init__(
        self,
        fixed: bytes,
        columns: list[tuple[int, str]],
        encode_element: Callable[[int, str, Any], bytes],
    ) -> None:
        """`encode_element` makes a whole member of what is not plain, of (tag, VR, value); none
        where it is empty."""

    def encode(self, values: Mapping[int, Any]) -> bytes:
        """One object; what has no value in `values` by tag is left out."""

def pick(
    own: dict[int, str], others: dict[int, str], tags: tuple[int, ...], found: dict[int, Any]
) -> list[int] | None:
    """Puts the values of the tags into `found`, from the first mapping that has one. Returns the
    tags for which there is none, or None where there are all."""
