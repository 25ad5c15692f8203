"""The bodies that hold volumes: plain, in a ZIP, gzipped, several in one .npz."""

import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing

from isal import isal_zlib

from orthanc_fast.services.volumes.plan import Volume
from orthanc_fast.services.volumes.streaming import Piece, Streams
from orthanc_fast.services.volumes.zip_records import DEFLATED, STORED, Member, directory

MEMBER = "arr_0"

Bytes = bytes | bytearray


async def plain(
    streams: Streams, volume: Volume, header: bytes, first: int, stop: int
) -> AsyncGenerator[Bytes]:
    """The bytes `first` to `stop` of header and volume."""
    head = header[first:stop]
    first, stop = max(first - len(header), 0), stop - len(header)
    if stop <= first:
        yield head
        return
    async with aclosing(streams.raw(volume, first, stop)) as stream:
        async for chunk in stream:
            if head:  # not before the first frame is there
                yield head
                head = b""
            yield chunk


async def zipped(streams: Streams, volume: Volume, header: bytes) -> AsyncGenerator[Bytes]:
    """A ZIP with the array as its only member, deflated."""
    member = Member(MEMBER, DEFLATED, 0)
    offset = len(member.local_header())
    async with aclosing(streams.deflated(volume, header)) as pieces:
        async for piece in pieces:
            if member.size == 0:
                yield member.local_header()
            _add(member, piece)
            yield piece.data
    yield member.descriptor()
    yield directory([member], offset + member.packed + len(member.descriptor()))


def _add(member: Member, piece: Piece) -> None:
    member.crc = isal_zlib.crc32_combine(member.crc, piece.crc, piece.length)
    member.packed += len(piece.data)
    member.size += piece.length


async def gzipped(streams: Streams, volume: Volume, header: bytes) -> AsyncGenerator[Bytes]:
    """The same as a gzip file (RFC 1952)."""
    member = Member("", DEFLATED, 0)
    async with aclosing(streams.deflated(volume, header)) as pieces:
        async for piece in pieces:
            if member.size == 0:
                yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
            _add(member, piece)
            yield piece.data
    yield struct.pack("<II", member.crc, member.size & 0xFFFFFFFF)


async def npz(streams: Streams, named: list[tuple[str, Volume]]) -> AsyncGenerator[Bytes]:
    """A ZIP with one stored member for each volume."""
    members: list[Member] = []
    offset = 0
    for name, volume in named:
        member = Member(name, STORED, offset)
        members.append(member)
        header = volume.header()
        start = member.local_header()
        stream = plain(streams, volume, header, 0, len(header) + volume.nbytes)
        async with aclosing(stream):
            async for chunk in stream:
                if start:
                    yield start
                    offset += len(start)
                    start = b""
                member.crc = isal_zlib.crc32(chunk, member.crc)
                member.size += len(chunk)
                yield chunk
        member.packed = member.size
        yield member.descriptor()
        offset += member.size + len(member.descriptor())
    yield directory(members, offset)
