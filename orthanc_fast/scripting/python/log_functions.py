"""The functions that log. Source: reference chapter 7, section 3."""

import threading
from typing import Final

from orthanc_fast.log import Category, logger
from orthanc_fast.scripting.python.arguments import takes
from orthanc_fast.scripting.python.enumerations import MEMBERS
from orthanc_fast.scripting.python.exceptions import PARAMETER_OUT_OF_RANGE, failure

_CATEGORIES: Final = {number: Category[name] for name, number in MEMBERS["LogCategory"].items()}
_WRITERS: Final = (logger.error, logger.warning, logger.info, logger.trace)  # by LogLevel


class LogFunctions:
    """Into the server's log."""

    @takes("s")
    def LogError(self, text: str) -> None:
        logger.error(Category.PLUGINS, text)

    @takes("s")
    def LogWarning(self, text: str) -> None:
        logger.warning(Category.PLUGINS, text)

    @takes("s")
    def LogInfo(self, text: str) -> None:
        logger.info(Category.PLUGINS, text)

    @takes("sssiii")
    def LogMessage(
        self, text: str, plugin: str, file: str, line: int, category: int, level: int
    ) -> None:
        if category not in _CATEGORIES or not 0 <= level < len(_WRITERS):
            raise failure(PARAMETER_OUT_OF_RANGE)
        _WRITERS[level](_CATEGORIES[category], text)

    @takes("s")
    def SetCurrentThreadName(self, name: str) -> None:
        threading.current_thread().name = name
