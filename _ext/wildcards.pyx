# cython: language_level=3
"""Patterns with `*` and `?` against the keys of an index: UTF-8 behind a head, ended by a zero byte or the end."""

from cpython.bytes cimport PyBytes_AsString, PyBytes_Size
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memchr, memcmp

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

    def members(self, list rows not None, Py_ssize_t longest, list cut not None):
        """The identifiers of those rows, pairs of a key and an identifier, whose key matches, joined; the keys of
        `longest` bytes or more are added to `cut`, for each row."""
        cdef list kept = []
        cdef object key
        cdef Py_ssize_t size
        cdef const unsigned char* data
        for row in rows:
            key = (<tuple?> row)[0]
            size = PyBytes_Size(key)
            if size >= longest:
                cut.append(key)
            elif size >= self.head:
                data = <const unsigned char*> PyBytes_AsString(key)
                if self.matches(data + self.head, data + size):
                    kept.append((<tuple> row)[1])
        return b"".join(kept)

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
