"""From files to the data of members: deflated, or stored where that does not pay. All of it works
in threads, mostly without the interpreter's lock."""

import os
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple

from isal import igzip_lib, isal_zlib

from orthanc_fast._ext.zip_records import stored_blocks
from orthanc_fast.errors import CorruptedFile, ParameterOutOfRange
from orthanc_fast.model import Attachment
from orthanc_fast.storage.compression import uncompress_parts
from orthanc_fast.storage.contract import BEYOND_END, Handle, Storage
from orthanc_fast.transfer_syntaxes import SYNTAXES

STORED: Final = 0
DEFLATED: Final = 8

LARGE: Final = 4 << 20  # bytes from which a member is packed in parts
PART: Final = 1 << 20

# Of isal. The next one takes 2.5 times as long for 0.4% less, the first one is as slow and makes 1%
# more (CT slices).
_LEVEL: Final = 2
_SAMPLE: Final = 16 << 10
_PAYS: Final = 0.95  # what it becomes at most, if deflate is worth inflating
_NICENESS: Final = 10  # more than the process has
_LOWEST: Final = 19

# The stored form of a compressed attachment: its size, the header and the checksum of zlib.
_BEFORE_DEFLATED: Final = 8 + 2
_AFTER_DEFLATED: Final = 4


class Packed(NamedTuple):
    """The data of a member, or of a part of one, with the checksum and size of what they were."""

    method: int
    crc: int
    size: int
    data: bytes


class PackingThreads(ThreadPoolExecutor):
    """One thread for each core. They leave the processor to the others of this process, unless all
    of it is `in_background`."""

    def __init__(self, in_background: bool = False) -> None:
        start = None if in_background else _step_back
        super().__init__(os.cpu_count() or 1, "archive", start)


def _step_back() -> None:
    # On Linux a thread is a process to the scheduler. The server itself may have been started with
    # a niceness, of which nobody but root may take anything back.
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS
    os.setpriority(os.PRIO_PROCESS, thread, min(niceness, _LOWEST))


def pack(data: bytes, may_deflate: bool) -> Packed:
    """A whole file as a member."""
    crc = isal_zlib.crc32(data)
    if may_deflate:
        deflated = igzip_lib.compress(data, _LEVEL, igzip_lib.COMP_DEFLATE)
        if len(deflated) <= _PAYS * len(data):
            return Packed(DEFLATED, crc, len(data), deflated)
    return Packed(STORED, crc, len(data), data)


def pack_compressed(stored: bytes, data: bytes) -> Packed:
    """A compressed attachment, and what it inflates to, as a member: it is deflated already."""
    if not data:
        return pack(data, False)
    deflated = stored[_BEFORE_DEFLATED:-_AFTER_DEFLATED]
    return Packed(DEFLATED, isal_zlib.crc32(data), len(data), deflated)


def pack_part(read: Callable[[], bytes], is_last: bool) -> Packed:
    """A part of a deflate stream, which ends with it if it `is_last`. A part that does not become
    smaller is stored in it."""
    data = read()
    crc = isal_zlib.crc32(data)
    if _is_worth_it(data):
        packer = isal_zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        # A part ends at a byte, so that what other threads make can follow.
        deflated = packer.compress(data)
        deflated += packer.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
        if len(deflated) <= _PAYS * len(data):
            return Packed(DEFLATED, crc, len(data), deflated)
    return Packed(DEFLATED, crc, len(data), stored_blocks(data, is_last))


def at_most(size: int) -> int:
    """Bytes of what is made in parts of so many, at most: blocks have headers, parts have ends."""
    return size + size // 1024 + 1024


def may_deflate(data: bytes, transfer_syntax: str | None) -> bool:
    """Whether deflating a file may make it smaller: what is compressed already is tried at a
    sample."""
    syntax = SYNTAXES.get(transfer_syntax or "")
    return syntax is None or syntax.is_native or _is_worth_it(data)


def _is_worth_it(data: bytes) -> bool:
    start = max((len(data) - _SAMPLE) // 2, 0)
    sample = memoryview(data)[start : start + _SAMPLE]
    return len(igzip_lib.compress(sample, 0, igzip_lib.COMP_DEFLATE)) <= _PAYS * len(sample)


class LargeFile:
    """A file that is read in parts while it is packed; open until nobody has a part of it left to
    read. Raises OrthancError 2006 if it is missing."""

    def __init__(self, storage: Storage, file: Attachment) -> None:
        self._handle: Handle = storage.open(file.uuid)
        self._file = file
        self.size = file.size

    def parts(self) -> Iterator[tuple[Callable[[], bytes], int, bool]]:
        """What gives each part, its size, and whether it is the last one."""
        inflated: Iterator[bytes] | None = None
        if self._file.compressed:
            inflated = _evenly(uncompress_parts(self._stored(), PART), PART)
        for start in range(0, self.size, PART):
            size = min(PART, self.size - start)
            is_last = start + size == self.size
            if inflated is None:
                yield partial(self._read, start, size), size, is_last
            else:
                yield partial(_next_of, inflated, size, is_last), size, is_last

    def _read(self, start: int, size: int) -> bytes:
        data = self._handle.read(start, size)
        if len(data) < size:
            raise ParameterOutOfRange(BEYOND_END)
        return data

    @property
    def is_read_in_order(self) -> bool:
        """Whether no part may be asked for before the one in front of it has been given."""
        return self._file.compressed

    def _stored(self) -> Iterator[bytes]:
        for start in range(0, self._file.stored_size, PART):
            yield self._handle.read(start, min(PART, self._file.stored_size - start))


def _next_of(parts: Iterator[bytes], size: int, is_last: bool) -> bytes:
    """Raises CorruptedFile where there is less, or more, than was announced."""
    data = next(parts, b"")
    if len(data) != size or (is_last and next(parts, None) is not None):
        raise CorruptedFile("a compressed attachment does not have the bytes that it announces")
    return data


def _evenly(parts: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in parts of `size`, but for the last one."""
    rest = b""
    for part in parts:
        rest = rest + part if rest else part
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest:
        yield rest
