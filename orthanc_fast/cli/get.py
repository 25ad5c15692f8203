"""`get`: from a server to files."""

from pathlib import Path
from typing import Any, Literal, get_args

import click
import msgspec

from orthanc_fast.cli.common import FOUND, progress_bar
from orthanc_fast.cli.remote import (
    JSON,
    LEVEL,
    fail,
    level_of,
    print_json,
    server_options,
    size_text,
)
from orthanc_fast.client.answers import Resource
from orthanc_fast.client.arrays import DType, numbers
from orthanc_fast.client.server import Server

Format = Literal["dicom", "zip", "npy", "npz", "nifti"]
# What the end of a file's name says of its format.
ENDS: dict[str, Format] = {
    ".dcm": "dicom",
    ".zip": "zip",
    ".npy": "npy",
    ".npz": "npz",
    ".nii": "nifti",
    ".nii.gz": "nifti",
}
SUFFIXES: dict[Format, str] = {"zip": ".zip", "npy": ".npy", "npz": ".npz", "nifti": ".nii.gz"}
LEVELS_OF: dict[Format, tuple[str, ...]] = {
    "dicom": ("Patient", "Study", "Series", "Instance"),
    "zip": ("Patient", "Study", "Series"),
    "npy": ("Series", "Instance"),
    "npz": ("Study", "Series", "Instance"),
    "nifti": ("Series",),
}


class Got(msgspec.Struct, rename="pascal"):
    """What one identifier has become: bytes of all files."""

    id: str = msgspec.field(name="ID")
    type: str
    format: Format
    path: str
    files: int
    bytes: int


@click.command()
@click.argument("identifiers", nargs=-1, required=True, metavar="IDENTIFIER...")
@click.option("--level", type=LEVEL, help="What the identifiers name, where that is not clear.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="The file or folder; of several identifiers the folder. Default: the identifier, here.",
)
@click.option(
    "--format",
    "-f",
    "kind",
    type=click.Choice(get_args(Format)),
    help="Default: as the output is called (.dcm .zip .npy .npz .nii .nii.gz), else dicom.",
)
@click.option("--raw", is_flag=True, help="Arrays: stored values, without slope and intercept.")
@click.option("--dtype", type=click.Choice(get_args(DType)), help="Arrays: the type. (+)")
@click.option("--window", nargs=2, type=float, metavar="CENTER WIDTH", help="Of uint8. (+)")
@click.option("--slices", metavar="RANGES", help="Arrays: only these, as 10:20 or 0,5,-1. (+)")
@click.option("--transcode", metavar="UID", help="zip: into this transfer syntax.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="dicom: downloads at the same time.",
)
@JSON
@server_options
def get(
    server: Server,
    identifiers: tuple[str, ...],
    level: str | None,
    output: Path | None,
    kind: Format | None,
    raw: bool,
    dtype: DType | None,
    window: tuple[float, float] | None,
    slices: str | None,
    transcode: str | None,
    force: bool,
    connections: int,
    as_json: bool,
) -> None:
    """Gets patients, studies, series or instances, by Orthanc's identifier, a UID or a PatientID,
    as DICOM files in a folder, a ZIP of them, an array of numpy or NIfTI.

    What breaks off goes on where it was when the command is called again: DICOM files that are
    there are not fetched again, and of .npy and .zip the rest is asked for. What is marked (+),
    NIfTI and .npz of studies need orthanc-fast; all else works with Orthanc too.

    \b
    orthanc-fast get 1.2.840.113619.2.5 -o study/
    orthanc-fast get SERIES -o volume.nii.gz
    orthanc-fast get SERIES -o volume.npy --dtype int16 --slices 10:20
    """
    chosen = kind or _format_of(output)
    _check(chosen, transcode, raw or bool(dtype or window or slices))
    named = len(identifiers) == 1 and output is not None
    got = []
    for identifier in identifiers:
        resource = server.identify(identifier, level_of(level))
        if resource.type not in LEVELS_OF[chosen]:
            levels = " or ".join(each.lower() for each in LEVELS_OF[chosen])
            text = f"{identifier} is a {resource.type.lower()}, and {chosen} is of a {levels}"
            fail(f"{text}: give another --format, or what `find` lists there", FOUND)
        if named and output is not None:
            target = output
        else:
            target = (output or Path()) / f"{resource.id}{SUFFIXES.get(chosen, '')}"
        if chosen != "dicom" and target.is_dir():
            target = target / f"{resource.id}{SUFFIXES[chosen]}"
        if target.is_file() and not force:
            fail(f"{target} is there already: --force replaces it", FOUND)
        target.parent.mkdir(parents=True, exist_ok=True)
        arguments = numbers(not raw, dtype, window or None, slices=slices)
        paths = _fetch(server, resource, chosen, target, arguments, transcode, connections)
        size = sum(path.stat().st_size for path in paths)
        done = Got(resource.id, resource.type, chosen, str(target), len(paths), size)
        got.append(done)
        if not as_json:
            files = "" if len(paths) == 1 else f"{len(paths)} files, "
            click.echo(f"{target}: {files}{size_text(size)}")
    if as_json:
        print_json(got)


def _format_of(output: Path | None) -> Format:
    name = "" if output is None else output.name.lower()
    return next((each for end, each in ENDS.items() if name.endswith(end)), "dicom")


def _check(chosen: Format, transcode: str | None, has_numbers: bool) -> None:
    if transcode is not None and chosen != "zip":
        raise click.UsageError("--transcode is for --format zip")
    if has_numbers and chosen in ("dicom", "zip"):
        raise click.UsageError("--raw, --dtype, --window and --slices are for npy, npz and nifti")


def _fetch(
    server: Server,
    resource: Resource,
    chosen: Format,
    target: Path,
    arguments: dict[str, Any],
    transcode: str | None,
    connections: int,
) -> list[Path]:
    level, name = resource.type, resource.id
    if chosen == "dicom" and not target.name.lower().endswith(".dcm"):
        with progress_bar("files", target.name) as progress:
            return server.save_files(level, name, target, progress, at_once=connections)
    with progress_bar("B", target.name) as progress:
        if chosen == "dicom":
            if level != "Instance":
                fail(f"a {level.lower()} is no single file: give a folder", FOUND)
            return [server.save_file(name, target, progress)]
        if chosen == "zip":
            return [server.save_archive(level, name, target, progress, transcode=transcode)]
        if chosen == "nifti":
            return [server.save_nifti(name, target, progress, **arguments)]
        if level == "Instance":
            arguments["frames"] = arguments.pop("slices")
        if chosen == "npz" and level != "Study":
            arguments["compress"] = "1"
        return [server.save_array(level, name, target, progress, **arguments)]
