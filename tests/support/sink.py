"""A receiver of C-STOREs that keeps what a test wants to see and stores nothing: fast enough to
measure senders with, and able to misbehave."""

import multiprocessing
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from support.dicom_peer import parse_command

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError
from orthanc_fast.upper_layer import dimse, pdu
from orthanc_fast.upper_layer.association import Association, NotRequested
from orthanc_fast.upper_layer.negotiation import CALLING_NOT_RECOGNIZED, Agreement, Rejection, title

Accept = Callable[[str, tuple[str, ...]], str | None]
"""SOP class and proposed transfer syntaxes -> the accepted one."""

PATIENCE = 20  # seconds of silence that end an association


class Taken(NamedTuple):
    """One C-STORE-RQ. `data` is empty unless the sink keeps data sets."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    command: dict[int, bytes]
    data: bytes


class Misbehaviour(Exception):
    """What a sink does instead of answering: "abort", "close", "stall" until the other side has
    gone, "release", "garbage", "echo" (an answer to something else), "half" an answer."""


def first_proposed(sop_class: str, syntaxes: tuple[str, ...]) -> str | None:
    """What DCMTK and Orthanc take."""
    return syntaxes[0]


def only(*accepted: str) -> Accept:
    """Takes some transfer syntaxes of every class."""
    return lambda sop_class, syntaxes: next((each for each in syntaxes if each in accepted), None)


class Sink:
    """Serves associations, each in a thread. `status` answers each instance, or raises
    Misbehaviour; `taken`, `requests` and `ends` ("release", "abort", "close") tell what came."""

    def __init__(
        self,
        accept: Accept = first_proposed,
        status: Callable[[Taken], int] = lambda taken: 0,
        *,
        rejects: bool = False,
        keeps_data: bool = False,
        remembers: bool = True,
        maximum_pdu: int = 131072,
    ) -> None:
        self._accept = accept
        self._status = status
        self._rejects = rejects
        self._keeps_data = keeps_data
        self._remembers = remembers
        self._maximum_pdu = maximum_pdu
        self.taken: list[Taken] = []
        self.requests: list[pdu.Request] = []
        self.ends: list[str] = []
        self._associations: list[Association] = []
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> "Sink":
        self._begin(self.serve)
        return self

    def __exit__(self, *error: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for association in self._associations:
            association.channel.shut_down()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def serve(self) -> None:
        """Until the listening socket is closed."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            association = Association(connection, "127.0.0.1")
            self._associations.append(association)
            self._begin(partial(self._serve, association))

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _serve(self, association: Association) -> None:
        try:
            _, answer = association.accept(self._negotiate, self._maximum_pdu, PATIENCE)
            if isinstance(answer, Agreement):
                self.ends.append(self._answer_all(association, answer))
        except Misbehaviour as misbehaviour:
            self._misbehave(association, str(misbehaviour))
        except (OSError, NotRequested, PduError):
            self.ends.append("close")
        finally:
            association.channel.close()

    def _negotiate(self, request: pdu.Request) -> Agreement | Rejection:
        self.requests.append(request)
        if self._rejects:
            return Rejection(CALLING_NOT_RECOGNIZED, "refused")
        answers = []
        for each in request.proposals:
            found = self._accept(each.abstract_syntax, each.transfer_syntaxes)
            result = pdu.ACCEPTANCE if found else pdu.TRANSFER_SYNTAXES_NOT_SUPPORTED
            answers.append(pdu.Answer(each.number, result, each.abstract_syntax, found or ""))
        return Agreement(
            calling=title(request.calling) or "",
            called=title(request.called) or "",
            answers=answers,
            contexts={each.number: each for each in answers if each.result == pdu.ACCEPTANCE},
            roles=[],
            operations=None,
            window=1,
            maximum_length=request.maximum_length,
        )

    def _answer_all(self, association: Association, agreement: Agreement) -> str:
        """How the association ended."""
        reader, channel = association.reader, association.channel
        buffer = bytearray(1 << 20)
        while True:
            event = channel.wait()
            if event == pdata.COMMAND and reader.has_data_set:
                reader.accept(buffer, 0)
                while (event := channel.wait()) == pdata.ROOM:
                    used = reader.used if self._keeps_data else 0
                    if used:
                        buffer = buffer + bytes(3 * len(buffer))
                    reader.accept(buffer, used)
                if event != pdata.DATA_SET:
                    return "close"
                self._answer(association, agreement, buffer)
            elif event == pdata.COMMAND:
                self._echo(association)
            elif event == pdata.PDU and reader.pdu[0] == pdu.RELEASE_RQ:
                association.confirm_release()
                return "release"
            else:
                return "abort" if event == pdata.PDU else "close"

    def _echo(self, association: Association) -> None:
        reader = association.reader
        context, message = reader.context_id, reader.message_id
        response = dimse.response(context, dimse.C_ECHO_RQ, message, 0, reader.sop_class, b"")
        association.channel.send(response)

    def _answer(self, association: Association, agreement: Agreement, buffer: bytearray) -> None:
        reader = association.reader
        context, message = reader.context_id, reader.message_id
        status = 0
        if self._remembers:
            taken = Taken(
                reader.sop_class.decode(),
                reader.sop_instance.decode(),
                agreement.contexts[context].transfer_syntax,
                parse_command(bytes(reader.command_set)),
                bytes(buffer[: reader.used]) if self._keeps_data else b"",
            )
            self.taken.append(taken)
            status = self._status(taken)
        association.channel.send(
            dimse.response(
                context, dimse.C_STORE_RQ, message, status, reader.sop_class, reader.sop_instance
            )
        )

    def _misbehave(self, association: Association, how: str) -> None:
        channel = association.channel
        if how == "abort":
            association.abort(pdu.USER, 0)
        elif how == "release":
            channel.send(pdu.RELEASE_REQUEST)
        elif how == "garbage":
            channel.send(b"garbage")
        elif how in ("echo", "half"):
            answer = dimse.response(1, dimse.C_ECHO_RQ, 1, 0, b"", b"")
            channel.send(answer[: len(answer) // 2] if how == "half" else answer)
        while how not in ("close", "half") and channel.wait() == pdata.PDU:
            pass


@contextmanager
def sink_process(accept: Accept = first_proposed) -> Iterator[int]:
    """The port of a fast sink in a process of its own."""
    sink = Sink(accept, remembers=False)
    process = multiprocessing.get_context("fork").Process(target=sink.serve, daemon=True)
    process.start()
    try:
        yield sink.port
    finally:
        process.terminate()
        process.join()
