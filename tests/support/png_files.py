"""PNG files put together chunk by chunk, right and wrong ones."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"IEND", b""
SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type, without palettes


def header(columns: int, rows: int, bits: int, color: int, *, interlace: int = 0) -> bytes:
    return struct.pack(">IIBBBBB", columns, rows, bits, color, 0, 0, interlace)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    return SIGNATURE + b"".join(chunk(*each) for each in chunks)


def png_of_rows(columns: int, rows: int, bits: int, color: int, filtered: bytes) -> bytes:
    """`filtered`: the rows with their filter bytes."""
    head = header(columns, rows, bits, color)
    return png_of((b"IHDR", head), (b"IDAT", zlib.compress(filtered)), END)


def filtered(raw: np.ndarray, size: int, kinds: list[int]) -> bytes:
    """Rows of bytes, filtered with one of `kinds` in turn, by the letter of the standard. `size`:
    bytes of a pixel. Source: PNG, third edition, section 9."""
    rows, stride = raw.shape
    cells = np.zeros((rows + 1, stride + size), int)
    cells[1:, size:] = raw
    x, a = cells[1:, size:], cells[1:, :-size]
    b, c = cells[:-1, size:], cells[:-1, :-size]
    p = a + b - c
    near = abs(p - a), abs(p - b), abs(p - c)
    is_a = (near[0] <= near[1]) & (near[0] <= near[2])
    paeth = np.where(is_a, a, np.where(near[1] <= near[2], b, c))
    residues = [x, x - a, x - b, x - (a + b) // 2, x - paeth]
    lines = (
        bytes([kind]) + (residues[kind][row] & 0xFF).astype("u1").tobytes()
        for row, kind in zip(range(rows), kinds * rows, strict=False)
    )
    return b"".join(lines)
