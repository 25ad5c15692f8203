"""The order of slices, against Orthanc 1.13. Source: reference chapter 2, section 7."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support import generated
from support.pair import Pair, started_pair

AXIAL = [1, 0, 0, 0, 1, 0]
DOWN = [1, 0, 0, 0, -1, 0]
OBLIQUE = [0.8, 0.6, 0, -0.6, 0.8, 0]
# What each instance of a series has: position, orientation, number, frames. None: not there.
SERIES: dict[str, list[tuple[Any, Any, Any, Any]]] = {
    "axial": [([0, 0, z], AXIAL, n, None) for n, z in enumerate((3, -1, 2.5, 10))],
    "down": [([0, 0, z], DOWN, n, None) for n, z in enumerate((3, -1, 2.5, 10))],
    "opposite": [([0, 0, 1], AXIAL, 5, None), ([0, 0, 0], DOWN, 6, None)],
    "tilted": [([0, 0, 1], AXIAL, 5, None), ([0, 0, 0], [0, 1, 0, 0, 0, 1], 6, None)],
    "oblique": [([1, 2, z], OBLIQUE, n, None) for n, z in enumerate((4, 2, 3))],
    "same place": [([0, 0, 1], AXIAL, 9, None), ([0, 0, 1], AXIAL, 4, None)],
    "very near": [([0, 0, 1], AXIAL, 9, None), ([0, 0, 1.000001], AXIAL, 4, None)],
    "near": [([0, 0, 1], AXIAL, 9, None), ([0, 0, 1.00001], AXIAL, 4, None)],
    "no position": [(None, AXIAL, 9, None), ([0, 0, 1], AXIAL, 4, None)],
    "no orientation": [([0, 0, 3], None, 2, None), ([0, 0, 1], None, 4, None)],
    "no number": [([0, 0, 1], AXIAL, None, None), ([0, 0, 1], AXIAL, 4, None)],
    "frames": [([0, 0, 5], AXIAL, 1, 3), ([0, 0, 1], AXIAL, 2, 2)],
    "single": [([0, 0, 1], AXIAL, 1, 4)],
    "empty": [([0, 0, 5], AXIAL, 1, 0), ([0, 0, 1], AXIAL, 2, 2)],
    "tail": [([1e3, -2e3, z], AXIAL, 1, None) for z in (0.1, 0.3, 0.2, -0.4)],
}


def files(series: int, rows: list[tuple[Any, Any, Any, Any]]) -> Iterator[bytes]:
    for number, (position, orientation, index, frames) in enumerate(rows):
        dataset = generated.base()
        generated.add_pixels(dataset, np.full((4, 6), number, "<u2"), max(frames or 1, 1))
        given = {
            "ImagePositionPatient": position,
            "ImageOrientationPatient": orientation,
            "InstanceNumber": index,
            "NumberOfFrames": frames,
        }
        for name, value in given.items():
            if value is not None:
                setattr(dataset, name, value)
            elif name in dataset:
                delattr(dataset, name)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        yield generated.Template(buffer.getvalue()).number(1, 1, series, number)


@pytest.fixture(scope="module")
def pair(needs_reference: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("pair")
    with started_pair(folder, {}) as started:
        yield started


def both(pair: Pair, rows: list[tuple[Any, Any, Any, Any]], number: int) -> list[httpx.Response]:
    answers = []
    for client in (pair.ours, pair.theirs):
        for data in files(number, rows):
            stored = client.post("/instances", content=data).json()
        answers.append(client.get(f"/series/{stored['ParentSeries']}/ordered-slices"))
    return answers


@pytest.mark.parametrize("name", SERIES)
def test_the_order_is_orthancs(pair: Pair, name: str) -> None:
    ours, theirs = both(pair, SERIES[name], 10 + list(SERIES).index(name))
    assert ours.status_code == theirs.status_code, (ours.text, theirs.text)
    if theirs.status_code == 200:
        assert ours.json() == theirs.json()
        assert ours.headers["content-type"] == theirs.headers["content-type"]
    else:
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"] == 2040


def test_random_series_are_ordered_as_orthanc_orders_them(pair: Pair) -> None:
    random = np.random.default_rng(5)
    for case in range(6):
        base = random.normal(size=(2, 3))
        row = base[0] / np.linalg.norm(base[0])
        column = np.cross(np.cross(row, base[1]), row)
        column /= np.linalg.norm(column)
        orientation = [f"{value:.9f}" for value in (*row, *column)]
        places = random.uniform(-300, 300, size=(12, 3))
        rows = [([f"{v:.6f}" for v in place], orientation, 1, None) for place in places]
        ours, theirs = both(pair, rows, 100 + case)
        assert ours.json() == theirs.json()
        assert ours.json()["Type"] == "Volume"


def test_negative_numbers_come_first(pair: Pair) -> None:
    """Orthanc reads them as unsigned and puts them last: docs/deviations.md."""
    rows = [(None, None, number, None) for number in (4, -3, 0)]
    ours, _ = both(pair, rows, 90)
    order = [path.split("/")[2] for path in ours.json()["Dicom"]]
    tags = [pair.ours.get(f"/instances/{each}").json()["MainDicomTags"] for each in order]
    assert [each["InstanceNumber"] for each in tags] == ["-3", "0", "4"]


def test_unknown_series(pair: Pair) -> None:
    path = f"/series/{generated.identifier('nothing')}/ordered-slices"
    for client in (pair.ours, pair.theirs):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["OrthancStatus"]) == (404, 17)
