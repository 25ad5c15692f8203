"""The command line: one module per subject. Exit codes: 0 success; 1 something was refused or
found; 2 wrong usage or configuration; 3 the server cannot start."""

import click

from orthanc_fast import __version__
from orthanc_fast.cli.backup import backup, restore
from orthanc_fast.cli.check import check
from orthanc_fast.cli.configuration import config, password
from orthanc_fast.cli.health import health
from orthanc_fast.cli.moving import adopt
from orthanc_fast.cli.rebuild import rebuild
from orthanc_fast.cli.serve import serve
from orthanc_fast.cli.upload import import_command
from orthanc_fast.log import logger


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orthanc-fast")
def main() -> None:
    """A DICOM server that replaces Orthanc.

    Exit codes: 0 success, 1 something was refused or found, 2 wrong usage or configuration, 3 the
    server cannot start.
    """
    logger.install()
    logger.set_form("Auto")


for command in (
    serve,
    config,
    password,
    check,
    health,
    import_command,
    rebuild,
    backup,
    restore,
    adopt,
):
    main.add_command(command)
