"""What C-MOVE and C-GET have in common: sub-operations, each a C-STORE of one instance. Source:
DICOM PS3.4 sections C.4.2 and C.4.3."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from enum import Enum, auto
from typing import NamedTuple


class Outcome(Enum):
    """What has become of a sub-operation."""

    COMPLETED = auto()
    WARNING = auto()
    FAILED = auto()


class SubOperation(NamedTuple):
    """One that is over; `sop_instance` is "" where the instance has been deleted meanwhile."""

    outcome: Outcome
    sop_instance: str


class Retrieval(ABC):
    """A C-MOVE or C-GET that has found something to send."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many sub-operations there are."""

    @abstractmethod
    def run(self) -> Generator[SubOperation]:
        """Performs them one by one, each when it is asked for: who closes the generator has
        cancelled the rest. What fails fails alone, but for what ends the association of the
        request: that is raised."""

    @property
    def is_on_association(self) -> bool:
        """Whether sub-operations use the association of the request, so that a response may
        travel with what comes next."""
        return False

    @abstractmethod
    def is_cancelled(self) -> bool:
        """Whether the peer has cancelled; looks without waiting. Raises PduError, UserAbort or
        OSError where the association is over."""
