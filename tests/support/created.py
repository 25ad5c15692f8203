"""Images and documents as clients send them to /tools/create-dicom."""

import base64
import io

import numpy as np
from PIL import Image

# 7 rows of 9 columns.
GRAY = (np.arange(63, dtype=np.uint8) * 4).reshape(7, 9)


def data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def image(form: str, pixels: np.ndarray, mode: str | None = None) -> bytes:
    """`pixels` in a format of Pillow; colours get other values in each channel."""
    picture = Image.fromarray(pixels)
    if mode in ("RGB", "RGBA", "LA"):
        bands = [
            picture.point(lambda value, k=k: (value * (k + 1)) % 256) for k in range(len(mode))
        ]
        picture = Image.merge(mode, bands)
    elif mode is not None:
        picture = Image.merge("RGB", [picture] * 3).convert(mode)
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


def pam(depth: int, most: int, kind: str) -> bytes:
    head = f"P7\nWIDTH 9\nHEIGHT 7\nDEPTH {depth}\nMAXVAL {most}\nTUPLTYPE {kind}\nENDHDR\n"
    size = 63 * depth * (2 if most > 255 else 1)
    return head.encode() + bytes(number % (min(most, 255) + 1) for number in range(size))


def seen(data: bytes, mode: str) -> np.ndarray:
    """What Pillow makes of it."""
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))


PNG = data_uri("image/png", image("PNG", GRAY))
JPEG = data_uri("image/jpeg", image("JPEG", GRAY))
PDF = data_uri("application/pdf", b"%PDF-1.4 odd")
RAW = data_uri("application/octet-stream", b"odd")

_PALETTE = image("PNG", GRAY, "P")
_BITS = image("PNG", GRAY, "1")
_GRAY_ALPHA = image("PNG", GRAY, "LA")
_CMYK = image("JPEG", GRAY, "CMYK")
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
assert _ADOBE in _CMYK
_PLAIN_CMYK = _CMYK.replace(_ADOBE, b"")  # its values mean the contrary
_PAM_ALPHA = pam(4, 255, "RGB_ALPHA")
_PAM_16 = pam(3, 65535, "RGB")

# What Orthanc refuses, with the pixels that it stands for.
DIFFERENT: dict[str, tuple[bytes, np.ndarray]] = {
    "palette": (_PALETTE, seen(_PALETTE, "RGB")),
    "1 bit": (_BITS, seen(_BITS, "L")),
    "gray with alpha": (_GRAY_ALPHA, np.asarray(Image.open(io.BytesIO(_GRAY_ALPHA)))[..., 0]),
    "CMYK": (_CMYK, seen(_CMYK, "RGB")),
    "CMYK without a word of Adobe": (_PLAIN_CMYK, seen(_PLAIN_CMYK, "RGB")),
    "PAM with alpha": (
        _PAM_ALPHA,
        np.frombuffer(_PAM_ALPHA[-252:], np.uint8).reshape(7, 9, 4)[..., :3],
    ),
    "PAM RGB 16": (_PAM_16, np.frombuffer(_PAM_16[-378:], ">u2").reshape(7, 9, 3).astype("u2")),
}
