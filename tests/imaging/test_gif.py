"""GIF, read back by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from orthanc_fast.errors import OrthancError
from orthanc_fast.imaging.picture_gif import gif_end, gif_frame, gif_start, picture_to_gif


def read(data: bytes) -> list[np.ndarray]:
    found = Image.open(io.BytesIO(data))
    return [np.asarray(each.convert("RGB")) for each in ImageSequence.Iterator(found)]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (3, 2), (64, 200), (300, 1), (500, 500)])
def test_grey_is_kept(shape: tuple[int, int]) -> None:
    picture = noise(*shape)
    (found,) = read(picture_to_gif(picture))
    np.testing.assert_array_equal(found, np.repeat(picture[..., None], 3, axis=2))


def test_colours_are_the_nearest_of_a_table() -> None:
    picture = noise(50, 40, 3)
    (found,) = read(picture_to_gif(picture))
    for channel, steps in enumerate((6, 7, 6)):
        levels = np.round(np.arange(steps) * 255 / (steps - 1))
        nearest = np.abs(picture[..., channel, None] - levels).min(axis=-1)
        difference = np.abs(found[..., channel].astype(float) - picture[..., channel])
        assert np.abs(difference - nearest).max() <= 1


def test_colours_at_the_ends_are_kept() -> None:
    picture = np.array([[[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)]], "u1")
    np.testing.assert_array_equal(read(picture_to_gif(picture))[0], picture)


def test_animation() -> None:
    frames = [noise(20, 30) for _ in range(3)]
    frames[1] = 255 - frames[0]
    parts = [
        gif_frame(frame, seconds) for frame, seconds in zip(frames, (0.04, 1.5, 9e9), strict=True)
    ]
    data = gif_start(frames[0], is_animated=True) + b"".join(parts) + gif_end()
    for found, frame in zip(read(data), frames, strict=True):
        np.testing.assert_array_equal(found[..., 0], frame)
    image = Image.open(io.BytesIO(data))
    assert image.info["loop"] == 0  # for ever
    times = [each.info["duration"] for each in ImageSequence.Iterator(image)]
    assert times == [40, 1500, 655350]


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 65536)])
def test_sizes_that_it_cannot_have(shape: tuple[int, int]) -> None:
    with pytest.raises(OrthancError) as caught:
        picture_to_gif(np.zeros(shape, np.uint8))
    assert caught.value.code == 24
