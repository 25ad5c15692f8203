"""What the bench found last, section by section: bench/results.json, and bench/RESULTS.md for
readers."""

import datetime
from pathlib import Path

import msgspec

from bench.compare import HEADER, Row, environment, line

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"


class Section(msgspec.Struct):
    """What one section found, on which day and with what."""

    date: str
    environment: str
    rows: list[Row]
    notes: list[str]

    @classmethod
    def now(cls, rows: list[Row], notes: list[str]) -> "Section":
        """Found just now."""
        found = ", ".join(f"{key} {value}" for key, value in environment().items())
        return cls(datetime.date.today().isoformat(), found, rows, notes)


def write(name: str, section: Section, order: list[str]) -> None:
    """Puts the section into both files, in place of what it said before. `order` is that of the
    sections; those it does not know come last."""
    known = (
        msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, Section])
        if RESULTS.exists()
        else {}
    )
    known[name] = section
    places = {each: place for place, each in enumerate(order)}
    known = dict(sorted(known.items(), key=lambda item: places.get(item[0], len(places))))
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(known), indent=2) + b"\n")
    (FOLDER / "RESULTS.md").write_text("\n".join(_page(known)))


def _page(known: dict[str, Section]) -> list[str]:
    text = [
        "# Results of `make bench`",
        "",
        "All servers with durable writes on the same disk, load from the same machine over "
        "loopback, rounds in alternation, medians. `cpu` is the server's CPU time per unit. "
        "Goals and the first ratios are against Orthanc 1.13.0, the last columns against 1.10.1.",
    ]
    for name, section in known.items():
        text += ["", f"## {name.capitalize()}", "", f"{section.date}; {section.environment}."]
        if section.rows:
            text += ["", HEADER, *map(line, section.rows)]
        for note in section.notes:
            text += ["", note]
    return [*text, ""]
