# cython: language_level=3
"""One pass over an encoded DICOM file: where the data set begins, wanted values, where the pixel data lie.

Refuses whatever Orthanc refuses (reference chapter 2, section 9): every sequence is walked, every length is held
against the buffer. Pixel data are skipped by their length and never touched.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.string cimport memcmp

from element cimport *


class ScanError(ValueError):
    """The bytes are not a DICOM file that this reader takes; the text says why."""


cdef enum:
    # what a walk notes on its way
    IRREGULAR = 1        # something that a strict reader would stumble over
    PART_OF_ITEM = 2     # a value that Orthanc cannot show


cdef struct Wanted:
    unsigned int tag
    unsigned int vr


cdef struct Notes:
    # Of one walk; `implicit` holds the VRs that matter for it where the file has none. What lies in items or sequences
    # of explicit length is skipped by a strict reader, and never irregular.
    int flags
    bint explicit        # the encoding of the file
    const Wanted* implicit
    Py_ssize_t count


cdef int skip_sequence(const unsigned char* buf, Py_ssize_t size, Py_ssize_t* pos, Py_ssize_t length,
                       bint explicit, bint big, int depth, Notes* notes) noexcept nogil:
    # Walks the items of a sequence that begins at `pos`, and all that is nested in them.
    cdef Py_ssize_t end = size if length == -1 else pos[0] + length
    cdef Py_ssize_t item_end
    cdef unsigned int tag, item_length
    cdef int status, irregular
    if depth > MAX_DEPTH:
        return TOO_DEEP
    while True:
        if length != -1 and pos[0] == end:
            return OK
        if end - pos[0] < 8:
            return TRUNCATED
        tag = tag_at(buf + pos[0], big)
        item_length = u32(buf + pos[0] + 4, big)
        pos[0] += 8
        if tag == <unsigned int>SEQUENCE_END:
            if length != -1 and pos[0] != end:
                return BAD_STRUCTURE
            return OK
        if tag != <unsigned int>ITEM:
            return BAD_STRUCTURE
        if item_length == 0xFFFFFFFFu:
            if explicit != notes.explicit:
                notes.flags |= IRREGULAR     # what a UN hides is in another encoding
            status = skip_item(buf, end, pos, explicit, big, depth, True, notes)
        else:
            item_end = pos[0] + item_length
            if item_end > end:
                return TRUNCATED
            irregular = notes.flags & IRREGULAR
            status = skip_item(buf, item_end, pos, explicit, big, depth, False, notes)
            notes.flags = (notes.flags & ~IRREGULAR) | irregular
        if status != OK:
            return status


cdef int skip_item(const unsigned char* buf, Py_ssize_t end, Py_ssize_t* pos, bint explicit, bint big,
                   int depth, bint delimited, Notes* notes) noexcept nogil:
    cdef Element e
    cdef int status
    while True:
        status = read_element(buf, end, pos[0], explicit, big, &e)
        if status == AT_END:
            return TRUNCATED if delimited else OK
        if status != OK:
            return status
        pos[0] = e.value
        if is_delimiter(e.tag):
            if e.tag == <unsigned int>ITEM_END and delimited:
                return OK
            return BAD_STRUCTURE
        status = skip_value(buf, end, pos, &e, explicit, big, depth, notes)
        if status != OK:
            return status


cdef int skip_value(const unsigned char* buf, Py_ssize_t end, Py_ssize_t* pos, Element* e, bint explicit,
                    bint big, int depth, Notes* notes) noexcept nogil:
    # From the beginning of a value behind its end.
    cdef int known, status, irregular
    if e.irregular:
        notes.flags |= IRREGULAR
    if not explicit and e.length > 0 and notes.count:
        known = find(notes.implicit, notes.count, e.tag)
        if known >= 0:
            e.vr = notes.implicit[known].vr
    if has_part_of_item(e):
        notes.flags |= PART_OF_ITEM
    if holds_items(e, explicit):
        irregular = notes.flags & IRREGULAR
        status = skip_sequence(buf, end, pos, e.length, items_explicit(e, explicit), items_big(e, big),
                               depth + 1, notes)
        if e.length >= 0:
            notes.flags = (notes.flags & ~IRREGULAR) | irregular
        return status
    if e.length == -1:
        return skip_fragments(buf, end, pos, big)
    pos[0] = e.value + e.length
    return OK


cdef int find(const Wanted* table, Py_ssize_t count, unsigned int tag) noexcept nogil:
    cdef Py_ssize_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) >> 1
        if table[middle].tag < tag:
            low = middle + 1
        else:
            high = middle
    return <int>low if low < count and table[low].tag == tag else -1


cdef object value_of(const unsigned char* p, Py_ssize_t length, unsigned int vr, bint big):
    """A text VR in pure ASCII: str, trimmed. One number of 16 or 32 bits: int. Anything else: (vr, bytes)."""
    cdef Py_ssize_t i, end
    if is_text(vr):
        end = text_end(p, length)
        for i in range(end):
            # What a character set may read otherwise than ASCII does, and blanks in UIDs, are left to the decoder.
            if p[i] >= 126 or p[i] < 32 or (p[i] == 32 and vr == VR_UI) or (
                    p[i] == 92 and vr in (VR_ST, VR_LT, VR_UT)):
                return vr, PyBytes_FromStringAndSize(<const char*>p, length)
        return PyUnicode_DecodeASCII(<const char*>p, end, NULL)
    if length == 2 and vr == ((85 << 8) | 83):          # US
        return u16(p, big)
    if length == 2 and vr == ((83 << 8) | 83):          # SS
        return <short>u16(p, big)
    return vr, PyBytes_FromStringAndSize(<const char*>p, length)


cdef raise_for(int status, Py_ssize_t pos):
    if status == TRUNCATED:
        raise ScanError(f"the data end inside the element at byte {pos}")
    if status == BAD_VR:
        raise ScanError(f"Unsupported value representation encountered at byte {pos}")
    if status == TOO_DEEP:
        raise ScanError("Too many levels of nested Sequences (max 64)")
    raise ScanError(f"an element stands where it cannot at byte {pos}")


def scan(data, Py_ssize_t start, bint explicit, bint big, bytes table, bytes implicit):
    """Walks the data set that begins at byte `start` to the very end of `data`.

    `table` holds the wanted root elements: records of two native 32-bit numbers (tag, VR to assume in
    implicit VR), sorted by tag; `implicit` in the same form the tags of sequences and of the VRs whose
    values must be whole items, for implicit VR. Returns (values, pixel, irregular): `values` maps tags to str (ASCII text,
    trimmed), int (one US or SS) or (VR as number, raw bytes); `pixel` is (tag, start, value offset,
    length or -1, VR as number) of the root pixel data, or None; `irregular` tells of something before the
    pixel data's value that a strict reader stumbles over. Raises ScanError.
    """
    cdef Py_buffer view
    cdef const Wanted* wanted = <const Wanted*><const char*>table
    cdef Py_ssize_t count = len(table) // sizeof(Wanted)
    cdef dict values = {}
    cdef object pixel = None
    cdef Notes notes
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        notes = Notes(0, explicit, <const Wanted*><const char*>implicit, len(implicit) // sizeof(Wanted))
        pixel = walk(<const unsigned char*>view.buf, view.len, start, explicit, big, wanted, count, values, &notes)
    finally:
        PyBuffer_Release(&view)
    if notes.flags & PART_OF_ITEM:
        raise ScanError("a value of AT, OF, OD, OL or OV is no whole number of items")
    return values, pixel, bool(notes.flags & IRREGULAR)


cdef object walk(const unsigned char* buf, Py_ssize_t size, Py_ssize_t pos, bint explicit, bint big,
                 const Wanted* wanted, Py_ssize_t count, dict values, Notes* notes):
    cdef Element e
    cdef int status, hit
    cdef unsigned int vr, group
    cdef object pixel = None
    cdef Notes later = notes[0]  # what stands behind the pixel data is not noted
    while True:
        if is_over(buf, size, pos, big):
            return pixel
        status = read_element(buf, size, pos, explicit, big, &e)
        if status != OK:
            raise_for(status, pos)
        if e.tag == 0 and explicit and not values:
            raise_for(BAD_VR, pos)           # nothing but padding so far
        group = e.tag >> 16
        if is_delimiter(e.tag):
            raise_for(BAD_STRUCTURE, pos)
        hit = find(wanted, count, e.tag)
        if hit >= 0 and e.length >= 0 and e.tag not in values:
            vr = e.vr if explicit else wanted[hit].vr
            if vr == VR_SQ:
                values[e.tag] = (vr, PyBytes_FromStringAndSize(<const char*>buf + e.start, e.value + e.length - e.start))
            else:
                values[e.tag] = value_of(buf + e.value, e.length, vr, big)
        pos = e.value
        if group == 0x7FE0 and (e.tag & 0xFFFF) in (0x08, 0x09, 0x10) and pixel is None:
            pixel = (e.tag, e.start, e.value, e.length, e.vr)
            notes.flags |= IRREGULAR if e.irregular else 0
            notes = &later
        elif e.tag > <unsigned int>PIXEL_DATA:
            notes = &later
        status = skip_value(buf, size, &pos, &e, explicit, big, 0, notes)
        if status != OK:
            raise_for(status, e.start)
        if hit >= 0 and e.length == -1 and e.vr != VR_UN and e.tag != <unsigned int>PIXEL_DATA and e.tag not in values:
            values[e.tag] = (VR_SQ, PyBytes_FromStringAndSize(<const char*>buf + e.start, pos - e.start))


def has_vr(dict values not None, unsigned int vr):
    """Whether one of the raw values that `scan` gave is of this VR."""
    for value in values.values():
        if isinstance(value, tuple) and value[0] == vr:
            return True
    return False


def texts(dict values not None, tuple tags not None, Py_ssize_t longest, otherwise):
    """The texts of those `tags` that are in `values`, as `scan` gave them, in the order of `tags`.

    What is no str of at most `longest` characters is what `otherwise(tag)` says, left out where that is None.
    """
    cdef dict found = {}
    for tag in tags:
        value = values.get(tag)
        if value is None:
            continue
        if not isinstance(value, str) or len(<str>value) > longest:
            value = otherwise(tag)
            if value is None:
                continue
        found[tag] = value
    return found


def meta_header(data, Py_ssize_t start, bint explicit=True):
    """Walks group 0002, which begins at `start`: explicit VR little endian, or implicit where some writer forgot that.

    Returns (elements, end): a list of (tag, VR as number, raw value) and the byte where the data set
    begins. Stops without complaint where something else than group 0002 begins, or group 0002 in another
    encoding: a data set may begin so. Raises ScanError.
    """
    cdef Py_buffer view
    cdef Element e
    cdef int status
    cdef Py_ssize_t pos = start
    cdef const unsigned char* buf
    cdef list found = []
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        buf = <const unsigned char*>view.buf
        while view.len - pos >= 8 and u16(buf + pos, False) == 2:
            status = read_element(buf, view.len, pos, explicit, False, &e)
            if status != OK:
                if status == BAD_VR and found:
                    break
                raise_for(status, pos)
            if e.length < 0:
                raise_for(BAD_STRUCTURE, pos)
            found.append((e.tag, e.vr, PyBytes_FromStringAndSize(<const char*>buf + e.value, e.length)))
            pos = e.value + e.length
    finally:
        PyBuffer_Release(&view)
    return found, pos


def elements(data, Py_ssize_t start, Py_ssize_t end, bint explicit, bint big, Py_ssize_t most=-1):
    """The elements of one data set or item that lies between `start` and `end`.

    Returns a list of (tag, VR as number, start, value offset, length or -1, offset behind the
    element); an item delimiter ends the walk, and so does the element of number `most`, if that is not negative. Raises
    ScanError.
    """
    cdef Py_buffer view
    cdef Element e
    cdef int status
    cdef Py_ssize_t pos = start
    cdef Notes notes = Notes(0, explicit, NULL, 0)
    cdef list found = []
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if end > view.len or start < 0 or start > end:
            raise ScanError("the range is not inside the data")
        while len(found) != most and not is_over(<const unsigned char*>view.buf, end, pos, big):
            status = read_element(<const unsigned char*>view.buf, end, pos, explicit, big, &e)
            if status != OK:
                raise_for(status, pos)
            pos = e.value
            status = skip_value(<const unsigned char*>view.buf, end, &pos, &e, explicit, big, 0, &notes)
            if status != OK:
                raise_for(status, e.start)
            found.append((e.tag, e.vr, e.start, e.value, e.length, pos))
    finally:
        PyBuffer_Release(&view)
    return found


def start_of(unsigned int tag, data, Py_ssize_t start, bint explicit, bint big):
    """Where the root element `tag` of the data set from `start` on begins; `data` may be the first part of a file only.

    Returns None where a greater tag comes first, or where `data` end, or are damaged, before it.
    """
    cdef Py_buffer view
    cdef Element e
    cdef Py_ssize_t pos = start, found = -1
    cdef Notes notes = Notes(0, explicit, NULL, 0)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if start < 0 or start > view.len:
            return None
        # Of the element itself the header may be all that is there.
        while view.len - pos >= 8 and tag_at(<const unsigned char*>view.buf + pos, big) < tag:
            if read_element(<const unsigned char*>view.buf, view.len, pos, explicit, big, &e) != OK:
                return None
            pos = e.value
            if skip_value(<const unsigned char*>view.buf, view.len, &pos, &e, explicit, big, 0, &notes) != OK:
                return None
        if view.len - pos >= 8 and tag_at(<const unsigned char*>view.buf + pos, big) == tag:
            found = pos
    finally:
        PyBuffer_Release(&view)
    return found if found >= 0 else None


def items(data, Py_ssize_t start, Py_ssize_t end, bint explicit, bint big, bint fragments=False):
    """The items of a sequence, or the fragments of encapsulated pixel data, that lie from `start` on.

    Returns a list of (first byte, byte behind the last one) of the contents. Raises ScanError.
    """
    cdef Py_buffer view
    cdef const unsigned char* buf
    cdef Py_ssize_t pos = start, inner
    cdef unsigned int tag, length
    cdef int status
    cdef Notes notes = Notes(0, explicit, NULL, 0)
    cdef list found = []
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        buf = <const unsigned char*>view.buf
        if end > view.len or start < 0:
            raise ScanError("the range is not inside the data")
        while end - pos >= 8:
            tag = tag_at(buf + pos, big)
            length = u32(buf + pos + 4, big)
            pos += 8
            if tag == <unsigned int>SEQUENCE_END:
                break
            if tag != <unsigned int>ITEM:
                raise_for(BAD_STRUCTURE, pos - 8)
            if length == 0xFFFFFFFFu:
                if fragments:
                    raise_for(BAD_STRUCTURE, pos - 8)
                inner = pos
                status = skip_item(buf, end, &pos, explicit, big, 0, True, &notes)
                if status != OK:
                    raise_for(status, inner)
                found.append((inner, pos - 8))
            else:
                if <Py_ssize_t>length > end - pos:
                    raise_for(TRUNCATED, pos)
                found.append((pos, pos + length))
                pos += length
    finally:
        PyBuffer_Release(&view)
    return found
