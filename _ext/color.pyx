# cython: language_level=3
"""Colour: YBR becomes RGB, indices of a palette become RGB.

Samples are interleaved and come as little endian bytes; `width` is the bytes of one sample: 1 or 2. Arithmetic is
binary32 without contraction, so that results can be foretold bit by bit.
"""

from libc.stdint cimport uint8_t, uint16_t

ctypedef fused sample:
    uint8_t
    uint16_t

ctypedef fused entry:
    uint8_t
    uint16_t


cdef enum:
    BLOCK = 256    # pixels that are converted together, plane by plane, so that the compiler can vectorise


cdef struct Range:
    float half      # of chroma: no colour
    float top       # the largest value
    float black     # of Y
    float gray      # factor of Y
    float chroma    # factor of both chroma values


cdef inline float clamped(float value, float top) noexcept nogil:
    value = value if value > 0 else 0
    return value if value < top else top


cdef void convert_block(float* y, float* b, float* r, int count, Range c) noexcept nogil:
    """Y, B, R become R, G, B in place."""
    cdef int i
    cdef float luma, blue, red
    for i in range(count):
        luma = (y[i] - c.black) * c.gray
        blue = (b[i] - c.half) * c.chroma
        red = (r[i] - c.half) * c.chroma
        y[i] = clamped(luma + <float> 1.402 * red, c.top)
        b[i] = clamped((luma - <float> 0.344136 * blue) - <float> 0.714136 * red, c.top)
        r[i] = clamped(luma + <float> 1.772 * blue, c.top)


cdef void convert(const sample* source, sample* out, Py_ssize_t count, Range c) noexcept nogil:
    cdef float[BLOCK] first, second, third
    cdef Py_ssize_t start = 0
    cdef int i, size
    while start < count:
        size = <int> min(<Py_ssize_t> BLOCK, count - start)
        for i in range(size):
            first[i] = source[3 * (start + i)]
            second[i] = source[3 * (start + i) + 1]
            third[i] = source[3 * (start + i) + 2]
        convert_block(first, second, third, size, c)
        for i in range(size):
            out[3 * (start + i)] = <sample> <int> first[i]
            out[3 * (start + i) + 1] = <sample> <int> second[i]
            out[3 * (start + i) + 2] = <sample> <int> third[i]
        start += size


def rgb_from_ybr(
    const uint8_t[::1] raw not None,
    uint8_t[::1] out not None,
    Py_ssize_t width,
    int bits,
    bint partial,
):
    """RGB of YBR samples of `bits` bits, clamped and rounded down; `partial` means 16..235 for black..white and
    16..240 for chroma (of 8 bits). `out` may be `raw` itself. Raises ValueError for other sizes."""
    cdef Py_ssize_t count = raw.shape[0] // (3 * width) if width in (1, 2) else 0
    cdef Range c
    if width not in (1, 2) or not 1 <= bits <= 8 * width or raw.shape[0] != out.shape[0] or raw.shape[0] != 3 * width * count:
        raise ValueError("RGB and YBR of the same size, of 1 or 2 bytes per sample")
    c.half, c.top, c.black, c.gray, c.chroma = 1 << (bits - 1), (1 << bits) - 1, 0, 1, 1
    if partial:
        c.black, c.gray, c.chroma = 16.0 * (1 << bits) / 256, 255.0 / 219.0, 255.0 / 224.0
    if count == 0:
        return
    with nogil:
        if width == 1:
            convert(&raw[0], &out[0], count, c)
        else:
            convert(<const uint16_t*> &raw[0], <uint16_t*> &out[0], count, c)


cdef void look_up(const sample* indices, const entry* table, entry* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    cdef const entry* row
    for i in range(count):
        row = table + 3 * <Py_ssize_t> indices[i]
        out[3 * i] = row[0]
        out[3 * i + 1] = row[1]
        out[3 * i + 2] = row[2]


def apply_palette(
    const uint8_t[::1] indices not None,
    Py_ssize_t width,
    const uint8_t[::1] table not None,
    Py_ssize_t entry_width,
    uint8_t[::1] out not None,
):
    """out = row of the table at each index. The table has a row of three entries, of 1 or 2 bytes each, for every
    index that `width` bytes can hold. Raises ValueError for other sizes."""
    cdef Py_ssize_t count, row = 3 * entry_width
    cdef const uint8_t* source
    cdef uint8_t* target
    if width not in (1, 2) or entry_width not in (1, 2) or table.shape[0] != row << (8 * width):
        raise ValueError("a table with a row for every index of 1 or 2 bytes")
    count = indices.shape[0] // width
    if indices.shape[0] % width or out.shape[0] != row * count:
        raise ValueError(f"{out.shape[0]} bytes cannot take {count} pixels")
    if count == 0:
        return
    source, target = &indices[0], &out[0]
    with nogil:
        if width == 1 and entry_width == 1:
            look_up(source, &table[0], target, count)
        elif width == 1:
            look_up(source, <const uint16_t*> &table[0], <uint16_t*> target, count)
        elif entry_width == 1:
            look_up(<const uint16_t*> source, &table[0], target, count)
        else:
            look_up(<const uint16_t*> source, <const uint16_t*> &table[0], <uint16_t*> target, count)
