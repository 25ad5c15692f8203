"""Our server and Orthanc 1.13 with the same script in Python."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import pydicom.data
from support.reference_server import ReferenceServer
from support.server import OurServer

SCRIPTS = Path(__file__).parents[1] / "scripting" / "scripts"
PLUGIN = "libOrthancPython.so"
START = 120.0  # seconds that a start may take on a busy machine


class Scripted(NamedTuple):
    server: OurServer | ReferenceServer
    client: httpx.Client


def write_scripts(folder: Path) -> None:
    """The scripts, and an instance beside them: a CT slice with tags that nobody knows."""
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)
    found = pydicom.data.get_testdata_file("CT_small.dcm")
    assert isinstance(found, str)
    instance = pydicom.dcmread(found)
    instance.remove_private_tags()
    instance.add_new(0x00090010, "LO", "NOBODY KNOWS")
    instance.add_new(0x00091001, "LO", "private")
    instance.add_new(0x00080FFF, "LO", "unknown")
    instance.save_as(folder / "instance.dcm")


@contextmanager
def with_script(
    kind: type[OurServer | ReferenceServer],
    folder: Path,
    script: str,
    configuration: dict[str, Any] | None = None,
) -> Iterator[Scripted]:
    """A server with one of the scripts, and a client of it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scripts(folder / "scripts")
    options = {"PythonScript": str(folder / "scripts" / script), **(configuration or {})}
    if issubclass(kind, ReferenceServer):
        server: OurServer | ReferenceServer = kind(folder, options, plugins=(PLUGIN,))
    else:
        server = kind(folder, options)
    server.start(START)
    try:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            yield Scripted(server, client)
    finally:
        server.__exit__()


@contextmanager
def both(
    folder: Path,
    script: str,
    configuration: dict[str, Any] | None = None,
    of_theirs: dict[str, Any] | None = None,
) -> Iterator[tuple[Scripted, Scripted]]:
    """Ours and theirs; `of_theirs` are options that theirs has otherwise."""
    options = {**(configuration or {}), **(of_theirs or {})}
    with (
        with_script(OurServer, folder / "ours", script, configuration) as ours,
        with_script(ReferenceServer, folder / "theirs", script, options) as theirs,
    ):
        yield ours, theirs
