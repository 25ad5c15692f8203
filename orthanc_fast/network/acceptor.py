"""One association as acceptor: who may associate, and what becomes of each request. Source:
reference chapter 4, sections 1 and 2.

One thread serves it. Stores that the peer has under way at the same time (asynchronous operations
window) are answered by the same thread in the order in which they become durable.
"""

import contextlib
import os
import socket
import threading
import time
from queue import SimpleQueue
from typing import Any

import msgspec

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.network import statuses
from orthanc_fast.network.admission import Admission
from orthanc_fast.network.meters import AssociationMeters
from orthanc_fast.network.negotiation import Negotiator
from orthanc_fast.network.options import DicomOptions, Right
from orthanc_fast.network.store import Buffers, Incoming, InstanceSink
from orthanc_fast.services.ingest.contract import Share, UploadMemory
from orthanc_fast.services.scp import sop_classes
from orthanc_fast.upper_layer import dimse, pdu
from orthanc_fast.upper_layer.association import Association, NotRequested, UserAbort
from orthanc_fast.upper_layer.handover import Handlers, Handover
from orthanc_fast.upper_layer.negotiation import LOCAL_LIMIT_EXCEEDED, Agreement, Rejection

_RIGHTS: dict[int, Right] = {
    dimse.C_FIND_RQ: "Find",
    dimse.C_GET_RQ: "Get",
    dimse.C_MOVE_RQ: "Move",
}
# Storage commitment: flag of the modality, and what the log calls it.
_COMMITMENT = {
    dimse.N_ACTION_RQ: ("allow_n_action", "NAction"),
    dimse.N_EVENT_REPORT_RQ: ("allow_event_report", "NEventReport"),
}


class Door(msgspec.Struct, frozen=True):
    """What all associations of one worker share."""

    options: DicomOptions
    admission: Admission
    negotiator: Negotiator
    store: InstanceSink
    handlers: Handlers
    memory: UploadMemory
    meters: AssociationMeters = AssociationMeters()


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

    __slots__ = ("_queue", "_wake", "error", "incoming")

    def __init__(
        self, incoming: Incoming, queue: "SimpleQueue[_Promise]", wake: _Wake | None
    ) -> None:
        """Without `wake` the association waits for nothing but the queue."""
        self.incoming = incoming
        self.error: BaseException | None = None
        self._queue = queue
        self._wake = wake

    def done(self) -> bool:
        return False

    def set_result(self, result: Any, /) -> None:
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


class Acceptor:
    """One peer. `run` returns when the association has ended, whatever ends it."""

    def __init__(self, door: Door, connection: socket.socket, ip: str, crowded: bool) -> None:
        """`crowded`: there are too many associations, this one is to be rejected."""
        self.door = door
        self.ip = ip
        self.association = Association(connection, ip)
        self.channel = self.association.channel
        self.reader = self.association.reader
        self._crowded = crowded
        self._agreement: Agreement | None = None
        self._window = 1
        self._started = 0.0
        self._buffers = Buffers(Share(door.memory))
        self._done: SimpleQueue[_Promise] = SimpleQueue()
        self._wake = _Wake()
        self._under_way = 0
        self._incoming: Incoming | None = None
        self._caller: Caller
        self._handover = Handover(self.association, door.options.aet, door.options.timeout)
        self._in_handover = False
        self._instances = 0
        self._bytes = 0

    def run(self) -> None:
        """Negotiates, then serves until release, abort, silence, fault or the end of the stream."""
        try:
            if self._establish():
                while self._serve(self._next_event()):
                    pass
        except NotRequested as error:
            self._log(f"Receiving Association failed: {error} (IP {self.ip})")
        except PduError as error:
            text, reason = error.args
            self._abort(pdu.PROVIDER, reason, text)
        except UserAbort as error:
            self._abort(pdu.USER, 0, str(error))
        except TimeoutError:
            self._failed("not taking data")
        except OSError as error:
            self._failed(str(error))
        finally:
            self._end()

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered; for other threads."""
        return self._incoming is not None or self._under_way > 0 or self._in_handover

    # The association

    def _establish(self) -> bool:
        options = self.door.options
        request, answer = self.association.accept(
            self._negotiate, options.maximum_pdu, options.timeout
        )
        if isinstance(answer, Rejection):
            calling = pdu.unpadded(request.calling).decode("latin-1")
            logger.warning(
                Category.DICOM,
                f"Rejected association from AET {calling!r} on IP {self.ip}: {answer.text}",
            )
            self.door.meters.rejected()
            return False
        self._agreement = answer
        self._window = answer.window
        if answer.window > 1:
            self._wake.open()
        self._caller = Caller(
            origin="DicomProtocol",
            address=self.ip,
            aet=answer.calling,
            called_aet=answer.called,
        )
        self._started = time.monotonic()
        self.door.meters.began()
        self._log(f"Association Received from AET {answer.calling} on IP {self.ip}")
        note = "" if answer.contexts else " (but no valid presentation contexts)"
        self._log(
            f"Association Acknowledged (Max Send PDV: {answer.maximum_length}) to AET "
            f"{answer.calling} on IP {self.ip}{note}"
        )
        return True

    def _negotiate(self, request: pdu.Request) -> Agreement | Rejection:
        if self._crowded:
            return Rejection(LOCAL_LIMIT_EXCEEDED, "too many associations")
        return self.door.negotiator.negotiate(request, self.ip)

    def _next_event(self) -> int:
        """The next event of the channel; answers meanwhile what becomes durable."""
        while True:
            if self._under_way and (self._under_way >= self._window or not self._done.empty()):
                self._answer(self._done.get())
                continue
            event = self.channel.wait(self._wake.fd)
            if event == pdata.WOKEN:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake.fd)
            elif event == pdata.TIMEOUT and self._under_way:
                self._answer(self._done.get())  # the peer waits for us
            elif event != pdata.NEED_DATA:
                return event

    def _serve(self, event: int) -> bool:
        """Whether the association goes on after this event."""
        if event == pdata.DATA_SET:
            self._complete()
        elif event == pdata.COMMAND:
            self._command()
        elif event == pdata.ROOM:
            assert self._incoming is not None
            self._incoming.make_room()
        elif event == pdata.PDU:
            return self._control(self.reader.pdu)
        elif event == pdata.TIMEOUT:
            raise UserAbort("silent for too long")
        else:
            self._log(f"Association Aborted with {self._peer()}: connection closed")
            return False
        return True

    def _control(self, received: bytes) -> bool:
        """A PDU that is not P-DATA: all of them end the association."""
        if received[0] == pdu.RELEASE_RQ and self._incoming is None:
            self._answer_all()
            self._log(f"Association Release with {self._peer()}")
            self.association.confirm_release()
        elif received[0] == pdu.ABORT:
            self._log(f"Association Aborted with {self._peer()}")
        else:
            raise PduError(f"unexpected PDU type {received[0]}", pdu.UNEXPECTED_PDU)
        return False

    def _abort(self, source: int, reason: int, text: str) -> None:
        self._failed(text)
        self.association.abort(source, reason)

    def _failed(self, text: str) -> None:
        logger.error(
            Category.DICOM, f"DIMSE failure (aborting association with {self._peer()}): {text}"
        )

    def _end(self) -> None:
        if self._incoming is not None:
            self._incoming.discard()
        while self._under_way:  # they are stored all the same, but nobody is left to hear of it
            self._done.get()
            self._under_way -= 1
        self._buffers.close()
        self.channel.close()
        self._wake.close()
        if self._agreement is not None:
            self.door.meters.ended()
            self._log(
                f"Finishing association with {self._peer()}: {self._instances} instances, "
                f"{self._bytes} bytes, {time.monotonic() - self._started:.3f} seconds"
            )

    # DIMSE

    def _command(self) -> None:
        command = self.reader.command_field
        if command == dimse.C_STORE_RQ:
            self._begin_store()
            return
        self._answer_all()
        if command == dimse.C_ECHO_RQ and not self.reader.has_data_set:
            self._echo()
        else:
            self._in_handover = True
            self._hand_over(command)
            self._in_handover = False

    def _hand_over(self, command: int) -> None:
        sop_class = self._sop_class(self.reader.context_id)
        handler = self.door.handlers.get(sop_class, {}).get(command)
        if handler is None:
            logger.error(Category.DICOM, f"cannot handle command: 0x{command:x}")
            self._handover.messages.read_data_set()
            return
        if command in _COMMITMENT:
            self._check_commitment(*_COMMITMENT[command])
        else:
            worklist = sop_class == sop_classes.WORKLIST_FIND
            self._check("FindWorklist" if worklist else _RIGHTS[command])
        self._handover.serve(handler)

    def _sop_class(self, context: int) -> str:
        return self.association.agreement.contexts[context].abstract_syntax

    def _check(self, right: Right) -> None:
        """Raises UserAbort unless the peer may make this kind of request."""
        calling = self.association.agreement.calling
        self._log(f"Incoming {right} request from AET {calling}")
        if not self.door.admission.may(right, calling, self.ip):
            self._refuse(right)

    def _check_commitment(self, flag: str, request: str) -> None:
        calling = self.association.agreement.calling
        if not self.door.admission.may_commit(flag, calling, self.ip):
            self._refuse(request)

    def _refuse(self, request: str) -> None:
        """Raises UserAbort, with the lines that Orthanc logs."""
        aet = self.association.agreement.calling
        logger.warning(
            Category.DICOM, f"DICOM authorization rejected for AET {aet} on IP {self.ip}: {request}"
        )
        raise UserAbort(
            f"Rejected {request} request from remote DICOM modality with AET {aet} and "
            f"hostname {self.ip}"
        )

    def _echo(self) -> None:
        self._check("Echo")
        reader = self.reader
        self.channel.send(
            dimse.response(
                reader.context_id,
                dimse.C_ECHO_RQ,
                reader.message_id,
                statuses.SUCCESS,
                reader.sop_class or sop_classes.VERIFICATION.encode(),
                b"",
            )
        )

    def _begin_store(self) -> None:
        self._check("Store")
        reader = self.reader
        if not reader.has_data_set:
            raise PduError("a C-STORE without data set", pdu.INVALID_PARAMETER)
        self._incoming = Incoming(
            reader,
            self.association.agreement.contexts[reader.context_id].transfer_syntax,
            self._buffers,
            self.door.options.memory,
            self.door.store.new_spool,
        )

    def _complete(self) -> None:
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

    def _submit(self, incoming: Incoming, promise: _Promise) -> None:
        # A function of its own: while the request lived, its buffer could not be used again.
        request = incoming.complete(self._caller)
        if not self.door.negotiator.is_storage(self._sop_class(incoming.context_id)):
            raise statuses.StatusError(statuses.SOP_CLASS_NOT_SUPPORTED)
        self.door.store.submit(request, promise)

    def _answer_all(self) -> None:
        while self._under_way:
            self._answer(self._done.get())

    def _answer(self, promise: _Promise) -> None:
        self._under_way -= 1
        self._answered(promise)

    def _answered(self, promise: _Promise) -> None:
        incoming, error = promise.incoming, promise.error
        status = statuses.store_status(error)
        if status:
            self.door.meters.refused()
            logger.error(
                Category.DICOM,
                f"Instance {incoming.sop_instance.decode('latin-1')} from {self._peer()} not "
                f"stored, status 0x{status:04x}: {error}",
            )
        else:
            self._instances += 1
            self._bytes += incoming.size
            self.door.meters.stored(incoming.size)
        self.channel.send(
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

    def _peer(self) -> str:
        agreement = self._agreement
        return f"IP {self.ip}" if agreement is None else f"AET {agreement.calling}"

    @staticmethod
    def _log(text: str) -> None:
        logger.info(Category.DICOM, text)
