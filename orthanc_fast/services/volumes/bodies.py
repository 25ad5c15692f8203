"""The bodies that hold volumes: plain, in a ZIP, gzipped, several in one .npz."""

import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing

from isal import isal_zlib

from orthanc_fast._ext.zip_records import Records
from orthanc_fast.services.volumes.plan import Volume
from orthanc_fast.services.volumes.streaming import Piece, Streams

MEMBER = b"arr_0"

_STORED, _DEFLATED = 0, 8
_UTF8 = 1 << 11  # the names are
_STAMP = 0x21 << 16  # 1980-01-01: the same series gives the same bytes

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


class _Sum:
    """What pieces are together."""

    crc = packed = size = 0

    def add(self, piece: Piece) -> None:
        self.crc = isal_zlib.crc32_combine(self.crc, piece.crc, piece.length)
        self.packed += len(piece.data)
        self.size += piece.length


async def zipped(streams: Streams, volume: Volume, header: bytes) -> AsyncGenerator[Bytes]:
    """A ZIP with the array as its only member, deflated."""
    records, done = Records(), _Sum()
    size = len(header) + volume.nbytes
    at_most = size + size // 1024 + 1024  # deflate adds less to what it cannot make smaller
    async with aclosing(streams.deflated(volume, header)) as pieces:
        async for piece in pieces:
            if done.size == 0:
                yield records.begin(MEMBER, _UTF8, _DEFLATED, _STAMP, at_most)
            done.add(piece)
            yield piece.data
    yield records.finish(done.crc, done.packed, done.size)
    for block in records.directory():
        yield block


async def gzipped(streams: Streams, volume: Volume, header: bytes) -> AsyncGenerator[Bytes]:
    """The same as a gzip file (RFC 1952)."""
    done = _Sum()
    async with aclosing(streams.deflated(volume, header)) as pieces:
        async for piece in pieces:
            if done.size == 0:
                yield b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
            done.add(piece)
            yield piece.data
    yield struct.pack("<II", done.crc, done.size & 0xFFFFFFFF)


async def npz(streams: Streams, named: list[tuple[str, Volume]]) -> AsyncGenerator[Bytes]:
    """A ZIP with one stored member for each volume."""
    records = Records()
    for name, volume in named:
        header = volume.header()
        size, crc = len(header) + volume.nbytes, 0
        start = records.begin(name.encode(), _UTF8, _STORED, _STAMP, size)
        async with aclosing(plain(streams, volume, header, 0, size)) as stream:
            async for chunk in stream:
                if start:
                    yield start
                    start = b""
                crc = isal_zlib.crc32(chunk, crc)
                yield chunk
        yield records.finish(crc, size, size)
    for block in records.directory():
        yield block


def npz_length(names_and_sizes: list[tuple[str, int]]) -> int:
    """Bytes of a ZIP as `npz` makes it, of members with these names and sizes."""
    records = Records(measures=True)
    for name, size in names_and_sizes:
        records.begin(name.encode(), _UTF8, _STORED, _STAMP, size)
        records.finish(0, size, size)
    return records.offset + records.directory_size
