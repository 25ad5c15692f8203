"""Figures about the running server, summed over all of its processes.

Each process writes into a small file of its own that is mapped into memory, so that recording
costs no more than adding to a number; whoever is asked reads the files of all. A worker that takes
the place of a dead one goes on with its file, hence counters never go back while the server runs.

A file is a table of names, one line per figure (`KIND NAME`, in the order of the values), followed
by the values as doubles. So processes need not agree on what they record.
"""

import mmap
import os
import time
from bisect import bisect_left
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias

PREFIX: Final = "metrics-"
STARTED: Final = "started"

NAMES_SIZE: Final = 64 << 10
VALUES: Final = 8192

# Upper bounds in seconds; the last bucket has none.
BOUNDS: Final = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
PEAK_SECONDS: Final = 10.0

COUNTER, GAUGE, PEAK, HISTOGRAM = "c", "g", "p", "h"
# Values that a figure takes: a peak has its instant, a histogram its buckets and the sum.
WIDTHS: Final = {COUNTER: 1, GAUGE: 1, PEAK: 2, HISTOGRAM: len(BOUNDS) + 2}

Values: TypeAlias = "memoryview[float]"


class Counter:
    """A number that grows; or, made by `Metrics.gauge`, one that also shrinks again."""

    __slots__ = ("_at", "_values")

    def __init__(self, values: Values, at: int) -> None:
        self._values = values
        self._at = at

    def add(self, amount: float = 1.0) -> None:
        self._values[self._at] += amount

    def set(self, value: float) -> None:
        """For a gauge: what it is now."""
        self._values[self._at] = value


class Peak:
    """The greatest value of the last ten seconds, as Orthanc shows its durations."""

    __slots__ = ("_at", "_values")

    def __init__(self, values: Values, at: int) -> None:
        self._values = values
        self._at = at

    def observe(self, value: float, now: float) -> None:
        """`now` is `time.perf_counter()`, which all processes of a machine share."""
        values, at = self._values, self._at
        if value >= values[at] or now - values[at + 1] > PEAK_SECONDS:
            values[at] = value
            values[at + 1] = now


class Histogram:
    """How many durations, in seconds, were up to each of BOUNDS, and their sum."""

    __slots__ = ("_at", "_sum", "_values")

    def __init__(self, values: Values, at: int) -> None:
        self._values = values
        self._at = at
        self._sum = at + len(BOUNDS) + 1

    def observe(self, seconds: float) -> None:
        self._values[self._at + bisect_left(BOUNDS, seconds)] += 1.0
        self._values[self._sum] += seconds


class Metrics:
    """The figures of this process, made once by name, and the reading of those of all processes.

    Recording is not guarded against other threads: two that add to one figure at the same instant
    may count as one, which a dashboard bears.
    """

    def __init__(self, folder: Path, slot: str) -> None:
        """`folder` is the index's, `slot` the stable name of this process."""
        self._folder = folder
        self._started = folder / STARTED
        os.close(os.open(self._started, os.O_CREAT, 0o600))
        path = folder / f"{PREFIX}{slot}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, NAMES_SIZE + 8 * VALUES)
            self._map = mmap.mmap(descriptor, NAMES_SIZE + 8 * VALUES)
        finally:
            os.close(descriptor)
        self._values = memoryview(self._map)[NAMES_SIZE:].cast("d")
        self._lock = Lock()
        self._places: dict[str, int] = {}  # by line
        self._names_end = self._values_end = 0
        for line in _lines(self._map[:NAMES_SIZE]):
            self._take(line)
            if line[0] == GAUGE:  # the worker before this one has left what it held
                self._values[self._places[line]] = 0.0

    def counter(self, name: str) -> Counter:
        """A figure that only grows; `name` may have labels as in `name{a="b"}`."""
        return Counter(self._values, self._place(COUNTER, name))

    def gauge(self, name: str) -> Counter:
        """A figure that goes up and down."""
        return Counter(self._values, self._place(GAUGE, name))

    def peak(self, name: str) -> Peak:
        """The greatest of the last seconds."""
        return Peak(self._values, self._place(PEAK, name))

    def histogram(self, name: str) -> Histogram:
        """A distribution of durations; `name` without the suffixes `_bucket`, `_sum`, `_count`."""
        return Histogram(self._values, self._place(HISTOGRAM, name))

    def _place(self, kind: str, name: str) -> int:
        line = f"{kind} {name}"
        with self._lock:
            found = self._places.get(line)
            if found is None:
                text = f"{line}\n".encode()
                begin, end = self._names_end, self._names_end + len(text)
                if end > NAMES_SIZE or self._values_end + WIDTHS[kind] > VALUES:
                    raise RuntimeError("there is no room for more metrics")
                self._map[begin:end] = text
                found = self._take(line)
            return found

    def _take(self, line: str) -> int:
        at = self._places[line] = self._values_end
        self._values_end += WIDTHS[line[0]]
        self._names_end += len(line.encode()) + 1
        return at

    def totals(self) -> dict[str, float]:
        """All figures of all processes by name, histograms as Prometheus wants them; those
        without a value are missing."""
        found: dict[tuple[str, str], list[float]] = {}
        now = time.perf_counter()
        for path in self._folder.glob(f"{PREFIX}*"):
            _merge(path.read_bytes(), now, found)
        shown: dict[str, float] = {}
        for (kind, name), values in found.items():
            if kind == HISTOGRAM:
                _show_histogram(name, values, shown)
            elif kind != COUNTER or values[0]:
                shown[name] = values[0]
        return shown

    def up_time(self) -> float:
        """Seconds since the server, not this process, has started."""
        return time.time() - self._started.stat().st_mtime

    def close(self) -> None:
        self._values.release()


def begin(folder: Path) -> None:
    """Forgets the figures of the last run; before any process of a new one opens its own."""
    for path in folder.glob(f"{PREFIX}*"):
        path.unlink()
    (folder / STARTED).touch()


def _lines(table: bytes) -> list[str]:
    return table[: table.rfind(b"\n") + 1].decode().splitlines()


def _merge(content: bytes, now: float, found: dict[tuple[str, str], list[float]]) -> None:
    values = memoryview(content)[NAMES_SIZE:].cast("d")
    at = 0
    for line in _lines(content[:NAMES_SIZE]):
        key = (line[0], line[2:])
        own = [*values[at : at + WIDTHS[line[0]]]]
        at += len(own)
        known = found.get(key)
        if line[0] == PEAK:
            own = [own[0] if now - own[1] <= PEAK_SECONDS else 0.0]
            found[key] = own if known is None else [max(known[0], own[0])]
        else:
            found[key] = own if known is None else [a + b for a, b in zip(known, own, strict=True)]


def _show_histogram(name: str, values: list[float], shown: dict[str, float]) -> None:
    count = sum(values[:-1])
    if not count:
        return
    base, _, labels = name.rstrip("}").partition("{")
    separator = "," if labels else ""
    running = 0.0
    for bound, value in zip((*BOUNDS, "+Inf"), values[:-1], strict=True):
        running += value
        shown[f'{base}_bucket{{{labels}{separator}le="{bound}"}}'] = running
    suffix = f"{{{labels}}}" if labels else ""
    shown[f"{base}_sum{suffix}"] = values[-1]
    shown[f"{base}_count{suffix}"] = count
