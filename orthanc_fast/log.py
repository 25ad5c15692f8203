"""Logging with Orthanc's categories, levels and line format. Source: reference chapter 4,
section 11.1.

One logger per process, made before anything else; asking whether a level is on costs one lookup.
"""

import sys
import threading
import time
from enum import IntEnum
from pathlib import Path
from typing import Final, TextIO


class Category(IntEnum):
    GENERIC = 0
    PLUGINS = 1
    HTTP = 2
    SQLITE = 3
    DICOM = 4
    JOBS = 5
    LUA = 6


class Level(IntEnum):
    """`DEFAULT` shows warnings and errors, as Orthanc without --verbose."""

    DEFAULT = 0
    VERBOSE = 1
    TRACE = 2


class Logger:
    """Writes lines such as `W1124 11:58:02.123456   http-0 http:/ text` to a stream or a file."""

    def __init__(self, stream: TextIO | None = None, name: str = "main") -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self.name = name
        self.levels: list[Level] = [Level.DEFAULT for _ in Category]

    def open_file(self, path: Path) -> None:
        """Sends all further lines to the end of a file. Raises OSError."""
        self._stream = path.open("a", encoding="utf-8", buffering=1)

    def set_level(self, level: Level, category: Category | None = None) -> None:
        """For one category, or for all."""
        for each in Category if category is None else (category,):
            self.levels[each] = level

    def error(self, category: Category, text: str) -> None:
        self._write("E", category, text)

    def warning(self, category: Category, text: str) -> None:
        self._write("W", category, text)

    def info(self, category: Category, text: str) -> None:
        if self.levels[category] >= Level.VERBOSE:
            self._write("I", category, text)

    def trace(self, category: Category, text: str) -> None:
        if self.levels[category] >= Level.TRACE:
            self._write("T", category, text)

    def _write(self, letter: str, category: Category, text: str) -> None:
        now = time.time()
        stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
        micro = int(now * 1_000_000) % 1_000_000
        prefix = f"{letter}{stamp}.{micro:06d} {self.name:>10} {category.name.lower()}:/ "
        with self._lock:
            for line in text.splitlines() or [""]:
                self._stream.write(f"{prefix}{line}\n")
            self._stream.flush()


logger: Final = Logger()
