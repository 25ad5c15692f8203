"""The instances that a job works on, with what stands above them."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from orthanc_fast.index.contract import Snapshot
from orthanc_fast.index.packed import unpack
from orthanc_fast.model import SHA1, Caller, Level, Resource
from orthanc_fast.services.store.reads import Reads

_AT_ONCE: Final = 128  # records that are read with one call

Publics = tuple[bytes, bytes, bytes, bytes]
"""The identifiers of an instance and of what stands above it, patient first."""


class Source(msgspec.Struct, frozen=True):
    """One instance and what stands above it, patient first."""

    line: tuple[Resource, Resource, Resource, Resource]

    @property
    def instance(self) -> Resource:
        return self.line[Level.INSTANCE]

    @property
    def publics(self) -> Publics:
        patient, study, series, instance = self.line
        return patient.public, study.public, series.public, instance.public

    @property
    def labels(self) -> dict[Level, list[str]]:
        """Of each level that has some."""
        return {level: self.line[level].labels for level in Level if self.line[level].labels}


class Sources:
    """Those whose packed identifiers are `instances`, in their order, some at a time; None for one
    that is gone. Each walk reads them anew."""

    def __init__(self, reads: Reads, caller: Caller, instances: bytes) -> None:
        self._read = reads
        self._caller = caller
        self._instances = instances

    def __iter__(self) -> Iterator[list[Source | None]]:
        step = _AT_ONCE * SHA1
        for start in range(0, len(self._instances), step):
            yield self.of(list(unpack(self._instances[start : start + step])))

    def of(self, publics: Sequence[bytes]) -> list[Source | None]:
        """Any instances."""

        def read(view: Snapshot) -> list[Source | None]:
            records = view.resources(Level.INSTANCE, publics)
            present = [each for each in records if each is not None]
            above = iter(view.ancestors_of(present))
            found: list[Source | None] = []
            for instance in records:
                if instance is None:
                    found.append(None)
                    continue
                series, study, patient = next(above)
                found.append(Source((patient, study, series, instance)))
            return found

        return self._read(self._caller, read)
