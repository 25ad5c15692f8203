# cython: language_level=3
"""From stored pixel values to the numbers of a volume: padding bits, sign, rescale, in one pass.

Pixels come as bytes in native byte order with their kind: `u1 i1 u2 i2 u4 i4 f4 f8`, as numpy spells it. All
arithmetic is binary32, each operation rounded once.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t, uint32_t

cdef float ROUNDER = 12582912.0  # 3 * 2 ** 22

ctypedef fused cell:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t
    float
    double


cdef void _to_float(cell* pixels, float* out, Py_ssize_t count, int left, int right,
                    float slope, float intercept) noexcept nogil:
    cdef Py_ssize_t i
    cdef cell value
    if cell is float or cell is double:
        for i in range(count):
            out[i] = slope * <float> pixels[i] + intercept
    elif left or right:
        for i in range(count):
            value = <cell> (<cell> (pixels[i] << left) >> right)
            out[i] = slope * <float> value + intercept
    else:
        for i in range(count):
            out[i] = slope * <float> pixels[i] + intercept


cdef void _plain(cell* pixels, float* out, Py_ssize_t count, int left, int right) noexcept nogil:
    """Slope 1, intercept 0: nothing is computed, so that no value changes (-0.0, NaN)."""
    cdef Py_ssize_t i
    cdef cell value
    if cell is float or cell is double:
        for i in range(count):
            out[i] = <float> pixels[i]
    else:
        for i in range(count):
            value = <cell> (<cell> (pixels[i] << left) >> right)
            out[i] = <float> value


cdef void _round(float* values, int16_t* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    cdef float value
    for i in range(count):
        value = values[i]
        value = value if value > -32768.0 else -32768.0  # also NaN
        value = value if value < 32767.0 else 32767.0
        # Where the spacing of floats is 1 an addition rounds to whole numbers, halves to even.
        value = (value + ROUNDER) - ROUNDER
        out[i] = <int16_t> <int32_t> value


cdef inline void _any_to_float(cell* pixels, float* out, Py_ssize_t count, int left, int right,
                               float slope, float intercept, bint plain) noexcept nogil:
    if plain:
        _plain(pixels, out, count, left, right)
    else:
        _to_float(pixels, out, count, left, right, slope, intercept)


cdef dict SIZES = {"u1": 1, "i1": 1, "u2": 2, "i2": 2, "u4": 4, "i4": 4, "f4": 4, "f8": 8}


cdef Py_ssize_t count_of(const uint8_t[::1] raw, str kind, int left, int right) except -1:
    cdef Py_ssize_t size = SIZES.get(kind, 0)
    if size == 0:
        raise ValueError(f"unknown kind of pixels: {kind!r}")
    if raw.shape[0] % size:
        raise ValueError("the pixels do not end with a whole one")
    if not (0 <= left < 8 * size and 0 <= right < 8 * size):
        raise ValueError("a shift exceeds the pixel")
    return raw.shape[0] // size


def to_float32(const uint8_t[::1] raw, str kind, float[::1] out, int left, int right,
               double slope, double intercept):
    """out = slope * ((x << left) >> right) + intercept; the shifts work on cells of `kind`, on those with
    a sign arithmetically, on floats not at all."""
    cdef Py_ssize_t count = count_of(raw, kind, left, right)
    if out.shape[0] != count:
        raise ValueError("the output has another number of pixels")
    if count == 0:
        return
    cdef bint plain = slope == 1.0 and intercept == 0.0
    cdef float a = <float> slope
    cdef float b = <float> intercept
    cdef const void* source = &raw[0]
    cdef float* target = &out[0]
    cdef bytes name = kind.encode()
    cdef char letter = (<const char*> name)[0]
    cdef int size = SIZES[kind]
    with nogil:
        if letter == b"f":
            if size == 4:
                _any_to_float(<float*> source, target, count, left, right, a, b, plain)
            else:
                _any_to_float(<double*> source, target, count, left, right, a, b, plain)
        elif size == 1:
            if letter == b"u":
                _any_to_float(<uint8_t*> source, target, count, left, right, a, b, plain)
            else:
                _any_to_float(<int8_t*> source, target, count, left, right, a, b, plain)
        elif size == 2:
            if letter == b"u":
                _any_to_float(<uint16_t*> source, target, count, left, right, a, b, plain)
            else:
                _any_to_float(<int16_t*> source, target, count, left, right, a, b, plain)
        elif letter == b"u":
            _any_to_float(<uint32_t*> source, target, count, left, right, a, b, plain)
        else:
            _any_to_float(<int32_t*> source, target, count, left, right, a, b, plain)


def to_int16(const float[::1] values, int16_t[::1] out):
    """The nearest integers, halves to even; what is beyond the range becomes its end, NaN the lowest."""
    if out.shape[0] != values.shape[0]:
        raise ValueError("the output has another number of pixels")
    if values.shape[0] == 0:
        return
    cdef float* source = <float*> &values[0]
    cdef int16_t* target = &out[0]
    cdef Py_ssize_t count = values.shape[0]
    with nogil:
        _round(source, target, count)
