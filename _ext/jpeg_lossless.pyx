# cython: language_level=3
"""JPEG lossless (process 14) for one component: differences to a predictor, Huffman coded by a table made for the image.

libjpeg-turbo encodes all there is; this takes a quarter of its time for what scanners make. Source: ITU T.81, annexes C, F, H, K.2.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

cdef extern from *:
    """
    static inline int bit_length(unsigned int value) { return value ? 32 - __builtin_clz(value) : 0; }
    """
    int bit_length(unsigned int value) noexcept nogil

cdef enum:
    CATEGORIES = 17       # lengths of differences in bits
    LONGEST = 16          # bits of a code
    MAX_SIDE = 65535

cdef packed struct Code:
    uint32_t bits
    uint8_t length        # of the code and of what follows it
    uint8_t extra         # bits of the difference itself


def encode(const unsigned char[::1] cells not None, Py_ssize_t rows, Py_ssize_t columns, int size, int selection):
    """The codestream of `rows` times `columns` cells of `size` bytes (1, or 2 in the order of this machine), whole cells as
    precision. `selection` is the predictor: 1 the left neighbour, 6 the upper one with half of the left slope. Raises ValueError."""
    if size not in (1, 2) or selection not in (1, 6):
        raise ValueError("cells have one or two bytes, and the predictor is 1 or 6")
    if not (0 < rows <= MAX_SIDE and 0 < columns <= MAX_SIDE) or cells.shape[0] != rows * columns * size:
        raise ValueError("the cells are not those of the image")
    cdef Py_ssize_t count = rows * columns, used, total = 0
    cdef uint64_t histogram[CATEGORIES]
    cdef Code codes[CATEGORIES]
    cdef int16_t* differences = <int16_t*> malloc(count * sizeof(int16_t))
    cdef uint8_t* out = NULL
    try:
        if differences == NULL:
            raise MemoryError()
        with nogil:
            if size == 1:
                differ8(&cells[0], rows, columns, selection, differences)
            else:
                differ16(<const uint16_t*> &cells[0], rows, columns, selection, differences)
            for i in range(CATEGORIES):
                histogram[i] = 0
            for at in range(count):
                histogram[category(differences[at])] += 1
        lengths = code_lengths([histogram[i] for i in range(CATEGORIES)])
        assign(lengths, codes)
        for i in range(CATEGORIES):
            total += histogram[i] * codes[i].length
        out = <uint8_t*> malloc(2 * (total // 8 + 9))  # each byte may need another one behind it
        if out == NULL:
            raise MemoryError()
        with nogil:
            used = emit(differences, count, codes, out)
        return header(rows, columns, 8 * size, selection, lengths) + PyBytes_FromStringAndSize(<char*> out, used) + b"\xff\xd9"
    finally:
        free(differences)
        free(out)


cdef inline int category(int16_t difference) noexcept nogil:
    return bit_length(-<int> difference if difference < 0 else difference)


# Differences, modulo 65536: H.1.2.1

ctypedef fused cell:
    uint8_t
    uint16_t


cdef inline void differ(const cell* cells, Py_ssize_t rows, Py_ssize_t columns, int selection, int16_t* out) noexcept nogil:
    cdef const cell* above
    cdef Py_ssize_t row, x
    out[0] = <int16_t> (cells[0] - (1 << (8 * sizeof(cell) - 1)))
    for x in range(1, columns):
        out[x] = <int16_t> (cells[x] - cells[x - 1])
    for row in range(1, rows):
        above = cells
        cells += columns
        out += columns
        out[0] = <int16_t> (cells[0] - above[0])
        if selection == 1:
            for x in range(1, columns):
                out[x] = <int16_t> (cells[x] - cells[x - 1])
        else:
            for x in range(1, columns):
                out[x] = <int16_t> (cells[x] - above[x] - ((<int> cells[x - 1] - <int> above[x - 1]) >> 1))


cdef void differ8(const uint8_t* cells, Py_ssize_t rows, Py_ssize_t columns, int selection, int16_t* out) noexcept nogil:
    differ(cells, rows, columns, selection, out)


cdef void differ16(const uint16_t* cells, Py_ssize_t rows, Py_ssize_t columns, int selection, int16_t* out) noexcept nogil:
    differ(cells, rows, columns, selection, out)


# The table: annex K.2, with one code more than categories, so that none consists of ones alone

cdef list code_lengths(list counts):
    """Bits of the code of each category, 0 for those that do not occur."""
    cdef list used = [[count, 1, [number]] for number, count in enumerate(counts) if count]
    used.append([0, 0, [-1]])
    depth = dict.fromkeys(range(-1, CATEGORIES), 0)
    while len(used) > 1:
        used.sort()
        first, second = used[:2]
        for number in first[2] + second[2]:
            depth[number] += 1
        used[:2] = [[first[0] + second[0], 1, first[2] + second[2]]]
    cdef list bits = [0] * (CATEGORIES + LONGEST)
    for length in depth.values():
        if length:
            bits[length] += 1
    for length in range(len(bits) - 1, LONGEST, -1):
        while bits[length]:
            shorter = length - 2
            while not bits[shorter]:
                shorter -= 1
            bits[length] -= 2
            bits[length - 1] += 1
            bits[shorter] -= 1
            bits[shorter + 1] += 2
    longest = max(length for length in range(1, LONGEST + 1) if bits[length])
    bits[longest] -= 1  # of the code that is not used
    order = sorted((number for number in range(CATEGORIES) if depth[number]), key=lambda number: (depth[number], number))
    found = [0] * CATEGORIES
    for length in range(1, LONGEST + 1):
        for number in order[:bits[length]]:
            found[number] = length
        del order[:bits[length]]
    return found


cdef list by_length(list lengths):
    return sorted((length, number) for number, length in enumerate(lengths) if length)


cdef void assign(list lengths, Code* codes):
    cdef uint32_t code = 0
    cdef int before = 0
    for i in range(CATEGORIES):
        codes[i].bits = codes[i].length = codes[i].extra = 0
    for length, number in by_length(lengths):
        code <<= <int> length - before
        before = length
        codes[<int> number].extra = 0 if number == 16 else number  # there is but one difference of 16 bits
        codes[<int> number].bits = code << codes[<int> number].extra
        codes[<int> number].length = length + codes[<int> number].extra
        code += 1


# The codestream

cdef bytes header(Py_ssize_t rows, Py_ssize_t columns, int precision, int selection, list lengths):
    """SOI, SOF3, DHT and SOS: annex B."""
    ordered = by_length(lengths)
    table = bytes(sum(1 for length, _ in ordered if length == bits) for bits in range(1, LONGEST + 1))
    table += bytes(number for _, number in ordered)
    return b"".join((
        b"\xff\xd8\xff\xc3\x00\x0b", bytes((precision,)), rows.to_bytes(2, "big"), columns.to_bytes(2, "big"), b"\x01\x01\x11\x00",
        b"\xff\xc4", (len(table) + 3).to_bytes(2, "big"), b"\x00", table,
        b"\xff\xda\x00\x08\x01\x01\x00", bytes((selection,)), b"\x00\x00",
    ))


cdef Py_ssize_t emit(const int16_t* differences, Py_ssize_t count, const Code* codes, uint8_t* out) noexcept nogil:
    # Returns how many bytes were written.
    cdef uint64_t waiting = 0     # the lower `bits` are not written yet
    cdef int bits = 0, difference, number
    cdef uint32_t word
    cdef uint8_t* end = out
    cdef Py_ssize_t at
    cdef Code code
    for at in range(count):
        difference = differences[at]
        number = bit_length(-difference if difference < 0 else difference)
        code = codes[number]
        difference -= difference < 0
        waiting = waiting << code.length | code.bits | (difference & ((<uint32_t> 1 << code.extra) - 1))
        bits += code.length
        if bits >= 32:
            bits -= 32
            word = <uint32_t> (waiting >> bits)
            # Whether one of its bytes is 0xFF, as none of ~word is 0.
            if (~word - <uint32_t> 0x01010101) & word & <uint32_t> 0x80808080:
                end = put(end, word, 4)
            else:
                end[0] = word >> 24
                end[1] = word >> 16
                end[2] = word >> 8
                end[3] = word
                end += 4
    number = -bits & 7    # padded with ones
    word = <uint32_t> (waiting << number | ((1 << number) - 1))
    end = put(end, word, (bits + number) >> 3)
    return end - out


cdef uint8_t* put(uint8_t* out, uint32_t word, int count) noexcept nogil:
    cdef uint8_t byte
    while count:
        count -= 1
        byte = word >> 8 * count
        out[0] = byte
        out += 1
        if byte == 0xFF:
            out[0] = 0
            out += 1
    return out
