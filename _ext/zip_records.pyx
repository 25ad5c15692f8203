# cython: language_level=3
"""What stands around the data of a ZIP archive (APPNOTE.TXT 6.3, sections 4.3 to 4.5): local headers, data descriptors
and the central directory, with ZIP64 where a number needs it. Also the blocks in which deflate stores what it cannot
make smaller (RFC 1951, section 3.2.4).

The central directory is the only thing that grows with an archive: about 50 bytes for each member and its name. It is
kept, and given out, in blocks.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    LOCAL = 30         # bytes of the records without names and extra fields
    CENTRAL = 46
    LOCAL_EXTRA = 20
    CENTRAL_EXTRA = 28
    END = 22
    END64 = 56 + 20    # with its locator
    MAX_NAME = 0xFFFF
    BLOCK = 0xFFFF     # bytes of one stored block
    BLOCK_HEADER = 5
    DESCRIBED = 1 << 3  # flag: sizes and checksum follow the data
    PIECE = 1 << 18     # bytes of a block of the central directory, but for the last one and for long names

cdef uint32_t NEVER = 0xFFFFFFFF


cdef inline uint8_t* put16(uint8_t* out, uint64_t value) noexcept nogil:
    out[0] = value & 0xFF
    out[1] = value >> 8 & 0xFF
    return out + 2


cdef inline uint8_t* put32(uint8_t* out, uint64_t value) noexcept nogil:
    return put16(put16(out, value), value >> 16)


cdef inline uint8_t* put64(uint8_t* out, uint64_t value) noexcept nogil:
    return put32(put32(out, value), value >> 32)


cdef struct Member:
    uint16_t version
    uint16_t flags
    uint16_t method
    uint32_t stamp
    uint32_t crc
    uint64_t packed
    uint64_t size
    uint64_t offset
    bint is_large       # in its local header
    bint is_begun


cdef class Records:
    """The records of one archive, in the order in which they are written.

    `comment` is that of the archive. From `large` bytes on a size or an offset is written as ZIP64. Who only wants to know
    where members lie, and how long the archive becomes, `measures`: then there is no directory in the end.
    """

    cdef bytes _comment
    cdef uint64_t _large
    cdef uint64_t _offset
    cdef uint64_t _count
    cdef bint _measures
    cdef list _blocks
    cdef bytearray _block
    cdef uint64_t _used
    cdef bytes _name
    cdef Member _open

    def __init__(self, bytes comment not None=b"", large=NEVER, bint measures=False):
        if len(comment) > MAX_NAME or not 0 < large <= NEVER:
            raise ValueError("a comment of at most 65535 bytes, ZIP64 from at most 2^32 - 1 bytes on")
        self._comment = comment
        self._large = large
        self._measures = measures
        self._blocks = []
        self._block = bytearray()

    @property
    def offset(self):
        """Bytes of the archive so far: where the next member begins."""
        return self._offset

    @property
    def count(self):
        """Members so far."""
        return self._count

    def member(self, bytes name not None, uint16_t flags, uint16_t method, uint32_t stamp, uint32_t crc, uint64_t packed,
               uint64_t size):
        """The header of a member that is known, and is followed by its `packed` bytes of data.

        `name` is at most 65535 bytes, `flags` are general purpose bits, `stamp` is date << 16 | time of MS-DOS.
        Raises ValueError for a longer name, or while another member is open.
        """
        cdef bint is_large = size >= self._large or packed >= self._large
        cdef bytes header = self._header(name, flags, method, stamp, crc, packed, size, is_large)
        self._close(crc, packed, size)
        self._offset += packed
        return header

    def begin(self, bytes name not None, uint16_t flags, uint16_t method, uint32_t stamp, uint64_t at_most):
        """The header of a member whose size and checksum are told by the descriptor that follows its data.

        Neither its data nor what they inflate to are more than `at_most` bytes. Raises as `member`.
        """
        return self._header(name, flags | DESCRIBED, method, stamp, 0, 0, 0, at_most >= self._large)

    def finish(self, uint32_t crc, uint64_t packed, uint64_t size):
        """The descriptor of the member that was begun last, after its `packed` bytes of data. Raises ValueError
        without one, or for more than was announced."""
        cdef uint8_t record[24]
        cdef uint8_t* out = record
        if not self._open.is_begun:
            raise ValueError("no member has been begun")
        if (size >= self._large or packed >= self._large) and not self._open.is_large:
            raise ValueError(f"{size} bytes are more than was announced")
        out = put32(put32(out, 0x08074B50), crc)
        out = put64(put64(out, packed), size) if self._open.is_large else put32(put32(out, packed), size)
        self._close(crc, packed, size)
        self._offset += packed + (out - record)
        return PyBytes_FromStringAndSize(<char*> record, out - record)

    @property
    def directory_size(self):
        """Bytes of the end of the archive, as it is now."""
        return self._used + (END64 if self._is_large() else 0) + END + len(self._comment)

    def directory(self):
        """The end of the archive, in blocks: the central directory and what leads to it. Raises ValueError while a member
        is open, or where there is none."""
        cdef bint is_large = self._is_large()
        cdef uint8_t[END64 + END] record
        cdef uint8_t* out = record
        if self._open.is_begun or self._measures:
            raise ValueError("a member is open, or nothing but measures was wanted")
        if is_large:
            out = put64(put32(out, 0x06064B50), 44)
            out = put32(put32(put16(put16(out, 45), 45), 0), 0)
            out = put64(put64(put64(put64(out, self._count), self._count), self._used), self._offset)
            out = put32(put64(put32(put32(out, 0x07064B50), 0), self._offset + self._used), 1)
        out = put16(put16(put32(out, 0x06054B50), 0), 0)
        out = put16(out, self._count if self._count < 0xFFFF else 0xFFFF)
        out = put16(out, self._count if self._count < 0xFFFF else 0xFFFF)
        out = put32(out, self._used if self._used < self._large else NEVER)
        out = put32(out, self._offset if self._offset < self._large else NEVER)
        out = put16(out, len(self._comment))
        end = PyBytes_FromStringAndSize(<char*> record, out - record)
        return [*self._blocks, bytes(self._block) + end + self._comment]

    cdef bint _is_large(self) noexcept:
        return self._count >= 0xFFFF or self._used >= self._large or self._offset >= self._large

    cdef bytes _header(self, bytes name, uint16_t flags, uint16_t method, uint32_t stamp, uint32_t crc,
                       uint64_t packed, uint64_t size, bint is_large):
        cdef Py_ssize_t length = len(name)
        cdef bytes header
        cdef uint8_t* out
        if self._open.is_begun:
            raise ValueError("another member is open")
        if length > MAX_NAME:
            raise ValueError(f"a name of {length} bytes")
        header = PyBytes_FromStringAndSize(NULL, LOCAL + length + (LOCAL_EXTRA if is_large else 0))
        out = <uint8_t*> PyBytes_AsString(header)
        self._name = name
        self._open.version = 45 if is_large else 20
        self._open.flags, self._open.method, self._open.stamp = flags, method, stamp
        self._open.offset = self._offset
        self._open.is_large, self._open.is_begun = is_large, True
        out = put16(put16(put32(out, 0x04034B50), self._open.version), flags)
        out = put32(put32(put16(out, method), stamp), crc)
        out = put32(put32(out, NEVER if is_large else packed), NEVER if is_large else size)
        out = put16(put16(out, length), LOCAL_EXTRA if is_large else 0)
        memcpy(out, PyBytes_AsString(name), length)
        if is_large:
            put64(put64(put16(put16(out + length, 1), 16), size), packed)
        self._offset += len(header)
        return header

    cdef int _close(self, uint32_t crc, uint64_t packed, uint64_t size) except -1:
        """Adds the open member to the central directory."""
        cdef Member* member = &self._open
        cdef Py_ssize_t length = len(self._name)
        cdef uint8_t[CENTRAL] record
        cdef uint8_t[CENTRAL_EXTRA] extra
        cdef uint8_t* out = record
        cdef uint8_t* more = extra + 4
        cdef bint large_size = size >= self._large
        cdef bint large_packed = packed >= self._large
        cdef bint large_offset = member.offset >= self._large
        if large_size:
            more = put64(more, size)
        if large_packed:
            more = put64(more, packed)
        if large_offset:
            more = put64(more, member.offset)
        if more == extra + 4:
            more = extra
        else:
            put16(put16(extra, 1), more - extra - 4)
        self._used += CENTRAL + length + (more - extra)
        self._count += 1
        member.is_begun = False
        if self._measures:
            return 0
        out = put16(put32(out, 0x02014B50), 0)
        out = put16(put16(put16(out, 45 if more > extra else member.version), member.flags), member.method)
        out = put32(put32(out, member.stamp), crc)
        out = put32(put32(out, NEVER if large_packed else packed), NEVER if large_size else size)
        out = put16(put16(out, length), more - extra)
        out = put32(put16(put16(put16(out, 0), 0), 0), 0)
        put32(out, NEVER if large_offset else member.offset)
        self._block += PyBytes_FromStringAndSize(<char*> record, CENTRAL)
        self._block += self._name
        if more > extra:
            self._block += PyBytes_FromStringAndSize(<char*> extra, more - extra)
        if len(self._block) >= PIECE:
            self._blocks.append(bytes(self._block))
            self._block = bytearray()
        return 0


def stored_blocks(const unsigned char[::1] data not None, bint is_last):
    """`data` as a piece of a deflate stream that stores it; the stream ends with it if it `is_last`."""
    cdef Py_ssize_t size = data.shape[0]
    cdef Py_ssize_t blocks = (size + BLOCK - 1) // BLOCK
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t length
    cdef uint8_t* out
    cdef bytes made
    if blocks == 0:
        blocks = 1
    made = PyBytes_FromStringAndSize(NULL, size + blocks * BLOCK_HEADER)
    out = <uint8_t*> PyBytes_AsString(made)
    with nogil:
        while blocks:
            blocks -= 1
            length = size - at if size - at < BLOCK else BLOCK
            out[0] = is_last and blocks == 0
            out = put16(put16(out + 1, length), ~length)
            if length:
                memcpy(out, &data[at], length)
            out += length
            at += length
    return made
