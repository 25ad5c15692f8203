"""The pictures that were asked for last."""

from collections import OrderedDict
from typing import Final

_LARGEST_SHARE: Final = 16  # no picture takes more than this part of the room
_OVERHEAD: Final = 200  # bytes that an entry takes beside its picture


class LatestPictures:
    """Up to `capacity` bytes of them; for one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._pictures: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, tag: bytes) -> bytes | None:
        """The picture with this tag, if it is still there."""
        found = self._pictures.get(tag)
        if found is not None:
            self._pictures.move_to_end(tag)
        return found

    def put(self, tag: bytes, picture: bytes) -> None:
        """Keeps a picture, unless it is large."""
        if len(picture) > self._capacity // _LARGEST_SHARE:
            return
        old = self._pictures.pop(tag, None)
        if old is not None:
            self._size -= len(old) + _OVERHEAD
        self._pictures[tag] = picture
        self._size += len(picture) + _OVERHEAD
        while self._size > self._capacity:
            _, old = self._pictures.popitem(last=False)
            self._size -= len(old) + _OVERHEAD
