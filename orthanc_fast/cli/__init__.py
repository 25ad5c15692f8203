"""The command line: one module per subject. Exit codes: 0 success; 1 something was refused or
found; 2 wrong usage or configuration; 3 the server cannot start; 4 a server cannot be reached, or
lacks what was asked for."""

from importlib import import_module

import click

from orthanc_fast import __version__
from orthanc_fast.cli.backup import backup, restore
from orthanc_fast.cli.check import check
from orthanc_fast.cli.configuration import config, password
from orthanc_fast.cli.health import health
from orthanc_fast.cli.moving import adopt, leave
from orthanc_fast.cli.rebuild import rebuild
from orthanc_fast.cli.serve import serve
from orthanc_fast.log import logger

# Commands that speak to a server, and what they load, which a server itself need not: each is in
# a module of this room.
REMOTE = {
    "import": "upload.import_command",
    "find": "find.find",
    "get": "get.get",
    "anonymize": "anonymize.anonymize",
    "jobs": "jobs.jobs_command",
    "top": "top.top",
}


class Commands(click.Group):
    """Those that are added, and those of REMOTE, which are loaded when they are asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *REMOTE})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in REMOTE:
            return super().get_command(context, name)
        module, _, variable = REMOTE[name].partition(".")
        found = getattr(import_module(f"orthanc_fast.cli.{module}"), variable)
        assert isinstance(found, click.Command)
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orthanc-fast")
def main() -> None:
    """A DICOM server that replaces Orthanc.

    Exit codes: 0 success, 1 something was refused or found, 2 wrong usage or configuration, 3 the
    server cannot start, 4 a server cannot be reached or lacks what was asked for.
    """
    logger.install()
    logger.set_form("Auto")


for command in (
    serve,
    config,
    password,
    check,
    health,
    rebuild,
    backup,
    restore,
    adopt,
    leave,
):
    main.add_command(command)
