"""The compiled writer of P-DATA: what it sends is read back by the reader, PDU by PDU, whatever the
sizes of fragments, parts and socket buffers."""

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthanc_fast._ext import pdata
from orthanc_fast._ext.pdata import PduError, PduReader
from orthanc_fast._ext.pdata_writer import MessageWriter
from orthanc_fast.upper_layer.dimse import LARGEST_PDU, fragment_size, fragments, store_request

COMMAND = store_request(7, "1.2.840.10008.5.1.4.1.1.2", "1.2.3", ("MOVER", 9))


def pdus(stream: bytes) -> list[tuple[int, int, bytes]]:
    """(context, control header, data) of each PDU; every one holds one PDV."""
    found, at = [], 0
    while at < len(stream):
        kind, _, length, size, context, control = struct.unpack_from(">BBIIBB", stream, at)
        assert (kind, length) == (4, size + 4)
        assert at + 6 + length <= len(stream)
        found.append((context, control, stream[at + 12 : at + 6 + length]))
        at += 6 + length
    return found


def check(stream: bytes, fragment: int, data: bytes) -> None:
    found = pdus(stream)
    commands = [each for each in found if each[1] & 1]
    data_sets = [each for each in found if not each[1] & 1]
    assert found == commands + data_sets
    for group, whole in ((commands, COMMAND), (data_sets, data)):
        assert b"".join(each[2] for each in group) == whole
        assert [each[1] >> 1 for each in group] == [0] * (len(group) - 1) + [1] * bool(group)
        assert all(len(each[2]) == fragment for each in group[:-1])
        assert all(len(each[2]) <= fragment for each in group)
        assert all(each[0] == 5 for each in group)


def cut(data: bytes, cuts: list[int]) -> list[bytes | bytearray | memoryview]:
    """The data in parts of every kind of buffer, some of them empty."""
    places = sorted(min(each, len(data)) for each in cuts)
    parts = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    kinds = (bytes, bytearray, memoryview)
    return [kinds[number % 3](part) for number, part in enumerate(parts)]


SHAPES = (
    st.integers(1, 3000),  # fragment
    st.integers(1, 60_000),  # data set
    st.lists(st.integers(0, 60_000), max_size=8),  # cuts
    st.integers(1, 70_000),  # staging
)


@settings(max_examples=80, deadline=None)
@given(*SHAPES)
def test_gathered_for_tls(fragment: int, size: int, cuts: list[int], staging: int) -> None:
    data = random.Random(size).randbytes(size)
    writer = MessageWriter(fragment)
    writer.begin(5, COMMAND, cut(data, cuts))
    stream = b""
    target = bytearray(staging)
    while count := writer.fill(target):
        stream += target[:count]
    check(stream, fragment, data)


@pytest.mark.parametrize("maximum", [8, 9, 100, 4097, 16384, 0])
@pytest.mark.parametrize("size", [1, 2, 16378, 16379, 50_000])
def test_responses_of_our_own(maximum: int, size: int) -> None:
    """They are put together in Python, in the same fragments."""
    data = random.Random(size).randbytes(size)
    stream = b"".join(fragments(5, COMMAND, True, maximum))
    stream += b"".join(fragments(5, data, False, maximum))
    check(stream, fragment_size(maximum), data)


@settings(max_examples=40, deadline=None)
@given(*SHAPES[:3], st.integers(2048, 20_000))
def test_sent_through_a_narrow_socket(
    fragment: int, size: int, cuts: list[int], narrow: int
) -> None:
    data = random.Random(size).randbytes(size)
    with sockets(narrow) as (ours, theirs):
        received = bytearray()

        def receive() -> None:
            while part := theirs.recv(1500):
                received.extend(part)

        reading = threading.Thread(target=receive)
        reading.start()
        writer = MessageWriter(fragment)
        for _ in range(2):  # a writer is used again
            writer.begin(5, COMMAND, cut(data, cuts))
            writer.write(ours.fileno(), 10_000)
        ours.shutdown(socket.SHUT_WR)
        reading.join()
    half = len(received) // 2
    check(bytes(received[:half]), fragment, data)
    assert received[:half] == received[half:]


def test_the_reader_reads_it() -> None:
    data = random.Random(1).randbytes(1_000_000)
    with sockets(100_000) as (ours, theirs):
        theirs.setblocking(False)
        reader = PduReader()
        reader.establish(16384, [5])
        writer = MessageWriter(fragment_size(16384))
        writer.begin(5, COMMAND, [data])
        sending = threading.Thread(target=writer.write, args=(ours.fileno(), 10_000))
        sending.start()
        assert reader.wait(theirs.fileno(), 10_000) == pdata.COMMAND
        assert reader.command_set == COMMAND
        target = bytearray(len(data) + 1)
        reader.accept(target, 0)
        assert reader.wait(theirs.fileno(), 10_000) == pdata.DATA_SET
        assert target[: reader.used] == data
        sending.join()


@contextmanager
def sockets(narrow: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, narrow)
        ours.setblocking(False)
        yield ours, theirs


def test_who_does_not_take_it() -> None:
    part = bytearray(1_000_000)
    with sockets(4096) as (ours, theirs):
        writer = MessageWriter(1000)
        writer.begin(5, COMMAND, [part])
        with pytest.raises(TimeoutError):
            writer.write(ours.fileno(), 20)
        with pytest.raises(BufferError):
            part.append(0)  # is held until the writer lets go
        writer.release()
        part.append(0)
        theirs.close()
        writer.begin(5, COMMAND, [part])
        with pytest.raises(BrokenPipeError):
            writer.write(ours.fileno(), 1000)


def test_buffers_are_let_go_after_the_last_byte() -> None:
    part = bytearray(10)
    writer = MessageWriter(1000)
    writer.begin(5, COMMAND, [part])
    target = bytearray(1000)
    assert writer.fill(target) and not writer.fill(target)
    part.append(0)


def test_what_is_no_message() -> None:
    writer = MessageWriter(1000)
    for command, parts in ((b"", [b"x"]), (COMMAND, [b""]), (COMMAND, [b"", b""])):
        with pytest.raises(ValueError):
            writer.begin(5, command, parts)
    with pytest.raises(BufferError):
        writer.begin(5, COMMAND, [b"x", memoryview(b"abcdef")[::2]])
    with pytest.raises(ValueError):
        MessageWriter(0)
    target = bytearray(10)
    assert writer.fill(target) == 0  # nothing has been begun


@pytest.mark.parametrize(
    "maximum, expected",
    [
        (0, LARGEST_PDU - 6),
        (16384, 16378),
        (16383, 16376),
        (8, 2),
        (0xFFFFFFFF, LARGEST_PDU - 6),
    ],
)
def test_fragments_fit_and_are_even(maximum: int, expected: int) -> None:
    assert fragment_size(maximum) == expected


@pytest.mark.parametrize("maximum", [1, 6, 7])
def test_a_peer_that_takes_nothing(maximum: int) -> None:
    with pytest.raises(PduError):
        fragment_size(maximum)
