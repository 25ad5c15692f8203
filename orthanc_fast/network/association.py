"""One association as acceptor, from the first byte to the last. Source: PS3.8 sections 7 and 9,
reference chapter 4, sections 1 and 2.

One thread serves it. Stores that the peer has under way at the same time (asynchronous operations
window) are answered by the same thread in the order in which they become durable.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.log import Category, logger
from orthanc_fast.network import messages, statuses
from orthanc_fast.network.admission import Admission
from orthanc_fast.network.associate import (
    ABORT,
    ASSOCIATE_RQ,
    RELEASE_RESPONSE,
    RELEASE_RQ,
    MalformedPdu,
    decode_request,
    encode_abort,
    encode_accept,
    encode_reject,
)
from orthanc_fast.network.channel import Channel
from orthanc_fast.network.meters import Meters
from orthanc_fast.network.negotiation import (
    LOCAL_LIMIT_EXCEEDED,
    Agreement,
    Negotiator,
    Rejection,
)
from orthanc_fast.network.options import DicomOptions, Right
from orthanc_fast.network.store import Buffers, Incoming, Store
from orthanc_fast.services.ingest.ingest import Origin
from orthanc_fast.services.scp import sop_classes

_USER, _PROVIDER = 0, 2  # sources of an A-ABORT
_UNEXPECTED_PDU, _INVALID_PARAMETER = 2, 6

_ACSE_TIMEOUT = 30  # seconds until an A-ASSOCIATE-RQ must have come


class Refused(Exception):
    """A request that is not allowed: ends the association with an A-ABORT."""


class Door(msgspec.Struct, frozen=True):
    """What all associations of one worker share."""

    options: DicomOptions
    admission: Admission
    negotiator: Negotiator
    store: Store
    handover: "Callable[[Association], Foreign]"
    meters: Meters = Meters()


class Foreign:
    """Serves the commands that are not C-ECHO or C-STORE; see `handover`."""

    def serve(self) -> None:
        """Answers the request whose command the reader has just announced."""
        raise NotImplementedError


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


class Association:
    """One peer. `run` returns when the association has ended, whatever ends it."""

    def __init__(self, door: Door, connection: socket.socket, ip: str, crowded: bool) -> None:
        """`crowded`: there are too many associations, this one is to be rejected."""
        self.door = door
        self.ip = ip
        self.channel = Channel(connection, _ACSE_TIMEOUT)
        self.reader = self.channel.reader
        self.agreement: Agreement
        self._connection = connection
        self._crowded = crowded
        self._buffers = Buffers()
        self._done: SimpleQueue[_Promise] = SimpleQueue()
        self._wake = _Wake()
        self._under_way = 0
        self._incoming: Incoming | None = None
        self._origin: Origin
        self._foreign: Foreign | None = None
        self._in_foreign = False
        self._instances = 0
        self._bytes = 0

    def run(self) -> None:
        """Negotiates, then serves until release, abort, silence, fault or the end of the stream."""
        try:
            if self._negotiate():
                self._converse()
        except TimeoutError:
            self._log(f"DIMSE failure (aborting association with {self._peer()}): not taking data")
        except OSError as error:
            self._log(f"DIMSE failure (aborting association with {self._peer()}): {error}")
        finally:
            self._end()

    @property
    def busy(self) -> bool:
        """Whether a request is being received or answered; for other threads."""
        return self._incoming is not None or self._under_way > 0 or self._in_foreign

    # Upper layer

    def _negotiate(self) -> bool:
        event = self.channel.wait()
        if event != pdata.PDU:
            why = "network read timeout" if event == pdata.TIMEOUT else "connection closed"
            logger.info(Category.DICOM, f"Receiving Association failed: {why} (IP {self.ip})")
            return False
        pdu = self.reader.pdu
        if pdu[0] != ASSOCIATE_RQ:
            self._abort(_PROVIDER, _UNEXPECTED_PDU, f"PDU type {pdu[0]} before any association")
            return False
        try:
            request = decode_request(pdu)
        except MalformedPdu as error:
            self._abort(_PROVIDER, _INVALID_PARAMETER, str(error))
            return False
        answer: Agreement | Rejection
        if self._crowded:
            answer = Rejection(LOCAL_LIMIT_EXCEEDED, "too many associations")
        else:
            answer = self.door.negotiator.negotiate(request, self.ip)
        if isinstance(answer, Rejection):
            title = request.calling.decode("latin-1").strip()
            logger.warning(
                Category.DICOM,
                f"Rejected association from AET {title!r} on IP {self.ip}: {answer.text}",
            )
            self.door.meters.rejected()
            self.channel.send(encode_reject(*answer.code))
            self.channel.drain()
            return False
        self.agreement = answer
        self._establish(
            encode_accept(
                request,
                answer.answers,
                self.door.options.maximum_pdu,
                answer.roles,
                answer.operations,
            )
        )
        return True

    def _establish(self, accept: bytes) -> None:
        agreement = self.agreement
        self.reader.establish(self.door.options.maximum_pdu, agreement.contexts)
        if agreement.window > 1:
            self._wake.open()
        self._origin = Origin(
            "DicomProtocol",
            remote_ip=self.ip,
            remote_aet=agreement.calling,
            called_aet=agreement.called,
        )
        self.channel.set_timeout(self.door.options.timeout)
        self.channel.send(accept)
        self._log(f"Association Received from AET {agreement.calling} on IP {self.ip}")
        note = "" if agreement.contexts else " (but no valid presentation contexts)"
        self._log(
            f"Association Acknowledged (Max Send PDV: {agreement.maximum_length}) to AET "
            f"{agreement.calling} on IP {self.ip}{note}"
        )

    def _converse(self) -> None:
        started = time.monotonic()
        self.door.meters.began()
        try:
            while self._serve(self._next_event()):
                pass
        except PduError as error:
            text, reason = error.args
            self._abort(_PROVIDER, reason, text)
        except Refused as error:
            self._abort(_USER, 0, str(error))
        finally:
            self.door.meters.ended()
            self._log(
                f"Finishing association with {self._peer()}: {self._instances} instances, "
                f"{self._bytes} bytes, {time.monotonic() - started:.3f} seconds"
            )

    def _next_event(self) -> int:
        """The next event of the channel; answers meanwhile what becomes durable."""
        while True:
            if self._under_way and (
                self._under_way >= self.agreement.window or not self._done.empty()
            ):
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
            self._abort(_USER, 0, "silent for too long")
            return False
        else:
            self._log(f"Association Aborted with {self._peer()}: connection closed")
            return False
        return True

    def _control(self, pdu: bytes) -> bool:
        """A PDU that is not P-DATA: all of them end the association."""
        if pdu[0] == RELEASE_RQ and self._incoming is None:
            self._answer_all()
            self._log(f"Association Release with {self._peer()}")
            self.channel.send(RELEASE_RESPONSE)
            self.channel.drain()
        elif pdu[0] == ABORT:
            self._log(f"Association Aborted with {self._peer()}")
        else:
            self._abort(_PROVIDER, _UNEXPECTED_PDU, f"unexpected PDU type {pdu[0]}")
        return False

    def _abort(self, source: int, reason: int, text: str) -> None:
        logger.error(
            Category.DICOM, f"DIMSE failure (aborting association with {self._peer()}): {text}"
        )
        with contextlib.suppress(OSError):
            self.channel.send(encode_abort(source, reason))
            self.channel.drain()

    def _end(self) -> None:
        if self._incoming is not None:
            self._incoming.discard()
        while self._under_way:  # they are stored all the same, but nobody is left to hear of it
            self._done.get()
            self._under_way -= 1
        self.channel.close()
        self._wake.close()

    # DIMSE

    def _command(self) -> None:
        command = self.reader.command_field
        if command == messages.C_STORE_RQ:
            self._begin_store()
            return
        self._answer_all()
        if command == messages.C_ECHO_RQ and not self.reader.has_data_set:
            self._echo()
            return
        if self._foreign is None:
            self._foreign = self.door.handover(self)
        self._in_foreign = True
        self._foreign.serve()
        self._in_foreign = False

    def check(self, right: Right) -> None:
        """Raises Refused unless the peer may make this kind of request."""
        agreement = self.agreement
        self._log(f"Incoming {right} request from AET {agreement.calling}")
        if not self.door.admission.may(right, agreement.calling, self.ip):
            self.refuse(right)

    def refuse(self, request: str) -> None:
        """Raises Refused, with the lines that Orthanc logs."""
        aet = self.agreement.calling
        logger.warning(
            Category.DICOM, f"DICOM authorization rejected for AET {aet} on IP {self.ip}: {request}"
        )
        raise Refused(
            f"Rejected {request} request from remote DICOM modality with AET {aet} and "
            f"hostname {self.ip}"
        )

    def _echo(self) -> None:
        self.check("Echo")
        reader = self.reader
        self.channel.send(
            messages.response(
                reader.context_id,
                messages.C_ECHO_RQ,
                reader.message_id,
                statuses.SUCCESS,
                reader.sop_class or sop_classes.VERIFICATION.encode(),
                b"",
            )
        )

    def _begin_store(self) -> None:
        self.check("Store")
        reader = self.reader
        if not reader.has_data_set:
            raise PduError("a C-STORE without data set", _INVALID_PARAMETER)
        self._incoming = Incoming(
            reader,
            self.agreement.contexts[reader.context_id].transfer_syntax,
            self._buffers,
            self.door.options.memory,
            self.door.store.new_partial,
        )

    def _complete(self) -> None:
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        waits = self.agreement.window == 1
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
        # A function of its own: while the upload lived, its buffer could not be used again.
        upload = incoming.complete()
        context = self.agreement.contexts[incoming.context_id]
        if not self.door.negotiator.is_storage(context.abstract_syntax):
            raise statuses.StatusError(statuses.SOP_CLASS_NOT_SUPPORTED)
        self.door.store.submit(upload, self._origin, promise)

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
            messages.response(
                incoming.context_id,
                messages.C_STORE_RQ,
                incoming.message_id,
                status,
                incoming.sop_class,
                incoming.sop_instance,
            )
        )
        self._buffers.give(incoming.buffer)

    def _peer(self) -> str:
        agreement = getattr(self, "agreement", None)
        return f"IP {self.ip}" if agreement is None else f"AET {agreement.calling}"

    @staticmethod
    def _log(text: str) -> None:
        logger.info(Category.DICOM, text)
