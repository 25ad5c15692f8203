"""Where an index came from, if it was taken over from an Orthanc, and whether that one is still at
work on the same files."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.index.contract import Index
from orthanc_fast.log import Category, logger
from orthanc_fast.orthanc_store.sqlite_copy import Trace, traces

ADOPTED: Final = "adopted"
"""The property that tells it, as JSON."""


class Adopted(msgspec.Struct):
    """What the index came from, when (seconds since the epoch), and what it was like then."""

    source: str
    date: int
    traces: list[Trace]


def warn_of_a_second_server(settings: Settings, index: Index) -> None:
    """Warns, once for each time, if the Orthanc has written to its index since it was taken over:
    each of the two servers removes files that the other one knows. An index that is gone, or was in
    a database, tells nothing."""
    said = index.read(lambda snapshot: snapshot.property(ADOPTED))
    if said is None:
        return
    adopted = msgspec.json.decode(said, type=Adopted)
    found = traces(settings.index_directory)
    if not adopted.traces or not found or found == adopted.traces:
        return
    day = datetime.fromtimestamp(adopted.date, UTC).strftime("%Y-%m-%d")
    logger.warning(
        Category.GENERIC,
        f"The index of the Orthanc that was taken over on {day} was written since "
        f"({settings.index_directory / found[0].name}): what it has stored is not known here, and "
        "files that it has deleted are missing here. Run one of the two servers only; "
        "'orthanc-fast check' names the missing files; to take all over anew, and lose what this "
        "server has stored, stop both, move the index of this server away and call "
        "'orthanc-fast adopt'",
    )
    if not settings.read_only:
        adopted.traces = found
        kept = msgspec.json.encode(adopted)
        index.write(lambda transaction: transaction.set_property(ADOPTED, kept))
