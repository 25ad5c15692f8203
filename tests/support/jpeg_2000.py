"""JPEG 2000 codestreams that no encoder at hand makes: components of different sizes and depths."""

import struct

import imagecodecs
import numpy as np

_SIZ, _COD, _QCD, _QCC, _SOT = 0x51, 0x52, 0x5C, 0x5D, 0x90
_SOD = b"\xff\x93"
_COMPONENT_BY_COMPONENT = 4  # the progression CPRL


def joined(planes: list[np.ndarray], steps: list[tuple[int, int]], bits: list[int]) -> bytes:
    """One lossless codestream of components that are encoded one by one: in the progression CPRL
    the packets of one follow those of another. `steps`: of how many columns and rows a plane has
    one sample. Planes have at least 32 rows and columns."""
    streams = [
        bytes(
            imagecodecs.jpeg2k_encode(
                plane, level=0, codecformat="j2k", bitspersample=depth, resolutions=3
            )
        )
        for plane, depth in zip(planes, bits, strict=True)
    ]
    parts = [_segments(stream) for stream in streams]
    first = parts[0][0]
    sizes = b"".join(
        segments[_SIZ][36:37] + bytes(step)
        for (segments, _), step in zip(parts, steps, strict=True)
    )
    style = bytearray(first[_COD])
    style[1], style[4] = _COMPONENT_BY_COMPONENT, 0  # no transformation of components
    tile = _SOD + b"".join(packets for _, packets in parts)
    return b"".join(
        (
            b"\xff\x4f",
            _segment(_SIZ, first[_SIZ][:34] + struct.pack(">H", len(planes)) + sizes),
            _segment(_COD, bytes(style)),
            _segment(_QCD, first[_QCD]),
            *(
                _segment(_QCC, bytes((number,)) + segments[_QCD])
                for number, (segments, _) in enumerate(parts[1:], start=1)
            ),
            _segment(_SOT, struct.pack(">HIBB", 0, 12 + len(tile), 0, 1)),
            tile,
            b"\xff\xd9",
        )
    )


def _segments(stream: bytes) -> tuple[dict[int, bytes], bytes]:
    """The segments of the main header by marker, and the packets of the one tile."""
    found: dict[int, bytes] = {}
    at = 2
    while stream[at + 1] != _SOT:
        size = int.from_bytes(stream[at + 2 : at + 4], "big")
        found[stream[at + 1]] = stream[at + 4 : at + 2 + size]
        at += 2 + size
    start = at + 12
    assert stream[start : start + 2] == _SOD
    return found, stream[start + 2 : -2]


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content
