"""`rebuild`: a new index of the stored files."""

import sys
from pathlib import Path

import click
import msgspec

from orthanc_fast.cli.common import CONFIGURATIONS, FOUND, progress_bar, refusals, settings_of


@click.command()
@CONFIGURATIONS
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
def rebuild(configurations: tuple[Path, ...], as_json: bool) -> None:
    """Makes a new index of the stored files, where the old one is lost. Interrupted, it goes on
    when it is called again. No stored file is changed."""
    from orthanc_fast.services.store.privacy import keep_private
    from orthanc_fast.services.upkeep.rebuild import run

    settings = settings_of(configurations)
    keep_private(settings)
    with progress_bar("files") as progress, refusals():
        report = run(settings, progress)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        for finding in report.findings:
            click.echo(f"{finding.kind}: {finding.file}: {finding.explanation}")
        click.echo(
            f"{report.instances} instances of {report.patients} patients from {report.files} files "
            f"in {report.seconds:.1f} s; {report.heads} files are the beginnings of others, "
            f"{len(report.findings)} were left alone"
        )
    sys.exit(0 if report.clean else FOUND)
