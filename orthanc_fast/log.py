"""Logging with Orthanc's categories, levels and line format. Source: reference chapter 4,
section 11.1.

One logger per process, made before anything else; asking whether a level is on costs one lookup.
The levels can lie in memory that the processes of a server share: what one sets, all have at once.
"""

import mmap
import os
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
        self._levels: bytearray | mmap.mmap = bytearray(len(Category))

    def open_file(self, path: Path) -> None:
        """Sends all further lines to the end of a file. Raises OSError."""
        self._stream = path.open("a", encoding="utf-8", buffering=1)

    def set_level(self, level: Level, category: Category | None = None) -> None:
        """For one category, or for all."""
        for each in Category if category is None else (category,):
            self._levels[each] = level

    def level(self, category: Category | None = None) -> Level:
        """Of one category, or the most talkative of all."""
        return Level(
            max(self._levels[each] for each in Category)
            if category is None
            else self._levels[category]
        )

    def share(self) -> int:
        """Moves the levels into memory that other processes can share by the descriptor that is
        returned: see `join`."""
        descriptor = os.memfd_create("log-levels")
        os.write(descriptor, bytes(self._levels[each] for each in Category))
        self.join(descriptor)
        return descriptor

    def join(self, descriptor: int) -> None:
        """Takes the levels, now and from now on, from the process that shares them."""
        self._levels = mmap.mmap(descriptor, len(Category))

    def error(self, category: Category, text: str) -> None:
        self._write("E", category, text)

    def warning(self, category: Category, text: str) -> None:
        self._write("W", category, text)

    def info(self, category: Category, text: str) -> None:
        if self._levels[category] >= Level.VERBOSE:
            self._write("I", category, text)

    def trace(self, category: Category, text: str) -> None:
        if self._levels[category] >= Level.TRACE:
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
