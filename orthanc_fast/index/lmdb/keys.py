"""Packing of the index's keys; the layout is drawn in `environment.py`."""

from struct import Struct

from orthanc_fast.model import Level

_U64 = Struct(">Q")
_UNSTABLE = Struct(">QBQ")

pack_id = _U64.pack


def unpack_id(key: bytes | memoryview) -> int:
    """The number of an 8-byte key or value."""
    return int(_U64.unpack_from(key)[0])


def public_key(level: int, public: bytes) -> bytes:
    return level.to_bytes(1, "big") + public


# Orthanc announces stable series before studies before patients (reference chapter 1, section 4.4).
_RANK = {Level.SERIES: 0, Level.STUDY: 1, Level.PATIENT: 2}


def unstable_key(second: int, level: Level, resource_id: int) -> bytes:
    return _UNSTABLE.pack(second, _RANK[level], resource_id)


def unpack_unstable(key: bytes | memoryview) -> tuple[int, int]:
    """(second, resource id) of a key of `unstable`."""
    second, _, resource_id = _UNSTABLE.unpack(key)
    return second, resource_id


def property_key(name: str) -> bytes:
    """Key of a property of the server in `global`; apart from the index's own entries there."""
    return _PROPERTY + name.encode()


def property_name(key: bytes | memoryview) -> str:
    """The name of the property with a key of `property_key`."""
    return bytes(key)[len(_PROPERTY) :].decode()


def signature_key(number: int) -> bytes:
    return number.to_bytes(4, "big")


_PROPERTY = b"property:"
TOTALS = b"totals"  # in `global`
