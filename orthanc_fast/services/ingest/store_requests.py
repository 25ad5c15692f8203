"""The C-STORE requests of one association: from the command to the response.

Whoever accepts an association is their SCP, and so is who asks for a C-GET on one of his own.
Stores that the peer has under way at the same time (asynchronous operations window) are answered
by the thread of the association in the order in which they become durable. Source: reference
chapter 4, section 2.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.model import Caller
from orthanc_fast.services.ingest.contract import Share, Stored, UploadMemory
from orthanc_fast.services.ingest.receiving import Buffers, Incoming, InstanceSink
from orthanc_fast.upper_layer import dimse, pdu, statuses
from orthanc_fast.upper_layer.association import Association


class Outcome(NamedTuple):
    """What became of one request. `stored` is None where there is an error."""

    incoming: Incoming
    status: int
    stored: Stored | None
    error: BaseException | None


class StoreRequests:
    """Those of one association; for its thread alone. `end` must be called."""

    def __init__(
        self,
        association: Association,
        store: InstanceSink,
        memory: UploadMemory,
        largest: int,
        is_storage: Callable[[str], bool],
        told: Callable[[Outcome], None],
    ) -> None:
        """`largest`: bytes of a data set from which on it goes to a spool. `is_storage` says of
        which SOP classes instances are taken, `told` is called for each request just before its
        response is sent."""
        self._association = association
        self._channel = association.channel
        self._store = store
        self._largest = largest
        self._is_storage = is_storage
        self._told = told
        self._caller: Caller
        self._window = 1
        self._buffers = Buffers(Share(memory))
        self._done: SimpleQueue[_Promise] = SimpleQueue()
        self._wake = _Wake()
        self._under_way = 0
        self._incoming: Incoming | None = None

    def open(self, caller: Caller, window: int = 1) -> None:
        """The association is there: instances come from `caller`, up to `window` requests may be
        under way."""
        self._caller = caller
        self._window = window
        if window > 1:
            self._wake.open()

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered; for other threads."""
        return self._incoming is not None or self._under_way > 0

    @property
    def is_receiving(self) -> bool:
        """Whether a data set has not come to its end."""
        return self._incoming is not None

    def next_event(self, timeout: int | None = None) -> int:
        """The next event of the channel (see `Channel.wait`), TIMEOUT if none has come after
        `timeout` milliseconds; answers meanwhile what becomes durable."""
        while True:
            if self._under_way and (self._under_way >= self._window or not self._done.empty()):
                self._answer(self._done.get())
                continue
            event = self._channel.wait(self._wake.fd, timeout, timeout is not None)
            if event == pdata.WOKEN:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake.fd)
            elif event == pdata.TIMEOUT and self._under_way:
                self._answer(self._done.get())  # the peer waits for us
            elif event != pdata.NEED_DATA:
                return event

    def begin(self) -> None:
        """The reader has announced a C-STORE-RQ. Raises PduError."""
        reader = self._association.reader
        if not reader.has_data_set:
            raise PduError("a C-STORE without data set", pdu.INVALID_PARAMETER)
        self._incoming = Incoming(
            reader,
            self._association.agreement.contexts[reader.context_id].transfer_syntax,
            self._buffers,
            self._largest,
            self._store.new_spool,
        )

    def make_room(self) -> None:
        """The reader asks for room: its data set goes on."""
        assert self._incoming is not None
        self._incoming.make_room()

    def complete(self) -> None:
        """The data set is here. Returns when it has been answered, or is under way beside
        others."""
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        waits = self._window == 1
        promise = _Promise(incoming, self._done, None if waits else self._wake)
        try:
            self._submit(incoming, promise)
        except Exception as error:
            incoming.discard()
            promise.error = error
            self._answered(promise)
            return
        self._under_way += 1
        if waits:
            self._answer(self._done.get())

    def answer_all(self) -> None:
        """Waits for all that is under way."""
        while self._under_way:
            self._answer(self._done.get())

    def end(self) -> None:
        """The association is over: nobody is left to hear of what is under way; it is stored all
        the same. Nothing is left of what came in part."""
        if self._incoming is not None:
            self._incoming.discard()
            self._incoming = None
        while self._under_way:
            self._done.get()
            self._under_way -= 1
        self._buffers.close()
        self._wake.close()
        del self._told  # a method of the owner: the two would keep each other alive

    def _submit(self, incoming: Incoming, promise: "_Promise") -> None:
        # A function of its own: while the request lived, its buffer could not be used again.
        request = incoming.complete(self._caller)
        sop_class = self._association.agreement.contexts[incoming.context_id].abstract_syntax
        if not self._is_storage(sop_class):
            raise statuses.StatusError(statuses.SOP_CLASS_NOT_SUPPORTED)
        self._store.submit(request, promise)

    def _answer(self, promise: "_Promise") -> None:
        self._under_way -= 1
        self._answered(promise)

    def _answered(self, promise: "_Promise") -> None:
        incoming = promise.incoming
        status = statuses.store_status(promise.error)
        self._told(Outcome(incoming, status, promise.stored, promise.error))
        self._channel.send(
            dimse.response(
                incoming.context_id,
                dimse.C_STORE_RQ,
                incoming.message_id,
                status,
                incoming.sop_class,
                incoming.sop_instance,
            )
        )
        self._buffers.give(incoming.buffer)


class _Wake:
    """An eventfd that other threads signal and that its owner may close at any time.

    Without the lock a signal could meet a closed descriptor, or one that is somebody else's by now.
    """

    def __init__(self) -> None:
        self.fd = -1
        self._lock = threading.Lock()

    def open(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def signal(self) -> None:
        """Ends the wait of the owner, if it has opened the descriptor and not closed it yet."""
        with self._lock:
            if self.fd >= 0:
                os.eventfd_write(self.fd, 1)

    def close(self) -> None:
        with self._lock:
            if self.fd >= 0:
                os.close(self.fd)
                self.fd = -1


class _Promise:
    """Tells the association what became of one instance, from the thread that stored it."""

    __slots__ = ("_queue", "_wake", "error", "incoming", "stored")

    def __init__(
        self, incoming: Incoming, queue: "SimpleQueue[_Promise]", wake: _Wake | None
    ) -> None:
        """Without `wake` the association waits for nothing but the queue."""
        self.incoming = incoming
        self.stored: Stored | None = None
        self.error: BaseException | None = None
        self._queue = queue
        self._wake = wake

    def done(self) -> bool:
        return False

    def set_result(self, result: Any, /) -> None:
        self.stored = result
        self._tell()

    def set_exception(self, error: Any, /) -> None:
        self.error = error
        self._tell()

    def _tell(self) -> None:
        self._queue.put(self)
        if self._wake is not None:
            self._wake.signal()

    @property
    def is_awaited(self) -> bool:
        """Whether the association does nothing else until it is told."""
        return self._wake is None
