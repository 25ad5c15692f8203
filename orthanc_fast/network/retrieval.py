"""C-MOVE and C-GET as SCP. Source: reference chapter 4, section 4; DICOM PS3.4 sections C.4.2 and
C.4.3.

A sub-operation that fails does not end the others, as it does with Orthanc: the last response tells
how many have failed, and which.
"""

from collections.abc import Callable
from contextlib import closing
from time import perf_counter
from typing import Final

import msgspec

from orthanc_fast.dicom.elements import Writer
from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.network.find import FindMeter
from orthanc_fast.services.query_retrieve.retrieval import Outcome, Retrieval
from orthanc_fast.transfer_syntaxes import SYNTAXES
from orthanc_fast.upper_layer import statuses
from orthanc_fast.upper_layer.association import UserAbort
from orthanc_fast.upper_layer.dimse import Counts
from orthanc_fast.upper_layer.failures import RequestFailed
from orthanc_fast.upper_layer.operation import PENDING, Operation

_MOST: Final = 0xFFFF  # that a counter can tell: it is US
_FAILED_LIST: Final = 0x00080058
_LONGEST: Final = 0xFFFE  # bytes that a UI in explicit VR can have

Begin = Callable[[Operation, Caller], Retrieval]
"""Finds what a request asks for. Raises OrthancError where that is nothing."""


class _Tally(msgspec.Struct):
    """What has become of the sub-operations so far; `failed` are the UIDs that are known."""

    remaining: int
    completed: int = 0
    warnings: int = 0
    failures: int = 0
    failed: list[str] = msgspec.field(default_factory=list)

    def count(self, outcome: Outcome, sop_instance: str) -> None:
        self.remaining -= 1
        if outcome == Outcome.COMPLETED:
            self.completed += 1
        elif outcome == Outcome.WARNING:
            self.warnings += 1
        else:
            self.failures += 1
            if sop_instance:
                self.failed.append(sop_instance)

    def give_up(self) -> None:
        """What remains has failed."""
        self.failures += self.remaining
        self.remaining = 0

    def counts(self, with_remaining: bool) -> Counts:
        return Counts(
            min(self.remaining, _MOST) if with_remaining else None,
            min(self.completed, _MOST),
            min(self.failures, _MOST),
            min(self.warnings, _MOST),
        )

    @property
    def final_status(self) -> int:
        if self.remaining:
            return statuses.CANCEL
        if not self.failures and not self.warnings:
            return statuses.SUCCESS
        is_all = not self.completed and not self.warnings
        return statuses.SUB_OPERATIONS_FAILED if is_all else statuses.SUB_OPERATIONS_INCOMPLETE


class Retrieve:
    """Answers each request by what `begin` finds, instance by instance."""

    def __init__(self, name: str, begin: Begin, meter: FindMeter, tells_last: bool) -> None:
        """`name` is that of the service, for the log; `tells_last`: the last sub-operation has a
        pending response as the others, before the final one."""
        self._name = name
        self._begin = begin
        self._meter = meter
        self._tells_last = tells_last

    def __call__(self, operation: Operation, caller: Caller) -> None:
        """Raises PduError, UserAbort or OSError where the association is over."""
        begin = perf_counter()
        try:
            retrieval = self._found(operation, caller)
            if retrieval is None:
                operation.send_response(statuses.CANNOT_UNDERSTAND, Counts(None, 0, 0, 0))
            else:
                self._perform(operation, retrieval)
        except RequestFailed as error:  # of a sub-operation on this association
            raise UserAbort(str(error)) from error
        finally:
            self._meter(perf_counter() - begin)

    def _found(self, operation: Operation, caller: Caller) -> Retrieval | None:
        try:
            return self._begin(operation, caller)
        except Exception as error:  # whatever it is, the peer is told so: section 4.1
            text = str(error) if isinstance(error, OrthancError) else repr(error)
            logger.error(Category.DICOM, f"{self._name} of AET {caller.aet} failed: {text}")
            return None

    def _perform(self, operation: Operation, retrieval: Retrieval) -> None:
        """The sub-operations, with a response for each and one at the end."""
        tally = _Tally(retrieval.count)
        try:
            self._count_all(operation, retrieval, tally)
        except OrthancError as error:  # the store can no longer be read
            logger.error(Category.DICOM, f"{self._name} broke off: {error}")
            tally.give_up()
        status = tally.final_status
        operation.send_response(
            status,
            tally.counts(with_remaining=status == statuses.CANCEL),
            b"" if status == statuses.SUCCESS else _failed_list(operation, tally.failed),
        )

    def _count_all(self, operation: Operation, retrieval: Retrieval, tally: _Tally) -> None:
        with closing(retrieval.run()) as done:
            for outcome, sop_instance in done:
                tally.count(outcome, sop_instance)
                if tally.remaining or self._tells_last:
                    operation.send_response(
                        PENDING,
                        tally.counts(with_remaining=True),
                        more=retrieval.is_on_association,
                    )
                if tally.remaining and retrieval.is_cancelled():
                    break


def _failed_list(operation: Operation, failed: list[str]) -> bytes:
    """The identifier with the FailedSOPInstanceUIDList, which is empty where only warnings came."""
    syntax = SYNTAXES[operation.transfer_syntax]
    writer = Writer(not syntax.is_implicit, syntax.is_big_endian)
    value = "\\".join(failed).encode("ascii", "replace")
    # What is too long for its VR is written as UN: PS3.5 section 6.2.2.
    return writer.element(_FAILED_LIST, "UI" if len(value) <= _LONGEST else "UN", value)
