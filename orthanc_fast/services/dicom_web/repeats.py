"""What is made of frames that one list names again and again: `frames/1,1,1/rendered` costs no more
than the first of them."""

from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Repeats(Generic[T]):
    """Keeps what was made for a frame until the last time that the list names it, up to `room`
    bytes; what is beyond is made again, as large as it is. For one thread, and one answer."""

    def __init__(self, indices: Iterable[int], room: int) -> None:
        counts = {} if isinstance(indices, range) else Counter(indices)
        self._left = {index: count for index, count in counts.items() if count > 1}
        self._kept: dict[int, tuple[T, int]] = {}
        self._room = room

    def take(self, index: int) -> T | None:
        """What is kept of the frame, whose turn it is."""
        left = self._left.get(index)
        if left is None:
            return None
        self._left[index] = left - 1
        found = self._kept.get(index)
        if found is None:
            return None
        if left == 1:
            del self._kept[index]
            self._room += found[1]
        return found[0]

    def keep(self, index: int, made: T, size: int) -> None:
        """Keeps what has just been made of it, if the list names it again and there is room."""
        if self._left.get(index) and size <= self._room:
            self._kept[index] = made, size
            self._room -= size
