"""`backup` and `restore`: the store in another folder, and back."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from orthanc_fast.cli.common import CONFIGURATIONS, FOUND, progress_bar, refusals, settings_of

JSON = click.option("--json", "as_json", is_flag=True, help="The report as JSON.")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@CONFIGURATIONS
@click.option("--copy", is_flag=True, help="Copy files that could be hard-linked.")
@click.option("--keep", type=click.IntRange(min=0), default=0, help="Remove older generations.")
@click.option("--verify", is_flag=True, help="Make none; read all files of the backup.")
@click.option("--generation", default=None, help="Verify this one only.")
@JSON
def backup(
    folder: Path,
    configurations: tuple[Path, ...],
    copy: bool,
    keep: int,
    verify: bool,
    generation: str | None,
    as_json: bool,
) -> None:
    """Adds a backup of the store, beside a running server or without one, to those in DIR. Files
    that are there already are not taken again."""
    from orthanc_fast.services.store.privacy import keep_private
    from orthanc_fast.services.upkeep import backup as work

    if generation is not None and not verify:
        raise click.UsageError("--generation belongs to --verify")
    settings = settings_of(configurations)
    keep_private(settings)
    if verify:
        with progress_bar("files") as progress, refusals():
            checked = work.check_backup(folder, generation, progress)
        lines = [
            f"{each.generation}: {each.subject}: {each.explanation}" for each in checked.findings
        ]
        _tell(checked, as_json, lines, f"{checked.files} files, {len(checked.findings)} faults")
        sys.exit(0 if checked.clean else FOUND)
    with progress_bar("instances") as progress, refusals():
        report = work.backup(settings, folder, not copy, keep, progress)
    lines = [f"missing in the store: {uuid}" for uuid in report.missing]
    lines += [f"removed: {name}" for name in report.removed_generations]
    _tell(
        report,
        as_json,
        lines,
        f"{report.generation}: {report.instances} instances, {report.files} files, of them "
        f"{report.new_files} new ({report.linked} linked), in {report.seconds:.1f} s",
    )
    sys.exit(0 if report.clean else FOUND)


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR"
)
@CONFIGURATIONS
@click.option("--generation", default=None, help="Which one; the last one if none is named.")
@click.option("--link", is_flag=True, help="Hard-link files where that is possible.")
@JSON
def restore(
    folder: Path,
    configurations: tuple[Path, ...],
    generation: str | None,
    link: bool,
    as_json: bool,
) -> None:
    """Brings a backup into an empty store. Interrupted, it goes on when it is called again."""
    from orthanc_fast.services.store.privacy import keep_private
    from orthanc_fast.services.upkeep import backup as work

    settings = settings_of(configurations)
    keep_private(settings)
    with progress_bar("files") as progress, refusals():
        report = work.restore(settings, folder, generation, link, progress)
    lines = [f"missing in the backup: {uuid}" for uuid in report.missing]
    _tell(
        report,
        as_json,
        lines,
        f"{report.generation}: {report.instances} instances, {report.files} files restored in "
        f"{report.seconds:.1f} s",
    )
    sys.exit(0 if report.clean else FOUND)


def _tell(report: Any, as_json: bool, lines: list[str], last: str) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
        return
    for line in (*lines, last):
        click.echo(line)
