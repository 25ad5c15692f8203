# cython: language_level=3
"""From stored pixel values to what a screen shows: extrema, stretch, window, table, clip.

Pixels come as bytes in native byte order together with their kind: `u1 i1 u2 i2 u4 i4 f4 f8`, as numpy
spells it. All arithmetic is binary32 without contraction, so that every result can be foretold bit by bit.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc

ctypedef fused integer:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t

ctypedef fused pixel:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t
    float
    double

ctypedef fused small:
    uint8_t
    int8_t
    uint16_t
    int16_t

ctypedef fused word:
    uint8_t
    uint16_t

ctypedef fused real:
    float
    double

ctypedef fused narrow:
    uint8_t
    uint16_t
    int16_t

cdef enum Kind:
    U1, I1, U2, I2, U4, I4, F4, F8

cdef enum Rounding:
    NEAREST    # halves away from zero
    DOWN

cdef dict KINDS = {"u1": U1, "i1": I1, "u2": U2, "i2": I2, "u4": U4, "i4": I4, "f4": F4, "f8": F8}
cdef Py_ssize_t[8] SIZES = [1, 1, 2, 2, 4, 4, 4, 8]


cdef int kind_of(str name) except -1:
    found = KINDS.get(name)
    if found is None:
        raise ValueError(f"no such kind of pixels: {name}")
    return found


cdef Py_ssize_t count_of(const unsigned char[::1] raw, int kind, Py_ssize_t room) except -1:
    """The number of pixels in `raw`, which must fill `room` places."""
    cdef Py_ssize_t count = raw.shape[0] // SIZES[kind]
    if raw.shape[0] % SIZES[kind] or count != room:
        raise ValueError(f"{raw.shape[0]} bytes do not make {room} pixels of {SIZES[kind]} bytes")
    return count


# Extrema

cdef void integer_extrema(const integer* source, Py_ssize_t count, integer* found) noexcept nogil:
    cdef integer low = source[0], high = source[0], value
    cdef Py_ssize_t i
    for i in range(count):
        value = source[i]
        low = value if value < low else low
        high = value if value > high else high
    found[0] = low
    found[1] = high


cdef void float_extrema(const real* source, Py_ssize_t count, double* found) noexcept nogil:
    """Of the finite values; (infinity, -infinity) if there are none."""
    cdef real low = INFINITY, high = -INFINITY, value
    cdef Py_ssize_t i
    for i in range(count):
        value = source[i]
        low = value if (value < low) & (value > -INFINITY) else low    # false for NaN
        high = value if (value > high) & (value < INFINITY) else high
    found[0] = low
    found[1] = high


cdef object extrema_of(const integer* source, Py_ssize_t count):
    cdef integer[2] found
    with nogil:
        integer_extrema(source, count, found)
    return found[0], found[1]


def extrema(const unsigned char[::1] raw not None, str kind not None):
    """(smallest, largest) of the finite values, None if there are none."""
    cdef int k = kind_of(kind)
    cdef Py_ssize_t count = count_of(raw, k, raw.shape[0] // SIZES[k])
    cdef double[2] found
    cdef const unsigned char* source
    if count == 0:
        return None
    source = &raw[0]
    if k == U1:
        return extrema_of(<const uint8_t*> source, count)
    if k == I1:
        return extrema_of(<const int8_t*> source, count)
    if k == U2:
        return extrema_of(<const uint16_t*> source, count)
    if k == I2:
        return extrema_of(<const int16_t*> source, count)
    if k == U4:
        return extrema_of(<const uint32_t*> source, count)
    if k == I4:
        return extrema_of(<const int32_t*> source, count)
    with nogil:
        if k == F4:
            float_extrema(<const float*> source, count, found)
        else:
            float_extrema(<const double*> source, count, found)
    return (found[0], found[1]) if found[0] <= found[1] else None


# Scale, offset, clamp to 0..255

cdef void nearest(
    const pixel* source, unsigned char* out, Py_ssize_t count, float a, float b, unsigned char flip
) noexcept nogil:
    cdef Py_ssize_t i
    cdef float value
    for i in range(count):
        value = a * <float> source[i]
        value = value + b
        value = value if value > 0 else 0    # NaN becomes 0 as well
        value = value if value < 255 else 255
        # The largest number below a half, so that the one below a half itself is not rounded up.
        out[i] = <unsigned char> (<int> (value + <float> 0.49999997) ^ flip)


cdef void down(
    const pixel* source, unsigned char* out, Py_ssize_t count, float a, float b, unsigned char flip
) noexcept nogil:
    cdef Py_ssize_t i
    cdef float value
    for i in range(count):
        value = a * <float> source[i]
        value = value + b
        value = value if value > 0 else 0
        value = value if value < 255 else 255
        out[i] = <unsigned char> (<int> value ^ flip)


cdef void scale_of(
    const pixel* source, unsigned char* out, Py_ssize_t count, float a, float b, int rounding, unsigned char flip
) noexcept nogil:
    if rounding == NEAREST:
        nearest(source, out, count, a, b, flip)
    else:
        down(source, out, count, a, b, flip)


cdef void translate(const small* source, unsigned char* out, Py_ssize_t count, const unsigned char* table, int low) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = table[source[i] - low]


cdef void scale_small(
    const small* source, unsigned char* out, Py_ssize_t count, float a, float b, int rounding, unsigned char flip
) noexcept nogil:
    """As `scale_of`, each value that occurs computed once: four times as fast where pixels repeat values."""
    cdef small[2] found
    cdef int low, i
    cdef Py_ssize_t span
    cdef small* ramp
    cdef unsigned char* table
    integer_extrema(source, count, found)
    low = found[0]
    span = <Py_ssize_t> found[1] - low + 1
    ramp = NULL
    if 2 * span <= count:
        ramp = <small*> malloc(span * (sizeof(small) + 1))
    if ramp == NULL:    # too few pixels for a table, or no memory for one
        scale_of(source, out, count, a, b, rounding, flip)
        return
    table = <unsigned char*> (ramp + span)
    for i in range(span):
        ramp[i] = <small> (low + i)
    scale_of(ramp, table, span, a, b, rounding, flip)
    translate(source, out, count, table, low)
    free(ramp)


def scale(
    const unsigned char[::1] raw not None,
    str kind not None,
    unsigned char[::1] out not None,
    float a,
    float b,
    bint nearest,
    bint inverted,
):
    """out = a * pixel + b, clamped to 0..255; rounded to nearest (halves up) or down; 255 - out if `inverted`.

    NaN gives 0 (before the inversion). Raises ValueError if `out` has not one byte for each pixel.
    """
    cdef int k = kind_of(kind)
    cdef Py_ssize_t count = count_of(raw, k, out.shape[0])
    cdef int rounding = NEAREST if nearest else DOWN
    cdef unsigned char flip = 255 if inverted else 0
    cdef const unsigned char* source
    cdef unsigned char* target
    if count == 0:
        return
    source, target = &raw[0], &out[0]
    with nogil:
        if k == U1:
            scale_small(<const uint8_t*> source, target, count, a, b, rounding, flip)
        elif k == I1:
            scale_small(<const int8_t*> source, target, count, a, b, rounding, flip)
        elif k == U2:
            scale_small(<const uint16_t*> source, target, count, a, b, rounding, flip)
        elif k == I2:
            scale_small(<const int16_t*> source, target, count, a, b, rounding, flip)
        elif k == U4:
            scale_of(<const uint32_t*> source, target, count, a, b, rounding, flip)
        elif k == I4:
            scale_of(<const int32_t*> source, target, count, a, b, rounding, flip)
        elif k == F4:
            scale_of(<const float*> source, target, count, a, b, rounding, flip)
        else:
            scale_of(<const double*> source, target, count, a, b, rounding, flip)


# Tables

cdef void lookup_of(
    const word* source, const unsigned char* table, unsigned char* out, Py_ssize_t count
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = table[source[i]]


def lookup(
    const unsigned char[::1] raw not None,
    str kind not None,
    unsigned char[::1] out not None,
    const unsigned char[::1] table not None,
):
    """out = table[bits of the pixel]: 256 entries for 8-bit kinds, 65536 for those of 16 bits (negative values
    are in the upper half).

    Raises ValueError for other kinds and sizes.
    """
    cdef int k = kind_of(kind)
    cdef Py_ssize_t count = count_of(raw, k, out.shape[0])
    cdef const unsigned char* source
    if k > I2 or table.shape[0] != (256 if SIZES[k] == 1 else 65536):
        raise ValueError("a table with an entry for every 8 or 16 bit integer")
    if count == 0:
        return
    source = &raw[0]
    with nogil:
        if SIZES[k] == 1:
            lookup_of(<const uint8_t*> source, &table[0], &out[0], count)
        else:
            lookup_of(<const uint16_t*> source, &table[0], &out[0], count)


# Integers clipped to the range of a narrower kind

cdef void clip_of(
    const integer* source, narrow* out, Py_ssize_t count, integer low, integer high
) noexcept nogil:
    cdef Py_ssize_t i
    cdef integer value
    for i in range(count):
        value = source[i]
        value = value if value > low else low
        out[i] = <narrow> (value if value < high else high)


cdef void clip_into(const integer* source, narrow* out, Py_ssize_t count, long low, long high) noexcept nogil:
    """`low` and `high` are the range of `out`; both are brought into the range of the source first."""
    cdef long bottom, top
    if integer is uint8_t:
        bottom, top = 0, 0xFF
    elif integer is int8_t:
        bottom, top = -0x80, 0x7F
    elif integer is uint16_t:
        bottom, top = 0, 0xFFFF
    elif integer is int16_t:
        bottom, top = -0x8000, 0x7FFF
    elif integer is uint32_t:
        bottom, top = 0, 0xFFFFFFFF
    else:
        bottom, top = -0x80000000, 0x7FFFFFFF
    clip_of(source, out, count, <integer> max(low, bottom), <integer> min(high, top))


cdef void clip_from(const unsigned char* source, int k, narrow* out, Py_ssize_t count, long low, long high) noexcept nogil:
    if k == U1:
        clip_into(<const uint8_t*> source, out, count, low, high)
    elif k == I1:
        clip_into(<const int8_t*> source, out, count, low, high)
    elif k == U2:
        clip_into(<const uint16_t*> source, out, count, low, high)
    elif k == I2:
        clip_into(<const int16_t*> source, out, count, low, high)
    elif k == U4:
        clip_into(<const uint32_t*> source, out, count, low, high)
    else:
        clip_into(<const int32_t*> source, out, count, low, high)


def clip(
    const unsigned char[::1] raw not None, str kind not None, unsigned char[::1] out not None, str target not None
):
    """Integer pixels, those beyond the range of `target` (u1, u2 or i2) as its nearest value.

    Raises ValueError for pixels that are no integers, another target, an `out` of another size.
    """
    cdef int k = kind_of(kind), t = kind_of(target)
    cdef Py_ssize_t count
    cdef const unsigned char* source
    if k > I4 or t not in (U1, U2, I2) or out.shape[0] % SIZES[t]:
        raise ValueError(f"cannot clip {kind} to {target}")
    count = count_of(raw, k, out.shape[0] // SIZES[t])
    if count == 0:
        return
    source = &raw[0]
    with nogil:
        if t == U1:
            clip_from(source, k, <uint8_t*> &out[0], count, 0, 0xFF)
        elif t == U2:
            clip_from(source, k, <uint16_t*> &out[0], count, 0, 0xFFFF)
        else:
            clip_from(source, k, <int16_t*> &out[0], count, -0x8000, 0x7FFF)


# Colour of 16 bits per sample

cdef void luma_of(const uint16_t* source, uint16_t* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint32_t total
    for i in range(count):
        # 466 instead of 722 is what the reference computes with (chapter 2, section 5.5).
        total = <uint32_t> 2126 * source[3 * i] + <uint32_t> 7152 * source[3 * i + 1] + <uint32_t> 466 * source[3 * i + 2]
        out[i] = <uint16_t> (total // 10000)


def luma(const unsigned char[::1] raw not None, unsigned char[::1] out not None):
    """Gray of 16 bits from RGB of 16 bits per sample: (2126 R + 7152 G + 466 B) / 10000, rounded down."""
    cdef Py_ssize_t count = count_of(raw, U2, out.shape[0] // 2 * 3) // 3
    if out.shape[0] % 2:
        raise ValueError("out must hold whole pixels of 16 bits")
    if count:
        with nogil:
            luma_of(<const uint16_t*> &raw[0], <uint16_t*> &out[0], count)


cdef void high_bytes_of(const uint16_t* source, unsigned char* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = <unsigned char> (source[i] >> 8)


def high_bytes(const unsigned char[::1] raw not None, unsigned char[::1] out not None):
    """out = sample >> 8, of samples of 16 bits."""
    cdef Py_ssize_t count = count_of(raw, U2, out.shape[0])
    if count:
        with nogil:
            high_bytes_of(<const uint16_t*> &raw[0], &out[0], count)


cdef void invert_in(unsigned char* pixels, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        pixels[i] = 255 - pixels[i]


def invert(unsigned char[::1] pixels not None):
    """pixel = 255 - pixel, in place."""
    if pixels.shape[0]:
        with nogil:
            invert_in(&pixels[0], pixels.shape[0])
