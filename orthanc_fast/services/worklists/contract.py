"""Where worklists are kept: what queries, REST and housekeeping ask of that place."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from orthanc_fast.services.find.matching import Matcher
from orthanc_fast.services.worklists.entries import Path, Worklist


class Shelf(Protocol):
    """The worklists of this server, up to date with each call. May wait for the disk; several
    threads may use it at once."""

    def candidates(self, conditions: Mapping[Path, Matcher]) -> Sequence[Worklist]:
        """As `Entries.candidates`."""

    def all(self) -> list[Worklist]:
        """By their identifiers."""

    def get(self, identifier: str) -> Worklist:
        """Raises UnknownResource."""

    def put(self, identifier: str, data: bytes) -> None:
        """Adds or replaces, durably; `data` is a DICOM file. Raises ParameterOutOfRange for an
        identifier that cannot be one, StorageFault or FullStorage where it cannot be kept."""

    def delete(self, identifier: str) -> None:
        """Raises UnknownResource, StorageFault."""

    def close(self) -> None:
        """Ends what it does besides."""
