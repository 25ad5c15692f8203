"""`check`: index, files and checksums compared."""

import sys
from pathlib import Path

import click

from orthanc_fast.cli.common import CANNOT_START, CONFIGURATIONS, FOUND, settings_of


@click.command()
@CONFIGURATIONS
@click.option("--repair", is_flag=True, help="Take what is lost out of the index; removes no file.")
def check(configurations: tuple[Path, ...], repair: bool) -> None:
    """Compares the index with the stored files and their checksums."""
    from orthanc_fast.errors import OrthancError
    from orthanc_fast.services.administration.check import run
    from orthanc_fast.services.store.privacy import keep_private

    settings = settings_of(configurations)
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
