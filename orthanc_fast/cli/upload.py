"""`import`: files to a server."""

import sys
from pathlib import Path

import click

from orthanc_fast.cli.common import FOUND
from orthanc_fast.cli.remote import JSON, print_json, server_options
from orthanc_fast.client.server import Server


@click.command(name="import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Uploads at the same time.",
)
@JSON
@server_options
def import_command(
    server: Server, paths: tuple[Path, ...], connections: int, as_json: bool
) -> None:
    """Uploads files, folders, ZIP and tar archives (also .gz, .bz2, .xz, and archives in
    archives) to a server. What archives hold beside DICOM files is counted, not refused."""
    summary = server.upload(paths, connections)
    if as_json:
        print_json(summary)
        sys.exit(FOUND if summary.refusals else 0)
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
