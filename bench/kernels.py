"""Kernels against memcpy, and decoders against those of others: `python -m bench kernels`.

No server takes part: one thread, medians of short rounds, memory that is in the cache or not as it
comes.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial

import gdcm
import imagecodecs
import numpy as np
from openjpeg.utils import decode as openjpeg_decode
from support import generated
from support.images import image_file, item

from orthanc_fast import transfer_syntaxes as syntaxes
from orthanc_fast._ext import cells, color, rle, volume
from orthanc_fast.imaging.decode import decode_frame
from orthanc_fast.imaging.info import ImageInfo
from orthanc_fast.imaging.registry import coding_of
from orthanc_fast.transfer_syntaxes import SYNTAXES

PIXELS = 4 << 20
SIZE = 512


def run(seconds: float) -> list[str]:
    """Both tables as Markdown, printed as they grow."""
    lines: list[str] = []
    for table in (kernels(seconds), codecs(seconds)):
        for line in ("", *table):
            print(line, flush=True)
            lines.append(line)
    return lines


def rate(work: Callable[[], object], seconds: float) -> float:
    """Calls per second: the median of rounds that take `seconds` together."""
    work()
    rounds: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rounds) < 3:
        start = time.perf_counter()
        work()
        rounds.append(time.perf_counter() - start)
    return 1 / statistics.median(rounds)


# Kernels


def kernels(seconds: float) -> list[str]:
    """GB/s of what is written, and how that compares with copying as much."""
    rng = np.random.default_rng(1)
    wide = rng.integers(0, 1 << 12, PIXELS).astype("u2")
    raw = wide.view("u1")
    out = np.empty(6 * PIXELS, "u1")
    packed = rng.integers(0, 256, PIXELS // 8).astype("u1")
    table = rng.integers(0, 256, (256, 3)).astype("u1").reshape(-1)
    slice_ = generated.anatomy(SIZE).astype("u2").reshape(-1).view("u1")
    encoded = rle.encode(slice_, SIZE, SIZE, 1, 2)
    bits, single = out[:PIXELS], out[: 2 * PIXELS]
    third = 3 * PIXELS // 2 // 3 * 3
    floats = out[: 4 * PIXELS].view("f4")
    values = wide.astype("f4")
    jobs: list[tuple[str, int, Callable[[], object]]] = [
        ("unpack_bits", PIXELS, lambda: cells.unpack_bits(packed, bits, 255)),
        ("extract, 12 of 16 bits", len(raw), lambda: cells.extract(raw, single, 2, 4, 4, True)),
        (
            "widen, 24 to 32 bits",
            third // 3 * 4,
            lambda: cells.widen(raw[:third], out[: third // 3 * 4]),
        ),
        ("interleave, 8 bits", third, lambda: cells.interleave(raw[:third], out[:third], 1)),
        (
            "interleave, 16 bits",
            third,
            lambda: cells.interleave(raw[: third // 2 * 2], out[: third // 2 * 2], 2),
        ),
        (
            "share_chroma, 8 bits",
            len(raw) // 2 * 3,
            lambda: cells.share_chroma(raw, out[: len(raw) // 2 * 3], 1),
        ),
        (
            "rgb_from_ybr, 8 bits",
            third,
            lambda: color.rgb_from_ybr(raw[:third], out[:third], 1, 8, False),
        ),
        (
            "apply_palette, 8 bits",
            3 * PIXELS,
            lambda: color.apply_palette(raw[:PIXELS], 1, table, 1, out[: 3 * PIXELS]),
        ),
        (
            "to_float32, 16 bits, rescale",
            4 * PIXELS,
            lambda: volume.to_float32(raw, "i2", floats, 0, 0, 1.5, -1024.0),
        ),
        (
            "to_float32, 12 of 16 bits, rescale",
            4 * PIXELS,
            lambda: volume.to_float32(raw, "i2", floats, 4, 4, 1.5, -1024.0),
        ),
        (
            "to_int16, from float32",
            2 * PIXELS,
            lambda: volume.to_int16(values, single.view("i2")),
        ),
        (
            "RLE decode, a CT slice",
            len(slice_),
            lambda: rle.decode(encoded, out[: len(slice_)], 1, 2),
        ),
        (
            "RLE encode, a CT slice",
            len(slice_),
            lambda: rle.encode(slice_, SIZE, SIZE, 1, 2),
        ),
    ]
    lines = ["| kernel | GB/s written | of memcpy |", "|---|---|---|"]
    for name, size, work in jobs:
        source, target = np.ones(size, "u1"), out[:size]
        copied = rate(lambda s=source, t=target: np.copyto(t, s), seconds / 2)  # type: ignore[misc]
        done = rate(work, seconds)
        lines.append(f"| {name} | {done * size / 1e9:.2f} | {done / copied:.2f} |")
    return lines


# Codecs


def codecs(seconds: float) -> list[str]:
    """Frames per second of a CT slice of 512 x 512, and of a colour one for baseline JPEG."""
    gray = generated.anatomy(SIZE).astype("u2")
    eight = (gray >> 4).astype("u1")
    rgb = np.stack([eight, eight // 2, eight], axis=2)
    jobs = (
        (syntaxes.RLE, gray, rle.encode(gray.reshape(-1).view("u1"), SIZE, SIZE, 1, 2), None),
        (syntaxes.JPEG_BASELINE, rgb, imagecodecs.jpeg8_encode(rgb), imagecodecs.jpeg8_decode),
        (
            syntaxes.JPEG_EXTENDED,
            gray,
            imagecodecs.jpeg8_encode(gray, bitspersample=12),
            imagecodecs.jpeg8_decode,
        ),
        (
            syntaxes.JPEG_LOSSLESS_SV1,
            gray,
            imagecodecs.ljpeg_encode(gray, bitspersample=16),
            imagecodecs.ljpeg_decode,
        ),
        (
            syntaxes.JPEG_LS_LOSSLESS,
            gray,
            imagecodecs.jpegls_encode(gray),
            imagecodecs.jpegls_decode,
        ),
        (
            syntaxes.JPEG_2000_LOSSLESS,
            gray,
            imagecodecs.jpeg2k_encode(gray, level=0, codecformat="j2k"),
            imagecodecs.jpeg2k_decode,
        ),
        (
            syntaxes.HTJ2K_LOSSLESS,
            gray,
            imagecodecs.htj2k_encode(gray),
            imagecodecs.htj2k_decode,
        ),
    )
    lines = [
        "| syntax | bytes | here | imagecodecs alone | pylibjpeg-openjpeg | GDCM |",
        "|---|---|---|---|---|---|",
    ]
    for uid, pixels, stream, theirs in jobs:
        frame = bytes(stream)
        info = _info(uid, pixels)
        is_j2k = coding_of(SYNTAXES[uid]).codec in ("jpeg_2000", "htj2k")
        others = (theirs, openjpeg_decode if is_j2k else None)
        columns = [f"{rate(partial(decode_frame, frame, info), seconds):.0f}"]
        columns += [
            "" if other is None else f"{rate(partial(other, frame), seconds):.0f}"
            for other in others
        ]
        # GDCM refuses 12-bit JPEG of libjpeg-turbo.
        is_read = uid != syntaxes.JPEG_EXTENDED
        columns.append(_gdcm(uid, pixels, frame, seconds) if is_read else "-")
        lines.append(f"| {SYNTAXES[uid].name} | {len(frame)} | {' | '.join(columns)} |")
    return lines


def _info(uid: str, pixels: np.ndarray) -> ImageInfo:
    bits = 8 * pixels.itemsize
    return ImageInfo(
        rows=pixels.shape[0],
        columns=pixels.shape[1],
        samples_per_pixel=1 if pixels.ndim == 2 else 3,
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
        is_signed=False,
        planar_configuration=0,
        photometric_interpretation="MONOCHROME2" if pixels.ndim == 2 else "YBR_FULL_422",
        number_of_frames=1,
        syntax=SYNTAXES[uid],
    )


def _gdcm(uid: str, pixels: np.ndarray, frame: bytes, seconds: float) -> str:
    """GDCM reads whole files; the file is parsed once, its pixels decoded again and again."""
    info = _info(uid, pixels)
    bits = info.bits_stored
    data = image_file(
        item(b"") + item(frame + b"\0" * (len(frame) % 2)),
        uid,
        "OB",
        Rows=info.rows,
        Columns=info.columns,
        SamplesPerPixel=info.samples_per_pixel,
        PlanarConfiguration=0 if info.samples_per_pixel == 3 else None,
        PhotometricInterpretation=info.photometric_interpretation,
        BitsAllocated=info.bits_allocated,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(data)
        file.flush()
        reader = gdcm.ImageReader()
        reader.SetFileName(file.name)
        if not reader.Read() or reader.GetImage().GetBuffer() is None:
            return "-"
        return f"{rate(lambda: reader.GetImage().GetBuffer(), seconds):.0f}"
