"""One association as acceptor: who may associate, and what becomes of each request. Source:
reference chapter 4, sections 1 and 2.

One thread serves it; its C-STORE requests are the matter of `services/ingest/store_requests.py`.
"""

import socket
import time

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Caller
from orthanc_fast.network.door import Door
from orthanc_fast.network.requests import Requests
from orthanc_fast.services.ingest.store_requests import Outcome, StoreRequests
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
        self._started = 0.0
        self._stores = StoreRequests(
            self.association,
            door.store,
            door.memory,
            door.options.memory,
            door.negotiator.is_storage,
            self._told,
        )
        self._requests: Requests | None = None
        self._instances = 0
        self._bytes = 0

    def run(self) -> None:
        """Negotiates, then serves until release, abort, silence, fault or the end of the stream."""
        try:
            if self._establish():
                while self._serve(self._stores.next_event()):
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
        return self._stores.busy or (requests is not None and requests.is_answering)

    # The association

    def _establish(self) -> bool:
        options = self.door.options
        request, answer = self.association.accept(
            self._negotiate, options.maximum_pdu, options.timeout
        )
        if isinstance(answer, Rejection):
            calling = pdu.title_text(request.calling)
            logger.warning(
                Category.DICOM,
                f"Rejected association from AET {calling!r} on IP {self.ip}: {answer.text}",
            )
            self.door.meters.rejected()
            return False
        self._agreement = answer
        caller = Caller(
            origin="DicomProtocol",
            address=self.ip,
            aet=answer.calling,
            called_aet=answer.called,
        )
        self._stores.open(caller, answer.window)
        self._requests = Requests(self.door, self.association, caller)
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

    def _serve(self, event: int) -> bool:
        """Whether the association goes on after this event."""
        if event == pdata.DATA_SET:
            self._stores.complete()
        elif event == pdata.COMMAND:
            self._command()
        elif event == pdata.ROOM:
            self._stores.make_room()
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
        if received[0] == pdu.RELEASE_RQ and not self._stores.is_receiving:
            self._stores.answer_all()
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
        self._stores.end()
        self.channel.close()
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
                self._stores.begin()
                return
            self._stores.answer_all()
            requests.serve(command)
            if not requests.holds_command:
                return

    def _told(self, outcome: Outcome) -> None:
        """A C-STORE is about to be answered."""
        incoming = outcome.incoming
        if outcome.status:
            self.door.meters.refused()
            logger.error(
                Category.DICOM,
                f"Instance {incoming.sop_instance.decode('latin-1')} from {self._peer()} not "
                f"stored, status 0x{outcome.status:04x}: {outcome.error}",
            )
            return
        self._instances += 1
        self._bytes += incoming.size
        self.door.meters.stored(incoming.size)
        if incoming.move_id >= 0 and outcome.stored is not None:
            self.door.moved(incoming.move_aet, incoming.move_id, outcome.stored)

    def _peer(self) -> str:
        agreement = self._agreement
        return f"IP {self.ip}" if agreement is None else f"AET {agreement.calling}"

    @staticmethod
    def _log(text: str) -> None:
        logger.info(Category.DICOM, text)
