"""C-FIND as SCP. Source: reference chapter 4, section 3; DICOM PS3.4 annexes C.4.1 and K.4.1."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Protocol

from orthanc_fast.errors import OrthancError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.services.query_retrieve.limits import LimitReached
from orthanc_fast.upper_layer import statuses
from orthanc_fast.upper_layer.operation import Operation

Answers = Callable[[Caller, bytes, str], Iterator[list[bytes]]]
"""The encoded identifiers of the answers to a caller's identifier in a transfer syntax, some at a
time. Raises LimitReached behind them where there would be others."""


class FindMeter(Protocol):
    """Is told how long each query took, in seconds."""

    def __call__(self, seconds: float) -> None: ...


class Find:
    """Answers each query by what `answers` finds, as it is found."""

    def __init__(self, answers: Answers, meter: FindMeter) -> None:
        self._answers = answers
        self._meter = meter

    def __call__(self, operation: Operation, caller: Caller) -> None:
        """Raises PduError, UserAbort or OSError where the association is over."""
        begin = perf_counter()
        try:
            operation.send_response(self._status(operation, caller))
        finally:
            self._meter(perf_counter() - begin)

    def _status(self, operation: Operation, caller: Caller) -> int:
        """Sends the answers; the status of what comes behind them."""
        pages = self._answers(caller, operation.identifier, operation.transfer_syntax)
        while True:
            try:
                page = next(pages, None)
            except LimitReached:
                return statuses.CANCEL
            except Exception as error:  # whatever it is, the peer is told so: section 3.1
                self._log(error, caller)
                return statuses.CANNOT_UNDERSTAND
            if page is None:
                return statuses.SUCCESS
            if operation.cancelled():
                return statuses.CANCEL
            operation.send_pending(page)

    @staticmethod
    def _log(error: Exception, caller: Caller) -> None:
        text = str(error) if isinstance(error, OrthancError) else repr(error)
        logger.error(Category.DICOM, f"C-FIND of AET {caller.aet} failed: {text}")
