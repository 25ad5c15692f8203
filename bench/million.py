"""An index of one million instances: does anything get slower?

Generated through the index's own transactions (10,000 studies of 4 series of 25 instances),
without files.
"""

import hashlib
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from support import generated
from support.server import OurServer

from bench import load
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.index.index import Index
from orthanc_fast.index.records import NewInstance
from orthanc_fast.index.transaction import Transaction
from orthanc_fast.model import Attachment
from orthanc_fast.services.startup import INDEX_FOLDER
from orthanc_fast.services.terms import terms

PER_SERIES = 25
SERIES_PER_STUDY = 4
BATCH = 2000
UPLOADS = 1200
ROUNDS = 3


def fill(folder: Path, amount: int) -> None:
    """Writes `amount` instances into a new index."""
    index = Index(folder, terms, 64 << 30, sync=False)
    for start in range(0, amount, BATCH):

        def batch(transaction: Transaction, start: int = start) -> None:
            for number in range(start, min(start + BATCH, amount)):
                transaction.store_instance(instance(number))

        index.write(batch)
    index.close()


def instance(number: int) -> NewInstance:
    series = number // PER_SERIES
    study = series // SERIES_PER_STUDY
    names = (
        f"M{study}",
        f"1.2.3.{study}",
        f"1.2.3.{study}.{series}",
        f"1.2.3.{study}.{series}.{number}",
    )
    digests = [hashlib.sha1("|".join(names[: level + 1]).encode()).digest() for level in range(4)]
    return NewInstance(
        publics=(digests[0], digests[1], digests[2], digests[3]),
        tags=(
            {0x00100010: f"Name^{study % 5000}", 0x00100020: names[0]},
            {0x00080020: f"2024{1 + study % 12:02d}15", 0x0020000D: names[1]},
            {0x00080060: "CT", 0x0020000E: names[2]},
            {0x00080018: names[3], 0x00200013: str(number % PER_SERIES)},
        ),
        metadata=(
            {},
            {},
            {3: ""},
            {1: str(number % PER_SERIES), 2: "20240115T101530", 8: "RestApi"},
        ),
        signatures=("p", "s", "e", "i"),
        attachments={1: Attachment(f"{number:036d}", 525_000, 525_000, False, b"\0" * 16)},
        image=b"\x90",
        received=1_700_000_000 + study,
    )


def run(amount: int) -> list[str]:
    """Compares a server on the filled index with one on an empty index; returns lines for the
    report."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=Path.cwd()))
    try:
        full = OurServer(folder / "full", {"IndexMapSizeGB": 64, "StableAge": 1_000_000})
        begin = time.perf_counter()
        fill(folder / "full" / "storage" / INDEX_FOLDER, amount)
        filled = time.perf_counter() - begin
        empty = OurServer(folder / "empty", {"IndexMapSizeGB": 64, "StableAge": 1_000_000})
        lines = [f"Index of {amount:,} instances, generated in {filled:.0f} s:"]
        lines += _compare(full, empty, amount)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(lines))
    return ["", lines[0], "", *(f"* {each}" for each in lines[1:])]


def _compare(full: OurServer, empty: OurServer, amount: int) -> list[str]:
    begin = time.perf_counter()
    full.start()
    started = time.perf_counter() - begin
    with empty, full:
        template = generated.small()
        rates: dict[str, list[float]] = {"full": [], "empty": []}
        for number in range(ROUNDS + 1):
            for name, server in (("full", full), ("empty", empty)):
                done = load.post(server.port, template, number * 1_000_000, UPLOADS, 8)
                if number:
                    rates[name].append(done.rate)
        ours, theirs = median(rates["full"]), median(rates["empty"])
        reads = _reads(full, empty, amount)
    return [
        f"start-up {started:.2f} s (goal: 2 s)",
        f"ingest {ours:,.0f}/s against {theirs:,.0f}/s into the empty index: "
        f"{ours / theirs:.0%} (goal: 90 %)",
        *reads,
    ]


def _reads(full: OurServer, empty: OurServer, amount: int) -> list[str]:
    lines = []
    few = generated_identifiers()
    many = [instance(number * (amount // 1000)) for number in range(1000)]
    for level, plural in ((3, "instances"), (1, "studies")):
        spread = [f"/{plural}/{to_text(each.publics[level])}" for each in many]
        rates: dict[str, list[float]] = {"full": [], "empty": []}
        for _ in range(ROUNDS):
            rates["full"].append(load.get(full.url, spread, 2).rate)
            rates["empty"].append(load.get(empty.url, few[plural], 2).rate)
        ours, theirs = median(rates["full"]), median(rates["empty"])
        lines.append(
            f"GET /{plural}/{{id}} {ours:,.0f}/s, spread over the whole index, against "
            f"{theirs:,.0f}/s in the small one: {ours / theirs:.0%}"
        )
    return lines


def generated_identifiers() -> dict[str, list[str]]:
    """Paths of what the uploads of `_compare` created in both servers."""
    root = generated.ROOT
    patient = f"PATIENT{0:010d}"
    study = f"{root}.4{0:09d}"
    paths = {"studies": [f"/studies/{generated.identifier(patient, study)}"], "instances": []}
    for number in range(1000):
        series = f"{study}.5{number // 100:09d}"
        uid = f"{series}.6{number:09d}"
        identifier = generated.identifier(patient, study, series, uid)
        paths["instances"].append(f"/instances/{identifier}")
    return paths
