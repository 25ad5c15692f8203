"""Large JSON bodies: decoded piece by piece, in a thread, since the decoder keeps the interpreter
for as long as one call takes."""

from typing import Any

import msgspec

from orthanc_fast.config_file import parse

# Bodies up to this are decoded in the event loop: in about a millisecond.
LARGE = 256 << 10
# What one call may decode.
_PIECE = 64 << 10
# Levels of brackets that are taken apart: each reads all that is in it once more.
_LEVELS = 8

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


def parse_large(text: bytes) -> Any:
    """As `config_file.parse`; for a thread."""
    try:
        return _decoded(text, _LEVELS)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return parse(text)


def _decoded(text: bytes | memoryview, levels: int) -> Any:
    if levels and len(text) > _PIECE:
        below = levels - 1
        kind = bytes(text[:64]).lstrip()[:1]
        if kind == b"{":
            members = _decode_members(text).items()
            return {name: _decoded(memoryview(raw), below) for name, raw in members}
        if kind == b"[":
            return [_decoded(memoryview(raw), below) for raw in _decode_items(text)]
    return _decode(text)
