"""One association as acceptor: who may associate, and what becomes of each request. Source:
reference chapter 4, sections 1 and 2.

One thread serves it. Stores that the peer has under way at the same time (asynchronous operations
window) are answered by the same thread in the order in which they become durable.
"""

import contextlib
import os
import socket
import time
from queue import SimpleQueue

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.network import statuses
from orthanc_fast.network.door import Door
from orthanc_fast.network.promises import StorePromise, Wake
from orthanc_fast.network.requests import Requests
from orthanc_fast.network.store import Buffers, Incoming
from orthanc_fast.services.ingest.contract import Share
from orthanc_fast.upper_layer import dimse, pdu
from orthanc_fast.upper_layer.association import Association, NotRequested, UserAbort
from orthanc_fast.upper_layer.negotiation import LOCAL_LIMIT_EXCEEDED, Agreement, Rejection


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
        self._done: SimpleQueue[StorePromise] = SimpleQueue()
        self._wake = Wake()
        self._under_way = 0
        self._incoming: Incoming | None = None
        self._caller: Caller
        self._requests: Requests | None = None
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
        requests = self._requests
        return (
            self._incoming is not None
            or self._under_way > 0
            or (requests is not None and requests.is_answering)
        )

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
        self._requests = Requests(self.door, self.association, self._caller)
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
        requests = self._requests
        assert requests is not None
        while True:
            command = requests.next_command()
            if command == dimse.C_STORE_RQ:
                requests.check("Store")
                self._begin_store()
                return
            self._answer_all()
            requests.serve(command)
            if not requests.holds_command:
                return

    def _begin_store(self) -> None:
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
        promise = StorePromise(incoming, self._done, None if waits else self._wake)
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

    def _submit(self, incoming: Incoming, promise: StorePromise) -> None:
        # A function of its own: while the request lived, its buffer could not be used again.
        request = incoming.complete(self._caller)
        if not self.door.negotiator.is_storage(self._sop_class(incoming.context_id)):
            raise statuses.StatusError(statuses.SOP_CLASS_NOT_SUPPORTED)
        self.door.store.submit(request, promise)

    def _sop_class(self, context: int) -> str:
        return self.association.agreement.contexts[context].abstract_syntax

    def _answer_all(self) -> None:
        while self._under_way:
            self._answer(self._done.get())

    def _answer(self, promise: StorePromise) -> None:
        self._under_way -= 1
        self._answered(promise)

    def _answered(self, promise: StorePromise) -> None:
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
