"""`serve`: the server."""

import sys
from pathlib import Path

import click
from msgspec.structs import replace

from orthanc_fast import __version__
from orthanc_fast.cli.common import CANNOT_START, CONFIGURATIONS, settings_of
from orthanc_fast.config import ConfigError, Settings, load
from orthanc_fast.log import Category, Verbosity, logger


@click.command()
@CONFIGURATIONS
@click.option("--verbose", is_flag=True, envvar="VERBOSE_ENABLED", help="Log what happens.")
@click.option("--trace", is_flag=True, envvar="TRACE_ENABLED", help="Log every detail.")
@click.option("--verbose-category", multiple=True, help="--verbose for one category only.")
@click.option("--no-jobs", is_flag=True, envvar="NO_JOBS", help="Forget the jobs of the last run.")
@click.option("--logfile", type=click.Path(dir_okay=False, path_type=Path), help="Log to a file.")
def serve(
    configurations: tuple[Path, ...],
    verbose: bool,
    trace: bool,
    verbose_category: tuple[str, ...],
    no_jobs: bool,
    logfile: Path | None,
) -> None:
    """Runs the server with these configuration files and folders, or with the defaults."""
    from orthanc_fast.server import run
    from orthanc_fast.supervisor import CannotStart

    if verbose or trace:
        logger.set_level(Verbosity.TRACE if trace else Verbosity.VERBOSE)
    for name in verbose_category:
        if name.upper() not in Category.__members__:
            raise click.BadParameter(f"there is no category {name!r}")
        logger.set_level(Verbosity.VERBOSE, Category[name.upper()])
    if logfile is not None:
        try:
            logger.open_file(logfile)
        except OSError as error:
            raise click.BadParameter(f"cannot write {logfile}: {error.strerror}") from error
    settings = replace(settings_of(configurations), reload_jobs=not no_jobs)

    def reload() -> Settings | None:
        try:
            found = load(configurations, lambda text: logger.warning(Category.GENERIC, text))
            return replace(found, reload_jobs=not no_jobs)
        except ConfigError as error:
            logger.error(Category.GENERIC, f"{error}: the former configuration stays in force")
            return None

    def announce(address: str) -> None:
        click.echo(f"orthanc-fast {__version__} serves {address}")
        sys.stdout.flush()

    try:
        run(settings, announce, None if logfile is None else str(logfile.absolute()), reload)
    except CannotStart as error:
        click.echo(f"orthanc-fast: {error}", err=True)
        sys.exit(CANNOT_START)
