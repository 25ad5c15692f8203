"""Packed identifiers: SHA-1 values one after the other, 20 bytes each. Sets of resources are packed
in ascending order, as `orthanc_fast._ext.idsets` works on them."""

from collections.abc import Iterable, Iterator

from orthanc_fast._ext.idsets import intersect, sort
from orthanc_fast.model import SHA1


def unpack(packed: bytes) -> Iterator[bytes]:
    """The identifiers one by one."""
    return (packed[at : at + SHA1] for at in range(0, len(packed), SHA1))


def packed_parts(packed: bytes, amount: int) -> Iterator[bytes]:
    """The same in parts of `amount` identifiers."""
    size = amount * SHA1
    return (packed[start : start + size] for start in range(0, len(packed), size))


def union(parts: Iterable[bytes]) -> bytes:
    """The set of what is in any of the parts, sets or not."""
    return sort(b"".join(parts))


def intersection(a: bytes, b: bytes) -> bytes:
    """The set of what is in both sets."""
    return intersect(a, b) if len(a) < len(b) else intersect(b, a)
