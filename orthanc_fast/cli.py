"""The command line. Exit codes: 0 success; 1 something was refused or found; 2 wrong usage or
configuration; 3 the server cannot start."""

import sys
from pathlib import Path

import click
from msgspec.structs import replace

from orthanc_fast import __version__
from orthanc_fast.config import ConfigError, Settings, default_file, load
from orthanc_fast.log import Category, Verbosity, logger

FOUND = 1
BAD_CONFIGURATION = 2
CANNOT_START = 3

CONFIGURATIONS = click.argument(
    "configurations", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[CONFIG]..."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orthanc-fast")
def main() -> None:
    """A DICOM server that replaces Orthanc.

    Exit codes: 0 success, 1 something was refused or found, 2 wrong usage or configuration, 3 the
    server cannot start.
    """
    logger.install()


def _settings(configurations: tuple[Path, ...]) -> Settings:
    try:
        return load(configurations, lambda text: logger.warning(Category.GENERIC, text))
    except ConfigError as error:
        click.echo(f"orthanc-fast: {error}", err=True)
        sys.exit(BAD_CONFIGURATION)


@main.command()
def password() -> None:
    """Asks for a password and prints the hash that the option PasswordHash takes."""
    from orthanc_fast.services.users.passwords import hashed

    click.echo(
        hashed(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    )


@main.command()
@CONFIGURATIONS
@click.option("--verbose", is_flag=True, help="Log what happens.")
@click.option("--trace", is_flag=True, help="Log every detail.")
@click.option("--verbose-category", multiple=True, help="--verbose for one category only.")
@click.option("--no-jobs", is_flag=True, help="Forget the jobs of the last run.")
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
    settings = replace(_settings(configurations), reload_jobs=not no_jobs)

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


@main.command()
def config() -> None:
    """Prints the default configuration, with comments."""
    click.echo(default_file(), nl=False)


@main.command()
@CONFIGURATIONS
@click.option("--repair", is_flag=True, help="Take what is lost out of the index; removes no file.")
def check(configurations: tuple[Path, ...], repair: bool) -> None:
    """Compares the index with the stored files and their checksums."""
    from orthanc_fast.errors import OrthancError
    from orthanc_fast.services.administration.check import run
    from orthanc_fast.services.store.privacy import keep_private

    settings = _settings(configurations)
    keep_private(settings)
    try:
        report = run(settings, repair)
    except OrthancError as error:
        click.echo(f"orthanc-fast: {error}", err=True)
        sys.exit(CANNOT_START)
    for finding in report.findings:
        done = " (repaired)" if finding.repaired else ""
        click.echo(f"{finding.kind}: {finding.subject}: {finding.explanation}{done}")
    click.echo(f"{report.instances} instances, {report.files} files, {len(report.findings)} faults")
    sys.exit(0 if report.clean else FOUND)


@main.command(name="import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--server", default="http://localhost:8042", show_default=True, help="Its address.")
@click.option("--user", default=None, help="NAME:PASSWORD, for servers that ask for it.")
@click.option("--connections", default=4, show_default=True, help="Uploads at the same time.")
def import_command(
    paths: tuple[Path, ...], server: str, user: str | None, connections: int
) -> None:
    """Uploads files, folders, ZIP and tar archives (also .gz, .bz2, .xz, and archives in
    archives) to a server. What archives hold beside DICOM files is counted, not refused."""
    from orthanc_fast.client.upload import import_paths

    summary = import_paths(paths, server, user, connections)
    for reason, names in summary.refused.items():
        click.echo(f"refused, {reason}:", err=True)
        for name in names[:10]:
            click.echo(f"  {name}", err=True)
        if len(names) > 10:
            click.echo(f"  and {len(names) - 10} more", err=True)
    others = f", {summary.others} in archives are no DICOM files" if summary.others else ""
    click.echo(
        f"{summary.stored} stored, {summary.already} already there, {summary.refusals} refused"
        f"{others}; "
        f"{summary.bytes / 1e6:.1f} MB in {summary.seconds:.1f} s"
    )
    sys.exit(FOUND if summary.refusals else 0)


if __name__ == "__main__":
    main()
