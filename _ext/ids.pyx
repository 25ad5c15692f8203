# cython: language_level=3
"""Orthanc's 44-character form of SHA-1 identifiers: five groups of eight hexadecimal digits."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8String, PyUnicode_DecodeASCII

cdef const char* DIGITS = b"0123456789abcdef"


cdef void write_id(const unsigned char* sha1, char* out) noexcept nogil:
    cdef int i, at = 0
    for i in range(20):
        if i and i % 4 == 0:
            out[at] = 45
            at += 1
        out[at] = DIGITS[sha1[i] >> 4]
        out[at + 1] = DIGITS[sha1[i] & 15]
        at += 2


def to_text(const unsigned char[::1] sha1 not None):
    """The 44 characters of a 20-byte value. Raises ValueError for another length."""
    cdef char text[44]
    if sha1.shape[0] != 20:
        raise ValueError("an identifier has 20 bytes")
    write_id(&sha1[0], text)
    return PyUnicode_DecodeASCII(text, 44, NULL)


cdef int digit(unsigned char c) noexcept nogil:
    if 48 <= c <= 57:
        return c - 48
    if 97 <= c <= 102:
        return c - 87
    return -1


def from_text(str text not None):
    """The 20-byte value of 44 characters in lower case, or None if they do not have that form."""
    cdef bytes encoded
    cdef const unsigned char* p
    cdef unsigned char sha1[20]
    cdef int i, at = 0, high, low
    if len(text) != 44:
        return None
    encoded = PyUnicode_AsUTF8String(text)
    if len(encoded) != 44:
        return None
    p = <const unsigned char*>PyBytes_AsString(encoded)
    for i in range(20):
        if i and i % 4 == 0:
            if p[at] != 45:
                return None
            at += 1
        high, low = digit(p[at]), digit(p[at + 1])
        if high < 0 or low < 0:
            return None
        sha1[i] = (high << 4) | low
        at += 2
    return PyBytes_FromStringAndSize(<char*>sha1, 20)


def ids_json(packed, Py_ssize_t stride=20, Py_ssize_t offset=0):
    """A JSON array of the identifiers that stand in `packed`, one in each `stride` bytes at `offset`."""
    cdef Py_buffer view
    cdef Py_ssize_t count, i
    cdef bytes result
    cdef char* out
    cdef const unsigned char* source
    if stride < 20 or offset < 0 or offset + 20 > stride:
        raise ValueError("stride and offset leave no room for 20 bytes")
    PyObject_GetBuffer(packed, &view, PyBUF_SIMPLE)
    try:
        if view.len % stride:
            raise ValueError("the length is not a multiple of the stride")
        count = view.len // stride
        if count == 0:
            return b"[]"
        result = PyBytes_FromStringAndSize(NULL, count * 47 + 1)
        out = PyBytes_AsString(result)
        source = <const unsigned char*>view.buf + offset
        out[0] = 91
        for i in range(count):
            out[i * 47 + 1] = 34
            write_id(source + i * stride, out + i * 47 + 2)
            out[i * 47 + 46] = 34
            out[i * 47 + 47] = 44
        out[count * 47] = 93
    finally:
        PyBuffer_Release(&view)
    return result
