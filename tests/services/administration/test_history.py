"""The ring of samples of the last hour."""

import os
import time
from itertools import count
from pathlib import Path

import pytest

from orthanc_fast.services.administration import history
from orthanc_fast.services.administration.history import INTERVAL, SAMPLES, History, Sample


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is, which tests change."""
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.fixture
def kept(tmp_path: Path, clock: list[float]) -> History:
    numbers = count()
    return History(tmp_path, lambda: Sample(clock[0], next(numbers), 0.0, 0.0, 0.0))


def test_one_sample_in_an_interval(kept: History, clock: list[float], tmp_path: Path) -> None:
    kept.take_if_due()
    other = History(tmp_path, lambda: Sample(clock[0], 77.0, 0.0, 0.0, 0.0))
    other.take_if_due()  # too early, whoever asks
    clock[0] += INTERVAL
    other.take_if_due()
    assert [each.instances for each in kept.samples()[:-1]] == [0.0, 77.0]


def test_the_last_of_them_is_of_now(kept: History) -> None:
    assert [each.instances for each in kept.samples()] == [0.0]
    kept.take_if_due()
    assert [each.instances for each in kept.samples()] == [1.0, 2.0]


def test_no_more_than_an_hour(kept: History, clock: list[float]) -> None:
    for _ in range(SAMPLES + 7):
        kept.take_if_due()
        clock[0] += INTERVAL
    found = kept.samples()[:-1]
    assert len(found) == SAMPLES
    assert found[0].instances == 7.0


def test_a_clock_that_was_set_back(kept: History, clock: list[float]) -> None:
    kept.take_if_due()
    clock[0] -= 100_000
    kept.take_if_due()
    assert len(kept.samples()) == 3


def test_a_sample_cut_short_is_none(kept: History, tmp_path: Path) -> None:
    kept.take_if_due()
    os.truncate(tmp_path / history.FILE, 10)
    assert len(kept.samples()) == 1


def test_the_last_run_is_forgotten(kept: History, tmp_path: Path) -> None:
    kept.take_if_due()
    history.begin(tmp_path)
    assert len(kept.samples()) == 1
