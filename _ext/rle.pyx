# cython: language_level=3
"""The two run-length encodings of pixel data: that of DICOM and the private one of Philips.

Sources: DICOM PS3.5 Annex G; reference chapter 2, section 4 (PMSCT_RLE1).
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

cdef enum:
    HEADER = 64
    MAX_SEGMENTS = 15
    MAX_RUN = 128


class RleError(ValueError):
    """The bytes are no frame of the expected size; the text says why."""


cdef uint32_t little(const uint8_t* at) noexcept nogil:
    return at[0] | at[1] << 8 | at[2] << 16 | <uint32_t> at[3] << 24


# Decoding

cdef Py_ssize_t expand(const uint8_t* source, Py_ssize_t size, uint8_t* out, Py_ssize_t count, Py_ssize_t stride) noexcept nogil:
    """PackBits: fills `count` places that are `stride` apart; returns how many could be filled. What comes after
    them is padding."""
    cdef Py_ssize_t at = 0, done = 0, run, i
    cdef uint8_t code, value
    while done < count and at < size:
        code = source[at]
        at += 1
        if code < 128:
            run = min(<Py_ssize_t> code + 1, count - done)
            if run > size - at:
                return done
            if stride == 1:
                memcpy(out + done, source + at, run)
            else:
                for i in range(run):
                    out[(done + i) * stride] = source[at + i]
            at += <Py_ssize_t> code + 1
        elif code > 128:
            if at == size:
                return done
            run = min(257 - <Py_ssize_t> code, count - done)
            value = source[at]
            at += 1
            if stride == 1:
                memset(out + done, value, run)
            else:
                for i in range(run):
                    out[(done + i) * stride] = value
        else:
            continue
        done += run
    return done


def decode(const uint8_t[::1] frame not None, uint8_t[::1] out not None, Py_ssize_t samples, Py_ssize_t width):
    """Fills `out` with the little endian, interleaved samples of one frame: `samples` of `width` bytes per pixel.

    A frame has one segment for each byte of a pixel, the most significant byte of a sample first. Raises RleError.
    """
    cdef Py_ssize_t segments = samples * width, size = frame.shape[0], count, k, begin, end, filled, place
    cdef const uint8_t* source
    if samples < 1 or width < 1 or segments > MAX_SEGMENTS or out.shape[0] % segments:
        raise RleError(f"a pixel cannot have {samples} samples of {width} bytes")
    if size < HEADER:
        raise RleError(f"{size} bytes are too few for the header")
    source = &frame[0]
    if little(source) != <uint32_t> segments:
        raise RleError(f"there are {little(source)} segments instead of {segments}")
    count = out.shape[0] // segments
    if count == 0:
        return
    for k in range(segments):
        begin = little(source + 4 + 4 * k)
        end = size if k == segments - 1 else <Py_ssize_t> little(source + 8 + 4 * k)
        if begin < HEADER or begin > end or end > size:
            raise RleError(f"segment {k} goes from byte {begin} to {end} of {size}")
        place = k // width * width + width - 1 - k % width
        with nogil:
            filled = expand(source + begin, end - begin, &out[place], count, segments)
        if filled < count:
            raise RleError(f"segment {k} has {filled} values instead of {count}")


# Encoding

cdef Py_ssize_t pack(const uint8_t* source, Py_ssize_t count, Py_ssize_t stride, uint8_t* out) noexcept nogil:
    """PackBits of one row of `count` values that are `stride` apart; returns the number of bytes written, at most
    count + count / 128 + 1. Runs of two become literals where they stand between literals."""
    cdef Py_ssize_t at = 0, size = 0, run, start, i
    while at < count:
        run = 1
        while at + run < count and run < MAX_RUN and source[(at + run) * stride] == source[at * stride]:
            run += 1
        if run > 1:
            out[size] = <uint8_t> (257 - run)
            out[size + 1] = source[at * stride]
            size += 2
            at += run
            continue
        start = at
        while at < count and at - start < MAX_RUN:
            if at + 2 < count and source[at * stride] == source[(at + 1) * stride] and source[at * stride] == source[(at + 2) * stride]:
                break
            at += 1
        out[size] = <uint8_t> (at - start - 1)
        size += 1
        for i in range(start, at):
            out[size] = source[i * stride]
            size += 1
    return size


def encode(const uint8_t[::1] pixels not None, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t samples, Py_ssize_t width):
    """One frame from little endian, interleaved samples: `samples` of `width` bytes per pixel. No run goes beyond
    its row, as the standard asks. Raises RleError if the sizes do not fit."""
    cdef Py_ssize_t segments = samples * width, stride = columns * segments, size = HEADER, k, row, place, most, begin
    cdef const uint8_t* source
    cdef uint8_t* target
    cdef bytearray out
    cdef uint8_t[::1] view
    if samples < 1 or width < 1 or segments > MAX_SEGMENTS or rows < 1 or columns < 1 or pixels.shape[0] != rows * stride:
        raise RleError(f"{pixels.shape[0]} bytes are not {rows} x {columns} pixels of {segments} bytes")
    most = segments * (rows * (columns + columns // MAX_RUN + 1) + 1)
    out = bytearray(HEADER + most)
    view = out
    source, target = &pixels[0], &view[0]
    target[0] = <uint8_t> segments
    for k in range(segments):
        begin = size
        if begin > 0xFFFFFFFF:
            raise RleError("the frame exceeds 4 GiB")
        target[4 + 4 * k] = begin & 0xFF
        target[5 + 4 * k] = begin >> 8 & 0xFF
        target[6 + 4 * k] = begin >> 16 & 0xFF
        target[7 + 4 * k] = begin >> 24 & 0xFF
        place = k // width * width + width - 1 - k % width
        with nogil:
            for row in range(rows):
                size += pack(source + row * stride + place, columns, segments, target + size)
            if size % 2:
                target[size] = 0    # the pad byte of PS3.5 G.3.1
                size += 1
    return PyBytes_FromStringAndSize(<const char*> target, size)


# Philips PMSCT_RLE1

def decode_pmsct(const uint8_t[::1] data not None, uint8_t[::1] out not None):
    """Fills `out` with 16-bit little endian values: runs first, then differences. Raises RleError if the data end
    before it is full."""
    cdef Py_ssize_t size = data.shape[0], count = out.shape[0] // 2, filled = 0
    if count and size:
        with nogil:
            filled = undo_pmsct(&data[0], size, &out[0], count)
    if filled < count:
        raise RleError(f"the data make {filled} pixels instead of {count}")


cdef struct Runs:
    const uint8_t* source
    Py_ssize_t size
    Py_ssize_t at
    Py_ssize_t left     # repetitions of `value` that are still to come
    uint8_t value


cdef int next_byte(Runs* runs) noexcept nogil:
    """The next byte after the first pass, -1 behind the last one."""
    if runs.left:
        runs.left -= 1
        return runs.value
    if runs.at >= runs.size:
        return -1
    runs.value = runs.source[runs.at]
    runs.at += 1
    if runs.value != 0xA5:
        return runs.value
    if runs.size - runs.at < 2:
        return -1
    runs.left = runs.source[runs.at]
    runs.value = runs.source[runs.at + 1]
    runs.at += 2
    return runs.value


cdef Py_ssize_t undo_pmsct(const uint8_t* source, Py_ssize_t size, uint8_t* out, Py_ssize_t count) noexcept nogil:
    cdef Runs runs
    cdef Py_ssize_t done
    cdef int code, low, high
    cdef uint32_t value = 0
    runs.source, runs.size, runs.at, runs.left, runs.value = source, size, 0, 0, 0
    for done in range(count):
        code = next_byte(&runs)
        if code == 0x5A:
            low = next_byte(&runs)
            high = next_byte(&runs)
            if low < 0 or high < 0:
                return done
            value = low | high << 8
        elif code >= 0:
            value += <uint32_t> (code - 256 if code > 127 else code)
        else:
            return done
        out[2 * done] = value & 0xFF
        out[2 * done + 1] = value >> 8 & 0xFF
    return count
