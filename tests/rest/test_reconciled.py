"""A file whose header contradicts its codestream, over HTTP: shown as it is encoded, with one
warning in the log."""

import io
from pathlib import Path

import httpx
import imagecodecs
import numpy as np
import pytest
from support.images import image_file, item
from support.server import OurServer

from orthanc_fast.transfer_syntaxes import EXPLICIT_LITTLE, JPEG_LOSSLESS_SV1

PIXELS = np.arange(64 * 32, dtype="u2").reshape(64, 32)


def swapped(*damaged: bytes) -> bytes:
    """Rows and Columns are those of the transposed image. In front of the frame that is whole lie
    `damaged` ones."""
    codestream = bytes(
        imagecodecs.jpeg8_encode(PIXELS, lossless=True, predictor=1, bitspersample=12)
    )
    frames = [*damaged, codestream + b"\0" * (len(codestream) % 2)]
    content = item(b"") + b"".join(map(item, frames))
    return image_file(
        content,
        JPEG_LOSSLESS_SV1,
        "OB",
        Rows=32,
        Columns=64,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=0,
        NumberOfFrames=len(frames),
    )


def test_the_shape_of_the_codestream_and_one_warning(tmp_path: Path) -> None:
    with OurServer(tmp_path, {}) as server, httpx.Client(base_url=server.url) as client:
        stored = client.post("/instances", content=swapped()).json()
        url = f"/instances/{stored['ID']}"
        for path in (f"{url}/numpy", f"/series/{stored['ParentSeries']}/numpy"):
            answer = client.get(path, params={"rescale": "0"})
            np.testing.assert_array_equal(np.load(io.BytesIO(answer.content))[0, ..., 0], PIXELS)
        answer = client.get(
            f"{url}/image-uint16", headers={"accept": "image/x-portable-arbitrarymap"}
        )
        assert b"WIDTH 32\nHEIGHT 64\n" in answer.content
        assert client.get(f"{url}/preview").status_code == 200
        answer = client.get(f"{url}/file", params={"transcode": EXPLICIT_LITTLE})
        assert answer.status_code == 200
        assert PIXELS.tobytes() in answer.content
        text = server.log_path.read_text()
    warning = f"instance {stored['ID']} are shown as they are encoded: rows 64 instead of 32"
    assert text.count(warning) == 1


@pytest.mark.parametrize("damaged", [b"", b"\xff\xd8\xff" + bytes(9), b"no JPEG."])
@pytest.mark.parametrize("count", [1, 3])
def test_a_damaged_first_frame_hides_nothing(tmp_path: Path, damaged: bytes, count: int) -> None:
    """The first codestream that can be read tells the shape, for all frames and whoever asks."""
    content = swapped(*[damaged] * count)
    with OurServer(tmp_path, {}) as server, httpx.Client(base_url=server.url) as client:
        url = f"/instances/{client.post('/instances', content=content).json()['ID']}"
        for index in range(count):
            assert 400 <= client.get(f"{url}/frames/{index}/preview").status_code < 500
        assert client.get(f"{url}/frames/{count}/preview").status_code == 200
        answer = client.get(f"{url}/frames/{count}/numpy", params={"rescale": "0"})
        np.testing.assert_array_equal(np.load(io.BytesIO(answer.content))[..., 0], PIXELS)
        answer = client.get(f"{url}/numpy", params={"rescale": "0", "frames": str(count)})
        np.testing.assert_array_equal(np.load(io.BytesIO(answer.content))[0, ..., 0], PIXELS)
        series = client.get(f"{url}/series").json()["ID"]
        for slices, status in ((str(count), 200), (f"{count}:", 200), ("0", 400), ("0:", 400)):
            arguments = {"rescale": "0", "slices": slices}
            answer = client.get(f"/series/{series}/numpy", params=arguments)
            assert answer.status_code == status, slices
            if status == 200:
                array = np.load(io.BytesIO(answer.content))
                np.testing.assert_array_equal(array[0, ..., 0], PIXELS)
