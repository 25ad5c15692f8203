"""`check`: index, files and checksums compared."""

import sys
from pathlib import Path

import click

from orthanc_fast.cli.common import CONFIGURATIONS, FOUND, progress_bar, refusals, settings_of


@click.command()
@CONFIGURATIONS
@click.option("--repair", is_flag=True, help="Take what is lost out of the index; removes no file.")
@click.option("--deep", is_flag=True, help="Compare MD5s too, and remember what is damaged.")
def check(configurations: tuple[Path, ...], repair: bool, deep: bool) -> None:
    """Compares the index with the stored files and their checksums. What is damaged is named by
    patient and study."""
    from orthanc_fast.services.administration.check import run
    from orthanc_fast.services.store.privacy import keep_private

    settings = settings_of(configurations)
    keep_private(settings)
    with progress_bar("files") as progress, refusals():
        report = run(settings, repair, deep, progress)
    for finding in report.findings:
        done = " (repaired)" if finding.repaired else ""
        click.echo(f"{finding.kind}: {finding.subject}: {finding.explanation}{done}")
    click.echo(f"{report.instances} instances, {report.files} files, {len(report.findings)} faults")
    sys.exit(0 if report.clean else FOUND)
