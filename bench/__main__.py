"""`python -m bench [--quick] [NAME]...`: the sections of the bench, all of them without names.

Prints the rows. Unless it is quick, the sections that were run replace those in bench/results.json
and bench/RESULTS.md; each says when it was run.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bench import (
    adopting,
    archives,
    creation,
    dicom,
    dicom_web,
    exchange,
    find,
    find_scp,
    jobs,
    kernels,
    lua_scripts,
    million,
    modification,
    pictures,
    python_scripts,
    queries,
    retrieval_scp,
    retrieval_scu,
    scenarios,
    sending,
    small_files,
    storm,
    uploads,
    volumes,
    web,
    web_viewer,
    worklists,
)
from bench.compare import HEADER, Pair, Row, environment
from bench.report import Section, write

MEMORY_GOAL = 300

# Against three servers that run all the time.
COMPARISONS: dict[str, Callable[[Pair, int, bool], list[Row]]] = {
    "ingest": scenarios.ingest,
    "rest": scenarios.rest,
    "pictures": pictures.pictures,
    "volumes": volumes.volumes,
    "archives": archives.archives,
    "modification": modification.modification,
    "creation": creation.creation,
}


class Given(msgspec.Struct, frozen=True):
    """What was asked on the command line."""

    rounds: int
    quick: bool


Found = tuple[list[Row], list[str]]
Folder = Path

# With servers of their own, as (rows, notes). The folder is on the disk of the checkout.
OTHERS: dict[str, Callable[[Given, Folder], Found]] = {
    "volume limits": lambda given, folder: ([], volumes.limits(folder, given.rounds)),
    "archive limits": lambda given, folder: ([], archives.limits(folder, given.rounds)),
    "dicom": lambda given, folder: dicom.dicom(given.rounds, given.quick),
    "sending": lambda given, folder: sending.sending(given.rounds, given.quick),
    "retrieval as SCP": lambda given, folder: retrieval_scp.retrieval_scp(
        given.rounds, given.quick
    ),
    "queries": lambda given, folder: queries.queries(given.rounds, given.quick),
    "retrieval as SCU": lambda given, folder: retrieval_scu.retrieval_scu(
        given.rounds, given.quick
    ),
    "exchange": lambda given, folder: exchange.exchange(given.rounds, given.quick),
    "find as SCP": lambda given, folder: find_scp.find_scp(given.rounds, given.quick),
    "worklists": lambda given, folder: worklists.worklists(given.rounds, given.quick),
    "lua scripts": lambda given, folder: lua_scripts.lua_scripts(
        2 if given.quick else 3, given.quick
    ),
    "python scripts": lambda given, folder: python_scripts.python_scripts(
        given.rounds, given.quick
    ),
    "storm": lambda given, folder: ([], storm.run(folder, given.rounds, given.quick)),
    "dicomweb": lambda given, folder: dicom_web.dicom_web(given.rounds, given.quick),
    "find": lambda given, folder: find.find(given.rounds, given.quick),
    "web": lambda given, folder: ([], web.run(folder, given.rounds, given.quick)),
    "uploads": lambda given, folder: ([], uploads.uploads(folder, given.quick)),
    "million": lambda given, folder: ([], million.run(100_000 if given.quick else 1_000_000)),
    "adopt": lambda given, folder: ([], adopting.run(folder, given.rounds, given.quick)),
    "small files": lambda given, folder: ([], small_files.run(0.5 if given.quick else 2)),
    "jobs": lambda given, folder: ([], jobs.run(folder, 2 if given.quick else 5)),
    "viewer": lambda given, folder: ([], web_viewer.viewer(folder, given.quick)),
    "kernels": lambda given, folder: ([], kernels.run(0.2 if given.quick else 1)),
}


def main() -> None:
    names = [*COMPARISONS, *OTHERS]
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="shorter rounds, nothing written")
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each scenario")
    arguments = parser.parse_args()
    wanted = arguments.names or names
    if unknown := set(wanted) - set(names):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    given = Given(arguments.rounds, arguments.quick)
    print(", ".join(f"{key} {value}" for key, value in environment().items()))
    print(HEADER)
    for name, (rows, notes) in _run(given, wanted):
        print("\n".join(notes), flush=True)
        if not given.quick:
            write(name, Section.now(rows, notes), names)


def _run(given: Given, wanted: list[str]) -> Iterable[tuple[str, Found]]:
    compared = [name for name in COMPARISONS if name in wanted]
    if compared:
        with Pair() as pair:
            for name in compared:
                yield name, (COMPARISONS[name](pair, given.rounds, given.quick), [])
            ours, theirs = pair.memory()
        yield (
            "memory",
            (
                [],
                [
                    f"Anonymous memory of all processes after {', '.join(compared)}: ours "
                    f"{ours:.0f} MB (goal: at most {MEMORY_GOAL}), Orthanc {theirs:.0f} MB."
                ],
            ),
        )
    for name, section in OTHERS.items():
        if name in wanted:
            with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
                yield name, section(given, Path(folder))


if __name__ == "__main__":
    main()
