# cython: language_level=3
"""Patterns with `*` and `?` against the keys of an index: UTF-8 behind a head, ended by a zero byte or the end."""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize, PyBytes_Size
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    ID = 20

cdef struct Piece:
    const unsigned char* data      # a zero byte stands for any one character
    Py_ssize_t size
    bint literal                   # has none


cdef inline bint continues(unsigned char byte) noexcept nogil:
    """Whether the byte is not the first one of its character."""
    return byte & 0xC0 == 0x80


cdef const unsigned char* ahead(const Piece* piece, const unsigned char* at, const unsigned char* end) noexcept nogil:
    """Where the piece ends that begins here, NULL where it does not."""
    cdef Py_ssize_t i
    for i in range(piece.size):
        if at >= end:
            return NULL
        if piece.data[i]:
            if at[0] != piece.data[i]:
                return NULL
            at += 1
            continue
        if continues(at[0]):
            return NULL
        at += 1
        while at < end and continues(at[0]):
            at += 1
    return at


cdef const unsigned char* behind(const Piece* piece, const unsigned char* start, const unsigned char* at) noexcept nogil:
    """Where the piece begins that ends here, NULL where it does not."""
    cdef Py_ssize_t i
    for i in range(piece.size - 1, -1, -1):
        if at <= start:
            return NULL
        at -= 1
        if piece.data[i]:
            if at[0] != piece.data[i]:
                return NULL
            continue
        while continues(at[0]):
            if at <= start:
                return NULL
            at -= 1
    return at


cdef const unsigned char* found(const Piece* piece, const unsigned char* at, const unsigned char* end) noexcept nogil:
    """The end of the first place from here where the piece stands, NULL where it is nowhere."""
    cdef const unsigned char* past
    if piece.size == 0:
        return at
    while at < end:
        if piece.data[0]:
            at = <const unsigned char*> memchr(at, piece.data[0], end - at)
            if at == NULL:
                return NULL
        if piece.literal:
            if end - at < piece.size:
                return NULL
            if memcmp(at, piece.data, piece.size) == 0:
                return at + piece.size
        else:
            past = ahead(piece, at, end)
            if past != NULL:
                return past
        at += 1
    return NULL


cdef class Pattern:
    """Takes the texts between the stars, as UTF-8 in which a zero byte stands for `?`; one of them where there is no
    star. `head` is how many bytes of a key are not looked at."""
    cdef list kept                 # what the pieces point into
    cdef Piece* pieces
    cdef Py_ssize_t count
    cdef Py_ssize_t head

    def __init__(self, list pieces not None, Py_ssize_t head):
        cdef Py_ssize_t i
        cdef bytes piece
        if self.pieces != NULL or not pieces or head < 0:
            raise ValueError("a pattern is made once, of one piece or more")
        self.kept = list(pieces)
        self.head = head
        self.pieces = <Piece*> PyMem_Malloc(len(pieces) * sizeof(Piece))
        if self.pieces == NULL:
            raise MemoryError()
        for i in range(len(self.kept)):
            piece = self.kept[i]
            self.pieces[i].data = <const unsigned char*> PyBytes_AsString(piece)
            self.pieces[i].size = len(piece)
            self.pieces[i].literal = b"\0" not in piece
            self.count = i + 1

    def __dealloc__(self):
        PyMem_Free(self.pieces)

    def matching(self, list keys not None, Py_ssize_t longest):
        """Those of the keys that match, and those of `longest` bytes or more, of which nobody knows."""
        cdef list kept = []
        cdef bytes key
        cdef Py_ssize_t size
        cdef const unsigned char* data
        for each in keys:
            key = each
            size = PyBytes_Size(key)
            if size >= longest:
                kept.append(key)
            elif size >= self.head:
                data = <const unsigned char*> PyBytes_AsString(key)
                if self.matches(data + self.head, data + size):
                    kept.append(key)
        return kept

    def members(self, bytes rows not None, Py_ssize_t longest, list cut not None):
        """The identifiers of those packed rows (`pack`) whose key matches, joined; the keys of `longest` bytes or more
        are added to `cut`, for each row."""
        cdef const unsigned char* at = <const unsigned char*> PyBytes_AsString(rows)
        cdef const unsigned char* stop = at + PyBytes_Size(rows)
        cdef Py_ssize_t size, kept = 0
        cdef char* found = <char*> PyMem_Malloc(stop - at + 1)
        if found == NULL:
            raise MemoryError()
        try:
            while at < stop:
                size = row_key(at, stop)
                if size >= longest:
                    cut.append(PyBytes_FromStringAndSize(<const char*> at + 2, size))
                elif size >= self.head and self.matches(at + 2 + self.head, at + 2 + size):
                    memcpy(found + kept, at + 2 + size, ID)
                    kept += ID
                at += 2 + size + ID
            return PyBytes_FromStringAndSize(found, kept)
        finally:
            PyMem_Free(found)

    cdef bint matches(self, const unsigned char* at, const unsigned char* end) noexcept nogil:
        cdef Py_ssize_t i
        cdef const unsigned char* start
        cdef const unsigned char* zero = <const unsigned char*> memchr(at, 0, end - at)
        if zero != NULL:
            end = zero
        at = ahead(&self.pieces[0], at, end)
        if at == NULL:
            return False
        if self.count == 1:
            return at == end
        # What stands between two stars may be taken where it comes first.
        for i in range(1, self.count - 1):
            at = found(&self.pieces[i], at, end)
            if at == NULL:
                return False
        start = behind(&self.pieces[self.count - 1], at, end)
        return start != NULL


cdef Py_ssize_t row_key(const unsigned char* at, const unsigned char* stop) except -1:
    """The size of the key of the row that begins here."""
    cdef Py_ssize_t size
    if stop - at < 2:
        raise ValueError("a row ends in its middle")
    size = at[0] << 8 | at[1]
    if stop - at < 2 + size + ID:
        raise ValueError("a row ends in its middle")
    return size


def pack(list rows not None):
    """Pairs of a key and an identifier as bytes: the length of the key in two bytes, the key, the identifier."""
    cdef Py_ssize_t total = 0, size
    cdef bytes packed
    cdef char* out
    for row in rows:
        key, public = row
        size = PyBytes_Size(key)
        if size > 0xFFFF or PyBytes_Size(public) != ID:
            raise ValueError("a key has up to 65,535 bytes, an identifier 20")
        total += 2 + size + ID
    packed = PyBytes_FromStringAndSize(NULL, total)
    out = PyBytes_AsString(packed)
    for row in rows:
        key, public = row
        size = PyBytes_Size(key)
        out[0] = size >> 8
        out[1] = size & 0xFF
        memcpy(out + 2, PyBytes_AsString(key), size)
        memcpy(out + 2 + size, PyBytes_AsString(public), ID)
        out += 2 + size + ID
    return packed


def counts(bytes rows not None):
    """How many packed rows these are, and how many keys they have; rows of one key stand together."""
    cdef const unsigned char* at = <const unsigned char*> PyBytes_AsString(rows)
    cdef const unsigned char* stop = at + PyBytes_Size(rows)
    cdef const unsigned char* last = NULL
    cdef Py_ssize_t size, last_size = -1, amount = 0, keys = 0
    while at < stop:
        size = row_key(at, stop)
        amount += 1
        if size != last_size or memcmp(at + 2, last, size) != 0:
            keys += 1
        last, last_size = at + 2, size
        at += 2 + size + ID
    return amount, keys
