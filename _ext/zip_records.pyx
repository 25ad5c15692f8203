# cython: language_level=3
"""What stands around the data of a ZIP archive (APPNOTE.TXT 6.3, sections 4.3 to 4.5): local headers, data descriptors
and the central directory, with ZIP64 where a number needs it. Also the blocks in which deflate stores what it cannot
make smaller (RFC 1951, section 3.2.4).

The central directory is the only thing that grows with an archive: about 50 bytes for each member and its name.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
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

    `comment` is that of the archive. From `large` bytes on a size or an offset is written as ZIP64.
    """

    cdef bytes _comment
    cdef uint64_t _large
    cdef uint64_t _offset
    cdef uint64_t _count
    cdef uint8_t* _central
    cdef size_t _used
    cdef size_t _capacity
    cdef bytes _name
    cdef Member _open

    def __cinit__(self):
        self._central = NULL

    def __init__(self, bytes comment not None=b"", large=NEVER):
        if len(comment) > MAX_NAME or not 0 < large <= NEVER:
            raise ValueError("a comment of at most 65535 bytes, ZIP64 from at most 2^32 - 1 bytes on")
        self._comment = comment
        self._large = large

    def __dealloc__(self):
        free(self._central)

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

    def directory(self):
        """The end of the archive: the central directory and what leads to it. Raises ValueError while a member is
        open."""
        cdef bint is_large = self._count >= 0xFFFF or self._used >= self._large or self._offset >= self._large
        cdef Py_ssize_t comment = len(self._comment)
        cdef bytes made
        cdef uint8_t* out
        if self._open.is_begun:
            raise ValueError("a member is open")
        made = PyBytes_FromStringAndSize(NULL, self._used + (END64 if is_large else 0) + END + comment)
        out = <uint8_t*> PyBytes_AsString(made)
        if self._used:
            memcpy(out, self._central, self._used)
        out += self._used
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
        out = put16(out, comment)
        if comment:
            memcpy(out, PyBytes_AsString(self._comment), comment)
        return made

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
        cdef uint8_t* out = self._room(CENTRAL + length + CENTRAL_EXTRA)
        cdef bint large_size = size >= self._large
        cdef bint large_packed = packed >= self._large
        cdef bint large_offset = member.offset >= self._large
        cdef int extra = 8 * (large_size + large_packed + large_offset)
        out = put16(put32(out, 0x02014B50), 0)
        out = put16(put16(put16(out, 45 if extra else member.version), member.flags), member.method)
        out = put32(put32(out, member.stamp), crc)
        out = put32(put32(out, NEVER if large_packed else packed), NEVER if large_size else size)
        out = put16(put16(out, length), extra + 4 if extra else 0)
        out = put32(put16(put16(put16(out, 0), 0), 0), 0)
        out = put32(out, NEVER if large_offset else member.offset)
        memcpy(out, PyBytes_AsString(self._name), length)
        out += length
        if extra:
            out = put16(put16(out, 1), extra)
            if large_size:
                out = put64(out, size)
            if large_packed:
                out = put64(out, packed)
            if large_offset:
                out = put64(out, member.offset)
        self._used = out - self._central
        self._count += 1
        member.is_begun = False
        return 0

    cdef uint8_t* _room(self, size_t size) except NULL:
        """Where the next bytes of the central directory go."""
        cdef size_t capacity = self._capacity
        cdef uint8_t* grown
        if self._used + size > capacity:
            capacity = capacity + (capacity >> 1) + size + 4096
            grown = <uint8_t*> realloc(self._central, capacity)
            if grown == NULL:
                raise MemoryError
            self._central, self._capacity = grown, capacity
        return self._central + self._used


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
