"""What every codec is: one module each, found by the name that the table of syntaxes gives."""

from typing import Protocol

import msgspec
import numpy as np

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.imaging.codecs.headers import Header
from orthanc_fast.imaging.info import ImageInfo

MAX_UNQUESTIONED = 1 << 22  # bytes of a decoded frame

Buffer = bytes | bytearray | memoryview


class Parameters(msgspec.Struct, frozen=True, gc=False):
    """What is encoded: stored values of `bits` bits, with their sign if the type has one. Of a
    lossy syntax `quality` is 1 to 100, else None. `is_transformed`: colour is RGB and goes through
    the component transformation that the syntax has."""

    uid: str
    bits: int
    quality: int | None = None
    is_transformed: bool = False


class Codec(Protocol):
    """One way to encode a frame. Codecs keep no state and release the GIL while they work."""

    RGB_FROM: frozenset[str]
    """The photometric interpretations that `decode` itself turns into RGB. All others stay what
    they are: imaging.color converts them."""

    MAX_EXPANSION: int
    """How many times as large as its codestream a frame may be at most: see `check_expansion`."""

    def describe(self, frame: bytes | memoryview) -> Header | None:
        """What the codestream says about itself, None if it is of a kind that says nothing. Raises
        BadFileFormat for what is no such codestream, NotImplementedYet."""

    def decode(self, frame: Buffer, info: ImageInfo, out: np.ndarray | None = None) -> np.ndarray:
        """The stored values of one encoded frame: `info.stored_shape`, `info.stored_dtype`,
        samples interleaved, padding bits removed, sign extended.

        `out`, of that shape and type and contiguous, is filled and given back; without it the
        result may be a read-only view of `frame`. Raises BadFileFormat for a damaged codestream
        or one that contradicts `info`, NotImplementedYet for what the codec cannot decode.
        """

    def encode(self, pixels: np.ndarray, parameters: Parameters) -> bytes:
        """(rows, columns) or (rows, columns, 3), C contiguous, as one frame. Raises
        NotImplementedYet where the syntax cannot hold it."""


def check_expansion(frame: Buffer, info: ImageInfo, most: int) -> None:
    """To be called before memory for a frame is taken: what a header of a few bytes announces is
    not believed. Raises BadFileFormat if the frame would be larger than the smallest that is worth
    the question and more than `most` times as large as its codestream."""
    size = info.frame_bits // 8
    if size > MAX_UNQUESTIONED and size > most * len(frame):
        raise BadFileFormat(
            f"{len(frame)} bytes cannot be a frame of {info.rows} x {info.columns} pixels"
        )
