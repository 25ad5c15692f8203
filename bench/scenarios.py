"""The scenarios against Orthanc: uploads and reads."""

import random
from functools import partial
from itertools import count

import httpx
from support import generated
from support.process import ServerProcess

from bench import load
from bench.compare import SECONDS_AFTER, Goal, Pair, Row
from bench.load import Load

_numbers = count(0)


def _uploads(
    pair: Pair,
    name: str,
    goal: Goal,
    template: generated.Template,
    amount: int,
    clients: int,
    rounds: int,
) -> Row:
    first: dict[int, int] = {}

    def work(server: ServerProcess, number: int) -> Load:
        # Both servers get the same instances in the same round.
        start = first.setdefault(number, next(_numbers) * 1_000_000)
        return load.post(server.port, template, start, amount, clients)

    return pair.compare(name, goal, rounds, work, SECONDS_AFTER)


def ingest(pair: Pair, rounds: int, quick: bool) -> list[Row]:
    """POST /instances: small slices and CT slices."""
    small, ct = generated.small(), generated.ct_slice()
    scale = 4 if quick else 1
    return [
        _uploads(pair, "POST 10 KB, 8 clients", Goal(3, 0.25), small, 2400 // scale, 8, rounds),
        _uploads(pair, "POST CT 525 KB, 1 client", Goal(2.5, 0.35), ct, 240 // scale, 1, rounds),
        _uploads(pair, "POST CT 525 KB, 8 clients", Goal(2.5, 0.35), ct, 480 // scale, 8, rounds),
    ]


READS = (
    ("GET /instances/{id}", "instances", "", Goal(1.5, 0.6)),
    ("GET /studies/{id}", "studies", "", Goal(1.5, 0.6)),
    ("GET /series/{id}, 100 instances", "series", "", Goal(2, 0.5)),
    ("GET simplified-tags", "instances", "/simplified-tags", Goal(4, 0.25)),
    ("GET tags", "instances", "/tags", Goal(4, 0.25)),
    ("GET file, 525 KB", "instances", "/file", Goal(1.5, 0.7)),
)

READ_BASE = 900_000_000
READ_INSTANCES = 300


def rest(pair: Pair, rounds: int, quick: bool) -> list[Row]:
    """Reads over 16 connections, of three CT series of 100 slices."""
    paths = upload_and_list(pair, generated.ct_slice(), READ_BASE, READ_INSTANCES)
    seconds = 2 if quick else 4

    rows = []
    for name, level, suffix, goal in READS:
        chosen = [f"/{level}/{identifier}{suffix}" for identifier in paths[level]]
        rows.append(
            pair.compare(
                name,
                goal,
                rounds,
                partial(_reads, chosen, seconds, 16),
            )
        )
    return rows + _large_files(pair, rounds, seconds)


# Edge of a square slice of 16 bits -> name. Answers above a TCP segment show how they are sent.
LARGE = {724: "1 MB", 1118: "2.5 MB", 2236: "10 MB"}
LARGE_INSTANCES = 10


def _reads(paths: list[str], seconds: int, clients: int, server: ServerProcess, _: int) -> Load:
    """A round of one server, as `Pair.compare` calls it."""
    return load.get(server.url, paths, seconds, clients)


def _large_files(pair: Pair, rounds: int, seconds: int) -> list[Row]:
    """GET of whole files, by one client and by eight."""
    rows = []
    for number, (edge, size) in enumerate(LARGE.items()):
        dataset = generated.base()
        generated.add_pixels(dataset, generated.anatomy(edge))
        base = READ_BASE + (number + 1) * 1_000_000
        paths = upload_and_list(pair, generated.encode(dataset), base, LARGE_INSTANCES)
        chosen = [f"/instances/{identifier}/file" for identifier in paths["instances"]]
        for clients in (1, 8):
            named = "1 client" if clients == 1 else f"{clients} clients"
            rows.append(
                pair.compare(
                    f"GET file, {size}, {named}",
                    Goal(1, 1),
                    rounds,
                    partial(_reads, chosen, seconds, clients),
                )
            )
    return rows


def upload_and_list(
    pair: Pair, template: generated.Template, base: int, amount: int
) -> dict[str, list[str]]:
    """Gives all servers the same instances, at most 1000; the identifiers by level."""
    for server in pair.servers:
        load.post(server.port, template, base, amount, 4)
    return _identifiers(pair.ours, base, amount)


def _identifiers(server: ServerProcess, base: int, amount: int) -> dict[str, list[str]]:
    """Of what was uploaded: the patient number tells it from other scenarios'."""
    patient = generated.identifier(f"PATIENT{base // 1000:010d}")
    with httpx.Client(base_url=server.url, timeout=60) as http:
        found = {"studies": http.get(f"/patients/{patient}").json()["Studies"]}
        found["series"] = http.get(f"/studies/{found['studies'][0]}").json()["Series"]
        found["instances"] = [
            identifier
            for series in found["series"]
            for identifier in http.get(f"/series/{series}").json()["Instances"]
        ]
    assert len(found["instances"]) == amount
    random.Random(1).shuffle(found["instances"])
    return found
