"""Where others take part in the ingest: who may change or refuse what arrives, and who hears of
what was stored. The order is Orthanc's: reference chapter 4, section 2.1.

Hooks are called in the order of their registration, in a thread that may wait, several at the same
time; scripts by the event loop too, which has nothing to do for them but wait. What a receiver or a
filter raises refuses the file with that error; what an announcement raises is logged.
"""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

import msgspec

from orthanc_fast.model import Caller, Header
from orthanc_fast.services.ingest.contract import Stored
from orthanc_fast.storage.contract import Content


class Decision(Enum):
    """What a receiver wants to happen to a file."""

    KEEP = "keep"
    DISCARD = "discard"


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An instance that is about to be stored. `content` is valid during the call only."""

    content: Content
    header: Header
    publics: tuple[bytes, bytes, bytes, bytes]  # patient first
    caller: Caller


# Sees every file first, before it is parsed; other bytes take its place, and their identifiers
# count.
Receiver = Callable[[Content, Caller], Decision | bytes]

# Sees what would be stored, transcoded if the configuration says so: True to keep it. Is not asked
# about an instance that is there already and would not be replaced.
Filter = Callable[[Candidate], bool]

# Hears of each instance that was stored, as soon as it is durable and before the door answers.
Announcement = Callable[[Stored, Caller], None]


class Scripts(Protocol):
    """The scripts of the server, which may have something to say or not, from one moment to the
    next. They come after all other receivers and filters."""

    @property
    def may_refuse(self) -> bool:
        """Whether a script is asked before a file is stored."""

    async def receive(self, content: Content, caller: Caller, in_loop: bool) -> Decision | bytes:
        """As a receiver. Is never suspended unless `in_loop`: the event loop of the process waits
        for the answer then, otherwise the thread does."""

    async def keeps(self, candidate: Candidate, in_loop: bool) -> bool:
        """As a filter; `in_loop` as above."""


class Hooks:
    """Those of one process; none to begin with."""

    def __init__(self) -> None:
        self.scripts: Scripts | None = None
        self.receivers: list[Receiver] = []
        self.filters: list[Filter] = []
        self.announcements: list[Announcement] = []

    @property
    def may_refuse(self) -> bool:
        """Whether anybody is asked before a file is stored."""
        if self.receivers or self.filters:
            return True
        return self.scripts is not None and self.scripts.may_refuse
