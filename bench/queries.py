"""C-FIND SCU: `/modalities/{id}/query` with 10,000 answers of a fast SCP, and all of them shown."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from math import nan
from multiprocessing.connection import Connection

import httpx
from support import evil_acceptor
from support.dicom_peer import EXPLICIT
from support.encoded import element
from support.find_scp import STUDY_ROOT
from support.process import ServerProcess

from bench.compare import Goal, Pair, Row
from bench.load import Load
from orthanc_fast.upper_layer.pdu import RELEASE_RQ

ANSWERS = 10_000
_AT_ONCE = 200
_PENDING, _SUCCESS = 0xFF00, 0x0000
_C_FIND_RSP = 0x8020


def queries(rounds: int, quick: bool) -> tuple[list[Row], list[str]]:
    """The rows; there are no notes."""
    count = ANSWERS // 10 if quick else ANSWERS
    with _find_scp(count) as port, Pair() as pair:
        for server in pair.servers:
            httpx.put(f"{server.url}/modalities/scp", json=["SCP", "127.0.0.1", port])
        paths: dict[str, str] = {}

        def ask(server: ServerProcess, number: int) -> Load:
            begin = time.perf_counter()
            body = {"Level": "Study", "Query": {"PatientName": "*"}}
            answer = httpx.post(f"{server.url}/modalities/scp/query", json=body, timeout=600)
            if answer.status_code != 200:
                raise RuntimeError(f"not asked: {answer.text}")
            paths[server.url] = answer.json()["Path"]
            return Load(count, time.perf_counter() - begin, nan, nan)

        def show(server: ServerProcess, number: int) -> Load:
            begin = time.perf_counter()
            path = f"{server.url}{paths[server.url]}/answers?expand&simplify"
            shown = httpx.get(path, timeout=600)
            seconds = time.perf_counter() - begin
            if len(shown.json()) != count:
                raise RuntimeError(f"not all answers are shown: {shown.text[:500]}")
            return Load(count, seconds, nan, nan)

        return [
            pair.compare(f"C-FIND SCU, {count:,} answers", Goal(1.5, 0.6), rounds, ask),
            pair.compare("the same shown by ?expand", Goal(3, 0.33), rounds, show),
        ], []


@contextmanager
def _find_scp(count: int) -> Iterator[int]:
    """The port of an SCP in a process of its own, which has its answers ready."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_serve, args=(theirs, count), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(connection: Connection, count: int) -> None:
    @cache
    def answers(context: int, message: int) -> list[bytes]:
        head = evil_acceptor.response(_C_FIND_RSP, message, _PENDING, STUDY_ROOT, True)
        each = [evil_acceptor.message(context, head, _answer(n)) for n in range(count)]
        last = evil_acceptor.response(_C_FIND_RSP, message, _SUCCESS, STUDY_ROOT)
        each.append(evil_acceptor.message(context, last))
        return [b"".join(each[at : at + _AT_ONCE]) for at in range(0, len(each), _AT_ONCE)]

    def script(conversation: evil_acceptor.Conversation) -> None:
        conversation.send(conversation.answer(syntax=EXPLICIT))
        message = int.from_bytes(conversation.command()[0x00000110], "little")
        conversation.receive()  # the identifier
        proposals = conversation.requested.proposals
        context = next(each.number for each in proposals if each.abstract_syntax == STUDY_ROOT)
        for some in answers(context, message):
            conversation.send(some)
        received = conversation.receive()
        if received and received[0] == RELEASE_RQ:
            conversation.send(evil_acceptor.RELEASE_RP)
        conversation.until_closed()

    with evil_acceptor.acceptor(script) as port:
        connection.send(port)
        connection.recv()  # for ever


def _answer(number: int) -> bytes:
    """A study as archives describe it."""
    texts = [
        *((0x00080005, "CS", "ISO_IR 100"), (0x00080020, "DA", "20240115")),
        *((0x00080030, "TM", "101530"), (0x00080050, "SH", f"A{number}")),
        *((0x00080052, "CS", "STUDY"), (0x00080054, "AE", "ARCHIVE"), (0x00080061, "CS", "CT")),
        *((0x00080090, "PN", "Doe^Jane"), (0x00081030, "LO", "Thorax")),
        *((0x00100010, "PN", f"Müller^{number}"), (0x00100020, "LO", f"PATIENT{number}")),
        *((0x00100030, "DA", "19700101"), (0x00100040, "CS", "O")),
        *((0x0020000D, "UI", f"1.2.826.0.1.3680043.10.1042.1{number}"), (0x00200010, "SH", "1")),
        *((0x00201206, "IS", "3"), (0x00201208, "IS", "300")),
    ]
    return b"".join(element(tag, vr, _padded(text, vr), EXPLICIT) for tag, vr, text in texts)


def _padded(text: str, vr: str) -> bytes:
    raw = text.encode("latin-1")
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
