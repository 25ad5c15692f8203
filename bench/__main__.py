"""`python -m bench [--quick] [NAME]...`: ingest, rest, pictures, volumes, archives, modification,
creation, dicom, find (against Orthanc), uploads, million, small_files, jobs, kernels.

Without names it runs all, prints the table and writes bench/RESULTS.md and bench/results.json. A
run of some scenarios only prints.
"""

import argparse
import datetime
import tempfile
from pathlib import Path

import msgspec

from bench import (
    archives,
    creation,
    dicom,
    find,
    jobs,
    kernels,
    million,
    modification,
    pictures,
    scenarios,
    small_files,
    uploads,
    volumes,
)
from bench.compare import HEADER, Pair, Row, environment, line

FOLDER = Path(__file__).parent
COMPARISONS = {
    "ingest": scenarios.ingest,
    "rest": scenarios.rest,
    "pictures": pictures.pictures,
    "volumes": volumes.volumes,
    "archives": archives.archives,
    "modification": modification.modification,
    "creation": creation.creation,
}
MEMORY_GOAL = 300


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument(
        "names",
        nargs="*",
        help="ingest, rest, pictures, volumes, archives, modification, creation, dicom, find, "
        "uploads, million, small_files, jobs, kernels; or all",
    )
    parser.add_argument("--quick", action="store_true", help="shorter rounds")
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each scenario")
    given = parser.parse_args()
    names = given.names or [
        *COMPARISONS,
        "dicom",
        "find",
        "uploads",
        "million",
        "small_files",
        "jobs",
        "kernels",
    ]
    rows: list[Row] = []
    report = [f"{key} {value}" for key, value in environment().items()]
    print(", ".join(report))
    notes: list[str] = []
    if any(name in COMPARISONS for name in names):
        print(HEADER)
        with Pair() as pair:
            for name, scenario in COMPARISONS.items():
                if name in names:
                    rows += scenario(pair, given.rounds, given.quick)
            ours, theirs = pair.memory()
        notes.append(
            f"Anonymous memory of all processes after the run: ours {ours:.0f} MB "
            f"(goal: at most {MEMORY_GOAL}), Orthanc {theirs:.0f} MB."
        )
        print(notes[-1])
    if "volumes" in names:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
            notes += (found_limits := volumes.limits(Path(folder), given.rounds))
        print("\n".join(found_limits))
    if "archives" in names:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
            notes += (found_limits := archives.limits(Path(folder), given.rounds))
        print("\n".join(found_limits))
    if "dicom" in names:
        print(HEADER)
        found, remarks = dicom.dicom(given.rounds, given.quick)
        rows += found
        notes += remarks
        print("\n".join(remarks))
    if "find" in names:
        print(HEADER)
        found, remarks = find.find(given.rounds, given.quick)
        rows += found
        notes += remarks
        print("\n".join(remarks))
    if "uploads" in names:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
            notes += uploads.uploads(Path(folder), given.quick)
    if "million" in names:
        notes += million.run(100_000 if given.quick else 1_000_000)
    if "small_files" in names:
        notes += small_files.run(0.5 if given.quick else 2)
    if "jobs" in names:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=Path.cwd()) as folder:
            notes += (found_jobs := jobs.run(Path(folder), 2 if given.quick else 5))
        print("\n".join(found_jobs))
    if "kernels" in names:
        notes += kernels.run(0.2 if given.quick else 1)
    if not given.names and not given.quick:
        _write(rows, report, notes)


def _write(rows: list[Row], report: list[str], notes: list[str]) -> None:
    today = datetime.date.today().isoformat()
    text = [
        "# Results of `make bench`",
        "",
        f"{today}; {', '.join(report)}.",
        "",
        "Both servers with durable writes on the same disk, load from the same machine over "
        "loopback, rounds in alternation, medians. `cpu` is the server's CPU time per unit. "
        "Goals and the first ratios are against Orthanc 1.13.0, the last columns against 1.10.1.",
        "",
        HEADER,
        *(line(row) for row in rows),
        "",
        *notes,
        "",
    ]
    (FOLDER / "RESULTS.md").write_text("\n".join(text))
    content = {"date": today, "environment": report, "rows": rows, "notes": notes}
    (FOLDER / "results.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
    )


if __name__ == "__main__":
    main()
