"""The compiled PDU reader against a plain model, and against bytes that make no sense."""

import os
import random
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dicom_peer import command, p_data, pdv, store_rq

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError, PduReader, sop_uids

LIMIT = 131072


def established(limit: int = LIMIT) -> PduReader:
    reader = PduReader()
    reader.establish(limit, [1, 3])
    return reader


def messages_in(stream: bytes, cuts: list[int], room: int = 64) -> list[tuple[bytes, bytes]]:
    """Feeds the stream in pieces, into targets that start small; returns (command, data set)."""
    reader = established()
    found: list[tuple[bytes, bytes]] = []
    encoded, target = b"", bytearray(room)
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    for piece in pieces:
        rest = piece
        while True:
            event = reader.next()
            if event == pdata.NEED_DATA:
                if not rest:
                    break
                rest = rest[reader.feed(rest) :]
            elif event == pdata.COMMAND:
                encoded = reader.command_set
                if reader.has_data_set:
                    target = bytearray(room)
                    reader.accept(target, 0)
                else:
                    found.append((encoded, b""))
            elif event == pdata.ROOM:
                used = reader.used
                reader.release()
                target = target + bytes(len(target))
                reader.accept(target, used)
            else:
                assert event == pdata.DATA_SET
                found.append((encoded, bytes(target[: reader.used])))
    return found


def encode(command_set: bytes, data_set: bytes, fragment: int, together: bool) -> bytes:
    parts = [
        pdv(3, data_set[at : at + fragment], last=at + fragment >= len(data_set))
        for at in range(0, max(1, len(data_set)), fragment)
    ]
    first = pdv(3, command_set[:10], is_command=True, last=False)
    second = pdv(3, command_set[10:], is_command=True)
    if together and len(data_set) < 60000:
        return p_data(first, second, *parts)
    return p_data(first) + p_data(second) + b"".join(p_data(part) for part in parts)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20000), st.integers(1, 9000), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    st.randoms(use_true_random=False),
)
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    shapes: list[tuple[int, int, bool]], rng: random.Random
) -> None:
    expected, stream = [], b""
    for size, fragment, together in shapes:
        data_set = rng.randbytes(size)
        encoded = store_rq("1.2.3", "1.2.3.4")
        expected.append((encoded, data_set))
        stream += encode(encoded, data_set, fragment, together and size // fragment < 1000)
    cuts = sorted(rng.randrange(len(stream)) for _ in range(rng.randrange(8)))
    assert messages_in(stream, cuts) == expected


@pytest.mark.parametrize("size", [1, 4095, 4096, 300_000])
def test_a_socket_gives_the_same_as_a_buffer(size: int) -> None:
    data_set = os.urandom(size)
    stream = p_data(pdv(1, store_rq("1.2", "1.3"), is_command=True))
    for at in range(0, size, 100_000):
        part = data_set[at : at + 100_000]
        stream += p_data(pdv(1, part, last=at + 100_000 >= size))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        reader = established()
        theirs.setblocking(False)
        target = bytearray(400_000)
        sent = 0
        events = []
        while pdata.DATA_SET not in events:
            if sent < len(stream):
                sent += theirs.send(stream[sent : sent + 50_000])
            event = reader.wait(ours.fileno(), 0)
            if event == pdata.COMMAND:
                reader.accept(target, 5)
            if event != pdata.TIMEOUT:
                events.append(event)
        assert events == [pdata.COMMAND, pdata.DATA_SET]
        assert target[5 : reader.used] == data_set
        theirs.close()
        assert reader.wait(ours.fileno(), 1000) == pdata.CLOSED


def test_a_wake_descriptor_ends_the_wait() -> None:
    ours, theirs = socket.socketpair()
    wake = os.eventfd(1)
    with ours, theirs:
        ours.setblocking(False)
        assert established().wait(ours.fileno(), 10_000, wake) == pdata.WOKEN
    os.close(wake)


GOOD = pdv(1, command(0x0030), is_command=True)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\x09\0\0\0\0\x04\0\0\0\0", 1),  # unknown type
        (b"\x00\0\0\0\0\x04\0\0\0\0", 1),
        (b"\x04\0\xff\xff\xff\xff", 6),  # longer than agreed
        (b"\x04\0\0\x02\0\x01", 6),
        (b"\x04\0\0\0\0\x00", 6),  # shorter than a PDV
        (b"\x04\0\0\0\0\x05abcde", 6),
        (b"\x05\0\xff\xff\xff\xff", 6),  # a release that would never fit
        (p_data(pdv(5, b"abc", is_command=True)), 6),  # unknown context
        (p_data(pdv(1, b"abc")), 2),  # a data set without command
        (b"\x04\0\0\0\0\x08\0\0\0\x63\x01\x03ab", 6),  # PDV beyond its PDU
        (b"\x04\0\0\0\0\x08\0\0\0\x01\x01\x03ab", 6),  # PDV shorter than its header
        (b"\x04\0\0\0\0\x08\0\0\0\x00\x01\x03ab", 6),
        (b"\x04\0\0\0\0\x08\0\0\0\x04\x01\x07ab", 6),  # control header
        (b"\x04\0\0\0\0\x0b" + pdv(1, b"ab", is_command=True, last=False) + b"xyz", 6),  # rest
        (p_data(pdv(1, b"abc", is_command=True)), 6),  # no command set
        (p_data(pdv(1, GOOD[6:-4], is_command=True)), 6),  # truncated command set
        (p_data(pdv(1, b"\0\0\0\1\2\0\0\0\x30\0", is_command=True)), 6),  # no data set type
        (p_data(*[pdv(1, b"a" * 6000, is_command=True, last=False)] * 3), 6),  # endless
        (
            p_data(pdv(1, b"ab", is_command=True, last=False), pdv(3, b"cd", is_command=True)),
            6,  # changes its context
        ),
    ],
)
def test_what_breaks_the_protocol_is_refused_with_its_reason(stream: bytes, reason: int) -> None:
    reader = established()
    reader.feed(stream)
    with pytest.raises(PduError) as caught:
        while reader.next() != pdata.NEED_DATA:
            pass
        raise AssertionError("accepted")
    assert caught.value.args[1] == reason


def test_p_data_before_an_association_is_refused() -> None:
    reader = PduReader()
    reader.feed(p_data(GOOD))
    with pytest.raises(PduError) as caught:
        reader.next()
    assert caught.value.args[1] == 2


def test_wrong_use_is_an_error_and_no_crash() -> None:
    reader = established()
    with pytest.raises(ValueError, match="no data set"):
        reader.accept(bytearray(10), 0)
    reader.feed(p_data(pdv(1, store_rq("1", "2"), is_command=True)) + p_data(pdv(1, b"x")))
    assert reader.next() == pdata.COMMAND
    with pytest.raises(ValueError, match=r"accept\(\) must come first"):
        reader.next()
    with pytest.raises(ValueError, match="no room"):
        reader.accept(bytearray(10), 10)
    with pytest.raises(ValueError, match="more bytes"):
        reader.received(1 << 20)
    target = bytearray(10)
    reader.accept(target, 0)
    with pytest.raises(BufferError):
        target.append(1)
    reader.release()
    target.append(1)


MUTATIONS = 3000


def test_mutated_streams_never_do_more_than_raise() -> None:
    rng = random.Random(3)
    base = (
        p_data(GOOD)
        + p_data(pdv(3, store_rq("1.2", "1.3.4"), is_command=True))
        + p_data(pdv(3, b"x" * 500, last=False))
        + p_data(pdv(3, b"y" * 100, last=False), pdv(3, b"z" * 100))
        + b"\x05\0\0\0\0\x04\0\0\0\0"
    )
    refused = 0
    for _ in range(MUTATIONS):
        stream = bytearray(base)
        for _ in range(rng.randrange(1, 5)):
            stream[rng.randrange(len(stream))] = rng.choice(
                (0, 1, 2, 3, 4, 255, rng.randrange(256))
            )
        if rng.random() < 0.3:
            del stream[rng.randrange(len(stream)) :]
        refused += run_to_the_end(bytes(stream))
    assert 0 < refused < MUTATIONS


def run_to_the_end(stream: bytes) -> bool:
    """Whether the reader refused the stream."""
    reader = established()
    rest = stream
    try:
        while True:
            event = reader.next()
            if event == pdata.COMMAND and reader.has_data_set:
                reader.accept(bytearray(64), 0)
            elif event == pdata.ROOM:
                reader.accept(bytearray(128), 0)
            elif event == pdata.PDU:
                assert reader.pdu
            elif event == pdata.NEED_DATA:
                if not rest:
                    return False
                rest = rest[reader.feed(rest) :]
    except PduError:
        return True


UID_CLASS = b"\x08\0\x16\0UI\x04\x001.2\0"
UID_INSTANCE = b"\x08\0\x18\0UI\x04\x001.3\0"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (UID_CLASS + UID_INSTANCE, (b"1.2", b"1.3")),
        (UID_INSTANCE, (None, b"1.3")),
        (UID_CLASS, (b"1.2", None)),
        (b"\x08\0\x05\0CS\x02\0  " + UID_CLASS + UID_INSTANCE + b"rest", (b"1.2", b"1.3")),
        # a sequence of undefined length in front, with a nested one
        (
            b"\x08\0\x06\0SQ\0\0\xff\xff\xff\xff"
            b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x08\0\x06\0SQ\0\0\xff\xff\xff\xff"
            b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
            b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" + UID_CLASS + UID_INSTANCE,
            (b"1.2", b"1.3"),
        ),
        (b"\x08\0\x06\0SQ\0\0\xff\xff\xff\xff\xfe\xff", (None, None)),
        (b"\x08\0\x16\0UI\xff\x001.2", (None, None)),
        (b"", (None, None)),
    ],
)
def test_sop_uids(data: bytes, expected: tuple[bytes | None, bytes | None]) -> None:
    assert sop_uids(data, 0, True, False) == expected
    assert sop_uids(b"head" + data, 4, True, False) == expected
