"""Frames of stored instances as pictures, raw bytes and text, without a server."""

import asyncio
import gzip
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import generated
from support.images import image_file
from support.small_store import SmallStore

from orthanc_fast.errors import (
    BadRequest,
    NotImplementedYet,
    OrthancError,
    ParameterOutOfRange,
)
from orthanc_fast.imaging.accept import PictureFormat
from orthanc_fast.model import Level, Resource
from orthanc_fast.registries import DICOM_ATTACHMENT
from orthanc_fast.services.pixels import display
from orthanc_fast.services.pixels.pictures import (
    STREAMED,
    NoPicture,
    Pictures,
    Rendering,
    draw_gray,
    draw_preview,
)
from orthanc_fast.services.pixels.pixels import Pixels

RAMP = np.arange(24, dtype="u1").reshape(4, 6) * 10


class Place:
    def __init__(self, store: SmallStore) -> None:
        self.store = store
        self.warnings: list[tuple[str, str]] = []
        self.pixels = Pixels(store.index, store.storage)
        self.pictures = Pictures(
            self.pixels, 1, lambda name, text: self.warnings.append((name, text))
        )

    def _warn(self, name: str, text: str) -> None:
        self.warnings.append((name, text))

    def put(self, pixels: bytes = RAMP.tobytes(), **attributes: Any) -> Resource:
        publics = self.store.put(image_file(pixels, **attributes))
        found = self.store.resource(Level.INSTANCE, publics[3])
        assert found is not None
        return found

    def drawn(self, instance: Resource, index: int = 0, **wanted: Any) -> np.ndarray:
        return self.shown(instance, Rendering(**wanted).draw, index)

    def shown(self, instance: Resource, draw: Any, index: int = 0) -> np.ndarray:
        data = self.store.run(self.pictures.picture(instance, index, draw, PictureFormat.PNG, 90))
        return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture
def place(small_store: SmallStore) -> Iterator[Place]:
    made = Place(small_store)
    yield made
    made.pictures.close()


def test_previews_and_gray_values(place: Place) -> None:
    instance = place.put()
    np.testing.assert_array_equal(place.shown(instance, draw_gray("u1")), RAMP)
    preview = place.shown(instance, draw_preview)
    assert (preview.min(), preview.max()) == (0, 255), "stretched"
    assert np.all(np.diff(preview.ravel().astype(int)) >= 0)
    inverted = place.put(PhotometricInterpretation="MONOCHROME1", SOPInstanceUID="1.2.9")
    np.testing.assert_array_equal(place.shown(inverted, draw_preview), 255 - preview)


def test_a_window_of_the_call_replaces_that_of_the_file(place: Place) -> None:
    instance = place.put(WindowCenter="100", WindowWidth="20")
    own = place.drawn(instance)
    np.testing.assert_array_equal(own, place.drawn(instance, center=100.0, width=20.0))
    other = place.drawn(instance, center=200.0)
    assert (own == 255).sum() > (other == 255).sum() > 0
    for picture, center in ((own, 100), (other, 200)):
        assert picture[center - 10 > RAMP].max() == 0
        assert picture[center + 10 < RAMP].min() == 255


def test_pictures_are_fitted(place: Place) -> None:
    instance = place.put()
    assert place.drawn(instance, columns=12).shape == (8, 12)
    assert place.drawn(instance, columns=12, rows=2).shape == (2, 3)


def test_frames_that_are_none_and_cannot_be_drawn(place: Place) -> None:
    instance = place.put()
    for index in (1, -1):
        with pytest.raises(NoPicture):
            place.shown(instance, draw_preview, index)
        assert not place.store.run(place.pictures.is_decodable(instance, index))
        with pytest.raises(ParameterOutOfRange):
            place.store.run(place.pictures.raw(instance, index))
        with pytest.raises(NotImplementedYet):
            place.store.run(place.pictures.matlab(instance, index))
    assert place.store.run(place.pictures.is_decodable(instance, 0))
    assert place.warnings == []


def test_what_cannot_be_decoded_is_warned_of(place: Place) -> None:
    instance = place.put(b"\xfe\xff\0\xe0\0\0\0\0", syntax="1.2.840.10008.1.2.5", vr="OB")
    with pytest.raises(NoPicture):
        place.shown(instance, draw_preview)
    assert not place.store.run(place.pictures.is_decodable(instance, 0))
    assert {name for name, _ in place.warnings} == {"W003"}


def test_an_instance_without_pixels(place: Place) -> None:
    publics = place.store.put(generated.encode(generated.base()).number(1, 1, 1, 1))
    instance = place.store.resource(Level.INSTANCE, publics[3])
    assert instance is not None
    with pytest.raises(NoPicture):
        place.shown(instance, draw_preview)
    with pytest.raises(BadRequest):
        place.store.run(place.pictures.raw(instance, 0))
    with pytest.raises(NotImplementedYet):
        place.store.run(place.pictures.matlab(instance, 0))


def test_a_lost_file_is_no_missing_picture(place: Place) -> None:
    """The client is told that the store is damaged."""
    instance = place.put()
    place.store.storage.delete([instance.attachments[DICOM_ATTACHMENT].uuid])
    with pytest.raises(OrthancError) as error:
        place.shown(instance, draw_preview)
    assert error.value.code == 2006


def test_raw_frames(place: Place) -> None:
    frames = np.arange(48, dtype="u1").tobytes()
    instance = place.put(frames, NumberOfFrames=2)
    for index in range(2):
        expected = frames[24 * index : 24 * index + 24]
        assert place.store.run(place.pictures.raw(instance, index)) == expected
        packed = place.store.run(place.pictures.raw_gzip(instance, index))
        assert gzip.decompress(packed) == expected
    large = bytes(STREAMED)
    instance = place.put(large, Rows=2048, Columns=2048, SOPInstanceUID="1.2.9")
    assert bytes(place.store.run(place.pictures.raw(instance, 0))) == large


def test_text_for_matlab(place: Place) -> None:
    text = place.store.run(place.pictures.matlab(place.put(), 0)).decode()
    assert text.startswith("double([")
    rows = [[int(value) for value in re.findall(r"\d+", row)] for row in text.split(";")]
    assert [row for row in rows if row] == RAMP.tolist()


def test_pictures_at_the_same_time_do_not_mix(place: Place) -> None:
    instances = [
        place.put(np.full(24, value, "u1").tobytes(), SOPInstanceUID=f"1.2.{value}")
        for value in range(1, 9)
    ]

    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(
            *(
                place.pictures.picture(each, 0, draw_gray("u1"), PictureFormat.PNG, 90)
                for each in instances
            )
        )

    pictures = place.store.run(all_at_once())
    values = [int(np.asarray(Image.open(io.BytesIO(data))).max()) for data in pictures]
    assert values == list(range(1, 9))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, (1.0, 0.0)),
        ({"RescaleSlope": "2", "RescaleIntercept": "-5"}, (2.0, -5.0)),
        ({"RescaleSlope": " 2 ", "RescaleIntercept": "-5 "}, (2.0, -5.0)),
        ({"RescaleSlope": "2"}, (1.0, 0.0)),
        ({"RescaleIntercept": "-5"}, (1.0, 0.0)),
        (
            {
                "RescaleSlope": "2",
                "RescaleIntercept": "0",
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2",
            },
            (1.0, 0.0),
        ),
    ],
)
def test_rescale(place: Place, attributes: dict[str, Any], expected: tuple[float, float]) -> None:
    instance = place.put(**attributes)
    with place.pixels.open(instance) as image:
        assert display.rescale(instance, image, 0) == expected


@pytest.mark.parametrize(
    ("attributes", "declared", "used"),
    [
        ({}, None, (128.0, 256.0)),
        ({"BitsStored": 6, "HighBit": 5}, None, (32.0, 64.0)),
        ({"WindowCenter": "7", "WindowWidth": "3"}, (7.0, 3.0), (7.0, 3.0)),
        ({"WindowCenter": ["7", "9"], "WindowWidth": ["3", "5"]}, (7.0, 3.0), (7.0, 3.0)),
        ({"WindowCenter": "7"}, None, (128.0, 256.0)),
        ({"WindowCenter": "", "WindowWidth": "3"}, None, (128.0, 256.0)),
    ],
)
def test_windows(
    place: Place,
    attributes: dict[str, Any],
    declared: tuple[float, float] | None,
    used: tuple[float, float],
) -> None:
    with place.pixels.open(place.put(**attributes)) as image:
        assert display.declared_window(image, 0) == declared
        assert display.window(image, 0) == used


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), (" -2e1 ", -20.0), ("", None), (None, None), ("x", None), ("1\\2", None)],
)
def test_numbers(text: str | None, value: float | None) -> None:
    assert display.number(text) == value
