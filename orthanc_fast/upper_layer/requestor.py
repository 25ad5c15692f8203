"""Associations that we ask for. Source: PS3.8 sections 7 and 9; reference chapter 4, part 5.3."""

import errno
import math
import os
import select
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.channel import LOOK, Watch
from orthanc_fast.upper_layer.failures import PEER_ABORTED, READ_TIMEOUT, AssociationFailed
from orthanc_fast.upper_layer.resolving import NoAnswer, UnknownHost, addresses

MAXIMUM_PDU = 131072  # bytes of a P-DATA PDU that the peer may send us
MAXIMUM_CONTEXTS = 128  # of one association: their numbers are the odd ones of one byte
ACSE_TIMEOUT = 10  # seconds for the answer where no timeout is given

_TITLE = 16  # bytes


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom an association is asked of, and by whom."""

    called: str
    calling: str
    host: str
    port: int
    timeout: int  # seconds for connecting, for the answer and of later silence, 0: none
    tls: ssl.SSLContext | None = None


def proposals(*wanted: tuple[str, Sequence[str]]) -> list[pdu.Proposal]:
    """Numbered presentation contexts of abstract syntaxes, each with its transfer syntaxes."""
    return [
        pdu.Proposal(2 * number + 1, abstract, tuple(syntaxes))
        for number, (abstract, syntaxes) in enumerate(wanted)
    ]


def associate(
    target: Target,
    proposals: Sequence[pdu.Proposal],
    roles: Sequence[pdu.Role] = (),
    watch: Watch | None = None,
) -> Association:
    """An association with the peer, which may have accepted nothing. Blocks.

    `watch` is called four times a second while the peer is silent, now and later: what it raises
    ends the wait. The end is for the caller: `release` or `break_off`. Raises AssociationFailed;
    its text is Orthanc's.
    """
    if not 0 < len(proposals) <= MAXIMUM_CONTEXTS:
        raise ValueError(f"an association has from 1 to {MAXIMUM_CONTEXTS} presentation contexts")
    for role, title in (("Calling", target.calling), ("Called", target.called)):
        if not title:
            raise AssociationFailed(f"Illegal service parameter: {role} AP Title")
    connection, ip = connect(target, watch)
    association = Association(connection, ip)
    association.channel.watch = watch
    request = pdu.Request(
        called=_padded(target.called),
        calling=_padded(target.calling),
        application_context=pdu.APPLICATION_CONTEXT,
        proposals=tuple(proposals),
        maximum_length=MAXIMUM_PDU,
        roles=tuple(roles),
        operations=None,
        implementation_version="",
    )
    try:
        association.request(request, target.timeout or ACSE_TIMEOUT, target.timeout)
    except BaseException as error:
        association.break_off()
        raise _failure(error) from error
    return association


def _failure(error: BaseException) -> BaseException:
    if isinstance(error, PduError):
        return AssociationFailed(f"DUL Illegal or ill-formed PDU: {error.args[0]}")
    if isinstance(error, TimeoutError):
        return AssociationFailed(READ_TIMEOUT)
    return AssociationFailed(PEER_ABORTED) if isinstance(error, OSError) else error


def _padded(title: str) -> bytes:
    """In UTF-8 and cut where it is too long, as Orthanc sends it."""
    return title.encode()[:_TITLE].ljust(_TITLE)


def connect(target: Target, watch: Watch | None = None) -> tuple[socket.socket, str]:
    """A connection to the target, with TLS if it wants that, and the address of the peer; the
    target's timeout bounds all of it. Raises AssociationFailed, and what `watch` does."""
    end = time.monotonic() + target.timeout if target.timeout else None
    try:
        found = addresses(target.host, target.port, _left(end), watch=watch)
    except UnknownHost as error:
        raise AssociationFailed(f"Attempt to connect to unknown host: {target.host}") from error
    except NoAnswer as error:
        raise AssociationFailed(
            f"Attempt to connect to unknown host: {target.host}: {error}"
        ) from error
    failure: OSError | None = None
    for number, (family, address) in enumerate(found):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            # An address that does not answer leaves time for the next one.
            timeout = _left(end, len(found) - number)
            if watch is None:
                connection.settimeout(timeout)
                connection.connect(address)
            else:
                _connect(connection, address, timeout, watch)
            return _secured(connection, target, end, watch), address[0]
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
    assert failure is not None
    raise AssociationFailed(f"TCP Initialization Error: {_reason(failure)}") from failure


def _connect(connection: socket.socket, address: Any, timeout: float | None, watch: Watch) -> None:
    end = math.inf if timeout is None else time.monotonic() + timeout
    connection.settimeout(0)
    number = connection.connect_ex(address)
    if number == errno.EINPROGRESS:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLOUT)
        while not poll.poll(max(1, min(LOOK, (end - time.monotonic()) * 1000))):
            if time.monotonic() >= end:
                raise TimeoutError
            watch()
        number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _secured(
    connection: socket.socket, target: Target, end: float | None, watch: Watch | None
) -> socket.socket:
    if target.tls is None:
        return connection
    try:
        secured = target.tls.wrap_socket(
            connection, server_hostname=target.host, do_handshake_on_connect=False
        )
    except (OSError, ValueError) as error:
        raise AssociationFailed(f"TLS error: {_reason_of_tls(error)}") from error
    try:
        _shake_hands(secured, end or time.monotonic() + ACSE_TIMEOUT, watch)
    except BaseException:
        secured.close()
        raise
    return secured


def _shake_hands(connection: ssl.SSLSocket, end: float, watch: Watch | None) -> None:
    """Raises AssociationFailed, and what `watch` does."""
    connection.settimeout(0)
    poll = select.poll()
    looked = time.monotonic()
    while True:
        try:
            connection.do_handshake()
            return
        except ssl.SSLWantReadError:
            poll.register(connection.fileno(), select.POLLIN)
        except ssl.SSLWantWriteError:
            poll.register(connection.fileno(), select.POLLOUT)
        except (OSError, ValueError) as error:
            raise AssociationFailed(f"TLS error: {_reason_of_tls(error)}") from error
        poll.poll(max(0, min(LOOK, (end - time.monotonic()) * 1000)))
        if time.monotonic() >= end:
            raise AssociationFailed(READ_TIMEOUT)
        if watch is not None and time.monotonic() - looked >= LOOK / 1000:
            watch()
            looked = time.monotonic()


def _reason_of_tls(error: OSError | ValueError) -> str:
    """As OpenSSL puts it, and what is wrong with a certificate."""
    reason = getattr(error, "reason", None)
    text = reason.lower().replace("_", " ") if isinstance(reason, str) else str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        text += f": {error.verify_message}"
    return text


def _left(end: float | None, shares: int = 1) -> float | None:
    """A share of the seconds until `end`; a moment where none are left, for 0 would mean not to
    wait at all."""
    return None if end is None else max(0.001, (end - time.monotonic()) / shares)


def _reason(error: OSError) -> str:
    number = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno
    return os.strerror(number) if number else str(error)
