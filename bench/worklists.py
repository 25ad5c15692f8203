"""C-FIND on 5,000 worklist files, in our server and in Orthanc 1.13 with its worklists plugin, by a
client that only counts bytes.

`p50` and `p99` are the times to the first answer.
"""

import msgspec
from support import find_scu
from support.find_scu import Element, FindScu
from support.ports import free_port
from support.process import ServerProcess
from support.reference_server import ReferenceServer
from support.server import OurServer
from support.worklists import (
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    SOP_CLASS,
    START,
    STATION,
    STEP_ID,
    STEPS,
    file,
    step,
    worklist,
)

from bench import find_scp
from bench.compare import OURS, Goal, Pair, Row
from bench.load import Load

WORKLISTS = 5000
STATIONS = 20
TEN = Goal(10, 0.2)

_SHOWN: tuple[Element, ...] = (
    *((0x00080050, "SH", ""), (PATIENT_NAME, "PN", ""), (PATIENT_ID, "LO", "")),
    *((0x00100030, "DA", ""), (0x00100040, "CS", ""), (0x0020000D, "UI", "")),
    *((0x00321060, "LO", ""), (0x00401001, "SH", "")),
)
_STEP: tuple[Element, ...] = (
    *((MODALITY, "CS", ""), (STATION, "AE", ""), (START, "DA", "")),
    *((0x00400003, "TM", ""), (0x00400006, "PN", ""), (STEP_ID, "SH", "")),
)


class Scenario(msgspec.Struct, frozen=True):
    """Keys of a query and of its step, `{}` in them is the number of a worklist; `many` where the
    answers count, not the queries."""

    name: str
    keys: dict[int, str]
    of_step: dict[int, str]
    queries: int
    many: bool = False

    def identifier(self, number: int) -> bytes:
        day, station = number % 28 + 1, number % STATIONS

        def filled(shown: tuple[Element, ...], keys: dict[int, str]) -> list[Element]:
            return [
                (tag, vr, keys[tag].format(number, day=day, station=station) if tag in keys else "")
                for tag, vr, _ in shown
            ]

        steps: Element = (STEPS, "SQ", [filled(_STEP, self.of_step)])
        return find_scu.encoded(sorted([*filled(_SHOWN, self.keys), steps]))


SCENARIOS = (
    Scenario("worklists, all 5,000", {}, {}, 1, many=True),
    Scenario(
        "worklists of a station and a day (36)",
        {},
        {STATION: "STATION{station}", START: "202601{day:02d}"},
        5,
    ),
    Scenario("worklists, one patient by identifier", {PATIENT_ID: "P{}"}, {}, 5),
    Scenario("worklists, names `name 12*`", {PATIENT_NAME: "name 12*"}, {}, 5),
)


class WorklistPair(Pair):
    """Both with the same folder."""

    def __init__(self, amount: int) -> None:
        super().__init__()
        folder = self.folder / "worklists"
        folder.mkdir()
        for number in range(amount):
            steps = [step(number, ("CT", "MR", "US")[number % 3], f"STATION{number % STATIONS}")]
            made = worklist(number, f"Name {number}^First", steps)
            (folder / f"{number}.wl").write_bytes(file(made))
        self.amount = amount

        def options() -> dict[str, object]:
            return {
                "DicomServerEnabled": True,
                "DicomPort": free_port(),
                "DicomAlwaysAllowFindWorklist": True,
                "Worklists": {"Enable": True, "Database": str(folder)},
            }

        self.ours = OurServer(self.folder / "ours", {**options(), **OURS})
        self.theirs = ReferenceServer(
            self.folder / "theirs", options(), ("libModalityWorklists.so",)
        )

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        """Ours and 1.13.0: Debian's plugin belongs to Debian's server alone."""
        return self.ours, self.theirs


def worklists(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows of the table."""
    with WorklistPair(500 if quick else WORKLISTS) as pair:
        return [_row(pair, each, rounds) for each in SCENARIOS], []


def _row(pair: WorklistPair, scenario: Scenario, rounds: int) -> Row:
    def ask(server: ServerProcess, number: int) -> Load:
        return _ask(pair, server, scenario, number)

    return pair.compare(scenario.name, TEN, rounds, ask)


def _ask(pair: WorklistPair, server: ServerProcess, scenario: Scenario, number: int) -> Load:
    # Ours answers a query in so little time that a handful says nothing.
    times = 1 if scenario.many or server is pair.theirs else 20
    asked = [
        scenario.identifier((number * 997 + each * 101) % pair.amount)
        for each in range(scenario.queries * times)
    ]
    with FindScu(int(str(server.configuration["DicomPort"])), SOP_CLASS, timeout=120) as scu:
        return find_scp.asked_in_turn(scu, scenario.name, asked, scenario.many)
