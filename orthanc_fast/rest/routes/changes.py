"""GET and DELETE /changes. Source: reference chapter 1, section 7."""

from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import ParameterOutOfRange, ReadOnly
from orthanc_fast.index.view import timestamp
from orthanc_fast.model import Change, Level
from orthanc_fast.rest.request import Request
from orthanc_fast.rest.response import Response, json_response, text_response
from orthanc_fast.rest.router import Router
from orthanc_fast.services.deletion import ClearChanges
from orthanc_fast.services.describe import NAMES, PLURALS

TYPES = {
    1: "CompletedSeries",
    2: "NewInstance",
    3: "NewPatient",
    4: "NewSeries",
    5: "NewStudy",
    6: "AnonymizedStudy",
    7: "AnonymizedSeries",
    8: "ModifiedStudy",
    9: "ModifiedSeries",
    10: "AnonymizedPatient",
    11: "ModifiedPatient",
    12: "StablePatient",
    13: "StableStudy",
    14: "StableSeries",
    15: "UpdatedAttachment",
    16: "UpdatedMetadata",
    4096: "Deleted",
    4097: "NewChildInstance",
}
NUMBERS = {name: number for number, name in TYPES.items()}
DEFAULT_LIMIT = 100


def add_routes(router: Router, settings: Settings) -> None:
    router.add("GET", "/changes", get_changes)
    router.add("DELETE", "/changes", delete_changes)


async def get_changes(request: Request) -> Response:
    """`since`, `to`, `limit`, `type`, `last`: section 7.2."""
    arguments = request.arguments
    types = _types(arguments.get("type", ""))
    since, to, limit = _bounds(arguments)
    with request.services.index.view() as view:
        if "last" in arguments:
            newest = view.last_change(types)
            rows = [] if newest is None else [newest]
            done, last = True, view.totals().next_change - 1
        else:
            page = view.changes(since, to, limit, types)
            rows, done, last = page.changes, page.done, page.last_allocated
    answer: dict[str, Any] = {"Changes": [_entry(*row) for row in rows], "Done": done}
    if rows:
        answer["First"] = rows[0][0]
        last = rows[-1][0]
    answer["Last"] = last
    if limit == 0 and "last" not in arguments:
        answer["Done"] = False
    return json_response(answer)


def _types(text: str) -> frozenset[int] | None:
    if text in ("", "All", "all"):
        return None
    names = [name for name in text.split(";") if name]
    unknown = [name for name in names if name not in NUMBERS]
    if unknown:
        raise ParameterOutOfRange(f"Unknown type of change: {unknown[0]}")
    return frozenset(NUMBERS[name] for name in names)


def _bounds(arguments: dict[str, str]) -> tuple[int, int, int]:
    """(since, to, limit); if one of them is no number all three have their defaults."""
    try:
        limit = int(arguments.get("limit", DEFAULT_LIMIT))
        since, to = int(arguments.get("since", 0)), int(arguments.get("to", -1))
        return since, to, limit if limit >= 0 else DEFAULT_LIMIT
    except ValueError:
        return 0, -1, DEFAULT_LIMIT


def _entry(sequence: int, change: Change) -> dict[str, Any]:
    level = Level(change.level)
    text = to_text(change.public)
    return {
        "ChangeType": TYPES[change.type],
        "Date": timestamp(change.date),
        "ID": text,
        "Path": f"/{PLURALS[level]}/{text}",
        "ResourceType": NAMES[level],
        "Seq": sequence,
    }


async def delete_changes(request: Request) -> Response:
    """Empties the log; sequence numbers go on."""
    if request.services.settings.read_only:
        raise ReadOnly
    await request.services.write(ClearChanges())
    return text_response()
