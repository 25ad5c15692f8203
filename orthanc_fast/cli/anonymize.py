"""`anonymize`: copies without what identifies."""

from pathlib import Path
from typing import Any

import click
import msgspec

from orthanc_fast.cli.common import FOUND
from orthanc_fast.cli.jobs import follow_with_progress, told
from orthanc_fast.cli.remote import (
    JSON,
    LEVEL,
    fail,
    level_of,
    print_json,
    print_table,
    server_options,
)
from orthanc_fast.client.answers import DryRun, Job
from orthanc_fast.client.modifying import Edits
from orthanc_fast.client.server import Server

SHOWN = 60  # characters of a value


@click.command()
@click.argument("identifiers", nargs=-1, required=True, metavar="IDENTIFIER...")
@click.option("--level", type=LEVEL, help="What the identifiers name, where that is not clear.")
@click.option("--keep", multiple=True, metavar="TAG", help="Leave it as it is. May be repeated.")
@click.option("--remove", multiple=True, metavar="TAG", help="Remove it too. May be repeated.")
@click.option(
    "--replace", multiple=True, metavar="TAG=VALUE", help="Give it a value. May be repeated."
)
@click.option(
    "--force", is_flag=True, help="Needed to keep or replace identifiers: PatientID, UIDs."
)
@click.option("--keep-private-tags", is_flag=True, help="Leave private elements.")
@click.option(
    "--dicom-version", metavar="EDITION", help="Of the profile: 2008, 2017c, 2021b, 2023b."
)
@click.option("--keep-labels", is_flag=True, help="The copies get the labels of the originals.")
@click.option("--delete-source", is_flag=True, help="Delete the originals when all is stored.")
@click.option("--transcode", metavar="UID", help="The transfer syntax of the copies.")
@click.option("--permissive", is_flag=True, help="Instances that fail do not end the job.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME",
    help="An option of PS3.15, as CleanDescriptors, RetainUIDs. May be repeated. (+)",
)
@click.option("--date-shift", type=int, metavar="DAYS", help="Of the option that moves dates. (+)")
@click.option(
    "--pseudonym-key",
    envvar="ORTHANC_FAST_PSEUDONYM_KEY",
    show_envvar=True,
    metavar="TEXT",
    help="The same key gives the same new identifiers again. (+)",
)
@click.option("--priority", type=int, default=0, show_default=True, help="Of the job.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the job: print its identifier.")
@click.option("--dry-run", is_flag=True, help="Only tell what would become of each element. (+)")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the copy of one instance to this file, and store nothing.",
)
@JSON
@server_options
def anonymize(
    server: Server,
    identifiers: tuple[str, ...],
    level: str | None,
    replace: tuple[str, ...],
    keep_private_tags: bool,
    keep_labels: bool,
    delete_source: bool,
    permissive: bool,
    priority: int,
    no_wait: bool,
    dry_run: bool,
    output: Path | None,
    as_json: bool,
    **others: Any,
) -> None:
    """Makes anonymized copies of patients, studies, series or instances, named by Orthanc's
    identifier, a UID or a PatientID, as one job that is waited for. Tags may be paths, as
    ReferencedImageSequence[*].PatientName. What is marked (+) needs orthanc-fast; with Orthanc,
    which would pass over it in silence, it is refused.

    \b
    orthanc-fast anonymize STUDY --replace PatientName=Case^1 --keep StudyDescription --dry-run
    orthanc-fast anonymize STUDY --option CleanDescriptors --option RetainSafePrivate
    """
    edits = Edits(
        replace=_replaced(replace),
        keep_private_tags=keep_private_tags or None,
        keep_labels=keep_labels or None,
        keep_source=False if delete_source else None,
        permissive=permissive or None,
        **others,
    )
    if output is not None and (dry_run or no_wait or len(identifiers) > 1):
        raise click.UsageError("--output is for one instance, without --dry-run and --no-wait")
    resources = [server.identify(each, level_of(level)) for each in identifiers]
    names = [each.id for each in resources]
    if dry_run:
        _print_dry_run(server.dry_run(names, edits), as_json)
    elif output is not None:
        if resources[0].type != "Instance":
            fail(f"--output is for an instance, and this is a {resources[0].type.lower()}", FOUND)
        output.write_bytes(server.anonymized_file(names[0], edits))
    else:
        if len(resources) == 1 and resources[0].type != "Instance":
            job = server.anonymize(resources[0].type, names[0], edits, priority=priority)
        else:
            job = server.anonymize_all(names, edits, priority=priority)
        if no_wait:
            print_json(job) if as_json else click.echo(job.id)
            return
        done = follow_with_progress(server, [job.id])
        if not as_json:
            _print_made(done[0])
        told(done, as_json)


def _replaced(texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        tag, equals, value = text.partition("=")
        if not equals or not tag:
            raise click.UsageError(f"{text!r} is no TAG=VALUE, such as PatientName=Case^1")
        found[tag] = value
    return found


def _print_made(job: Job) -> None:
    """The identifiers of what was made, one line each: the highest that the job names."""
    content = job.content
    if "ID" in content:
        click.echo(f"{content.get('Type', '')} {content['ID']}".strip())
    else:
        for each in content.get("Resources", []):
            click.echo(f"{each.get('Type', '')} {each['ID']}".strip())
    if failed := content.get("FailedInstancesCount"):
        click.echo(f"orthanc-fast: {failed} instances have failed", err=True)


def _print_dry_run(told: DryRun, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    rows = (
        [
            each.action,
            each.path,
            each.name,
            (each.old_value or "")[:SHOWN],
            (each.new_value or "")[:SHOWN],
            str(each.instances),
        ]
        for each in told.changes
    )
    print_table(["ACTION", "PATH", "NAME", "OLD", "NEW", "INSTANCES"], rows)
    for each in told.not_judged:
        text = msgspec.json.encode(each).decode()
        click.echo(f"orthanc-fast: to be looked at by people: {text}", err=True)
