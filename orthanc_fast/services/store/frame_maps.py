"""The frame map of an instance, where its pixel data lie, as the index keeps it without knowing
what it is."""

import msgspec

from orthanc_fast.model import PixelLayout

_encode = msgspec.msgpack.Encoder().encode


def packed_layout(layout: PixelLayout | None) -> bytes:
    """What the index keeps; b"" for a file without pixel data."""
    return b"" if layout is None else _encode(layout)


def layout_decoder() -> msgspec.msgpack.Decoder[PixelLayout]:
    """Reads what `packed_layout` made."""
    return msgspec.msgpack.Decoder(PixelLayout)
