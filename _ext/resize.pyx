# cython: language_level=3
"""Pictures of 8 bits per sample (gray or RGB) in another size: nearest neighbour, and the smoothing before it.

Source: reference chapter 2, section 5.5.
"""

from libc.stdint cimport uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset


cdef int check(Py_ssize_t size, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t samples) except -1:
    if rows < 1 or columns < 1 or samples not in (1, 3) or size != rows * columns * samples:
        raise ValueError(f"{size} bytes are no picture of {rows} x {columns} x {samples}")
    return 0


cdef Py_ssize_t nearest_source(Py_ssize_t at, Py_ssize_t size, Py_ssize_t target) noexcept nogil:
    """The pixel whose place contains the centre of pixel `at` of the target."""
    cdef float ratio = <float> size / <float> target
    cdef float place = (<float> at + <float> 0.5) * ratio
    cdef Py_ssize_t found = <Py_ssize_t> place
    return found if found < size else size - 1


cdef void pick(
    const unsigned char* source, const Py_ssize_t* places, unsigned char* out, Py_ssize_t count, Py_ssize_t samples
) noexcept nogil:
    cdef Py_ssize_t i
    if samples == 1:
        for i in range(count):
            out[i] = source[places[i]]
    else:
        for i in range(count):
            out[3 * i] = source[places[i]]
            out[3 * i + 1] = source[places[i] + 1]
            out[3 * i + 2] = source[places[i] + 2]


def nearest(
    const unsigned char[::1] source not None,
    Py_ssize_t rows,
    Py_ssize_t columns,
    Py_ssize_t samples,
    unsigned char[::1] out not None,
    Py_ssize_t out_rows,
    Py_ssize_t out_columns,
):
    """Fills `out` with the source in another size. Raises ValueError where sizes do not fit."""
    cdef Py_ssize_t i, row, last = -1, stride = out_columns * samples
    cdef Py_ssize_t* places
    cdef const unsigned char* first
    cdef unsigned char* target
    check(source.shape[0], rows, columns, samples)
    check(out.shape[0], out_rows, out_columns, samples)
    places = <Py_ssize_t*> malloc(out_columns * sizeof(Py_ssize_t))
    if places == NULL:
        raise MemoryError()
    first, target = &source[0], &out[0]
    with nogil:
        for i in range(out_columns):
            places[i] = nearest_source(i, columns, out_columns) * samples
        for i in range(out_rows):
            row = nearest_source(i, rows, out_rows)
            if row == last:    # enlarged: the same line again
                memcpy(target + i * stride, target + (i - 1) * stride, stride)
            else:
                pick(first + row * columns * samples, places, target + i * stride, out_columns, samples)
            last = row
    free(places)


cdef void along_row(
    const unsigned char* source, uint16_t* out, Py_ssize_t columns, Py_ssize_t samples
) noexcept nogil:
    """Sums of one row with the weights 1 4 6 4 1, the border pixels repeated outwards."""
    cdef Py_ssize_t count = columns * samples, step = samples, i
    cdef Py_ssize_t inner = 2 * step
    for i in range(inner, count - inner):
        out[i] = <uint16_t> (
            source[i - 2 * step] + source[i + 2 * step] + 4 * (source[i - step] + source[i + step]) + 6 * source[i]
        )
    for i in range(min(inner, count)):
        out[i] = at_border(source, i, count, step)
    for i in range(max(count - inner, min(inner, count)), count):
        out[i] = at_border(source, i, count, step)


cdef uint16_t at_border(
    const unsigned char* source, Py_ssize_t i, Py_ssize_t count, Py_ssize_t step
) noexcept nogil:
    cdef Py_ssize_t sample = i % step, last = count - step + sample
    return <uint16_t> (
        source[max(i - 2 * step, sample)] + source[min(i + 2 * step, last)]
        + 4 * (source[max(i - step, sample)] + source[min(i + step, last)]) + 6 * source[i]
    )


cdef void down_columns(
    const uint16_t* a, const uint16_t* b, const uint16_t* c, const uint16_t* d, const uint16_t* e,
    unsigned char* out, Py_ssize_t count,
) noexcept nogil:
    """The same weights over five rows of sums; all 256 of them together fit into 16 bits."""
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = <unsigned char> (<uint16_t> (a[i] + e[i] + 4 * (b[i] + d[i]) + 6 * c[i]) >> 8)


def smooth(
    const unsigned char[::1] source not None,
    Py_ssize_t rows,
    Py_ssize_t columns,
    Py_ssize_t samples,
    unsigned char[::1] out not None,
):
    """Fills `out` with the source convolved with (1 4 6 4 1)/16 in both directions, rounded down.

    Integer sums are exact and so are those in binary32 that the reference computes. Raises ValueError where
    sizes do not fit.
    """
    cdef Py_ssize_t i, j, stride = columns * samples
    cdef const unsigned char* first
    cdef uint16_t* sums
    cdef const uint16_t* lines[5]
    check(source.shape[0], rows, columns, samples)
    check(out.shape[0], rows, columns, samples)
    sums = <uint16_t*> malloc(5 * stride * sizeof(uint16_t))    # rows i-2 to i+2, row r in place r % 5
    if sums == NULL:
        raise MemoryError()
    first = &source[0]
    with nogil:
        for i in range(min(rows, <Py_ssize_t> 2)):
            along_row(first + i * stride, sums + i * stride, columns, samples)
        for i in range(rows):
            if i + 2 < rows:
                along_row(first + (i + 2) * stride, sums + (i + 2) % 5 * stride, columns, samples)
            for j in range(5):
                lines[j] = sums + min(max(i + j - 2, <Py_ssize_t> 0), rows - 1) % 5 * stride
            down_columns(lines[0], lines[1], lines[2], lines[3], lines[4], &out[i * stride], stride)
    free(sums)


cdef void add_rows(
    const unsigned char* source,
    uint32_t* sums,
    Py_ssize_t stride,
    Py_ssize_t out_columns,
    Py_ssize_t samples,
    Py_ssize_t factor,
) noexcept nogil:
    """Adds `factor` rows of `stride` bytes to the sums of the blocks that they cross."""
    cdef Py_ssize_t row, column, inner, sample
    cdef const unsigned char* pixel
    for row in range(factor):
        pixel = source + row * stride
        for column in range(out_columns):
            for inner in range(factor):
                for sample in range(samples):
                    sums[column * samples + sample] += pixel[sample]
                pixel += samples


def average(
    const unsigned char[::1] source not None,
    Py_ssize_t rows,
    Py_ssize_t columns,
    Py_ssize_t samples,
    Py_ssize_t factor,
    unsigned char[::1] out not None,
):
    """Fills `out`, of rows // factor x columns // factor pixels, with the means of blocks of factor x factor; what is
    left over at the right and the bottom does not count. Raises ValueError where sizes do not fit."""
    cdef Py_ssize_t out_rows, out_columns, count, stride = columns * samples, row, i
    cdef uint32_t* sums
    cdef uint32_t area
    cdef const unsigned char* first
    cdef unsigned char* target
    check(source.shape[0], rows, columns, samples)
    if not 1 <= factor <= 4096:    # the sum of more would not fit
        raise ValueError(f"blocks of {factor} x {factor}")
    out_rows, out_columns = rows // factor, columns // factor
    check(out.shape[0], out_rows, out_columns, samples)
    count, area = out_columns * samples, <uint32_t> (factor * factor)
    sums = <uint32_t*> malloc(count * sizeof(uint32_t))
    if sums == NULL:
        raise MemoryError()
    first, target = &source[0], &out[0]
    with nogil:
        for row in range(out_rows):
            memset(sums, 0, count * sizeof(uint32_t))
            add_rows(first + row * factor * stride, sums, stride, out_columns, samples, factor)
            for i in range(count):
                target[row * count + i] = <unsigned char> ((sums[i] + area // 2) // area)
    free(sums)
