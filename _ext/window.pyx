# cython: language_level=3
"""From stored pixel values to what a screen shows: extrema, stretch, window, table, clip.

Pixels come as bytes in native byte order together with their kind: `u1 i1 u2 i2 u4 i4 f4 f8`, as numpy
spells it. All arithmetic is binary32 without contraction, so that every result can be foretold bit by bit.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t, uint32_t

ctypedef fused integer:
    uint8_t
    int8_t
    uint16_t
    int16_t
    uint32_t
    int32_t

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

cdef extern from *:
    """
    /* Compiled for AVX2 as well where the loader can choose: three times as fast. */
    #if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) \\
        && !defined(__SANITIZE_ADDRESS__)
    #define FOR_EVERY_CPU __attribute__((target_clones("avx2", "default")))
    #else
    #define FOR_EVERY_CPU
    #endif

    #define SCALE(NAME, PIXEL) \\
    FOR_EVERY_CPU static void NAME( \\
        const PIXEL* restrict source, unsigned char* restrict out, Py_ssize_t count, \\
        float a, float b, float half, unsigned char flip \\
    ) { \\
        for (Py_ssize_t i = 0; i < count; i++) { \\
            float value = a * (float) source[i]; \\
            value = value + b; \\
            value = value > 0 ? value : 0;    /* NaN becomes 0 as well */ \\
            value = value < 255 ? value : 255; \\
            out[i] = (unsigned char) ((int) (value + half) ^ flip); \\
        } \\
    }
    SCALE(scale_u1, uint8_t)
    SCALE(scale_i1, int8_t)
    SCALE(scale_u2, uint16_t)
    SCALE(scale_i2, int16_t)
    SCALE(scale_u4, uint32_t)
    SCALE(scale_i4, int32_t)
    SCALE(scale_f4, float)
    SCALE(scale_f8, double)
    """
    void scale_u1(const uint8_t*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil
    void scale_i1(const int8_t*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil
    void scale_u2(const uint16_t*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil
    void scale_i2(const int16_t*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil
    void scale_u4(const uint32_t*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil
    void scale_i4(const int32_t*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil
    void scale_f4(const float*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil
    void scale_f8(const double*, unsigned char*, Py_ssize_t, float, float, float, unsigned char) nogil


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
    # The largest number below a half, so that the one below a half itself is not rounded up.
    cdef float half = 0.49999997 if nearest else 0
    cdef unsigned char flip = 255 if inverted else 0
    cdef const unsigned char* source
    cdef unsigned char* target
    if count == 0:
        return
    source, target = &raw[0], &out[0]
    with nogil:
        if k == U1:
            scale_u1(<const uint8_t*> source, target, count, a, b, half, flip)
        elif k == I1:
            scale_i1(<const int8_t*> source, target, count, a, b, half, flip)
        elif k == U2:
            scale_u2(<const uint16_t*> source, target, count, a, b, half, flip)
        elif k == I2:
            scale_i2(<const int16_t*> source, target, count, a, b, half, flip)
        elif k == U4:
            scale_u4(<const uint32_t*> source, target, count, a, b, half, flip)
        elif k == I4:
            scale_i4(<const int32_t*> source, target, count, a, b, half, flip)
        elif k == F4:
            scale_f4(<const float*> source, target, count, a, b, half, flip)
        else:
            scale_f8(<const double*> source, target, count, a, b, half, flip)


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
