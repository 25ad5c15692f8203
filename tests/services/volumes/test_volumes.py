"""Arrays as the service gives them: bytes, lengths, tags and parts, without a server."""

import asyncio
import io
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import numpy as np
import pytest
from support.images import image_file
from support.small_store import SmallStore

from orthanc_fast.errors import BadFileFormat, OrthancError, ParameterOutOfRange, UnknownResource
from orthanc_fast.model import Caller, Level
from orthanc_fast.services.pixels.pixels import Pixels
from orthanc_fast.services.volumes.plan import Numbers
from orthanc_fast.services.volumes.streaming import Streams
from orthanc_fast.services.volumes.volumes import ArrayBody, Volumes, Wanted

STORED = Wanted(Numbers(rescale=False))
SHAPE = (8, 6)


@pytest.fixture
def volumes(small_store: SmallStore) -> Iterator[Volumes]:
    pixels = Pixels(small_store.index, small_store.storage)
    found = Volumes(small_store.reads, pixels, Streams(pixels, small_store.storage))
    yield found
    found.close()


def frames(number: int, count: int) -> np.ndarray:
    size = count * SHAPE[0] * SHAPE[1]
    return (np.arange(size) + 7 * number).astype("u1").reshape(count, *SHAPE)


def put(store: SmallStore, number: int, count: int = 1, **attributes: Any) -> tuple[bytes, ...]:
    data = image_file(
        frames(number, count).tobytes(),
        vr="OB",
        Rows=SHAPE[0],
        Columns=SHAPE[1],
        SOPInstanceUID=f"1.2.3.4.{number}",
        InstanceNumber=number,
        **{"NumberOfFrames": count, **attributes},
    )
    return store.put(data)


async def joined(stream: AsyncGenerator[bytes | bytearray]) -> bytes:
    return b"".join([bytes(chunk) async for chunk in stream])


def array_of(store: SmallStore, body: ArrayBody) -> np.ndarray:
    data = store.run(joined(body.whole()))
    assert len(data) == body.length
    found: np.ndarray = np.load(io.BytesIO(data))
    return found


def test_an_instance(small_store: SmallStore, volumes: Volumes, caller: Caller) -> None:
    *_, instance = put(small_store, 1, 3)
    body = small_store.run(volumes.instance(caller, instance, STORED))
    np.testing.assert_array_equal(array_of(small_store, body)[..., 0], frames(1, 3))
    whole = body.at_once()
    if whole is not None:  # else the disk would have to be asked
        assert bytes(whole) == small_store.run(joined(body.whole()))
    one = small_store.run(volumes.frame(caller, instance, 2, STORED))
    np.testing.assert_array_equal(array_of(small_store, one)[..., 0], frames(1, 3)[2])
    chosen = Wanted(STORED.numbers, [slice(2, 3), slice(0, 1)])
    some = small_store.run(volumes.instance(caller, instance, chosen))
    np.testing.assert_array_equal(array_of(small_store, some)[..., 0], frames(1, 3)[[2, 0]])
    tags = {each.tag for each in (body, one, some)}
    assert len(tags) == 3
    assert small_store.run(volumes.instance(caller, instance, STORED)).tag == body.tag


def test_every_part_is_of_the_whole(
    small_store: SmallStore, volumes: Volumes, caller: Caller
) -> None:
    *_, instance = put(small_store, 1, 3)
    body = small_store.run(volumes.instance(caller, instance, STORED))
    whole = small_store.run(joined(body.whole()))
    for first in range(0, len(whole), 37):
        for stop in (first + 1, first + 64, len(whole)):
            stop = min(stop, len(whole))
            assert small_store.run(joined(body.part(first, stop))) == whole[first:stop]


def test_a_series(small_store: SmallStore, volumes: Volumes, caller: Caller) -> None:
    for number in (3, 1, 2):
        _, study, series, _ = put(small_store, number, number)
    body = small_store.run(volumes.series(caller, series, STORED))
    expected = np.concatenate([frames(number, number) for number in (1, 2, 3)])
    np.testing.assert_array_equal(array_of(small_store, body)[..., 0], expected)
    assert body.place is None
    slices = volumes_slices(small_store, volumes, caller, series)
    assert [count for _, count in slices] == [1, 2, 3]
    archive = small_store.run(volumes.study(caller, study, STORED.numbers))
    data = small_store.run(joined(archive.stream))
    assert len(data) == archive.length
    assert archive.skipped == []
    (found,) = np.load(io.BytesIO(data)).values()
    np.testing.assert_array_equal(found[..., 0], expected)


def volumes_slices(
    store: SmallStore, volumes: Volumes, caller: Caller, series: bytes
) -> list[tuple[object, int]]:
    """In a thread, as doors call it where the index is not read in place."""

    async def work() -> list[tuple[object, int]]:
        found = await asyncio.to_thread(volumes.ordered_slices, caller, series)
        return list(found.rows)

    return store.run(work())


def test_a_series_of_different_images_is_no_volume(
    small_store: SmallStore, volumes: Volumes, caller: Caller
) -> None:
    put(small_store, 1)
    data = image_file(bytes(24), SOPInstanceUID="1.2.3.4.9", InstanceNumber=9)
    _, study, series, _ = small_store.put(data)
    with pytest.raises(OrthancError, match="pixels"):
        small_store.run(volumes.series(caller, series, STORED))
    with pytest.raises(OrthancError, match="pixels"):
        small_store.run(volumes.study(caller, study, STORED.numbers))


def test_what_is_not_there(small_store: SmallStore, volumes: Volumes, caller: Caller) -> None:
    *_, series, instance = put(small_store, 1)
    for call in (volumes.instance, volumes.series, volumes.nifti):
        with pytest.raises(UnknownResource):
            small_store.run(call(caller, bytes(20), STORED))
    with pytest.raises(UnknownResource):
        small_store.run(volumes.study(caller, bytes(20), STORED.numbers))
    with pytest.raises(ParameterOutOfRange):
        small_store.run(volumes.frame(caller, instance, 1, STORED))
    nothing = Wanted(STORED.numbers, [slice(5, 6)])
    with pytest.raises(ParameterOutOfRange):
        small_store.run(volumes.series(caller, series, nothing))
    assert small_store.resource(Level.INSTANCE, instance) is not None


@pytest.mark.parametrize("announced", [6_000_000, 99_999_999_999])
def test_more_frames_than_are_there(
    small_store: SmallStore, volumes: Volumes, caller: Caller, announced: int
) -> None:
    *_, series, instance = put(small_store, 1, 1, NumberOfFrames=announced)
    for body in (
        volumes.instance(caller, instance, STORED),
        volumes.series(caller, series, STORED),
        volumes.frame(caller, instance, 1, STORED),
    ):
        with pytest.raises(BadFileFormat, match="frames"):
            small_store.run(body)
    assert [count for _, count in volumes_slices(small_store, volumes, caller, series)] == [1]
    if announced < 1 << 32:  # else it is no number of frames at all, as for Orthanc
        first = small_store.run(volumes.frame(caller, instance, 0, STORED))
        np.testing.assert_array_equal(array_of(small_store, first)[..., 0], frames(1, 1)[0])
