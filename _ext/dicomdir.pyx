# cython: language_level=3
"""The directory of a medium, record by record (DICOM PS3.3 Annex F, PS3.10 section 8): a tree of directory records,
written depth first in explicit little endian, each with the offsets of its next sibling and of its first child.

Most of what records say is said by many: their elements are packed by a function of the caller, block by block, until the
file is written, part by part. A record costs 40 bytes more.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef enum:
    ITEM = 8               # bytes of an item's header, and of its delimiter
    OFFSETS = 12 + 10 + 12  # next record, in use, lower level
    NONE = -1
    DEPTH = 8              # levels that a tree may have
    FILE_SET_ID = 16       # bytes that a CS has at most
    BLOCK = 1 << 16        # bytes of elements that are packed together, at least

cdef uint64_t MOST = 0xFFFFFFFF


cdef struct Record:
    int32_t next
    int32_t child
    int32_t last_child
    int32_t level
    uint32_t block          # where its elements are: in which one, and from which byte on
    uint32_t start
    uint32_t size
    uint32_t offset         # in the file


cdef inline uint8_t* put16(uint8_t* out, uint32_t value) noexcept nogil:
    out[0] = value & 0xFF
    out[1] = value >> 8 & 0xFF
    return out + 2


cdef inline uint8_t* put32(uint8_t* out, uint32_t value) noexcept nogil:
    return put16(put16(out, value), value >> 16)


cdef inline uint8_t* put_tag(uint8_t* out, uint32_t group, uint32_t element) noexcept nogil:
    return put16(put16(out, group), element)


cdef inline uint8_t* put_number(uint8_t* out, uint32_t element, uint32_t value) noexcept nogil:
    """A UL of group 0004."""
    out = put_tag(out, 4, element)
    out[0], out[1] = b"U", b"L"
    return put32(put16(out + 2, 4), value)


cdef inline uint8_t* put_short(uint8_t* out, uint32_t element, uint32_t value) noexcept nogil:
    """A US of group 0004."""
    out = put_tag(out, 4, element)
    out[0], out[1] = b"U", b"S"
    return put16(put16(out + 2, 2), value)


cdef class Directory:
    """The records of one medium. A record is named by its number, which `add` returns. `pack` makes bytes smaller,
    `unpack` makes the same bytes of that."""

    cdef Record* _records
    cdef int32_t _count
    cdef int32_t _capacity
    cdef object _pack
    cdef object _unpack
    cdef list _blocks            # packed; the last one is not full yet, and is not among them
    cdef bytearray _last_block
    cdef bytes _open             # one of them, as it was
    cdef uint32_t _open_number
    cdef uint64_t _used          # bytes of all elements
    cdef int32_t _first
    cdef int32_t _last
    cdef int32_t _at             # the record that is written next, and those above it
    cdef int32_t _depth
    cdef int32_t[DEPTH] _above
    cdef bint _is_ended

    def __cinit__(self):
        self._records = NULL
        self._first = self._last = self._at = NONE

    def __init__(self, pack, unpack):
        self._pack, self._unpack = pack, unpack
        self._blocks, self._last_block = [], bytearray()
        self._open, self._open_number = b"", 0xFFFFFFFF

    def __dealloc__(self):
        free(self._records)

    def __len__(self):
        return self._count

    def add(self, int32_t parent, bytes elements not None):
        """A record behind the others below `parent` (-1: at the top); its number.

        `elements` are those from DirectoryRecordType on, encoded, in ascending order of their tags. Raises ValueError
        for a parent that is none, or below which there can be nothing.
        """
        cdef Py_ssize_t size = len(elements)
        cdef int32_t number = self._count
        cdef Record* record
        if not NONE <= parent < number or size > 0x7FFFFFFF or number == 0x7FFFFFFF:
            raise ValueError(f"{parent} is no record of {number}, or {size} bytes are too many")
        if parent != NONE and self._records[parent].level + 1 == DEPTH:
            raise ValueError(f"{parent} is {DEPTH} levels deep already")
        self._grow()
        record = &self._records[number]
        record.next = record.child = record.last_child = NONE
        record.level = 0 if parent == NONE else self._records[parent].level + 1
        record.block, record.start = len(self._blocks), len(self._last_block)
        record.size, record.offset = size, 0
        self._last_block += elements
        if len(self._last_block) >= BLOCK:
            self._blocks.append(self._pack(bytes(self._last_block)))
            self._last_block = bytearray()
        self._used += size
        self._count += 1
        if parent == NONE:
            if self._last != NONE:
                self._records[self._last].next = number
            else:
                self._first = number
            self._last = number
        else:
            if self._records[parent].last_child != NONE:
                self._records[self._records[parent].last_child].next = number
            else:
                self._records[parent].child = number
            self._records[parent].last_child = number
        return number

    def begin(self, bytes header not None, bytes file_set_id not None):
        """Bytes of the whole file, and those in front of its records: `header` is preamble and meta information. The rest
        is what `part` gives. Raises ValueError for an identifier of more than 16 bytes, or a directory of 4 GiB or
        more."""
        cdef Py_ssize_t length = len(file_set_id)
        cdef Py_ssize_t start = len(header) + 8 + length + length % 2 + 12 + 12 + 10 + 12
        cdef uint64_t total = start + self._used + <uint64_t> self._count * (2 * ITEM + OFFSETS) + ITEM
        cdef bytes made
        cdef uint8_t* out
        if length > FILE_SET_ID:
            raise ValueError(f"a file-set identifier of {length} bytes")
        if total > MOST:
            raise ValueError(f"a directory of {total} bytes")
        self._lay_out(start)
        made = PyBytes_FromStringAndSize(NULL, start)
        out = <uint8_t*> PyBytes_AsString(made)
        memcpy(out, PyBytes_AsString(header), len(header))
        out = put_tag(out + len(header), 4, 0x1130)
        out[0], out[1] = b"C", b"S"
        out = put16(out + 2, length + length % 2)
        memcpy(out, PyBytes_AsString(file_set_id), length)
        if length % 2:
            out[length] = b" "
        out = put_number(out + length + length % 2, 0x1200, self._offset(self._first))
        out = put_number(out, 0x1202, self._offset(self._last))
        out = put_short(out, 0x1212, 0)
        out = put_tag(out, 4, 0x1220)
        out[0], out[1], out[2], out[3] = b"S", b"Q", 0, 0
        put32(out + 4, 0xFFFFFFFF)
        self._at, self._depth, self._is_ended = self._first, 0, False
        return total, made

    def part(self, Py_ssize_t at_most):
        """The next records, and at last the end: of about `at_most` bytes, one record at least. Nothing, when all have
        been given."""
        cdef Py_ssize_t room = ITEM
        cdef int32_t number = self._at
        cdef int32_t depth = self._depth
        cdef int32_t[DEPTH] above = self._above
        cdef bytes made
        cdef uint8_t* out
        if self._is_ended:
            return b""
        with nogil:
            while number != NONE and (room == ITEM or room < at_most):
                room += 2 * ITEM + OFFSETS + self._records[number].size
                number = self._following(number, above, &depth)
        self._is_ended = number == NONE
        made = PyBytes_FromStringAndSize(NULL, room if self._is_ended else room - ITEM)
        out = <uint8_t*> PyBytes_AsString(made)
        while self._at != number:
            out = self._put_record(out, &self._records[self._at])
            self._at = self._following(self._at, self._above, &self._depth)
        if self._is_ended:
            put32(put_tag(out, 0xFFFE, 0xE0DD), 0)
        return made

    cdef uint32_t _offset(self, int32_t number) noexcept nogil:
        return 0 if number == NONE else self._records[number].offset

    cdef void _lay_out(self, uint32_t at) noexcept nogil:
        """Gives each record its offset, depth first."""
        cdef int32_t number = self._first
        cdef int32_t depth = 0
        cdef int32_t[DEPTH] above
        while number != NONE:
            self._records[number].offset = at
            at += 2 * ITEM + OFFSETS + self._records[number].size
            number = self._following(number, above, &depth)

    cdef uint8_t* _put_record(self, uint8_t* out, Record* record) except NULL:
        if record.block != self._open_number:
            self._open = self._block(record.block)
            self._open_number = record.block
        if <uint64_t> record.start + record.size > <uint64_t> len(self._open):
            raise ValueError("what has been packed is another thing now")
        out = put32(put_tag(out, 0xFFFE, 0xE000), 0xFFFFFFFF)
        out = put_number(out, 0x1400, self._offset(record.next))
        out = put_short(out, 0x1410, 0xFFFF)
        out = put_number(out, 0x1420, self._offset(record.child))
        if record.size:
            memcpy(out, PyBytes_AsString(self._open) + record.start, record.size)
        return put32(put_tag(out + record.size, 0xFFFE, 0xE00D), 0)

    cdef bytes _block(self, uint32_t number):
        if number < <uint32_t> len(self._blocks):
            return self._unpack(self._blocks[number])
        return bytes(self._last_block)

    cdef int32_t _following(self, int32_t number, int32_t* above, int32_t* depth) noexcept nogil:
        """The record behind this one, depth first; `above` are those on the way down."""
        if self._records[number].child != NONE:
            above[depth[0]] = number
            depth[0] += 1
            return self._records[number].child
        while self._records[number].next == NONE and depth[0]:
            depth[0] -= 1
            number = above[depth[0]]
        return self._records[number].next

    cdef int _grow(self) except -1:
        cdef int32_t capacity = self._capacity
        cdef void* grown
        if self._count == capacity:
            capacity = capacity + (capacity >> 1) + 64
            grown = realloc(self._records, capacity * sizeof(Record))
            if grown == NULL:
                raise MemoryError
            self._records, self._capacity = <Record*> grown, capacity
        return 0
