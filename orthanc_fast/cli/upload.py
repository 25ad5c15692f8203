"""`import`: files to a server."""

import sys
from pathlib import Path

import click

from orthanc_fast.cli.common import FOUND


@click.command(name="import")
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
