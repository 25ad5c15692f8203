"""Pictures of CT slices against Debian's Orthanc."""

from functools import partial

from support import generated
from support.process import ServerProcess

from bench import load
from bench.compare import Goal, Pair, Row
from bench.load import Load
from bench.scenarios import upload_and_list

PNG, JPEG = "image/png", "image/jpeg"

PICTURES = (
    ("GET preview, PNG", "/preview", PNG, Goal(25, 0.04)),
    ("GET image-uint16, PNG", "/image-uint16", PNG, Goal(25, 0.03)),
    ("GET rendered, JPEG", "/rendered", JPEG, Goal(3, 0.4)),
)

BASE = 800_000_000
INSTANCES = 100


def pictures(pair: Pair, rounds: int, quick: bool) -> list[Row]:
    """GET of pictures over 16 connections, of 100 slices of 512 x 512."""
    instances = upload_and_list(pair, generated.ct_slice(), BASE, INSTANCES)["instances"]
    seconds = 2 if quick else 4
    rows = []
    for name, suffix, accept, goal in PICTURES:
        paths = [f"/instances/{identifier}{suffix}" for identifier in instances]
        rows.append(
            pair.compare(
                name,
                goal,
                rounds,
                partial(_reads, paths, seconds, accept),
            )
        )
    return rows


def _reads(paths: list[str], seconds: int, accept: str, server: ServerProcess, _: int) -> Load:
    """A round of one server, as `Pair.compare` calls it."""
    return load.get(server.url, paths, seconds, accept=accept)
