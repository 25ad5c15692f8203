"""Logging with Orthanc's categories, levels and line format. Source: reference chapter 4,
section 11.1.

All of it is Python's `logging` below: each category has a logger, each library belongs to a
category, and one handler writes Orthanc's lines. What differs is where the levels are: in memory
that the processes of a server can share, so that what one sets, all have at once. Asking whether a
level is on costs one lookup there.
"""

import logging
import mmap
import os
import sys
import time
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Final, Literal

import msgspec


class Category(IntEnum):
    GENERIC = 0
    PLUGINS = 1
    HTTP = 2
    SQLITE = 3
    DICOM = 4
    JOBS = 5
    LUA = 6


class Verbosity(IntEnum):
    """`DEFAULT` shows warnings and errors, as Orthanc without --verbose."""

    DEFAULT = 0
    VERBOSE = 1
    TRACE = 2


Form = Literal["Auto", "Text", "Journal", "Json"]
FORMS: Final[tuple[Form, ...]] = ("Auto", "Text", "Journal", "Json")

# What each level begins with.
_LEAST = (logging.WARNING, logging.INFO, logging.DEBUG)

_OWN: Final = "orthanc_fast"
# Libraries by the first part of their loggers' names; all others are GENERIC.
_LIBRARIES = {
    "pynetdicom": Category.DICOM,
    "pydicom": Category.DICOM,
    "pylibjpeg": Category.DICOM,
    "openjpeg": Category.DICOM,
    "_granian": Category.HTTP,
    "aiohttp": Category.HTTP,
}


class _Levels:
    """The level of each category, of this process or of all that share them."""

    values: bytearray | mmap.mmap = bytearray(len(Category))


class _CategoryLogger(logging.Logger):
    """A logger that has the level of its category, whatever a library sets."""

    def __init__(self, name: str, level: int = logging.NOTSET) -> None:
        super().__init__(name, level)
        self.category = _category(name)

    def isEnabledFor(self, level: int) -> bool:
        return level >= _LEAST[_Levels.values[self.category]]

    def getEffectiveLevel(self) -> int:
        return _LEAST[_Levels.values[self.category]]


def _category(name: str) -> Category:
    first, _, rest = name.partition(".")
    if first == _OWN and rest.upper() in Category.__members__:
        return Category[rest.upper()]
    return _LIBRARIES.get(first, Category.GENERIC)


class _Lines(logging.Formatter):
    """Orthanc's lines, each of a text of several with all that stands before."""

    def __init__(self, process: str = "main") -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        micro = int(record.created * 1_000_000) % 1_000_000
        category = _category(record.name).name.lower()
        prefix = f"{_letter(record.levelno)}{stamp}.{micro:06d} {self.process:>10} {category}:/ "
        return "\n".join(f"{prefix}{line}" for line in super().format(record).splitlines() or [""])


class _JournalLines(_Lines):
    """For systemd's journal, which has the time itself: a line begins with its priority as
    sd-daemon(3) says."""

    def format(self, record: logging.LogRecord) -> str:
        priority = {"E": 3, "W": 4, "I": 6, "T": 7}[_letter(record.levelno)]
        prefix = f"<{priority}>{self.process} {_category(record.name).name.lower()}: "
        text = logging.Formatter.format(self, record)
        return "\n".join(f"{prefix}{line}" for line in text.splitlines() or [""])


class _JsonLines(_Lines):
    """One object of JSON a line, for collectors of logs."""

    def format(self, record: logging.LogRecord) -> str:
        instant = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": instant.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": _NAMES[_letter(record.levelno)],
            "process": self.process,
            "category": _category(record.name).name.lower(),
            "message": logging.Formatter.format(self, record),
        }
        return msgspec.json.encode(line).decode()


_NAMES: Final = {"E": "error", "W": "warning", "I": "info", "T": "trace"}
_FORMATTERS: Final = {"Text": _Lines, "Journal": _JournalLines, "Json": _JsonLines}


def _is_journal(descriptor: int) -> bool:
    """Whether what is written there goes to systemd's journal, as it tells its services."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def _letter(number: int) -> str:
    if number >= logging.ERROR:
        return "E"
    return "W" if number >= logging.WARNING else "I" if number >= logging.INFO else "T"


class Logger:
    """What the program itself logs by. Before `install` it is a library to `logging` as any
    other."""

    def __init__(self) -> None:
        self._lines = _Lines()
        self._handler: logging.Handler = logging.StreamHandler(sys.stderr)
        self._is_file = False
        self._handler.setFormatter(self._lines)
        # Loggers that are older than `install` have no category to ask.
        self._handler.addFilter(
            lambda record: record.levelno >= _LEAST[_Levels.values[_category(record.name)]]
        )
        usual = logging.getLoggerClass()
        logging.setLoggerClass(_CategoryLogger)
        self._loggers = [logging.getLogger(f"{_OWN}.{each.name.lower()}") for each in Category]
        logging.setLoggerClass(usual)

    def install(self, process: str = "main") -> None:
        """From now on all that is logged in this process, by whatever library, is written in
        Orthanc's lines, with the name of the process in them."""
        self._lines.process = process
        logging.setLoggerClass(_CategoryLogger)
        logging.root.setLevel(logging.DEBUG)
        logging.root.addHandler(self._handler)
        logging.captureWarnings(True)

    def open_file(self, path: Path) -> None:
        """Sends all further lines to the end of a file; to a new one of that name where somebody
        has moved it away. Raises OSError."""
        from logging.handlers import WatchedFileHandler  # loads as much as all of this

        former, self._handler = self._handler, WatchedFileHandler(path, encoding="utf-8")
        self._is_file = True
        self._handler.setFormatter(self._lines)
        for each in former.filters:
            self._handler.addFilter(each)
        if former in logging.root.handlers:
            logging.root.removeHandler(former)
            logging.root.addHandler(self._handler)

    def set_form(self, form: Form) -> None:
        """How lines look from now on. `Auto` are those of the journal where standard error goes
        there, else Orthanc's."""
        if form == "Auto":
            is_journal = not self._is_file and _is_journal(2)
            form = "Journal" if is_journal else "Text"
        self._lines = _FORMATTERS[form](self._lines.process)
        self._handler.setFormatter(self._lines)

    def set_level(self, level: Verbosity, category: Category | None = None) -> None:
        """For one category, or for all."""
        for each in Category if category is None else (category,):
            _Levels.values[each] = level

    def level(self, category: Category | None = None) -> Verbosity:
        """Of one category, or the most talkative of all."""
        if category is not None:
            return Verbosity(_Levels.values[category])
        return Verbosity(max(_Levels.values[each] for each in Category))

    def share(self) -> int:
        """Moves the levels into memory that other processes can share by the descriptor that is
        returned: see `join`."""
        descriptor = os.memfd_create("log-levels")
        os.write(descriptor, _Levels.values[:])
        self.join(descriptor)
        return descriptor

    def join(self, descriptor: int) -> None:
        """Takes the levels, now and from now on, from the process that shares them."""
        _Levels.values = mmap.mmap(descriptor, len(Category))

    def error(self, category: Category, text: str) -> None:
        self._loggers[category].error(text)

    def warning(self, category: Category, text: str) -> None:
        self._loggers[category].warning(text)

    def info(self, category: Category, text: str) -> None:
        self._loggers[category].info(text)

    def trace(self, category: Category, text: str) -> None:
        self._loggers[category].debug(text)


logger: Final = Logger()
