# cython: language_level=3
"""The row filter of PNG (PNG specification, section 9): what its deflate stream is made from."""

from libc.stdint cimport uint16_t
from libc.string cimport memcpy

cdef enum:
    UP = 2


cdef void swap(const uint16_t* source, uint16_t* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = <uint16_t> (source[i] << 8 | source[i] >> 8)


cdef void subtract(
    const unsigned char* row, const unsigned char* above, unsigned char* out, Py_ssize_t count
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = row[i] - above[i]


cdef void subtract_swapped(
    const unsigned char* row, const unsigned char* above, unsigned char* out, Py_ssize_t count
) noexcept nogil:
    """`count` is that of 16-bit samples; the differences are those of single bytes."""
    cdef Py_ssize_t i
    for i in range(count):
        out[2 * i] = row[2 * i + 1] - above[2 * i + 1]
        out[2 * i + 1] = row[2 * i] - above[2 * i]


def filter_up(
    const unsigned char[::1] pixels not None,
    Py_ssize_t rows,
    Py_ssize_t stride,
    bint swapped,
    unsigned char[::1] out not None,
):
    """Fills `out` (rows * (stride + 1) bytes) with the rows as differences to the one above.

    `stride` is the size of a row in bytes. `swapped`: samples of 16 bits, little endian here, big endian in PNG.
    Raises ValueError where sizes do not fit.
    """
    cdef Py_ssize_t i
    cdef const unsigned char* row
    cdef unsigned char* target
    if rows < 1 or stride < 1 or pixels.shape[0] != rows * stride or out.shape[0] != rows * (stride + 1):
        raise ValueError(f"{pixels.shape[0]} and {out.shape[0]} bytes are not {rows} rows of {stride}")
    if swapped and stride % 2:
        raise ValueError("a row of 16-bit samples has an even number of bytes")
    row, target = &pixels[0], &out[0]
    with nogil:
        target[0] = 0    # the first row as it is: "up" means the same there, "none" says it
        if swapped:
            swap(<const uint16_t*> row, <uint16_t*> (target + 1), stride // 2)
        else:
            memcpy(target + 1, row, stride)
        for i in range(1, rows):
            row += stride
            target += stride + 1
            target[0] = UP
            if swapped:
                subtract_swapped(row, row - stride, target + 1, stride // 2)
            else:
                subtract(row, row - stride, target + 1, stride)
