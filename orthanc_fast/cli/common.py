"""What commands share: exit codes, and the configuration that they are called with."""

import sys
from pathlib import Path

import click

from orthanc_fast.config import ConfigError, Settings, load
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
