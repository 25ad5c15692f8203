"""Numbers in a file that announce more than is there: they decide neither about memory nor about
time, and what is there is shown."""

import io

import httpx
import numpy as np
import pytest
from pydicom.uid import generate_uid
from support.images import image_file, item

from orthanc_fast.transfer_syntaxes import (
    DEFLATED,
    EXPLICIT_LITTLE,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    RLE,
)

PICTURES = ("preview", "rendered", "image-uint8", "image-uint16", "image-int16")
NUMBERS = ("numpy", "raw", "raw.gz", "matlab")


def stored(
    client: httpx.Client, pixels: bytes, syntax: str = EXPLICIT_LITTLE, **attributes: object
) -> dict[str, str]:
    given = {"SeriesInstanceUID": generate_uid(), "SOPInstanceUID": generate_uid(), **attributes}
    answer = client.post("/instances", content=image_file(pixels, syntax, "OB", **given))
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


@pytest.mark.parametrize("frames", ["6000000", "99999999999", "9" * 30])
@pytest.mark.parametrize("syntax", [EXPLICIT_LITTLE, DEFLATED, RLE, JPEG_2000_LOSSLESS])
def test_more_frames_than_there_is_room_for(ours: httpx.Client, frames: str, syntax: str) -> None:
    is_native = syntax in (EXPLICIT_LITTLE, DEFLATED)
    pixels = bytes(64) if is_native else item(b"") + item(bytes(64))
    made = stored(ours, pixels, syntax, Rows=8, Columns=8, NumberOfFrames=frames)
    for path in (
        f"/instances/{made['ID']}/numpy",
        f"/instances/{made['ID']}/numpy?rescale=0&compress=1",
        f"/instances/{made['ID']}/frames/1/numpy",
        f"/series/{made['ParentSeries']}/numpy",
        f"/instances/{made['ID']}/frames",
    ):
        assert ours.get(path).status_code == 400, path
    answer = ours.get(f"/series/{made['ParentSeries']}/ordered-slices")
    assert answer.json()["SlicesShort"] == [[made["ID"], 0, 1]]
    assert len(answer.json()["Slices"]) == 1


@pytest.mark.parametrize("bits", [8, 32])
def test_a_frame_larger_than_its_data(ours: httpx.Client, bits: int) -> None:
    made = stored(ours, bytes(64), Rows=65535, Columns=65535 * 8 // bits, BitsAllocated=bits)
    for path in ("numpy", "frames/0/numpy", "raw"):
        name = path if "numpy" in path else f"frames/0/{path}"
        assert ours.get(f"/instances/{made['ID']}/{name}").status_code == 400
    assert ours.get(f"/instances/{made['ID']}/preview").status_code == 415


@pytest.mark.parametrize("compressed", [False, True])
def test_a_missing_frame_hides_no_others(ours: httpx.Client, compressed: bool) -> None:
    """The file announces three frames and has two."""
    frames = [np.arange(64, dtype="u1").reshape(8, 8) + 7 * number for number in range(2)]
    syntax, pixels = EXPLICIT_LITTLE, b"".join(frame.tobytes() for frame in frames)
    if compressed:  # RLE with literal runs
        syntax, pixels = RLE, item(b"")
        for frame in frames:
            header = b"\1\0\0\0\x40\0\0\0" + bytes(56)
            pixels += item(header + b"\x3f" + frame.tobytes() + b"\0")
    made = stored(ours, pixels, syntax, Rows=8, Columns=8, NumberOfFrames=3)
    base = f"/instances/{made['ID']}/frames"
    assert ours.get(base).json() == [0, 1, 2]
    for number, frame in enumerate(frames):
        for path in (*PICTURES, *NUMBERS):
            assert ours.get(f"{base}/{number}/{path}").status_code == 200, path
        answer = ours.get(f"{base}/{number}/numpy?rescale=0")
        np.testing.assert_array_equal(np.load(io.BytesIO(answer.content))[..., 0], frame)
    for path in (*PICTURES, "numpy", "raw", "raw.gz"):
        assert 400 <= ours.get(f"{base}/2/{path}").status_code < 500, path
    assert ours.get(f"{base}/3/numpy").status_code == 400


def test_a_damaged_frame_hides_no_others(ours: httpx.Client) -> None:
    jpeg = bytes.fromhex("ffd8ff") + bytes(9)
    good = b"\1\0\0\0\x40\0\0\0" + bytes(56) + b"\x3f" + bytes(range(64)) + b"\0"
    made = stored(
        ours,
        item(b"") + item(good) + item(jpeg) + item(good),
        RLE,
        Rows=8,
        Columns=8,
        NumberOfFrames=3,
    )
    base = f"/instances/{made['ID']}/frames"
    statuses = [ours.get(f"{base}/{number}/preview").status_code for number in range(3)]
    assert statuses == [200, 415, 200]
    assert ours.get(f"{base}/2/numpy").status_code == 200


def test_an_empty_first_frame_hides_no_others(ours: httpx.Client) -> None:
    """Of a size that is worth the question whether the codestream can be as large."""
    rows, columns = 2048, 4096
    good = b"\1\0\0\0\x40\0\0\0" + bytes(56) + b"\x81\7" * (rows * columns // 128)
    made = stored(
        ours,
        item(b"") + item(b"") + item(good),
        RLE,
        Rows=rows,
        Columns=columns,
        NumberOfFrames=2,
    )
    base = f"/instances/{made['ID']}/frames"
    assert ours.get(f"{base}/0/numpy").status_code == 400
    answer = ours.get(f"{base}/1/numpy?rescale=0")
    assert answer.status_code == 200
    pixels = np.load(io.BytesIO(answer.content))
    assert pixels.shape == (rows, columns, 1)
    assert (pixels == 7).all()
    chosen = ours.get(f"/instances/{made['ID']}/numpy?rescale=0&frames=1")
    assert chosen.status_code == 200
    np.testing.assert_array_equal(np.load(io.BytesIO(chosen.content))[0], pixels)
    for choice in ("0", "2"):
        answer = ours.get(f"/instances/{made['ID']}/numpy?rescale=0&frames={choice}")
        assert answer.status_code == 400, choice


def test_a_large_announced_codestream_is_refused(ours: httpx.Client) -> None:
    """A header of JPEG that announces 65,500 x 65,500 pixels."""
    frame = bytes.fromhex("ffd8ffc0000b08ffdcffdc01011100ffda0008010100003f00ffd9")
    pixels = item(b"") + item(frame + b"\0" * (len(frame) % 2))
    made = stored(ours, pixels, JPEG_BASELINE, Rows=65500, Columns=65500)
    assert ours.get(f"/instances/{made['ID']}/numpy").status_code == 400
    assert ours.get(f"/instances/{made['ID']}/preview").status_code == 415
