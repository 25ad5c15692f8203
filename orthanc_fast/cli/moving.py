"""`adopt`: the store of an Orthanc becomes one of this server; `leave`: and the way back."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from orthanc_fast.cli.common import CANNOT_START, CONFIGURATIONS, FOUND, progress_bar, settings_of

if TYPE_CHECKING:
    from orthanc_fast.services.moving.report import Finding, LeaveReport, Report, Taken

_SHOWN = 20  # findings of a kind; --json has more


@click.command()
@CONFIGURATIONS
@click.option("--dry-run", is_flag=True, help="Change nothing; tell what would be found.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.option(
    "--without-plugins", is_flag=True, help="Go on where plugins have no counterpart here."
)
@click.option("--trust-files", is_flag=True, help="Do not look whether all files are there.")
def adopt(
    configurations: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
    without_plugins: bool,
    trust_files: bool,
) -> None:
    """Takes over the store of an Orthanc (1.10 to 1.13), which must not run, in place: files stay
    where they are, and the index of the Orthanc is not changed. Exit code 1: all that could be read
    was taken over, and something is not as it should be."""
    from orthanc_fast.errors import OrthancError
    from orthanc_fast.services.moving.adopt import Options
    from orthanc_fast.services.moving.adopt import adopt as run
    from orthanc_fast.services.store.privacy import keep_private

    settings = settings_of(configurations)
    keep_private(settings)
    options = Options(dry_run, without_plugins, trust_files)
    try:
        with progress_bar("resources") as progress:
            report = run(settings, options, progress)
    except OrthancError as error:
        _refuse("adopted", error, as_json)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        _print(report)
    sys.exit(0 if report.clean else FOUND)


@click.command()
@CONFIGURATIONS
@click.option("--dry-run", is_flag=True, help="Write no index; tell what would be found.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.option(
    "--to",
    "target",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder of the new index; IndexDirectory if none is named.",
)
def leave(
    configurations: tuple[Path, ...], dry_run: bool, as_json: bool, target: Path | None
) -> None:
    """Writes an SQLite index that Orthanc 1.13 opens, of the store of this server, which must not
    run. Files stay where they are; an index that is there is kept under another name. Exit code 1:
    the index was written, and something is as said above."""
    from orthanc_fast.errors import OrthancError
    from orthanc_fast.services.moving.leave import leave as run
    from orthanc_fast.services.store.privacy import keep_private

    settings = settings_of(configurations)
    keep_private(settings)
    try:
        with progress_bar("resources") as progress:
            report = run(settings, target, dry_run, progress)
    except OrthancError as error:
        _refuse("left", error, as_json)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        _print_left(report)
    sys.exit(0 if report.clean else FOUND)


def _refuse(done: str, error: Exception, as_json: bool) -> NoReturn:
    """Nothing was done; `done` is the member of the report that says so."""
    if as_json:
        click.echo(msgspec.json.encode({done: False, "refused": str(error)}).decode())
    click.echo(f"orthanc-fast: {error}", err=True)
    sys.exit(CANNOT_START)


def _print(report: "Report") -> None:
    _print_findings(report.findings)
    taken = report.taken
    click.echo(f"{report.source}: {_counted(taken)}")
    done = "taken over" if report.adopted else "nothing was changed (--dry-run)"
    rate = taken.instances / max(report.seconds, 0.001)
    click.echo(f"{done} in {report.seconds:.1f} s, {rate:.0f} instances/s")


def _print_left(report: "LeaveReport") -> None:
    _print_findings([*report.findings, *report.not_held])
    click.echo(f"index of Orthanc 1.13: {_counted(report.taken)}")
    if report.kept is not None:
        click.echo(f"the index that was there is now {report.kept}")
    for note in report.notes:
        click.echo(f"note: {note}")
    if not report.left:
        size = report.bytes_to_read / 1e6
        click.echo(f"{report.md5s_to_compute} files of {size:.1f} MB would be read for their MD5s")
        click.echo(f"no index was written (--dry-run); it would be {report.target}")
        return
    click.echo(
        f"{report.target} written in {report.seconds:.1f} s, {report.md5s_computed} MD5s computed"
    )


def _print_findings(findings: "Sequence[Finding]") -> None:
    for finding in findings:
        click.echo(f"{finding.kind}: {finding.count}: {finding.explanation}")
        for subject in finding.subjects[:_SHOWN]:
            click.echo(f"  {subject}")
        if len(finding.subjects) > _SHOWN:
            click.echo(f"  and {finding.count - _SHOWN} more")


def _counted(taken: "Taken") -> str:
    return (
        f"{taken.patients} patients ({taken.protected} protected), "
        f"{taken.studies} studies, {taken.series} series, {taken.instances} instances, "
        f"{taken.attachments} files of {taken.bytes / 1e6:.1f} MB, {taken.metadata} metadata, "
        f"{taken.labels} labels, {taken.changes} changes, {taken.exports} exports"
    )
