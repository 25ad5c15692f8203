"""A C-FIND SCP of pynetdicom that answers what a test tells it, and remembers what it was asked."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pydicom import Dataset
from pynetdicom import AE, evt
from support.ports import free_port

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
WORKLIST = "1.2.840.10008.5.1.4.31"
SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2")

PENDING, SUCCESS = 0xFF00, 0x0000


class Asked(NamedTuple):
    """One C-FIND as it came: the identifier encoded, and who asked for it in which way."""

    sop_class: str
    syntax: str
    calling: str
    called: str
    identifier: bytes
    proposed: tuple[tuple[str, tuple[str, ...]], ...]
    priority: int


class FindScp:
    """`answers` are (status, data set) of every query, and what follows them by themselves is
    0x0000; `asked` are the queries so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[tuple[int, Dataset | None]] = []
        self.asked: list[Asked] = []

    def say(self, *data_sets: Dataset, status: int = SUCCESS) -> None:
        """From now on these are the matches, and `status` follows them."""
        self.answers = [(PENDING, each) for each in data_sets]
        if status != SUCCESS:
            self.answers.append((status, None))

    def taken(self) -> list[Asked]:
        """The queries since the last call."""
        taken, self.asked = self.asked, []
        return taken

    def handle(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        association = event.assoc.requestor
        self.asked.append(
            Asked(
                sop_class=str(event.context.abstract_syntax),
                syntax=str(event.context.transfer_syntax),
                calling=association.ae_title,
                called=association.primitive.called_ae_title,
                identifier=event.request.Identifier.getvalue(),
                proposed=tuple(
                    (str(each.abstract_syntax), tuple(map(str, each.transfer_syntax)))
                    for each in association.primitive.presentation_context_definition_list
                ),
                priority=event.request.Priority,
            )
        )
        yield from self.answers


@contextmanager
def find_scp(
    sop_classes: Iterable[str] = (PATIENT_ROOT, STUDY_ROOT, WORKLIST),
    syntaxes: Iterable[str] = SYNTAXES,
) -> Iterator[FindScp]:
    """One that listens until the end of the block."""
    entity = AE("FINDSCP")
    for uid in sop_classes:
        entity.add_supported_context(uid, list(syntaxes))
    scp = FindScp(free_port())
    server = entity.start_server(
        ("127.0.0.1", scp.port), block=False, evt_handlers=[(evt.EVT_C_FIND, scp.handle)]
    )
    try:
        yield scp
    finally:
        server.shutdown()  # type: ignore[union-attr]
