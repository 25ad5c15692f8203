"""What a peer may send instead of a C-GET: a valid answer with bytes changed, left out and
repeated. Every operation ends, by itself or by its time-out, and leaves nothing."""

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

import pytest
from support.dicom_door import Shelf
from support.dicom_peer import element, fragments, p_data, pdv, store_rq, uid_value
from support.retrieve_site import Site, details, wanted

from orthanc_fast._ext.pdata import PduError
from orthanc_fast.errors import NetworkProtocol
from orthanc_fast.upper_layer import pdu
from orthanc_fast.upper_layer.association import Association
from orthanc_fast.upper_layer.negotiation import Agreement

CT = "1.2.840.10008.5.1.4.1.1.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
INSTANCE = "1.2.3.4.5"
FLOWS = 25  # for each seed


def response(status: int, completed: int, remaining: int) -> bytes:
    """A C-GET-RSP in the first context."""
    body = element(0x00000002, uid_value(GET)) + element(0x00000100, b"\x10\x80")
    body += element(0x00000120, b"\1\0") + element(0x00000800, b"\1\1")
    body += element(0x00000900, status.to_bytes(2, "little"))
    body += element(0x00001020, remaining.to_bytes(2, "little"))
    body += element(0x00001021, completed.to_bytes(2, "little"))
    command = element(0x00000000, len(body).to_bytes(4, "little")) + body
    return p_data(pdv(1, command, is_command=True))


def data_set() -> bytes:
    def part(tag: bytes, text: str) -> bytes:
        value = uid_value(text)
        return tag + b"UI" + len(value).to_bytes(2, "little") + value

    return part(b"\x08\x00\x16\x00", CT) + part(b"\x08\x00\x18\x00", INSTANCE) + bytes(8)


def valid(context: int) -> list[bytes]:
    """The PDUs of a C-GET of two instances."""
    one = p_data(pdv(context, store_rq(CT, INSTANCE), is_command=True))
    sub_operation = [one, fragments(context, data_set(), 40)]
    first, second = response(0xFF00, 1, 1), response(0xFF00, 2, 0)
    return [*sub_operation, first, *sub_operation, second, response(0, 2, 0)]


def broken(dice: random.Random, context: int) -> bytes:
    parts = valid(context)
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(parts))
        part = bytearray(parts[at])
        match dice.randrange(5):
            case 0:
                part[dice.randrange(len(part))] = dice.randrange(256)
            case 1:
                del part[dice.randrange(len(part)) :]
            case 2:
                part *= 2
            case 3:
                start = dice.randrange(len(part))
                part[start:start] = dice.randbytes(dice.randrange(1, 40))
            case _:
                part.clear()
        parts[at] = bytes(part)
        parts = [each for each in parts if each] or [b"\0"]
    return b"".join(parts)


class Liar:
    """Accepts associations and answers whatever is asked with what it is given."""

    def __init__(self) -> None:
        self.says = b""
        self.context = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            association = Association(connection, "127.0.0.1")
            with contextlib.suppress(OSError, PduError):
                association.accept(self._negotiated, 131072, 5)
                association.channel.wait()  # the request
                connection.sendall(self.says)
                association.channel.drain()
            association.channel.close()

    def _negotiated(self, request: pdu.Request) -> Agreement:
        answers = [
            pdu.Answer(each.number, 0, each.abstract_syntax, each.transfer_syntaxes[0])
            for each in request.proposals
        ]
        contexts = {each.number: each for each in answers}
        return Agreement(
            calling="HERE",
            called="SCP",
            answers=answers,
            contexts=contexts,
            roles=list(request.roles),
            operations=None,
            window=1,
            maximum_length=16384,
        )

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.fixture
def liar() -> Iterator[Liar]:
    liar = Liar()
    yield liar
    liar.close()


@pytest.fixture
def lied_to(site: Site, liar: Liar) -> Site:
    site.port = liar.port
    return site


def test_the_valid_answer(lied_to: Site, liar: Liar) -> None:
    liar.says = b"".join(valid(3))
    run = lied_to.get(*wanted(sop_classes=(CT,), is_found=True))
    assert details(run) == [(0, 2)]


@pytest.mark.parametrize("seed", range(4))
def test_every_answer_has_an_end(lied_to: Site, liar: Liar, shelf: Shelf, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(FLOWS):
        liar.says = broken(dice, 3)
        with contextlib.suppress(NetworkProtocol):
            lied_to.get(*wanted(sop_classes=(CT,), is_found=True), timeout=1)
