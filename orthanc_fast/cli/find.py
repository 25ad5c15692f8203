"""`find`: what is stored."""

from typing import Any

import click

from orthanc_fast.cli.remote import (
    JSON,
    LEVEL,
    level_of,
    print_json,
    print_table,
    server_options,
)
from orthanc_fast.client.answers import Level
from orthanc_fast.client.server import Server

# Tags with an option of their own.
TAGS = {
    "PatientName": "DOE*: the name of the patient.",
    "PatientID": "The identifier of the patient.",
    "PatientBirthDate": "19700101, or a range 1970-1980.",
    "AccessionNumber": "The accession number of the study.",
    "StudyDate": "20240131, or a range 20240101-20240131, -20240131, 20240101-.",
    "StudyDescription": "*thorax*: the description of the study.",
    "Modality": "CT, or a list CT\\MR.",
    "SeriesDescription": "The description of the series.",
    "BodyPartExamined": "CHEST: a part of the body.",
    "StudyInstanceUID": "The UID of the study.",
    "SeriesInstanceUID": "The UID of the series.",
}
COLUMNS: dict[Level, list[str]] = {
    "Patient": ["PatientID", "PatientName", "PatientBirthDate", "PatientSex"],
    "Study": ["PatientID", "PatientName", "StudyDate", "StudyDescription", "AccessionNumber"],
    "Series": ["PatientID", "PatientName", "Modality", "SeriesNumber", "SeriesDescription"],
    "Instance": ["PatientID", "Modality", "SeriesNumber", "InstanceNumber", "SOPInstanceUID"],
}
LISTED = 1000  # rows unless --limit says otherwise


def _option_name(tag: str) -> str:
    """--patient-id of PatientID."""
    text = tag.replace("UID", "Uid").replace("ID", "Id")
    words = "".join(f"-{each.lower()}" if each.isupper() else each for each in text)
    return f"-{words}"


def _tag_options(command: Any) -> Any:
    for tag, text in reversed(TAGS.items()):
        command = click.option(_option_name(tag), tag, metavar="VALUE", help=text)(command)
    return command


@click.command()
@click.argument("queries", nargs=-1, metavar="[TAG=VALUE]...")
@click.option("--level", type=LEVEL, default="study", show_default=True, help="What to list.")
@_tag_options
@click.option("--label", "labels", multiple=True, help="Only with this label; may be repeated.")
@click.option(
    "--labels",
    "constraint",
    type=click.Choice(["all", "any", "none"]),
    default="all",
    show_default=True,
    help="Which of the labels it must have.",
)
@click.option(
    "--order-by",
    multiple=True,
    metavar="TAG",
    help="Sort by a tag, or metadata:NAME; with - in front the greatest first. May be repeated.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=LISTED,
    show_default=True,
    help="At most so many; 0: all.",
)
@click.option(
    "--since", type=click.IntRange(min=0), default=0, help="Leave out so many at the beginning."
)
@click.option(
    "--columns", metavar="TAG,...", help="The tags to show, instead of the usual ones of the level."
)
@click.option("--case-sensitive", is_flag=True, help="Tell capitals from small letters.")
@click.option("--count", is_flag=True, help="Print only how many there are.")
@JSON
@server_options
def find(
    server: Server,
    queries: tuple[str, ...],
    level: str,
    labels: tuple[str, ...],
    constraint: str,
    order_by: tuple[str, ...],
    limit: int,
    since: int,
    columns: str | None,
    case_sensitive: bool,
    count: bool,
    as_json: bool,
    **tags: str | None,
) -> None:
    """Lists patients, studies, series or instances with these tags: any as TAG=VALUE, the usual
    ones by options of their own. Values may have the wildcards * and ?, lists separated by
    backslashes, and ranges of dates.

    \b
    orthanc-fast find --patient-name 'DOE*' --study-date 20240101- --order-by -StudyDate
    orthanc-fast find --level series Modality=CT SliceThickness=1 --json
    """
    chosen = level_of(level) or "Study"
    query = {tag: value for tag, value in tags.items() if value is not None}
    for text in queries:
        tag, equals, value = text.partition("=")
        if not equals or not tag:
            raise click.UsageError(f"{text!r} is no TAG=VALUE, such as Modality=CT")
        query[tag] = value
    wanted: Any = {"labels": labels, "labels_constraint": constraint.capitalize()}
    if count:
        if case_sensitive:
            raise click.UsageError("--count does not tell capitals from small letters")
        number = server.count(chosen, query, **wanted)
        print_json({"Count": number}) if as_json else click.echo(str(number))
        return
    shown = COLUMNS[chosen] if columns is None else [each for each in columns.split(",") if each]
    # One more than is shown tells whether there are more.
    found = server.find(
        chosen,
        query,
        limit=limit + 1 if limit else 0,
        since=since,
        order_by=order_by,
        requested_tags=shown,
        case_sensitive=case_sensitive,
        **wanted,
    )
    has_more = bool(limit) and len(found) > limit
    found = found[:limit] if limit else found
    if as_json:
        print_json(found)
    else:
        rows = ([each.id, *(each.tag(tag) for tag in shown)] for each in found)
        print_table(["ID", *shown], rows)
    if has_more:
        text = f"there are more than {limit}: see --limit and --since"
        click.echo(f"orthanc-fast: {text}", err=True)
