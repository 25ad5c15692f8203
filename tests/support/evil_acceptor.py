"""An acceptor that does what a script says, PDU by PDU, to whoever asks it for an association: the
bad peers of the requestor's side."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence

from support.dicom_peer import element, p_data, parse_command, pdv, uid_value

from orthanc_fast.upper_layer import pdu

ABORT = pdu.encode_abort(0, 0)
RELEASE_RP = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"


class Conversation:
    """One connection as its script sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.requested: pdu.Request

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        """The next PDU, b"" at the end of the stream."""
        header = self._exactly(6)
        return header + self._exactly(int.from_bytes(header[2:])) if header else b""

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                return b""
            data += more
        return data

    def request(self) -> pdu.Request:
        """The A-ASSOCIATE-RQ."""
        self.requested = pdu.decode_request(self.receive())
        return self.requested

    def answer(
        self,
        results: Sequence[int] = (),
        maximum_length: int = 16384,
        syntax: str | None = None,
    ) -> bytes:
        """An A-ASSOCIATE-AC: every context accepted in the first syntax, but for `results`."""
        answers = []
        for number, proposal in enumerate(self.request().proposals):
            result = results[number] if number < len(results) else 0
            chosen = syntax or proposal.transfer_syntaxes[0]
            answers.append(pdu.Answer(proposal.number, result, "", chosen))
        return pdu.encode_accept(self.requested, answers, maximum_length, [], None)

    def accept(self, maximum_length: int = 16384) -> None:
        """Accepts everything."""
        self.send(self.answer(maximum_length=maximum_length))

    def command(self) -> dict[int, bytes]:
        """The next command set; data sets before it are thrown away."""
        while True:
            received = self.receive()
            assert received and received[0] == 4, received
            if received[11] & 1:
                return parse_command(received[12:])

    def until_closed(self) -> None:
        """Takes everything and says nothing until the requestor has gone."""
        with contextlib.suppress(ConnectionResetError):
            while self.socket.recv(65536):
                pass


def response(
    field: int,
    message: int,
    status: int | None,
    sop_class: str = "1.2.840.10008.1.1",
    data_set: bool = False,
) -> bytes:
    """The command set of a response."""
    body = element(0x00000002, uid_value(sop_class))
    body += element(0x00000100, field.to_bytes(2, "little"))
    body += element(0x00000120, message.to_bytes(2, "little"))
    body += element(0x00000800, (0x0001 if data_set else 0x0101).to_bytes(2, "little"))
    if status is not None:
        body += element(0x00000900, status.to_bytes(2, "little"))
    return element(0x00000000, len(body).to_bytes(4, "little")) + body


def message(context: int, command: bytes, data_set: bytes = b"") -> bytes:
    """P-DATA of a command set and a data set."""
    encoded = p_data(pdv(context, command, is_command=True))
    return encoded + p_data(pdv(context, data_set)) if data_set else encoded


Script = Callable[[Conversation], None]


@contextlib.contextmanager
def acceptor(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port on which every connection is served by the script, in a thread of its own, with TLS
    if a context is given. What scripts raise, but for broken connections, is raised at the end."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []
    failures: list[BaseException] = []

    def serve(connection: socket.socket) -> None:
        try:
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            script(Conversation(connection))
        except OSError:
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    def listen() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listener.join()
        listening.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


# Scripts


def refuses(conversation: Conversation) -> None:
    """An A-ASSOCIATE-RJ."""
    conversation.request()
    conversation.send(pdu.encode_reject(1, 1, 7))
    conversation.until_closed()


def refuses_every_context(conversation: Conversation) -> None:
    conversation.send(conversation.answer([3] * 128))
    _release(conversation)


def is_mute(conversation: Conversation) -> None:
    """Accepts the connection and says nothing."""
    conversation.until_closed()


def closes(conversation: Conversation) -> None:
    """Closes the connection at once."""


def closes_on_request(conversation: Conversation) -> None:
    conversation.request()


def aborts_on_request(conversation: Conversation) -> None:
    conversation.request()
    conversation.send(ABORT)


def accepts_and_aborts(conversation: Conversation) -> None:
    conversation.accept()
    conversation.send(ABORT)


def accepts_and_closes(conversation: Conversation) -> None:
    conversation.accept()


def aborts_on_command(conversation: Conversation) -> None:
    conversation.accept()
    conversation.command()
    conversation.send(ABORT)


def closes_on_command(conversation: Conversation) -> None:
    conversation.accept()
    conversation.command()


def stalls_on_command(conversation: Conversation) -> None:
    conversation.accept()
    conversation.until_closed()


def releases_on_command(conversation: Conversation) -> None:
    conversation.accept()
    conversation.command()
    conversation.send(pdu.RELEASE_REQUEST)
    conversation.until_closed()


def never_releases(conversation: Conversation) -> None:
    """Answers each request with success, and the release not at all."""
    conversation.accept()
    answer_next(conversation, 0x0000)
    conversation.until_closed()


def answers_with(status: int) -> Script:
    """Answers each request with this status."""

    def script(conversation: Conversation) -> None:
        conversation.accept()
        while answer_next(conversation, status):
            pass
        conversation.send(RELEASE_RP)

    return script


def answer_next(conversation: Conversation, status: int) -> bool:
    """Answers the next command; whether it was one."""
    received = conversation.receive()
    while received and received[0] == 4 and not received[11] & 1:
        received = conversation.receive()
    if not received or received[0] != 4:
        return False
    command = parse_command(received[12:])
    field = int.from_bytes(command[0x00000100], "little")
    number = int.from_bytes(command[0x00000110], "little")
    answer = response(field | 0x8000, number, status)
    conversation.send(message(received[10], answer))
    return True


def answer_whole(conversation: Conversation, status: int) -> None:
    """Answers the next message, which may come in any number of PDUs."""
    parts = {True: b"", False: b""}
    context = 0
    while True:
        received = conversation.receive()
        context, control = received[10], received[11]
        parts[bool(control & 1)] += received[12:]
        if control & 2:
            command = parse_command(parts[True])
            has_data_set = command[0x00000800] != b"\x01\x01"
            if not (control & 1 and has_data_set):
                break
    field = int.from_bytes(command[0x00000100], "little")
    number = int.from_bytes(command[0x00000110], "little")
    conversation.send(message(context, response(field | 0x8000, number, status)))


def _release(conversation: Conversation) -> None:
    received = conversation.receive()
    if received and received[0] == pdu.RELEASE_RQ:
        conversation.send(RELEASE_RP)


def sends(*parts: bytes, close: bool = True) -> Script:
    """Waits for the A-ASSOCIATE-RQ and sends these bytes instead of an answer."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        for part in parts:
            conversation.send(part)
        if not close:
            conversation.until_closed()

    return script


def accepts_and_sends(*parts: bytes, close: bool = False) -> Script:
    """Accepts, and answers the first command with these bytes."""

    def script(conversation: Conversation) -> None:
        conversation.accept()
        conversation.command()
        for part in parts:
            conversation.send(part)
        if not close:
            conversation.until_closed()

    return script
