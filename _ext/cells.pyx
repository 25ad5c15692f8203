# cython: language_level=3
"""From the cells of pixel data to stored values: single bits, padding bits and sign, planes, shared chroma.

Pixels come as little endian bytes, which is the native order of every machine that this is built for. Kernels that
take a `width` want it in bytes: 1, 2 or 4.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

ctypedef fused cell:
    uint8_t
    uint16_t
    uint32_t

ctypedef fused number:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t


cdef Py_ssize_t check(Py_ssize_t width, Py_ssize_t found, Py_ssize_t expected) except -1:
    if width not in (1, 2, 4):
        raise ValueError(f"cells of {width} bytes")
    if found != expected or found % width:
        raise ValueError(f"{found} bytes instead of {expected}")
    return found // width


# Single bits

def unpack_bits(const uint8_t[::1] raw not None, uint8_t[::1] out not None, uint8_t one):
    """out = `one` for each bit that is set, else 0; the least significant bit of a byte first."""
    cdef Py_ssize_t count = out.shape[0]
    if raw.shape[0] * 8 < count:
        raise ValueError(f"{raw.shape[0]} bytes have fewer than {count} bits")
    if count:
        with nogil:
            bits_of(&raw[0], &out[0], count, one)


cdef void bits_of(const uint8_t* raw, uint8_t* out, Py_ssize_t count, uint8_t one) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint64_t bits
    for i in range(count >> 3):
        # Bit k alone is kept in byte k, and brought down to its lowest bit.
        bits = raw[i] * <uint64_t> 0x0101010101010101 & <uint64_t> 0x8040201008040201
        bits = (bits + <uint64_t> 0x7F7F7F7F7F7F7F7F) >> 7 & <uint64_t> 0x0101010101010101
        bits *= one
        memcpy(out + 8 * i, &bits, 8)
    for i in range(count >> 3 << 3, count):
        out[i] = -(raw[i >> 3] >> (i & 7) & 1) & one


# Padding bits and sign

cdef void shift(number* values, const number* cells, Py_ssize_t count, int left, int right) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        values[i] = <number> (<number> (cells[i] << left) >> right)


def extract(
    const uint8_t[::1] raw not None, uint8_t[::1] out not None, Py_ssize_t width, int left, int right, bint signed
):
    """out = (cell << left) >> right, within the width of the cell; the shift to the right extends the sign of
    signed ones. `out` may be `raw` itself."""
    cdef Py_ssize_t count = check(width, raw.shape[0], out.shape[0])
    cdef const uint8_t* source
    cdef uint8_t* target
    if not 0 <= left < 8 * width or not 0 <= right < 8 * width:
        raise ValueError("a shift beyond the width of the cell")
    if count == 0:
        return
    source, target = &raw[0], &out[0]
    with nogil:
        if width == 1 and signed:
            shift(<int8_t*> target, <const int8_t*> source, count, left, right)
        elif width == 1:
            shift(<uint8_t*> target, source, count, left, right)
        elif width == 2 and signed:
            shift(<int16_t*> target, <const int16_t*> source, count, left, right)
        elif width == 2:
            shift(<uint16_t*> target, <const uint16_t*> source, count, left, right)
        elif signed:
            shift(<int32_t*> target, <const int32_t*> source, count, left, right)
        else:
            shift(<uint32_t*> target, <const uint32_t*> source, count, left, right)


def widen(const uint8_t[::1] raw not None, uint8_t[::1] out not None):
    """Cells of 32 bits from those of 24."""
    cdef Py_ssize_t i, count = out.shape[0] // 4
    cdef const uint8_t* source
    cdef uint8_t* target
    if out.shape[0] % 4 or raw.shape[0] != 3 * count:
        raise ValueError(f"{raw.shape[0]} bytes are not {count} cells of 24 bits")
    if count == 0:
        return
    source, target = &raw[0], &out[0]
    with nogil:
        for i in range(count):
            target[4 * i] = source[3 * i]
            target[4 * i + 1] = source[3 * i + 1]
            target[4 * i + 2] = source[3 * i + 2]
            target[4 * i + 3] = 0


# Three samples per pixel

cdef void weave(const cell* planes, cell* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[3 * i] = planes[i]
        out[3 * i + 1] = planes[count + i]
        out[3 * i + 2] = planes[2 * count + i]


def interleave(const uint8_t[::1] raw not None, uint8_t[::1] out not None, Py_ssize_t width):
    """R1 G1 B1 R2 G2 B2.. of three planes."""
    cdef Py_ssize_t count = check(width, raw.shape[0], out.shape[0])
    if count % 3:
        raise ValueError(f"{count} samples are not three planes")
    if count == 0:
        return
    with nogil:
        if width == 1:
            weave(&raw[0], &out[0], count // 3)
        elif width == 2:
            weave(<const uint16_t*> &raw[0], <uint16_t*> &out[0], count // 3)
        else:
            weave(<const uint32_t*> &raw[0], <uint32_t*> &out[0], count // 3)


cdef void spread(const cell* raw, cell* out, Py_ssize_t pairs) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(pairs):
        out[6 * i] = raw[4 * i]
        out[6 * i + 1] = raw[4 * i + 2]
        out[6 * i + 2] = raw[4 * i + 3]
        out[6 * i + 3] = raw[4 * i + 1]
        out[6 * i + 4] = raw[4 * i + 2]
        out[6 * i + 5] = raw[4 * i + 3]


def share_chroma(const uint8_t[::1] raw not None, uint8_t[::1] out not None, Py_ssize_t width):
    """Y1 B R, Y2 B R of each Y1 Y2 B R: the layout of native YBR_FULL_422."""
    cdef Py_ssize_t count = check(width, out.shape[0], raw.shape[0] // 2 * 3)
    if raw.shape[0] % (4 * width):
        raise ValueError(f"{raw.shape[0]} bytes are not pairs of pixels")
    if count == 0:
        return
    with nogil:
        if width == 1:
            spread(&raw[0], &out[0], count // 6)
        elif width == 2:
            spread(<const uint16_t*> &raw[0], <uint16_t*> &out[0], count // 6)
        else:
            spread(<const uint32_t*> &raw[0], <uint32_t*> &out[0], count // 6)
