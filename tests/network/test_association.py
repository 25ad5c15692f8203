"""One association on the wire: echo, store, statuses, windows, and everything a peer can do wrong.

Each test ends with the count of sockets, threads and files that it must not have left.
"""

import contextlib
import io
import os
import resource
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pydicom
import pytest
from support.dicom_door import Running, Shelf, serving
from support.dicom_peer import (
    CT,
    EXPLICIT,
    IMPLICIT,
    RELEASE_RQ,
    VERIFICATION,
    Peer,
    Rejected,
    associate_rq,
    command,
    echo_rq,
    element,
    fragments,
    p_data,
    pdv,
    peer,
    store_rq,
)

from orthanc_fast import implementation
from orthanc_fast.errors import BadFileFormat, FullStorage
from orthanc_fast.network import listener
from orthanc_fast.services.ingest.receiving import FIRST_BUFFER
from orthanc_fast.upper_layer import association

DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
INSTANCE = "1.2.3.4.5"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A store; afterwards nothing may be left of the test but what lies in it."""
    threads, files = threading.active_count(), descriptors()
    shelf = Shelf(tmp_path)
    yield shelf
    deadline = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == threads
    assert descriptors() == files
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def door(shelf: Shelf) -> Iterator[Running]:
    with serving(shelf) as running:
        yield running
        running.settle()


def data_set(instance: str = INSTANCE, size: int = 100, big: bool = False) -> bytes:
    """An explicit VR data set with the SOP UIDs and `size` bytes of pixels."""
    order = ">" if big else "<"

    def short(group: int, number: int, vr: bytes, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack(f"{order}HH2sH", group, number, vr, len(value)) + value

    pixels = struct.pack(f"{order}HH2sHI", 0x7FE0, 0x10, b"OB", 0, size) + b"\7" * size
    return (
        short(8, 0x16, b"UI", CT.encode())
        + short(8, 0x18, b"UI", instance.encode())
        + short(0x20, 0x0D, b"UI", b"1.2")
        + pixels
    )


def store(context: int, content: bytes, instance: str = INSTANCE, message: int = 1) -> bytes:
    request = p_data(pdv(context, store_rq(CT, instance, message), is_command=True))
    return request + fragments(context, content, 100_000)


ONE_SYNTAX = ((CT, (EXPLICIT,)),)


def test_echo_answers_every_field(door: Running) -> None:
    with peer(door.port) as client:
        client.associate()
        client.send(echo_rq(message=77))
        assert client.response() == {
            0x00000000: (66).to_bytes(4, "little"),
            0x00000002: VERIFICATION.encode() + b"\0",
            0x00000100: b"\x30\x80",
            0x00000120: (77).to_bytes(2, "little"),
            0x00000800: b"\x01\x01",
            0x00000900: b"\0\0",
        }
        client.release()


@pytest.mark.parametrize("padding", [b"", b"\0", b" ", b"\0\0", b"  ", b" \0"])
def test_uids_of_commands_may_be_padded_or_odd(door: Running, padding: bytes) -> None:
    """As the data set itself may be: the two are compared without what pads them."""
    request = store_rq(CT, INSTANCE)
    body = request[12:]
    for tag, uid in ((0x00000002, CT), (0x00001000, INSTANCE)):
        raw = uid.encode()
        usual = element(tag, raw + b"\0" * (len(raw) % 2))
        assert usual in body
        body = body.replace(usual, element(tag, raw + padding))
    request = element(0, len(body).to_bytes(4, "little")) + body
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        client.send(p_data(pdv(1, request, is_command=True)) + fragments(1, data_set(), 1000))
        answer = client.response()
        client.release()
    assert answer[0x00000900] == b"\0\0"
    assert answer[0x00001000].rstrip(b"\0") == INSTANCE.encode()
    assert len(door.shelf.files) == 1


def test_store_writes_the_meta_header_and_the_data_set_as_it_came(door: Running) -> None:
    content = data_set()
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX, calling="SENDER", called="CALLED")
        client.send(store(1, content, message=9))
        answer = client.response()
        client.release()
    assert answer[0x00000100] == b"\x01\x80"
    assert answer[0x00000120] == b"\x09\0"
    assert answer[0x00000900] == b"\0\0"
    assert answer[0x00000002].rstrip(b"\0") == CT.encode()
    assert answer[0x00001000].rstrip(b"\0") == INSTANCE.encode()
    (file,) = door.shelf.files
    assert file.endswith(content)
    meta = pydicom.dcmread(io.BytesIO(file)).file_meta
    assert meta.MediaStorageSOPClassUID == CT
    assert meta.MediaStorageSOPInstanceUID == INSTANCE
    assert meta.TransferSyntaxUID == EXPLICIT
    assert meta.ImplementationClassUID == implementation.CLASS_UID
    assert meta.ImplementationVersionName == implementation.VERSION_NAME
    assert "SourceApplicationEntityTitle" not in meta
    assert meta.FileMetaInformationGroupLength == len(file) - len(content) - 144
    (caller,) = door.shelf.callers
    assert (caller.origin, caller.aet, caller.called_aet, caller.address) == (
        "DicomProtocol",
        "SENDER",
        "CALLED",
        "127.0.0.1",
    )


@pytest.mark.parametrize("size", [0, 60_000, 70_000, 1_000_000, 5_000_000])
@pytest.mark.parametrize("fragment", [1000, 131066])
def test_data_sets_of_any_size_arrive_whole(shelf: Shelf, size: int, fragment: int) -> None:
    """From 4 MB on they go through a file."""
    content = data_set(size=size)
    request = p_data(pdv(1, store_rq(CT, INSTANCE), is_command=True))
    with serving(shelf, MaximumUploadMemoryMB=1) as running, peer(running.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        for _ in range(2):
            client.send(request + fragments(1, content, fragment))
            assert client.status() == 0
        client.release()
        running.settle()
    assert [file[-len(content) :] for file in shelf.files] == [content] * 2
    assert shelf.spools == (2 if size > 1 << 20 else 0)


def test_all_associations_share_the_memory(shelf: Shelf) -> None:
    """Three of five grow their buffers to 1 MB, the others go on in spools; all arrive whole, and
    the memory is free again."""
    content = data_set(size=900_000)
    request = p_data(pdv(1, store_rq(CT, INSTANCE), is_command=True))
    whole = request + fragments(1, content, 16_000)
    with (
        serving(shelf, MaximumUploadMemoryMB=1, MaximumUploadsMemoryMB=3) as running,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(peer(running.port)) for _ in range(5)]
        grown = (1 << 20) - FIRST_BUFFER
        for number, client in enumerate(clients):
            client.associate(contexts=ONE_SYNTAX)
            client.send(whole[:800_000])
            if number < 3:
                until(partial(held, running, (number + 1) * grown))
            else:
                until(partial(spilled, shelf, number - 2))
        assert running.memory.used <= 3 << 20
        for client in clients:
            client.send(whole[800_000:])
            assert client.status() == 0
            client.release()
        running.settle()
        assert running.memory.used == 0
    assert [file[-len(content) :] for file in shelf.files] == [content] * 5
    assert shelf.spools == 2


def held(running: Running, size: int) -> bool:
    return running.memory.used == size


def spilled(shelf: Shelf, spools: int) -> bool:
    return shelf.spools == spools


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (data_set(instance="1.2.3.4.6"), 0xA900),
        (data_set().replace(CT.encode(), CT.encode()[:-1] + b"4"), 0xA900),
        (data_set()[9 + len(CT) :], 0xC000),
        (b"", 0xC000),
        (b"\xff" * 40, 0xC000),
    ],
)
def test_data_sets_that_are_not_what_was_announced(
    door: Running, content: bytes, status: int
) -> None:
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        client.send(store(1, content))
        assert client.status() == status
        client.send(store(1, data_set()))
        assert client.status() == 0
        client.release()
    assert len(door.shelf.files) == 1


@pytest.mark.parametrize(
    ("syntax", "content"),
    [
        (BIG, data_set(big=True)),
        (DEFLATED, data_set(size=100_000)),
    ],
)
def test_the_sop_uids_are_found_in_every_encoding(
    door: Running, syntax: str, content: bytes
) -> None:
    if syntax == DEFLATED:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        content = packer.compress(content) + packer.flush()
    with peer(door.port) as client:
        client.associate(contexts=((CT, (syntax,)),))
        client.send(store(1, content))
        assert client.status() == 0
        client.send(store(1, content, instance="9.9"))
        assert client.status() == 0xA900
        client.release()


def test_a_large_data_set_that_does_not_fit_its_command_leaves_no_file(shelf: Shelf) -> None:
    with serving(shelf, MaximumUploadMemoryMB=1) as running, peer(running.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        client.send(store(1, data_set("9.9", 5_000_000)))
        assert client.status() == 0xA900
        client.release()
        running.settle()
    assert shelf.spools == 1


@pytest.mark.parametrize(
    "error", [BadFileFormat("bad"), FullStorage("full"), OSError("disk"), RuntimeError("bug")]
)
def test_what_the_ingest_refuses_is_0xa700(door: Running, error: Exception) -> None:
    door.shelf.error = error
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        client.send(store(1, data_set()))
        answer = client.response()
        assert answer[0x00000900] == b"\x00\xa7"
        assert 0x00000902 not in answer  # no error comment
        client.release()


def test_no_room_for_a_large_data_set_is_0xa700(shelf: Shelf, tmp_path: Path) -> None:
    shelf.folder = tmp_path / "missing"
    with serving(shelf, MaximumUploadMemoryMB=1) as running, peer(running.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        for _ in range(2):
            client.send(store(1, data_set(size=3_000_000)))
            assert client.status() == 0xA700
        client.release()
        running.settle()


def test_a_store_in_a_context_that_is_not_for_storage(door: Running) -> None:
    with peer(door.port) as client:
        client.associate(contexts=((VERIFICATION, (EXPLICIT,)),))
        client.send(store(1, data_set()))
        assert client.status() == 0x0122
        client.release()
    assert door.shelf.files == []


def test_a_window_of_operations_is_answered_as_they_become_durable(door: Running) -> None:
    delays = [0.4, 0.2, 0.05, 0.0]
    door.shelf.delay = lambda number: delays[(number - 1) % 4]
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX, window=(4, 1))
        for message in range(1, 5):
            client.send(store(1, data_set(), message=message))
        answers = [client.response()[0x00000120][0] for _ in range(4)]
        client.send(store(1, data_set(), message=5) + RELEASE_RQ)
        assert client.response()[0x00000120][0] == 5
        assert client.receive()[0] == 6
    assert answers == [4, 3, 2, 1]


def test_more_than_the_window_waits(door: Running) -> None:
    door.shelf.delay = lambda number: 0.05
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX, window=(2, 1))
        client.send(b"".join(store(1, data_set(), message=n) for n in range(20)) + echo_rq(99))
        answers = [client.response()[0x00000120][0] for _ in range(21)]
        client.release()
    assert sorted(answers[:20]) == list(range(20))
    assert answers[20] == 99


def test_without_a_window_requests_sent_ahead_are_answered_in_their_order(door: Running) -> None:
    door.shelf.delay = lambda number: 0.02 if number == 1 else 0.0
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        client.send(b"".join(store(1, data_set(), message=n) for n in range(5)))
        assert [client.response()[0x00000120][0] for _ in range(5)] == list(range(5))
        client.release()


# What a peer can do wrong

BROKEN = {
    "unknown type": (b"\x0a\0\0\0\0\x04\0\0\0\0", (2, 1)),
    "second request": (associate_rq(), (2, 2)),
    "accept": (b"\x02\0\0\0\0\x04\0\0\0\0", (2, 2)),
    "release response": (b"\x06\0\0\0\0\x04\0\0\0\0", (2, 2)),
    "oversized": (b"\x04\0\0\x10\0\0", (2, 6)),
    "unknown context": (p_data(pdv(99, command(0x30), is_command=True)), (2, 6)),
    "endless command": (p_data(*[pdv(1, b"\0" * 9000, is_command=True, last=False)] * 2), (2, 6)),
    "no command set": (p_data(pdv(1, b"hello", is_command=True)), (2, 6)),
    "data first": (p_data(pdv(1, b"hello")), (2, 2)),
    "store without data": (
        p_data(pdv(1, command(1, 1, False, CT, INSTANCE), is_command=True)),
        (2, 6),
    ),
    "command within data": (
        p_data(pdv(1, store_rq(CT, INSTANCE), is_command=True)) + echo_rq(),
        (2, 2),
    ),
    "release within data": (
        p_data(pdv(1, store_rq(CT, INSTANCE), is_command=True)) + RELEASE_RQ,
        (2, 2),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_protocol_ends_in_an_abort(door: Running, name: str) -> None:
    stream, expected = BROKEN[name]
    with peer(door.port) as client:
        client.associate()
        client.send(stream)
        assert client.abort_source() == expected
    assert door.shelf.files == []


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        echo_rq(),
        associate_rq()[:76] + b"\xff\xff" + associate_rq()[78:],
        b"\x01\0\xff\xff\xff\xff",
        b"\x01\0\0\0\0\x04\0\0\0\0",
        RELEASE_RQ,
    ],
)
def test_a_stream_that_is_no_association(door: Running, stream: bytes) -> None:
    with peer(door.port) as client:
        client.send(stream)
        client.socket.shutdown(socket.SHUT_WR)
        kind, _ = client.receive()
        assert kind in (0, 7)
        assert client.receive() == (0, b"")
    with peer(door.port) as client:
        client.associate()
        client.release()


@pytest.mark.parametrize("ending", ["abort", "close", "reset"])
@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_an_end_in_mid_data_set_leaves_nothing(shelf: Shelf, ending: str, size: int) -> None:
    half = store(1, data_set(size=size))[: -size // 3]
    if ending == "abort":
        # whole PDUs up to a boundary, then the abort
        half = p_data(pdv(1, store_rq(CT, INSTANCE), is_command=True))
        half += b"".join(p_data(pdv(1, b"x" * 100_000, last=False)) for _ in range(size // 100_000))
        half += b"\x07\0\0\0\0\x04\0\0\0\0"
    with serving(shelf, MaximumUploadMemoryMB=1) as running:
        with peer(running.port) as client:
            client.associate(contexts=ONE_SYNTAX)
            client.send(half)
            time.sleep(0.05)
            if ending == "reset":
                client.socket.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        running.settle()
    assert shelf.files == []


@pytest.mark.parametrize("where", ["idle", "within a PDU", "within a data set"])
def test_a_stall_is_aborted_after_the_timeout(shelf: Shelf, where: str) -> None:
    request = p_data(pdv(1, store_rq(CT, INSTANCE), is_command=True))
    stream = {"idle": b"", "within a PDU": request[:20], "within a data set": request}[where]
    with serving(shelf, DicomScpTimeout=1) as running, peer(running.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        client.send(stream)
        assert client.abort_source() == (0, 0)


def test_no_timeout_where_none_is_configured(shelf: Shelf) -> None:
    with serving(shelf, DicomScpTimeout=0) as running, peer(running.port) as client:
        client.associate()
        time.sleep(0.3)
        client.send(echo_rq())
        assert client.status() == 0
        client.release()


def test_a_peer_that_takes_no_answers_is_let_go(shelf: Shelf) -> None:
    with serving(shelf, DicomScpTimeout=1) as running, peer(running.port) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.associate()
        client.socket.settimeout(0.5)
        requests = echo_rq() * 1000
        with pytest.raises((TimeoutError, ConnectionError)):
            for _ in range(1000):
                client.send(requests)
        running.settle()


def test_a_refused_request_is_an_abort_without_answer(shelf: Shelf) -> None:
    with serving(shelf, DicomAlwaysAllowStore=False) as running, peer(running.port) as client:
        client.associate()
        client.send(echo_rq())
        assert client.status() == 0
        client.send(p_data(pdv(3, store_rq(CT, INSTANCE), is_command=True)))
        assert client.abort_source() == (0, 0)
    assert shelf.files == []


def test_rejections_on_the_wire(shelf: Shelf) -> None:
    with serving(shelf, DicomCheckCalledAet=True) as running, peer(running.port) as client:
        with pytest.raises(Rejected) as caught:
            client.associate(called="OTHER")
        assert caught.value.args == (1, 1, 7)
        assert client.receive() == (0, b"")
        running.settle()


def test_too_many_associations_are_rejected_as_transient(shelf: Shelf) -> None:
    with serving(shelf, DicomMaximumAssociations=2) as running:
        with peer(running.port) as one, peer(running.port) as two:
            one.associate()
            two.associate()
            with peer(running.port) as three:
                with pytest.raises(Rejected) as caught:
                    three.associate()
                assert caught.value.args == (2, 3, 2)
            one.release()
            two.release()
        running.settle()
        with peer(running.port) as again:
            again.associate()
            again.release()


def test_an_association_without_any_accepted_context_is_still_one(door: Running) -> None:
    with peer(door.port) as client:
        accepted = client.associate(contexts=((CT, ("1.2.3",)),))
        assert [context.result for context in accepted.presentation_context] == [3]
        client.release()


def test_a_thousand_silent_connections_disturb_nobody(
    door: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = threading.active_count()
    silent = [Peer(door.port) for _ in range(1000)]
    try:
        with peer(door.port) as client:
            client.associate()
            client.send(store(3, data_set()))
            assert client.status() in (0, 0xC000)
            client.release()
        assert threading.active_count() <= threads + 1
        monkeypatch.setattr(listener, "_SILENCE", 0.0)
        assert silent[0].receive() == (0, b"")
        assert silent[999].receive() == (0, b"")
    finally:
        for connection in silent:
            connection.close()


def test_a_connection_that_stops_in_its_request_is_closed(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(association, "ACSE_TIMEOUT", 1)
    with serving(shelf) as running, peer(running.port) as client:
        client.send(associate_rq()[:50])
        assert client.receive() == (0, b"")
        running.settle()


def test_a_request_that_trickles_in_is_not_waited_for(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(association, "ACSE_TIMEOUT", 1)
    request = associate_rq()
    with serving(shelf) as running, peer(running.port) as client:
        client.socket.settimeout(0.2)
        for each in request[:-1]:
            client.send(bytes([each]))
            with contextlib.suppress(TimeoutError):
                assert client.socket.recv(1) == b""
                break
        else:
            pytest.fail("all of the request was waited for")
        running.settle()


@pytest.mark.parametrize("field", [0x0110, 0x0120, 0x0140, 0x0150, 0x0FFF, 0x8001])
def test_commands_that_nobody_handles_get_no_answer(door: Running, field: int) -> None:
    with peer(door.port) as client:
        client.associate()
        client.send(p_data(pdv(1, command(field), is_command=True)))
        client.send(p_data(pdv(1, command(field, 2, True), is_command=True), pdv(1, b"data")))
        client.send(echo_rq(5))
        assert client.response()[0x00000120] == b"\x05\0"
        client.release()


def test_stopping_cuts_off_what_does_not_end(shelf: Shelf) -> None:
    with serving(shelf) as running:
        client = Peer(running.port)
        client.associate(contexts=ONE_SYNTAX)
        client.send(store(1, data_set())[:-50])
    assert client.receive() == (0, b"")
    client.close()


def test_an_implicit_context_needs_no_vr(door: Running) -> None:
    body = element(0x00080016, CT.encode() + b"\0" * (len(CT) % 2))
    body += element(0x00080018, INSTANCE.encode() + b"\0" * (len(INSTANCE) % 2))
    with peer(door.port) as client:
        client.associate(contexts=((CT, (IMPLICIT,)),))
        client.send(store(1, body))
        assert client.status() == 0
        client.release()


def test_what_a_move_brings_is_told_with_its_originator(shelf: Shelf) -> None:
    told: list[tuple[str, int]] = []
    originator = element(0x00001030, b" MOVER  ") + element(0x00001031, b"\xe9\x03")
    moved = store_rq(CT, INSTANCE)[12:] + originator
    moved = element(0x00000000, len(moved).to_bytes(4, "little")) + moved

    def tell(aet: str, message_id: int, stored: object) -> None:
        told.append((aet, message_id))

    with serving(shelf, moved=tell) as running, peer(running.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        for each in (store_rq(CT, INSTANCE), moved, store_rq(CT, INSTANCE)):
            client.send(p_data(pdv(1, each, is_command=True)))
            client.send(fragments(1, data_set(), 10_000))
            assert client.status() == 0
        shelf.error = FullStorage()
        client.send(p_data(pdv(1, moved, is_command=True)))
        client.send(fragments(1, data_set(), 10_000))
        assert client.status() == 0xA700
        client.release()
    assert told == [("MOVER", 1001)]


def test_one_receive_buffer_serves_all_instances_of_an_association(door: Running) -> None:
    with peer(door.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        buffers = set()
        for _ in range(5):
            client.send(store(1, data_set(size=500_000)) + echo_rq_of(1))
            assert client.status() == 0
            assert client.status() == 0
            (served,) = door.listener._associations
            (free,) = served._stores._buffers._free
            buffers.add(id(free))
        client.release()
    assert len(buffers) == 1


def echo_rq_of(context: int) -> bytes:
    return p_data(pdv(context, command(0x0030), is_command=True))


def test_stopping_ends_an_idle_association_at_once(shelf: Shelf) -> None:
    with serving(shelf) as running, peer(running.port) as client:
        client.associate()
        running.listener.stop()
        running.listener.join(30.0)
        assert client.receive() == (0, b"")


def test_stopping_lets_a_store_complete(shelf: Shelf) -> None:
    shelf.delay = lambda number: 0.5
    with serving(shelf) as running, peer(running.port) as client:
        client.associate(contexts=ONE_SYNTAX)
        client.send(store(1, data_set()))
        time.sleep(0.1)
        running.listener.stop()
        running.listener.join(30.0)
        assert client.status() == 0


def test_without_descriptors_the_longest_silence_makes_room(shelf: Shelf) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(shelf) as running:
        silent = [Peer(running.port) for _ in range(20)]
        time.sleep(0.2)
        waiting = [socket.socket() for _ in range(20)]  # made before descriptors run out
        free = sorted(int(name) for name in os.listdir("/proc/self/fd"))[-1] + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        fillers: list[int] = []
        try:
            with pytest.raises(OSError, match="Too many open files"):
                while True:
                    fillers.append(os.dup(0))
            for each in waiting:
                each.connect(("127.0.0.1", running.port))
                each.settimeout(10)
            waiting[-1].sendall(associate_rq())
            assert waiting[-1].recv(1) == b"\x02"
            assert silent[0].receive() == (0, b"")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for filler in fillers:
                os.close(filler)
            for each in waiting:
                each.close()
            for connection in silent:
                connection.close()
