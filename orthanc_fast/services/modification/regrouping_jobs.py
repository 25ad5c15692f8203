"""The jobs that put instances into another study: a modification of each of them.

Source: reference chapter 3, sections 3.5 and 3.9.
"""

from typing import ClassVar

from orthanc_fast.dicom.identifiers import to_text
from orthanc_fast.errors import InternalError, OrthancError, UnknownResource
from orthanc_fast.model import Level
from orthanc_fast.services.ingest.contract import MadeFrom
from orthanc_fast.services.jobs.contract import Run
from orthanc_fast.services.modification.job import (
    CANNOT_STORE,
    ModificationJob,
    Running,
)
from orthanc_fast.services.modification.plan import Plan
from orthanc_fast.services.modification.regrouping import MERGE, SPLIT, Regroup, decode_regroup
from orthanc_fast.services.modification.sources import Publics, Source


class SplitJob(ModificationJob):
    """Splits of one process."""

    name: ClassVar[str] = SPLIT

    def run(self, run: Run) -> None:
        _Splitting(self, run, decode_regroup(run.payload)).all()


class MergeJob(ModificationJob):
    """Merges of one process."""

    name: ClassVar[str] = MERGE

    def run(self, run: Run) -> None:
        _Merging(self, run, decode_regroup(run.payload)).all()


class _Regrouping(Running):
    """Leaves no trace of where instances come from, and the tags of parents as they are."""

    def __init__(self, kind: ModificationJob, run: Run, regroup: Regroup) -> None:
        self._regroup = regroup
        super().__init__(kind, run, regroup.order)
        self._total = regroup.order.count + 1

    def _planned(self) -> Plan:
        return self._kind.modification.plan(self._regroup.asked, self._order.level)

    def _made_from(self, source: Source) -> MadeFrom | None:
        return None

    def _fail(self, error: OrthancError) -> None:
        """As Orthanc: an instance that is gone, or that is not stored, is an internal error."""
        if not self._order.permissive:
            is_bare = isinstance(error, UnknownResource) or error.code == CANNOT_STORE
            if is_bare:
                raise InternalError() from error
            raise error
        super()._fail(error)

    def _refresh_parents(self) -> None:
        self._run.step(self._order.count, self._total)


class _Splitting(_Regrouping):
    def _tell_output(self, publics: Publics) -> None:
        self._run.tell(TargetStudy=to_text(publics[Level.STUDY]))


class _Merging(_Regrouping):
    def _tell_output(self, publics: Publics) -> None:
        """The study was there before."""
