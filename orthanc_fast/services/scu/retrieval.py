"""One C-MOVE or C-GET that was asked for, until its last response. Source: PS3.7 sections 9.1.3 and
9.1.4; reference chapter 4, sections 5.3 and 6.

Responses and sub-operations come one after the other on one association. Whoever waits for them is
looked after meanwhile: he sees the progress, and when he does not want to go on the peer gets a
C-CANCEL and a moment to end by itself.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from pydicom.dataset import Dataset

from orthanc_fast._ext import pdata
from orthanc_fast.services.ingest.store_requests import StoreRequests
from orthanc_fast.services.jobs.contract import Stopped
from orthanc_fast.upper_layer import dimse
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.failures import NO_DATA, PEER_ABORTED, RequestFailed, unanswered
from orthanc_fast.upper_layer.requests import Requests

_LOOK: Final = 250  # milliseconds without an event between two looks at whether it is wanted
_PATIENCE: Final = 3.0  # seconds that the peer gets to end what was cancelled
# Pending responses in a row that tell of nothing new: a peer that goes on like this never ends.
_MOST_IDLE: Final = 100_000


class SubOperations(NamedTuple):
    """How many there are, as the peer counts them; 0 for what it does not tell."""

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0

    @property
    def done(self) -> int:
        return self.completed + self.failed + self.warning

    @property
    def total(self) -> int:
        return self.done + self.remaining


class Result(NamedTuple):
    """The last response. `failed` are the SOP Instance UIDs that it names."""

    status: int
    failed: list[str]


class Retrieval:
    """An operation whose request has been sent. `operation` is its name, as "C-MOVE"."""

    def __init__(
        self,
        operation: str,
        sop_class: str,
        association: Association,
        requests: Requests,
        timeout: int,
        watch: Callable[[SubOperations], None],
        stores: StoreRequests | None = None,
    ) -> None:
        """`timeout`: seconds of silence that end it, 0: none. `watch` raises Stopped if it is not
        to go on. `stores` takes the sub-operations of a C-GET, and belongs to the caller."""
        self._operation = operation
        self._sop_class = sop_class
        self._association = association
        self._requests = requests
        self._timeout = timeout
        self._watch = watch
        self._stores = stores
        self._told = SubOperations()
        self._idle = 0  # pending responses since there was something new
        self._heard = time.monotonic()
        self._used = 0  # bytes of the data set that is being received
        self._stopped: Stopped | None = None
        self._given_up = 0.0

    def result(self) -> Result:
        """Follows it to its end. Raises Stopped as `watch` has raised it, RequestFailed where the
        peer goes or goes wrong, PduError."""
        try:
            return self._followed()
        except OSError as error:
            raise RequestFailed(self._operation, PEER_ABORTED) from error

    def _followed(self) -> Result:
        while True:
            result = self._served(self._next_event())
            if result is not None and self._stopped is None:
                return result
            if self._stopped is not None:
                if result is not None or time.monotonic() > self._given_up:
                    raise self._stopped
            else:
                self._look()

    def _next_event(self) -> int:
        if self._stores is not None:
            return self._stores.next_event(_LOOK)
        return self._association.channel.wait(timeout=_LOOK, whole=True)

    def _served(self, event: int) -> Result | None:
        """The last response, if this is it."""
        if event == pdata.TIMEOUT:
            self._check_silence()
            return None
        self._heard = time.monotonic()
        if event == pdata.COMMAND:
            return self._command()
        if self._stores is not None and event == pdata.ROOM:
            self._stores.make_room()
        elif self._stores is not None and event == pdata.DATA_SET:
            self._stores.complete()
            self._idle = 0
        else:
            raise RequestFailed(self._operation, unanswered(event, self._association.reader))
        return None

    def _check_silence(self) -> None:
        now, used = time.monotonic(), self._association.reader.used
        if used != self._used:  # of a large data set something comes all the time
            self._heard, self._used = now, used
        elif self._timeout and now - self._heard >= self._timeout:
            raise RequestFailed(self._operation, NO_DATA)

    def _command(self) -> Result | None:
        if self._stores is not None and self._association.reader.command_field == dimse.C_STORE_RQ:
            self._stores.begin()
            return None
        told = self._requests.pending()
        if told is not None:
            self._count(SubOperations(*told))
            return None
        response, identifier = self._requests.answer()
        if response.Status in dimse.PENDING:
            self._count(self._told)
            return None
        return Result(response.Status, _failed(identifier))

    def _count(self, told: SubOperations) -> None:
        self._idle = self._idle + 1 if told == self._told else 0
        self._told = told
        if self._idle > _MOST_IDLE:
            raise RequestFailed(
                self._operation, "pending responses without progress and without end"
            )

    def _look(self) -> None:
        try:
            self._watch(self._told)
        except Stopped as stopped:
            self._stopped = stopped
            self._given_up = time.monotonic() + _PATIENCE
            self._requests.cancel(self._sop_class)


def _failed(identifier: Dataset | None) -> list[str]:
    found = None if identifier is None else identifier.get("FailedSOPInstanceUIDList")
    if not found:
        return []
    return [str(found)] if isinstance(found, str) else [str(each) for each in found]
