# cython: language_level=3
"""The row filters of PNG (PNG specification, section 9): between pixels and what its deflate stream is made from."""

from libc.stdint cimport uint16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

cdef enum:
    NONE = 0
    SUB = 1
    UP = 2
    AVERAGE = 3
    PAETH = 4
    MOST = 8    # bytes of a pixel: four samples of 16 bits


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


cdef inline void undo_sub(
    const unsigned char* source, unsigned char* out, Py_ssize_t columns, Py_ssize_t size
) noexcept nogil:
    """`size` is that of a pixel in bytes, a constant where this is inlined: the pixel on the left stays in registers."""
    cdef Py_ssize_t i, k
    cdef unsigned char[MOST] left
    for k in range(size):
        left[k] = 0
    for i in range(columns):
        for k in range(size):
            left[k] = <unsigned char> (left[k] + source[i * size + k])
            out[i * size + k] = left[k]


cdef void undo_up(
    const unsigned char* source, const unsigned char* above, unsigned char* out, Py_ssize_t size
) noexcept nogil:
    """`size` is that of the row."""
    cdef Py_ssize_t i
    for i in range(size):
        out[i] = <unsigned char> (source[i] + above[i])


cdef inline void undo_average(
    const unsigned char* source, const unsigned char* above, unsigned char* out, Py_ssize_t columns, Py_ssize_t size
) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef unsigned char[MOST] left
    for k in range(size):
        left[k] = 0
    for i in range(columns):
        for k in range(size):
            left[k] = <unsigned char> (source[i * size + k] + ((<int> left[k] + above[i * size + k]) >> 1))
            out[i * size + k] = left[k]


cdef inline void undo_paeth(
    const unsigned char* source, const unsigned char* above, unsigned char* out, Py_ssize_t columns, Py_ssize_t size
) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef int a, b, c, low, high, limit, nearest
    cdef int[MOST] left
    cdef int[MOST] corner
    for k in range(size):
        left[k] = corner[k] = 0
    for i in range(columns):
        for k in range(size):
            a, b, c = left[k], above[i * size + k], corner[k]
            # `a + b - c` is nearest to the greater one where c is below both by enough, to the smaller one where it is
            # above both, to c in between; ties fall as in the standard (all 2^24 cases were compared). Nothing but a
            # comparison or two has to wait for `a`.
            low = a if a < b else b
            high = b if a < b else a
            limit = 3 * c - b - a
            nearest = low if limit >= high else c
            nearest = high if limit <= low else nearest
            left[k] = (source[i * size + k] + nearest) & 0xff
            corner[k] = b
            out[i * size + k] = <unsigned char> left[k]


cdef inline void undo(
    unsigned char kind, const unsigned char* source, const unsigned char* above, unsigned char* out,
    Py_ssize_t columns, Py_ssize_t size,
) noexcept nogil:
    if kind == SUB:
        undo_sub(source, out, columns, size)
    elif kind == UP:
        undo_up(source, above, out, columns * size)
    elif kind == AVERAGE:
        undo_average(source, above, out, columns, size)
    elif kind == PAETH:
        undo_paeth(source, above, out, columns, size)
    else:
        memcpy(out, source, columns * size)


cdef void undo_row(
    unsigned char kind, const unsigned char* source, const unsigned char* above, unsigned char* out,
    Py_ssize_t columns, Py_ssize_t size,
) noexcept nogil:
    """The sizes that there are, each compiled for itself."""
    if size == 1:
        undo(kind, source, above, out, columns, 1)
    elif size == 2:
        undo(kind, source, above, out, columns, 2)
    elif size == 3:
        undo(kind, source, above, out, columns, 3)
    elif size == 4:
        undo(kind, source, above, out, columns, 4)
    elif size == 6:
        undo(kind, source, above, out, columns, 6)
    else:
        undo(kind, source, above, out, columns, 8)


cdef inline void keep(
    const unsigned char* row, unsigned char* out, Py_ssize_t columns, Py_ssize_t samples, Py_ssize_t kept, bint wide
) noexcept nogil:
    """The first `kept` of the samples of each pixel; little endian if they are `wide`."""
    cdef Py_ssize_t i, k
    if wide and samples == kept:
        swap(<const uint16_t*> row, <uint16_t*> out, columns * samples)
    elif wide:
        for i in range(columns):
            for k in range(kept):
                out[2 * (i * kept + k)] = row[2 * (i * samples + k) + 1]
                out[2 * (i * kept + k) + 1] = row[2 * (i * samples + k)]
    else:
        for i in range(columns):
            for k in range(kept):
                out[i * kept + k] = row[i * samples + k]


cdef bint undo_all(
    const unsigned char* source, unsigned char* work, unsigned char* out, Py_ssize_t rows, Py_ssize_t columns,
    Py_ssize_t samples, Py_ssize_t kept, bint wide,
) noexcept nogil:
    """`work` has room for two rows, the second of them zeros. False for a filter that does not exist."""
    cdef Py_ssize_t i
    cdef Py_ssize_t width = 2 if wide else 1
    cdef Py_ssize_t size = samples * width
    cdef Py_ssize_t stride = columns * size
    cdef bint is_plain = not wide and samples == kept    # rows are undone where they shall be
    cdef unsigned char* row = work
    cdef unsigned char* above = work + stride
    for i in range(rows):
        if source[0] > PAETH:
            return False
        if is_plain:
            row = out
        undo_row(source[0], source + 1, above, row, columns, size)
        if is_plain:
            above = row
        else:
            keep(row, out, columns, samples, kept, wide)
            row, above = above, row
        source += stride + 1
        out += columns * kept * width
    return True


def undo_filters(
    const unsigned char[::1] filtered not None,
    Py_ssize_t rows,
    Py_ssize_t columns,
    Py_ssize_t samples,
    Py_ssize_t kept,
    bint wide,
    unsigned char[::1] out not None,
):
    """Fills `out` with the pixels of `rows` filtered rows that are not interlaced: of each of the 1 to 4 `samples` of a
    pixel the first `kept` ones. `wide`: samples of 16 bits, big endian in PNG, little endian in `out`.

    Raises ValueError where sizes do not fit or a row has a filter that does not exist, MemoryError.
    """
    cdef Py_ssize_t width = 2 if wide else 1
    cdef Py_ssize_t most = <Py_ssize_t> 1 << 31    # of rows and columns in PNG: no product overflows
    cdef bint is_good
    if not (0 < rows < most and 0 < columns < most // MOST and 0 < kept <= samples <= 4):
        raise ValueError(f"{rows} rows of {columns} pixels with {kept} of {samples} samples")
    cdef Py_ssize_t stride = columns * samples * width
    if filtered.shape[0] != rows * (stride + 1) or out.shape[0] != rows * columns * kept * width:
        raise ValueError(f"{filtered.shape[0]} and {out.shape[0]} bytes are not {rows} rows of {columns} pixels")
    cdef unsigned char* work = <unsigned char*> calloc(2, stride)
    if work == NULL:
        raise MemoryError
    with nogil:
        is_good = undo_all(&filtered[0], work, &out[0], rows, columns, samples, kept, wide)
        free(work)
    if not is_good:
        raise ValueError("a row with an unknown filter")
