"""What commands share: exit codes, and the configuration that they are called with."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from orthanc_fast.config import ConfigError, Settings, load
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger

FOUND = 1
BAD_CONFIGURATION = 2
CANNOT_START = 3

CONFIGURATIONS = click.argument(
    "configurations", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[CONFIG]..."
)


def settings_of(configurations: tuple[Path, ...]) -> Settings:
    """The settings of these files and folders; ends the process where they cannot be used."""
    try:
        return load(configurations, lambda text: logger.warning(Category.GENERIC, text))
    except ConfigError as error:
        click.echo(f"orthanc-fast: {error}", err=True)
        sys.exit(BAD_CONFIGURATION)


@contextmanager
def refusals() -> Iterator[None]:
    """What is refused within it ends the process with one line."""
    try:
        yield
    except OrthancError as error:
        click.echo(f"orthanc-fast: {error}", err=True)
        sys.exit(CANNOT_START)


@contextmanager
def progress_bar(unit: str, name: str | None = None) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal; what moves it is told how many of how many are done, None where nobody
    knows. Bytes, whose unit is B, are shown in their multiples."""
    from tqdm import tqdm

    is_size = unit == "B"
    shown = unit if is_size else f" {unit}"
    with tqdm(desc=name, unit=shown, unit_scale=is_size, disable=None) as bar:

        def progress(done: int, of: int | None) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield progress
