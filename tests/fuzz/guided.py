"""A coverage-guided fuzzer for the compiled extensions, small enough to read.

An input that reaches an edge which none reached before is kept and mutated further. The edges come
from coverage.c, which run.sh preloads; the extension is compiled with AddressSanitizer, which ends
the process at the first bad access.
"""

import ctypes
import importlib.util
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

MAP_SIZE = 65536
_INTERESTING = (0, 1, 2, 3, 4, 5, 7, 8, 0x10, 0x20, 0x7F, 0x80, 0xFE, 0xFF)


class Coverage:
    """The map that the instrumented code marks."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._map = (ctypes.c_ubyte * MAP_SIZE).in_dll(library, "coverage_map")
        self._seen = 0

    def is_new(self) -> bool:
        """Whether the run since the last call reached an edge for the first time."""
        marked = int.from_bytes(bytes(self._map), "little")
        ctypes.memset(self._map, 0, MAP_SIZE)
        new = marked & ~self._seen
        self._seen |= marked
        return new != 0

    @property
    def edges(self) -> int:
        return self._seen.bit_count()


def use_instrumented(folder: str, *names: str) -> None:
    """The extensions `names` of `folder` take the place of the package's own. To be called before
    anything of the package is imported."""
    for name in names:
        (path,) = Path(folder).glob(f"{name}.*so")
        spec = importlib.util.spec_from_file_location(f"orthanc_fast._ext.{name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)


@contextmanager
def mark_lines_of(*modules: ModuleType) -> Iterator[None]:
    """Within the block the steps from line to line of these modules are edges too."""
    files = {module.__file__ for module in modules}
    coverage_map = (ctypes.c_ubyte * MAP_SIZE).in_dll(ctypes.CDLL(None), "coverage_map")
    previous = 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal previous
        coverage_map[(frame.f_lineno * 31 ^ previous * 1009) % MAP_SIZE] = 1
        previous = frame.f_lineno
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        return line if frame.f_code.co_filename in files else None

    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(None)


def mutate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A few changes: bytes, numbers, cuts, repetitions, and parts of another input."""
    changed = bytearray(data)
    for _ in range(1 << rng.randrange(4)):
        at = rng.randrange(len(changed) + 1)
        size = rng.randrange(1, 33)
        choice = rng.randrange(6)
        if choice == 0 and at < len(changed):
            changed[at] = rng.choice((rng.randrange(256), *_INTERESTING))
        elif choice == 1 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif choice == 2:
            del changed[at : at + size]
        elif choice == 3:
            changed[at:at] = changed[at : at + size]
        elif choice == 4:
            start = rng.randrange(len(other) + 1)
            changed[at : at + rng.randrange(2) * size] = other[start : start + size]
        else:
            value = rng.choice((0, 1, 2, 6, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(changed)))
            order = rng.choice(("little", "big"))
            changed[at : at + 4] = value.to_bytes(4, order)  # type: ignore[arg-type]
    return bytes(changed[: 1 << 16])


def fuzz(target: Callable[[bytes], object], seeds: Sequence[bytes], seconds: float) -> None:
    """Runs until the time is over; prints what was reached. A crash ends the process; the input
    that was in work is then in the file crash.bin."""
    coverage = Coverage()
    corpus = []
    for seed in seeds:
        target(seed)
        if coverage.is_new():
            corpus.append(seed)
    first = coverage.edges
    rng = random.Random(int(time.time()))
    end = time.monotonic() + seconds
    runs = 0
    crash = Path("crash.bin")
    while time.monotonic() < end:
        for _ in range(200):
            data = mutate(rng, rng.choice(corpus), rng.choice(corpus))
            crash.write_bytes(data)
            target(data)
            runs += 1
            if coverage.is_new():
                corpus.append(data)
    crash.unlink()
    print(f"{runs} runs, {len(corpus)} inputs kept, {coverage.edges} edges (seeds: {first})")
    if coverage.edges <= first or not first:
        sys.exit("no new edge was found: is the extension instrumented?")
