"""One association over one connection: how it begins and how it ends. Source: PS3.8 sections 7
and 9.

What passes between is read from `reader` as events and written to `channel`. An exception ends
the association: PduError with an A-ABORT of the provider, UserAbort with one of ours, OSError
with nothing.
"""

import contextlib
import socket
import time
from collections.abc import Callable

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.errors import NoPresentationContext
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.channel import Channel, Watch
from orthanc_fast.upper_layer.failures import (
    READ_TIMEOUT,
    REJECTED,
    AssociationFailed,
    unanswered,
)
from orthanc_fast.upper_layer.negotiation import Agreement, Rejection, agreement_of

ACSE_TIMEOUT = 30  # seconds until an A-ASSOCIATE-RQ must have come

Negotiate = Callable[[pdu.Request], Agreement | Rejection]


class NotRequested(Exception):
    """Whoever connected asked for no association; the text says why."""


class UserAbort(Exception):
    """What the peer asks for is not allowed or no use: the association ends with an A-ABORT of
    the service user."""


class _NotWaitedFor(Exception):
    """Whoever watches does not want to wait for the answer to a release."""


class Association:
    """One peer, with which the thread that calls the methods talks."""

    def __init__(self, connection: socket.socket, ip: str) -> None:
        self.ip = ip
        self.channel = Channel(connection, ACSE_TIMEOUT)
        self.reader = self.channel.reader
        self.agreement: Agreement
        # A request of ours waits for its last answer: the association cannot be released.
        self.in_operation = False

    def accept(
        self, negotiate: Negotiate, maximum_pdu: int, timeout: int
    ) -> tuple[pdu.Request, Agreement | Rejection]:
        """Waits for the A-ASSOCIATE-RQ and answers it as `negotiate` decides; after a Rejection
        the association is over.

        `maximum_pdu` is the greatest P-DATA PDU in bytes that the peer may send, `timeout` the
        seconds of silence that end the association, 0: none. Raises NotRequested, PduError or
        OSError.
        """
        request = self._request()
        answer = negotiate(request)
        if isinstance(answer, Rejection):
            self.channel.send(pdu.encode_reject(*answer.code))
            self.channel.drain()
            return request, answer
        self.agreement = answer
        self.reader.establish(maximum_pdu, answer.contexts)
        self.channel.set_timeout(timeout)
        self.channel.send(
            pdu.encode_accept(request, answer.answers, maximum_pdu, answer.roles, answer.operations)
        )
        return request, answer

    def _request(self) -> pdu.Request:
        event = self.channel.wait(whole=True)
        if event != pdata.PDU:
            raise NotRequested(
                "network read timeout" if event == pdata.TIMEOUT else "connection closed"
            )
        received = self.reader.pdu
        if received[0] != pdu.ASSOCIATE_RQ:
            raise PduError(f"PDU type {received[0]} before any association", pdu.UNEXPECTED_PDU)
        return pdu.decode_request(received)

    def request(self, request: pdu.Request, answer_within: int, timeout: int) -> None:
        """Sends the A-ASSOCIATE-RQ and reads the answer; afterwards `agreement` says what was
        agreed upon, be it nothing.

        The A-ASSOCIATE-AC must come within `answer_within` seconds; `timeout` as that of `accept`.
        Raises AssociationFailed, PduError or OSError.
        """
        self.channel.send(pdu.encode_request(request))
        event = self.channel.wait(timeout=answer_within * 1000, whole=True)
        if event == pdata.TIMEOUT:
            raise AssociationFailed(READ_TIMEOUT)
        received = self.reader.pdu if event == pdata.PDU else b"\0"
        if received[0] == pdu.ASSOCIATE_RJ:
            pdu.decode_reject(received)
            raise AssociationFailed(REJECTED)
        if received[0] != pdu.ASSOCIATE_AC:
            raise AssociationFailed(unanswered(event, self.reader))
        self.agreement = agreement_of(request, pdu.decode_accept(received))
        self.reader.establish(request.maximum_length, self.agreement.contexts)
        self.channel.set_timeout(timeout)

    def context_of(self, sop_class: str) -> pdu.Answer:
        """The first accepted context of a class. Raises NoPresentationContext, with Orthanc's
        words."""
        for answer in self.agreement.contexts.values():
            if answer.abstract_syntax == sop_class:
                return answer
        raise NoPresentationContext(
            f'Unable to negotiate a presentation context with AET "{self.agreement.called}"'
        )

    def release(self, within: int) -> None:
        """Asks for the release, waits at most `within` seconds for the answer and closes the
        connection. What the peer still sends is not looked at; it is not waited for if it asks
        for the release too, or has gone, or whoever watches does not want to: what is done is done,
        so that nothing is raised then."""
        self.channel.watch = _ending(self.channel.watch)
        try:
            self._release(within)
        except (OSError, PduError, _NotWaitedFor):
            pass  # it is over all the same
        finally:
            self.channel.close()

    def _release(self, within: int) -> None:
        end = time.monotonic() + within
        self.channel.send(pdu.RELEASE_REQUEST)
        for answer in (pdu.RELEASE_RESPONSE, b""):  # the peer asks for it too, but once
            left = max(0, int((end - time.monotonic()) * 1000))
            event = self.channel.wait(timeout=left, whole=True)
            if event != pdata.PDU or self.reader.pdu[0] != pdu.RELEASE_RQ:
                return
            self.channel.send(answer)

    def break_off(self) -> None:
        """Ends an association of ours in the middle: sends an A-ABORT, if the peer takes it at
        once, and closes the connection."""
        self.channel.watch = None
        with contextlib.suppress(OSError):
            self.channel.send_at_once(pdu.encode_abort(pdu.USER, 0))
        self.channel.close()

    def confirm_release(self) -> None:
        """Answers the peer's A-RELEASE-RQ. Raises OSError."""
        self.channel.send(pdu.RELEASE_RESPONSE)
        self.channel.drain()

    def abort(self, source: int, reason: int) -> None:
        """Sends an A-ABORT, if the peer still takes it."""
        with contextlib.suppress(OSError):
            self.channel.send(pdu.encode_abort(source, reason))
            self.channel.drain()


def _ending(watch: Watch | None) -> Watch | None:
    """The same, but whatever it raises is `_NotWaitedFor`."""
    if watch is None:
        return None

    def ending() -> None:
        try:
            watch()
        except Exception as error:
            raise _NotWaitedFor from error

    return ending
