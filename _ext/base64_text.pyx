# cython: language_level=3
"""Base64 in texts of JSON -> bytes, in one pass and without a copy of the text. Source: RFC 4648, section 4."""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint8_t, uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    /* The six bits of each character; 0xff for those that are none of the alphabet. */
    static uint8_t base64_bits[256];
    static void base64_fill(void) {
        const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (int i = 0; i < 256; i++) base64_bits[i] = 0xff;
        for (int i = 0; i < 64; i++) base64_bits[(uint8_t) alphabet[i]] = (uint8_t) i;
    }
    """
    const uint8_t base64_bits[256]
    void base64_fill() noexcept nogil

base64_fill()


cdef bint decode_all(const uint8_t* text, Py_ssize_t size, uint8_t* out) noexcept nogil:
    """`size` characters without padding; False where one is none of the alphabet."""
    cdef Py_ssize_t i = 0, at = 0
    cdef uint8_t a, b, c, d, seen = 0
    cdef uint32_t bits
    while i + 4 <= size:
        a, b = base64_bits[text[i]], base64_bits[text[i + 1]]
        c, d = base64_bits[text[i + 2]], base64_bits[text[i + 3]]
        seen |= a | b | c | d
        bits = <uint32_t> a << 18 | <uint32_t> b << 12 | <uint32_t> c << 6 | d
        out[at] = <uint8_t> (bits >> 16)
        out[at + 1] = <uint8_t> (bits >> 8)
        out[at + 2] = <uint8_t> bits
        i += 4
        at += 3
    if i < size:
        a, b = base64_bits[text[i]], base64_bits[text[i + 1]]
        c = base64_bits[text[i + 2]] if i + 2 < size else 0
        seen |= a | b | c
        bits = <uint32_t> a << 18 | <uint32_t> b << 12 | <uint32_t> c << 6
        out[at] = <uint8_t> (bits >> 16)
        if i + 2 < size:
            out[at + 1] = <uint8_t> (bits >> 8)
    return seen < 64


def decode(str text not None, Py_ssize_t start):
    """The bytes of the base64 that `text` has from `start` to its end. Padding may be missing. Raises ValueError for
    what is no base64."""
    cdef Py_ssize_t length
    cdef const char* characters = PyUnicode_AsUTF8AndSize(text, &length)
    cdef Py_ssize_t size = length - start
    cdef bint is_good
    if start < 0 or size < 0 or length != len(text):
        raise ValueError("no base64, or not that much text")
    cdef const uint8_t* begin = <const uint8_t*> characters + start
    cdef Py_ssize_t padding = 0
    while padding < 2 and size and begin[size - 1] == b"=":
        size -= 1
        padding += 1
    if size % 4 == 1 or (padding and (size + padding) % 4):
        raise ValueError("base64 of an impossible length")
    out = PyBytes_FromStringAndSize(NULL, size // 4 * 3 + (size % 4 - 1 if size % 4 else 0))
    cdef uint8_t* target = <uint8_t*> PyBytes_AsString(out)
    with nogil:
        is_good = decode_all(begin, size, target)
    if not is_good:
        raise ValueError("a character that is none of base64")
    return out
