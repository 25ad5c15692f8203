"""C-FIND over 10,000 studies of one instance each, in all servers, asked by a client that only
counts bytes.

`p50` and `p99` are the times to the first answer. Names, dates and modalities are those of
`population`.
"""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles

import httpx
import msgspec
from pydicom.dataset import FileDataset
from support import find_scu, generated
from support.find_scu import Element, FindScu
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import DebianServer, ReferenceServer
from support.server import OurServer

from bench import dimse_services, population
from bench.compare import OURS, Goal, Pair, Row
from bench.load import Load

STUDIES = 10_000
FIRST = 0.005  # seconds until the first answer
TEN = Goal(10, 0.2)

LEVEL, STUDY_DATE, PATIENT_NAME = 0x00080052, 0x00080020, 0x00100010
STUDY_UID = 0x0020000D
SHOWN: tuple[Element, ...] = (
    *((STUDY_DATE, "DA", ""), (0x00080030, "TM", ""), (0x00080050, "SH", "")),
    *((0x00080090, "PN", ""), (0x00081030, "LO", ""), (PATIENT_NAME, "PN", "")),
    *((0x00100020, "LO", ""), (0x00100030, "DA", ""), (0x00100040, "CS", "")),
    *((STUDY_UID, "UI", ""), (0x00200010, "SH", "")),
)


class Scenario(msgspec.Struct, frozen=True):
    """Keys of a query by number of a study; `many` where the answers count, not the queries."""

    name: str
    level: str
    keys: dict[int, str]
    queries: int
    many: bool = False

    def identifier(self, number: int) -> bytes:
        values = {
            STUDY_DATE: population.study(number).values["StudyDate"],
            STUDY_UID: population.study(number).uid,
            PATIENT_NAME: population.study(number).values["PatientName"],
        }
        wanted = {tag: text.format(values.get(tag, "")) for tag, text in self.keys.items()}
        shown = [each for each in SHOWN if self.level != "PATIENT" or each[0] >> 16 == 0x0010]
        elements: dict[int, Element] = {tag: (tag, vr, wanted.pop(tag, "")) for tag, vr, _ in shown}
        elements |= {tag: (tag, "CS", text) for tag, text in wanted.items()}
        elements[LEVEL] = (LEVEL, "CS", self.level)
        return find_scu.encoded(sorted(elements.values()))


SCENARIOS = (
    Scenario("C-FIND, all studies", "STUDY", {}, 1, many=True),
    Scenario("the same, PatientName `*`", "STUDY", {PATIENT_NAME: "*"}, 1, many=True),
    Scenario("the same, PatientName `*an*`", "STUDY", {PATIENT_NAME: "*an*"}, 1, many=True),
    Scenario(
        "the same with modalities and counters",
        "STUDY",
        {0x00080061: "", 0x00201206: "", 0x00201208: ""},
        1,
        many=True,
    ),
    Scenario("C-FIND, studies of a day (20)", "STUDY", {STUDY_DATE: "{}"}, 50),
    Scenario("C-FIND, one study by its UID", "STUDY", {STUDY_UID: "{}"}, 200),
    Scenario("C-FIND, one patient by name", "PATIENT", {PATIENT_NAME: "{}"}, 100),
    Scenario("C-FIND, the series of a study", "SERIES", {STUDY_UID: "{}", 0x00080060: ""}, 100),
)


class QueriedPair(Pair):
    """All three with the same studies."""

    def __init__(self, studies: int = STUDIES) -> None:
        super().__init__()
        self.studies = studies
        # Nothing is stored while it is measured, and filling is quicker so.
        shared = {"SyncStorageArea": False, "StableAge": 600, "DicomAlwaysAllowFind": True}

        def options() -> dict[str, object]:
            return {**shared, "DicomServerEnabled": True, "DicomPort": free_port()}

        self.ours = OurServer(self.folder / "ours", {**options(), **OURS})
        self.theirs = ReferenceServer(self.folder / "theirs", options())
        self.older = DebianServer(self.folder / "older", options())

    def __enter__(self) -> "QueriedPair":
        super().__enter__()
        files = [file(number) for number in range(self.studies)]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda server: _fill(server, files), self.servers))
        return self


def file(number: int) -> bytes:
    """The one instance of a study."""
    of_study = population.study(number)
    dataset: FileDataset = generated.base(modality=population.modality(number, 0))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in of_study.values.items():
        setattr(dataset, keyword, value)
    dataset.PatientID = of_study.patient_id
    dataset.StudyInstanceUID = of_study.uid
    dataset.SeriesInstanceUID = f"{of_study.uid}.1"
    dataset.SOPInstanceUID = f"{of_study.uid}.1.1"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _fill(server: ServerProcess, files: list[bytes]) -> None:
    with httpx.Client(base_url=server.url, timeout=120) as client, ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda data: client.post("/instances", content=data), files):
            answer.raise_for_status()


def find_scp(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows of the table and the remarks below it."""
    with QueriedPair(1000 if quick else STUDIES) as pair:
        rows = [_row(pair, each, rounds) for each in SCENARIOS]
    slow = [row.name for row in rows if row.ours["p50"] > FIRST]
    notes = [f"Later than {FIRST * 1e3:.0f} ms with the first answer: {slow or 'none'}."]
    return rows, [*notes, *dimse_services.compare(rounds)]


def _row(pair: QueriedPair, scenario: Scenario, rounds: int) -> Row:
    def ask(server: ServerProcess, number: int) -> Load:
        return _ask(pair, server, scenario, number)

    return pair.compare(scenario.name, TEN, rounds, ask)


def _ask(pair: QueriedPair, server: ServerProcess, scenario: Scenario, number: int) -> Load:
    asked = [
        scenario.identifier((number * 997 + each * 101) % pair.studies)
        for each in range(scenario.queries)
    ]
    with FindScu(int(str(server.configuration["DicomPort"]))) as scu:
        return asked_in_turn(scu, scenario.name, asked, scenario.many)


def asked_in_turn(scu: FindScu, name: str, asked: list[bytes], many: bool) -> Load:
    """What queries cost that are asked one after the other; of `many` answers these are counted,
    else the queries. Raises RuntimeError for one that fails or finds nothing."""
    firsts: list[float] = []
    answers = 0
    begin = time.perf_counter()
    for identifier in asked:
        found = scu.find(identifier)
        if found.status or not found.answers:
            raise RuntimeError(f"{name}: status {found.status:04x}")
        firsts.append(found.first)
        answers += len(found.answers)
    seconds = time.perf_counter() - begin
    if many:
        return Load(answers, seconds, firsts[0], firsts[0])
    return Load(len(asked), seconds, *(quantiles(firsts, n=100)[each] for each in (49, 98)))
