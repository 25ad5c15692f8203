"""Which scripts a configuration has, and where their processes are found. The options themselves
are `config_sections.Scripting`."""

from pathlib import Path
from typing import Final, Literal

from orthanc_fast.config import Settings
from orthanc_fast.services.store.opening import INDEX_FOLDER

Language = Literal["lua", "python"]

LANGUAGES: Final[tuple[Language, ...]] = ("lua", "python")
"""In the order in which they are asked where both have a callback."""


def languages(settings: Settings) -> tuple[Language, ...]:
    """Those that have a process: none without scripts."""
    found = settings.scripting
    if found is None:
        return ()
    has = {"lua": found.has_lua, "python": found.python_script is not None}
    return tuple(language for language in LANGUAGES if has[language])


def channel_path(settings: Settings, language: Language) -> Path:
    """Where the process of a language is asked: a socket of the Unix domain, in the folder of the
    index, which nobody else may enter."""
    return settings.index_directory / INDEX_FOLDER / f"scripts-{language}.socket"
