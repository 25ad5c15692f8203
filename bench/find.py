"""Searching and listing an index of one million instances in 10,000 studies, generated, against
Debian's Orthanc with the first 20,000 of them, uploaded. Queries are made so that both find as
much; what 1.10.1 cannot do is measured for ours alone.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from support import generated
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer

from bench import load, million, population
from bench.compare import Goal, Pair, Row
from bench.load import Load
from bench.measure import anonymous_megabytes
from orthanc_fast.services.store.opening import INDEX_FOLDER

SMALL_STUDIES = 200
PAGE = 20
TEN = Goal(10, 0.2)
FIVE = Goal(5, 0.3)
CONNECTIONS = 8
SLICES = 100
DELETED = 500
ALLOWED = 0.005  # seconds that a query may take longer than showing its answer

Json = dict[str, Any]
_numbers = count(500_000)


class FilledPair(Pair):
    """Ours with the large archive, Debian's Orthanc with the small one."""

    def __init__(self, amount: int) -> None:
        self._stack = ExitStack()
        self.amount = amount
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=Path.cwd()))
        options = {"SyncStorageArea": True, "StableAge": 1_000_000_000}
        self.ours = OurServer(
            self.folder / "ours",
            {
                **options,
                "IndexMapSizeGB": 64,
                "IndexJournalSizeMB": 64,
                "UserMetadata": {"batch": population.USER_METADATA},
            },
        )
        self.theirs = ReferenceServer(self.folder / "theirs", options)
        self.older = DebianServer(self.folder / "older", options)

    def __enter__(self) -> "FilledPair":
        try:
            million.fill(self.folder / "ours" / "storage" / INDEX_FOLDER, self.amount)
            for server in self.servers:
                self._stack.enter_context(server)
            for server in (self.theirs, self.older):
                with httpx.Client(base_url=server.url, timeout=60) as client:
                    for study in range(SMALL_STUDIES):
                        for data in population.files(study):
                            client.post("/instances", content=data).raise_for_status()
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def studies(self) -> int:
        return self.amount // population.PER_STUDY

    def is_ours(self, server: ServerProcess) -> bool:
        return server is self.ours

    def spread(self, server: ServerProcess) -> list[int]:
        """Numbers of 200 studies all over a server's archive."""
        step = self.studies // SMALL_STUDIES if self.is_ours(server) else 1
        return [number * step for number in range(SMALL_STUDIES)]


def study_query(query: dict[str, str], **more: Any) -> Json:
    return {"Level": "Study", "Query": query, **more}


def by_patient(numbers: list[int]) -> list[Json]:
    return [study_query({"PatientID": population.study(n).patient_id}) for n in numbers]


def by_date(numbers: list[int]) -> list[Json]:
    dates = (population.study(n).values["StudyDate"] for n in numbers)
    return [study_query({"StudyDate": f"{date}-{date}"}) for date in dates]


def by_name(numbers: list[int]) -> list[Json]:
    families = (population.study(n).values["PatientName"].partition("^")[0] for n in numbers)
    return [study_query({"PatientName": f"{family.lower()}^*"}) for family in families]


def by_inner_name(numbers: list[int]) -> list[Json]:
    return [
        study_query({"PatientName": f"*{n // population.PER_DAY}^*an*"}, Limit=1) for n in numbers
    ]


def expanded(bodies: list[Json]) -> list[Json]:
    return [{**body, "Expand": True} for body in bodies]


FINDS: tuple[tuple[str, Callable[[list[int]], list[Json]]], ...] = (
    ("find by PatientID, 1 result", by_patient),
    ("the same, expanded", lambda numbers: expanded(by_patient(numbers))),
    ("find by StudyDate range, 20 results", by_date),
    ("the same, expanded", lambda numbers: expanded(by_date(numbers))),
    ("find by PatientName `x*`, 4 results", by_name),
    ("find by PatientName `*x*y*`, first result", by_inner_name),
    (
        "find by ModalitiesInStudy, 20 results",
        lambda numbers: [study_query({"ModalitiesInStudy": "PT"})],
    ),
)
# 1.10.1 has none of these.
OURS_ALONE: tuple[tuple[str, Json], ...] = (
    (
        "find by metadata, 20 results",
        study_query({}, MetadataQuery={"batch": "batch 3"}, Expand=True),
    ),
    ("find by label, 20 results", study_query({}, Labels=[population.LABEL], Expand=True)),
    (
        "newest 20 studies",
        study_query(
            {},
            Limit=PAGE,
            Expand=True,
            OrderBy=[{"Type": "DicomTag", "Key": "StudyDate", "Direction": "DESC"}],
        ),
    ),
    (
        "last updated 20 studies",
        study_query(
            {},
            Limit=PAGE,
            Expand=True,
            OrderBy=[{"Type": "Metadata", "Key": "LastUpdate", "Direction": "DESC"}],
        ),
    ),
    (
        "names from Z, page 100",
        study_query(
            {},
            Limit=PAGE,
            Since=100 * PAGE,
            Expand=True,
            OrderBy=[{"Type": "DicomTag", "Key": "PatientName", "Direction": "DESC"}],
        ),
    ),
)


def find(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows of the table and the remarks below it."""
    amount = 100_000 if quick else 1_000_000
    begin = time.perf_counter()
    pair = FilledPair(amount)
    with pair:
        filled = time.perf_counter() - begin
        seconds = 1 if quick else 2
        rows = _rows(pair, rounds, seconds)
        notes = [
            "",
            f"Searching: ours holds {amount:,} instances in {pair.studies:,} studies, generated; "
            f"Orthanc {SMALL_STUDIES * population.PER_STUDY:,} in {SMALL_STUDIES}, uploaded "
            f"(together {filled:.0f} s).",
            "",
        ]
        notes += _alone(pair, seconds)
        notes += _latencies(pair, quick)
        notes += _memory(pair)
    return rows, notes


def _rows(pair: FilledPair, rounds: int, seconds: int) -> list[Row]:
    rows = []
    for name, bodies in FINDS:

        def ask(server: ServerProcess, _: int, bodies: Any = bodies) -> Load:
            made = bodies(pair.spread(server))
            return load.post_json(server.url, "/tools/find", made, seconds, CONNECTIONS)

        _assert_equal_sizes(pair, bodies)
        rows.append(pair.compare(name, TEN, rounds, ask))

    def listing(path: Callable[[ServerProcess], str]) -> Callable[[ServerProcess, int], Load]:
        return lambda server, _: load.get(server.url, [path(server)], seconds, CONNECTIONS)

    def deep(server: ServerProcess) -> int:
        held = pair.studies if pair.is_ours(server) else SMALL_STUDIES
        return held * 9 // 10

    def deep_find(server: ServerProcess, _: int) -> Load:
        body = study_query({}, Since=deep(server), Limit=PAGE, Expand=True)
        return load.post_json(server.url, "/tools/find", [body], seconds, CONNECTIONS)

    rows.append(pair.compare("find, page of 20 at 90 %, expanded", TEN, rounds, deep_find))
    for name, path in (
        ("GET /patients?expand, page of 20", lambda _: f"/patients?expand&since=0&limit={PAGE}"),
        (
            "GET /patients?expand, page of 20 at 90 %",
            lambda server: f"/patients?expand&since={deep(server)}&limit={PAGE}",
        ),
        ("GET /statistics", lambda _: "/statistics"),
    ):
        rows.append(pair.compare(name, TEN, rounds, listing(path)))
    rows += _instances_tags(pair, rounds, seconds)
    rows.append(_deletions(pair, rounds))
    return rows


def _assert_equal_sizes(pair: FilledPair, bodies: Callable[[list[int]], list[Json]]) -> None:
    """Rates are compared only where answers are of the same size."""
    sizes = []
    for server in pair.servers:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            asked = bodies(pair.spread(server))[-1]
            sizes.append(len(client.post("/tools/find", json=asked).json()))
    if not sizes[0] or len(set(sizes)) > 1:
        raise RuntimeError(f"results of {sizes} resources cannot be compared: {asked}")


def _instances_tags(pair: FilledPair, rounds: int, seconds: int) -> list[Row]:
    number = next(_numbers)
    template = generated.ct_slice()
    for server in pair.servers:
        load.post(server.port, template, number * 1000, SLICES, 2)
    study = f"{generated.ROOT}.4{number:09d}"
    series = generated.identifier(f"PATIENT{number:010d}", study, f"{study}.5{number * 10:09d}")
    path = f"/series/{series}/instances-tags?simplify"
    with httpx.Client(base_url=pair.ours.url, timeout=60) as client:
        if client.get(path).status_code != 200:
            print("not measured: instances-tags is not built yet")
            return []
    return [
        pair.compare(
            f"GET instances-tags?simplify, {SLICES} slices",
            FIVE,
            rounds,
            lambda server, _: load.get(server.url, [path], seconds, 2),
        )
    ]


def _deletions(pair: FilledPair, rounds: int) -> Row:
    """One study per round, all uploaded beforehand."""
    numbers = [next(_numbers) for _ in range(rounds + 1)]
    for server in pair.servers:
        for number in numbers:
            load.post(server.port, generated.small(), number * 1000, DELETED, 4)

    def delete(server: ServerProcess, round_: int) -> Load:
        uid = f"{generated.ROOT}.4{numbers[round_]:09d}"
        study = generated.identifier(f"PATIENT{numbers[round_]:010d}", uid)
        with httpx.Client(base_url=server.url, timeout=60) as client:
            begin = time.perf_counter()
            client.delete(f"/studies/{study}").raise_for_status()
            took = time.perf_counter() - begin
        return Load(1, took, took, took)

    return pair.compare(f"DELETE study of {DELETED} instances", TEN, rounds, delete)


def _alone(pair: FilledPair, seconds: int) -> list[str]:
    lines = []
    for name, body in OURS_ALONE:
        done = load.post_json(pair.ours.url, "/tools/find", [body], seconds, CONNECTIONS)
        lines.append(
            f"* {name}, which 1.10.1 does not have: {done.rate:,.0f}/s, p50 {done.p50 * 1e3:.2f} ms"
        )
    return lines


INDEXED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Patient", "PatientID equal", {"PatientID": "PATIENT0000000500"}),
    ("Instance", "PatientID equal", {"PatientID": "PATIENT0000000500"}),
    ("Study", "AccessionNumber `*05*`", {"AccessionNumber": "*05*"}),
    ("Patient", "PatientName `s*`", {"PatientName": "s*"}),
    ("Patient", "PatientName `*é*`", {"PatientName": "*é*"}),
    ("Study", "PatientName `*` (all)", {"PatientName": "*"}),
    ("Study", "StudyDate of a year", {"StudyDate": "20100101-20101231"}),
    ("Study", "StudyDescription of a sixth", {"StudyDescription": "thorax"}),
    ("Study", "ModalitiesInStudy of 2 in 5", {"ModalitiesInStudy": "CT"}),
    ("Series", "Modality of a fifth", {"Modality": "CT"}),
    ("Series", "Modality and InstitutionName", {"Modality": "MR", "InstitutionName": "Hospital 3"}),
    ("Study", "name, date, modality", {
        "PatientName": "*an*", "StudyDate": "2010-2011", "ModalitiesInStudy": "MR\\US"}),
    ("Instance", "Modality and StudyDate of a day", {"Modality": "CT", "StudyDate": "20100105"}),
    ("Instance", "Modality of a fifth, first page", {"Modality": "CT", "": "page"}),
)  # fmt: skip


def _latencies(pair: FilledPair, quick: bool) -> list[str]:
    """Each query over one connection, and the listing of as many resources of that level."""
    lines = ["", f"Queries on indexed tags beside a listing of as many identifiers: at most "
             f"{ALLOWED * 1e3:.0f} ms more."]  # fmt: skip
    lines.append("")
    repeat = 5 if quick else 15
    plurals = {"Patient": "patients", "Study": "studies", "Series": "series"}
    with httpx.Client(base_url=pair.ours.url, timeout=60) as client:

        def timed(call: Callable[[], httpx.Response]) -> tuple[float, int]:
            times, size = [], 0
            for _ in range(repeat):
                begin = time.perf_counter()
                answer = call()
                times.append(time.perf_counter() - begin)
                size = answer.content.count(b'","') + (len(answer.content) > 2)
            return median(times), size

        for level, name, query in INDEXED:
            query = dict(query)
            body: dict[str, Any] = {"Level": level, "Query": query}
            if query.pop("", None):
                body["Limit"] = PAGE
            took, size = timed(partial(client.post, "/tools/find", json=body))
            path = f"/{plurals.get(level, 'instances')}?since=0&limit={max(size, 1)}"
            listed, _ = timed(partial(client.get, path))
            verdict = "reached" if took - listed <= ALLOWED else "**short**"
            lines.append(
                f"* {level}, {name}: {size:,} results in {took * 1e3:.2f} ms, "
                f"listed in {listed * 1e3:.2f} ms: {verdict}"
            )
    return lines


def _memory(pair: FilledPair) -> list[str]:
    """Anonymous memory of our processes while large answers are streamed."""
    assert pair.ours.process is not None
    pid = pair.ours.process.pid
    lines = ["", "Memory while large answers are sent:", ""]
    for path in ("/instances", "/series?expand", "/instances?expand&since=0&limit=200000"):
        before = anonymous_megabytes(pid)
        peak, done = before, threading.Event()

        def watch(done: threading.Event = done) -> None:
            nonlocal peak
            while not done.wait(0.02):
                peak = max(peak, anonymous_megabytes(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        size = 0
        try:
            with httpx.stream("GET", pair.ours.url + path, timeout=600) as answer:
                for chunk in answer.iter_raw():
                    size += len(chunk)
        finally:
            done.set()
            watcher.join()
        lines.append(f"* GET {path}: {size / 1e6:,.0f} MB sent, {peak - before:.0f} MB more memory")
    return lines
