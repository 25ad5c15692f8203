"""Frames of several files at their places: the first of each file, told without a walk over all."""

import itertools

import pytest

from orthanc_fast.services.volumes.places import Places

COUNTS = [[1], [4], [3, 0, 2], [2, 5, 1], [1, 1, 1, 1]]
BOUNDS = (None, 0, 1, 3, -1, -4)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("step", [None, 2, 3, -1, -2])
def test_the_first_frame_of_each_file(counts: list[int], step: int | None) -> None:
    compared = 0
    for start, stop in itertools.product(BOUNDS, BOUNDS):
        chosen = slice(start, stop, step)
        if not range(*chosen.indices(sum(counts))):
            continue
        places = Places(counts, [chosen, slice(0, 1)], "slices")
        expected: dict[int, int] = {}
        for place in range(len(places)):
            number, frame = places[place]
            expected.setdefault(number, frame)
        assert places.first_of_each() == expected
        compared += 1
    assert compared
