"""An index of one million instances: does anything get slower?

Generated through the index's own transactions (10,000 studies of 4 series of 25 instances),
without files.
"""

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from support import generated
from support.server import OurServer

from bench import load, population
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.index.contract import Transaction
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import Level
from orthanc_fast.services.store.opening import INDEX_FOLDER
from orthanc_fast.services.store.terms import terms

BATCH = 2000
UPLOADS = 1200
ROUNDS = 3


def fill(folder: Path, amount: int, step: int = 1) -> None:
    """Writes `amount` instances into a new index, with the labels and metadata of their studies;
    each `step`th of the population, so that with PER_STUDY each is a study."""
    index = LmdbIndex(folder, terms, 64 << 30, sync=False)
    for start in range(0, amount, BATCH):

        def batch(transaction: Transaction, start: int = start) -> None:
            for number in range(start * step, min(start + BATCH, amount) * step, step):
                new = population.instance(number)
                transaction.store_instance(new)
                if number % population.PER_STUDY == 0:
                    _annotate(transaction, number // population.PER_STUDY, new.publics[1])

        index.write(batch)
    index.close()


def _annotate(transaction: Transaction, number: int, public: bytes) -> None:
    study = transaction.resource(Level.STUDY, public)
    assert study is not None
    for label in population.labels(number):
        transaction.add_label(study, label)
    for kind, value in population.metadata(number).items():
        transaction.set_metadata(study, kind, value)


def run(amount: int) -> list[str]:
    """Compares a server on the filled index with one on an empty index; returns lines for the
    report."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=Path.cwd()))
    try:
        full = OurServer(
            folder / "full",
            {"IndexMapSizeGB": 64, "IndexJournalSizeMB": 64, "StableAge": 1_000_000_000},
        )
        begin = time.perf_counter()
        fill(folder / "full" / "storage" / INDEX_FOLDER, amount)
        filled = time.perf_counter() - begin
        empty = OurServer(
            folder / "empty",
            {"IndexMapSizeGB": 64, "IndexJournalSizeMB": 64, "StableAge": 1_000_000_000},
        )
        lines = [f"Index of {amount:,} instances, generated in {filled:.0f} s:"]
        lines += _compare(full, empty, amount)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(lines))
    return ["", lines[0], "", *(f"* {each}" for each in lines[1:])]


def _compare(full: OurServer, empty: OurServer, amount: int) -> list[str]:
    begin = time.perf_counter()
    with ExitStack() as stack:
        stack.enter_context(full)
        started = time.perf_counter() - begin
        stack.enter_context(empty)
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
    many = [population.instance(number * (amount // 1000)) for number in range(1000)]
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
