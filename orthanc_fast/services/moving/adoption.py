"""One source on its way into a new index."""

import contextlib
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import OrthancError, StorageFault
from orthanc_fast.index.contract import Builder
from orthanc_fast.model import Totals
from orthanc_fast.orthanc_store.model import Facts, Source
from orthanc_fast.services.moving.files import FileCheck
from orthanc_fast.services.moving.making import Made, Maker, Making, MakingHere, MakingInForks
from orthanc_fast.services.moving.properties import Properties
from orthanc_fast.services.moving.records import Hierarchy, Records, change, export
from orthanc_fast.services.moving.report import Finding, Taken, of_rows
from orthanc_fast.services.store.adopted import ADOPTED, Adopted
from orthanc_fast.services.store.custom_data import PREFIX as CUSTOM_DATA
from orthanc_fast.services.store.opening import build_index, file_path, index_packer

_WORTH_FORKS: Final = 10_000  # resources; for fewer it is not worth while
_FORKS: Final = 4  # more of them would wait for the one that writes

Progress = Callable[[int, int], None]
"""Told how many resources of how many are done."""


class Adoption:
    """`taken` and `findings` tell of it afterwards."""

    def __init__(
        self, source: Source, facts: Facts, settings: Settings, progress: Progress, processes: int
    ) -> None:
        """`processes` make records; 0: as many as there are cores, where that pays."""
        self._source = source
        self._facts = facts
        self._settings = settings
        self._progress = progress
        self._done = 0
        self._processes = processes or _processes_for(sum(facts.resources))
        patients, studies, series, instances = facts.resources
        self.taken = Taken(
            patients,
            studies,
            series,
            instances,
            attachments=facts.attachments,
            bytes=facts.stored,
            changes=facts.changes,
            exports=facts.exports,
        )
        self.findings: list[Finding] = of_rows(source.unreadable())
        self._hierarchy = Hierarchy(source.hierarchy(), source.sizes())
        self._signatures = source.signatures()
        self._recycling = [pair for part in source.recycling() for pair in part]
        for position, patient in self._recycling:
            self._hierarchy.set_recycling(patient, position)
        self.taken.protected = patients - len(self._recycling)

    def look(self, looks_at_files: bool) -> None:
        """What adopting would find."""
        with self._making(looks_at_files, packs=False) as making, self._checked():
            for made in making.parts(iter(())):
                self._count(made)
        self.findings += making.findings

    def build(self, folder: Path, adopted: Adopted, looks_at_files: bool) -> None:
        """Fills a new index in a folder."""
        with self._making(looks_at_files, packs=True) as making:
            builder: Builder | None = None
            try:
                builder = build_index(self._settings, folder)
                with self._checked():
                    self._fill(builder, making)
                builder.set_property(ADOPTED, msgspec.json.encode(adopted))
                builder.finish(self._totals())
            except BaseException as error:
                if builder is not None:
                    with contextlib.suppress(OrthancError):
                        builder.abandon()
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, OSError):
                    raise StorageFault(f"cannot read the store: {error}") from error
                raise

    @contextlib.contextmanager
    def _making(self, looks_at_files: bool, packs: bool) -> Iterator[Making]:
        """Begins before there are threads and an open index, which are not for forks."""

        def maker() -> Maker:
            files = FileCheck(file_path(self._settings)) if looks_at_files else None
            records = Records(self._hierarchy, self._signatures)
            return Maker(records, index_packer() if packs else None, files)

        shares = self._source.shares(self._processes) if self._processes > 1 else []
        making: Making = (
            MakingInForks(shares, maker) if shares else MakingHere(self._source.parts, maker())
        )
        try:
            with _without_collector():
                yield making
        finally:
            making.close()

    @contextlib.contextmanager
    def _checked(self) -> Iterator[None]:
        """The source is looked through for damage meanwhile."""
        with ThreadPoolExecutor(1, "damage") as thread:
            check = thread.submit(self._source.check)
            yield
            check.result()

    def _fill(self, builder: Builder, making: Making) -> None:
        builder.add_signatures(self._signatures)
        builder.add_recycling(self._recycling)
        for made in making.parts(self._fill_others(builder)):
            self._count(made)
            builder.add_resources(made.packed)
            for uuid, data in made.custom_data:
                builder.set_property(CUSTOM_DATA + uuid, data)
        self.findings += making.findings

    def _fill_others(self, builder: Builder) -> Iterator[None]:
        """What needs no records, step by step."""
        source = self._source
        for identifiers in source.by_identifier():
            builder.add_identifiers(identifiers)
            yield
        for children in source.children():
            builder.add_children(children)
            yield
        for changes in source.changes():
            builder.add_changes([change(each) for each in changes])
            yield
        for numbers in source.changes_of():
            builder.add_changes_of(numbers)
            yield
        for exports in source.exports():
            builder.add_exports([export(each) for each in exports])
            yield
        properties = Properties(builder)
        properties.take(source, self._facts.properties)
        self.taken.properties = properties.count
        self.findings += properties.findings

    def _count(self, made: Made) -> None:
        taken = self.taken
        taken.metadata += made.metadata
        taken.labels += made.labels
        self._done += made.resources
        self._progress(self._done, sum(self._facts.resources))

    def _totals(self) -> Totals:
        facts = self._facts
        return Totals(
            next_id=facts.last_resource + 1,
            next_change=facts.last_change + 1,
            next_recycling=self._recycling[-1][0] + 1 if self._recycling else 1,
            resources=list(facts.resources),
            disk_size=facts.stored,
            uncompressed_size=facts.size,
            next_export=facts.last_export + 1,
        )


def _processes_for(resources: int) -> int:
    return 1 if resources < _WORTH_FORKS else min(len(os.sched_getaffinity(0)), _FORKS)


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of records are made and dropped, none of them in a circle: looking for circles among
    them takes a good part of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
