"""One association over one connection: how it begins and how it ends. Source: PS3.8 sections 7
and 9.

What passes between is read from `reader` as events and written to `channel`. An exception ends
the association: PduError with an A-ABORT of the provider, UserAbort with one of ours, OSError
with nothing.
"""

import contextlib
import socket
from collections.abc import Callable

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.channel import Channel
from orthanc_fast.upper_layer.negotiation import Agreement, Rejection

ACSE_TIMEOUT = 30  # seconds until an A-ASSOCIATE-RQ must have come

Negotiate = Callable[[pdu.Request], Agreement | Rejection]


class NotRequested(Exception):
    """Whoever connected asked for no association; the text says why."""


class UserAbort(Exception):
    """What the peer asks for is not allowed or no use: the association ends with an A-ABORT of
    the service user."""


class Association:
    """One peer, with which the thread that calls the methods talks."""

    def __init__(self, connection: socket.socket, ip: str) -> None:
        self.ip = ip
        self.channel = Channel(connection, ACSE_TIMEOUT)
        self.reader = self.channel.reader
        self.agreement: Agreement

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
        event = self.channel.wait()
        if event != pdata.PDU:
            raise NotRequested(
                "network read timeout" if event == pdata.TIMEOUT else "connection closed"
            )
        received = self.reader.pdu
        if received[0] != pdu.ASSOCIATE_RQ:
            raise PduError(f"PDU type {received[0]} before any association", pdu.UNEXPECTED_PDU)
        return pdu.decode_request(received)

    def confirm_release(self) -> None:
        """Answers the peer's A-RELEASE-RQ. Raises OSError."""
        self.channel.send(pdu.RELEASE_RESPONSE)
        self.channel.drain()

    def abort(self, source: int, reason: int) -> None:
        """Sends an A-ABORT, if the peer still takes it."""
        with contextlib.suppress(OSError):
            self.channel.send(pdu.encode_abort(source, reason))
            self.channel.drain()
