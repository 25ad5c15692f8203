# cython: language_level=3
"""Sets of 20-byte identifiers as packed, ascending bytes: union, intersection, difference."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

cdef enum:
    ID = 20


cdef extern from *:
    """
    #if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define FIRST_BYTES(value) (value)
    #else
    #define FIRST_BYTES(value) __builtin_bswap64(value)
    #endif
    """
    unsigned long long FIRST_BYTES(unsigned long long value) nogil


cdef inline int order(const char* a, const char* b) noexcept nogil:
    """As memcmp of two identifiers, of which mostly the first eight bytes decide."""
    cdef unsigned long long first, second
    memcpy(&first, a, 8)
    memcpy(&second, b, 8)
    if first == second:
        return memcmp(a + 8, b + 8, ID - 8)
    return -1 if FIRST_BYTES(first) < FIRST_BYTES(second) else 1


cdef Py_ssize_t run_end(const char* data, Py_ssize_t start, Py_ssize_t count) noexcept nogil:
    """Where the ascending run that begins at `start` ends."""
    cdef Py_ssize_t at = start + 1
    while at < count and order(data + (at - 1) * ID, data + at * ID) <= 0:
        at += 1
    return at


cdef void merge(
    const char* a, Py_ssize_t a_count, const char* b, Py_ssize_t b_count, char* out
) noexcept nogil:
    cdef Py_ssize_t i = 0, j = 0
    while i < a_count and j < b_count:
        if order(a + i * ID, b + j * ID) <= 0:
            memcpy(out, a + i * ID, ID)
            i += 1
        else:
            memcpy(out, b + j * ID, ID)
            j += 1
        out += ID
    memcpy(out, a + i * ID, (a_count - i) * ID)
    memcpy(out + (a_count - i) * ID, b + j * ID, (b_count - j) * ID)


cdef char* natural_merge_sort(char* data, char* other, Py_ssize_t count) noexcept nogil:
    """Sorts by merging the runs that are there; returns which of the two buffers has the result."""
    cdef Py_ssize_t start, middle, end, runs = 2
    cdef char* swap
    while runs > 1:
        runs = 0
        start = 0
        while start < count:
            middle = run_end(data, start, count)
            end = run_end(data, middle, count) if middle < count else middle
            merge(data + start * ID, middle - start, data + middle * ID, end - middle,
                  other + start * ID)
            start = end
            runs += 1
        swap = data
        data = other
        other = swap
    return data


cdef Py_ssize_t unique(char* data, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i, kept = 1
    if count == 0:
        return 0
    for i in range(1, count):
        if order(data + (kept - 1) * ID, data + i * ID) != 0:
            if kept != i:
                memcpy(data + kept * ID, data + i * ID, ID)
            kept += 1
    return kept


def sort(packed, Py_ssize_t stride=20, Py_ssize_t offset=0):
    """The set of the identifiers that stand in `packed`, one in each `stride` bytes at `offset`.

    Ascending runs in the input, such as the members of several keys one after the other, are merged
    and not sorted anew.
    """
    cdef Py_buffer view
    cdef Py_ssize_t count, i
    cdef char* a
    cdef char* b
    cdef char* done
    cdef const char* source
    if stride < ID or offset < 0 or offset + ID > stride:
        raise ValueError("stride and offset leave no room for 20 bytes")
    PyObject_GetBuffer(packed, &view, PyBUF_SIMPLE)
    try:
        if view.len % stride:
            raise ValueError("the length is not a multiple of the stride")
        count = view.len // stride
        if count == 0:
            return b""
        a = <char*>malloc(2 * count * ID)
        if a is NULL:
            raise MemoryError
        b = a + count * ID
        source = <const char*>view.buf + offset
        with nogil:
            for i in range(count):
                memcpy(a + i * ID, source + i * stride, ID)
            done = natural_merge_sort(a, b, count)
            count = unique(done, count)
        try:
            return PyBytes_FromStringAndSize(done, count * ID)
        finally:
            free(a)
    finally:
        PyBuffer_Release(&view)


cdef Py_ssize_t lower_bound(
    const char* data, Py_ssize_t start, Py_ssize_t count, const char* wanted
) noexcept nogil:
    """The first position from `start` whose identifier is not below `wanted`; gallops, since what
    is wanted is often near."""
    cdef Py_ssize_t step = 1, low = start, high = start, middle
    while high < count and order(data + high * ID, wanted) < 0:
        low = high + 1
        high += step
        step *= 2
    if high > count:
        high = count
    while low < high:
        middle = (low + high) // 2
        if order(data + middle * ID, wanted) < 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef Py_ssize_t keep(
    const char* a, Py_ssize_t a_count, const char* b, Py_ssize_t b_count, bint members, char* out
) noexcept nogil:
    """Copies those of `a` that are (or are not) in `b`, to where `a` is or elsewhere; returns how many."""
    cdef Py_ssize_t i, at = 0, kept = 0
    cdef bint found
    for i in range(a_count):
        at = lower_bound(b, at, b_count, a + i * ID)
        found = at < b_count and order(b + at * ID, a + i * ID) == 0
        if found == members:
            if out + kept * ID != a + i * ID:
                memcpy(out + kept * ID, a + i * ID, ID)
            kept += 1
    return kept


def by_key(const unsigned char[::1] rows not None, Py_ssize_t key_size, bytes within=None):
    """The identifiers of rows of a key and an identifier, joined for each key: those in the set `within`, if it is
    given. Rows of one key stand together, in ascending order."""
    cdef dict found = {}
    cdef Py_ssize_t stride = key_size + ID, start = 0, at, i, count, known = 0, size = rows.shape[0]
    cdef const char* data
    cdef const char* others = NULL
    cdef char* out = <char*>malloc(size + 1)
    if out is NULL:
        raise MemoryError
    try:
        if key_size < 0 or size % stride or (within is not None and len(within) % ID):
            raise ValueError("the length is not a multiple of that of a row")
        if within is not None:
            others, known = PyBytes_AsString(within), len(within) // ID
        while start < size:
            data = <const char*>&rows[start]
            at = start + stride
            while at < size and memcmp(&rows[at], data, key_size) == 0:
                at += stride
            count = (at - start) // stride
            for i in range(count):
                memcpy(out + i * ID, data + i * stride + key_size, ID)
            if others is not NULL:
                count = keep(out, count, others, known, True, out)
            found[PyBytes_FromStringAndSize(data, key_size)] = PyBytes_FromStringAndSize(out, count * ID)
            start = at
        return found
    finally:
        free(out)


cdef bytes filtered(const unsigned char[::1] a, const unsigned char[::1] b, bint members):
    cdef Py_ssize_t a_count = a.shape[0] // ID, b_count = b.shape[0] // ID, kept
    cdef char* out
    cdef const char* first = NULL
    cdef const char* second = NULL
    if a.shape[0] % ID or b.shape[0] % ID:
        raise ValueError("the length is not a multiple of 20")
    if a_count == 0:
        return b""
    first = <const char*>&a[0]
    if b_count:
        second = <const char*>&b[0]
    out = <char*>malloc(a_count * ID)
    if out is NULL:
        raise MemoryError
    try:
        with nogil:
            kept = keep(first, a_count, second, b_count, members, out)
        return PyBytes_FromStringAndSize(out, kept * ID)
    finally:
        free(out)


def intersect(const unsigned char[::1] a not None, const unsigned char[::1] b not None):
    """What both sets have; give the smaller one first."""
    return filtered(a, b, True)


def subtract(const unsigned char[::1] a not None, const unsigned char[::1] b not None):
    """What `a` has and `b` has not."""
    return filtered(a, b, False)
