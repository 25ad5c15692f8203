# cython: language_level=3
"""A data set in the DICOM JSON model (PS3.18 annex F) with addresses of bulk data, in one pass into one growing buffer.

What is not plain is left to functions of the caller: text beyond ASCII, numbers in odd forms, the VRs of implicit and
unknown elements. Source: reference chapter 5, section 12.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free
from libc.math cimport floor, isinf, isnan
from libc.stdio cimport snprintf
from libc.string cimport memcpy, strlen

from element cimport *

include "growing.pxi"

cdef extern from "Python.h":
    char* PyOS_double_to_string(double val, char format_code, int precision, int flags, int* ptype) except NULL

cdef enum:
    URI = 0             # how OB, OW, OF, OD, OL and OV are shown: by an address,
    INLINE = 1          # as Base64,
    ARRAY = 2           # as numbers, but OB as Base64

cdef enum:
    CHARACTER_SET = 0x00080005
    FLOAT_PIXEL_DATA = 0x7FE00008
    DOUBLE_PIXEL_DATA = 0x7FE00009
    PATH = 64 * 20      # bytes of the longest path: a tag, a number and two slashes for each level

cdef enum:
    # kinds of VR
    K_TEXT = 0          # several values
    K_SINGLE = 1        # LT ST UT UR
    K_NAME = 2          # PN
    K_DECIMAL = 3       # DS
    K_INTEGER = 4       # IS
    K_NUMBERS = 5       # US SS UL SL UV SV FL FD
    K_OTHER = 6         # OW OF OD OL OV
    K_TAGS = 7          # AT
    K_BYTES = 8         # OB
    K_UNKNOWN = 9       # UN

cdef const char* LOWER = b"0123456789abcdef"
cdef const char* UPPER = b"0123456789ABCDEF"


class DataSetError(ValueError):
    """The data set cannot be shown: it is damaged, or its sequences are nested too deeply."""


cdef int kind_of(unsigned int vr) noexcept nogil:
    cdef int a = vr >> 8, b = vr & 0xFF
    if a == 79:                                    # O.
        return K_BYTES if b == 66 else K_OTHER
    if a == 65 and b == 84:
        return K_TAGS
    if a == 70:                                    # FL FD
        return K_NUMBERS
    if (a == 85 or a == 83) and b in (76, 83, 86):
        return K_NUMBERS
    if vr == VR_UN:
        return K_UNKNOWN
    if vr == VR_LT or vr == VR_ST or vr == VR_UT or vr == ((85 << 8) | 82):
        return K_SINGLE
    if a == 80:
        return K_NAME
    if a == 68 and b == 83:
        return K_DECIMAL
    if a == 73:
        return K_INTEGER
    return K_TEXT


cdef int item_size(unsigned int vr) noexcept nogil:
    cdef int b = vr & 0xFF
    if b == 83 or b == 87:                         # US SS OW
        return 2
    if b == 86 or b == 68:                         # UV SV OV OD FD
        return 8
    return 4                                       # UL SL FL OF OL AT


cdef class Out(Growing):
    """What is written."""

    cdef int put_tag(self, unsigned int tag, const char* digits) except -1:
        cdef int i
        self.need(8)
        for i in range(8):
            self.data[self.used + i] = digits[(tag >> (28 - 4 * i)) & 15]
        self.used += 8
        return 0

    cdef int put_ascii(self, const unsigned char* text, Py_ssize_t size) except -1:
        """A string of JSON; `text` has nothing to be escaped but quotes and backslashes."""
        cdef Py_ssize_t i
        cdef char* out
        self.need(2 * size + 2)
        out = self.data + self.used
        out[0] = 34
        out += 1
        for i in range(size):
            if text[i] == 34 or text[i] == 92:
                out[0] = 92
                out += 1
            out[0] = text[i]
            out += 1
        out[0] = 34
        self.used = out + 1 - self.data
        return 0


cdef class Writer:
    """Writes the data sets of one file."""
    cdef Out out
    cdef const unsigned char* buf
    cdef int mode
    cdef bint plain           # the character set takes ASCII bytes as they are
    cdef bytes prefix         # of addresses
    cdef object vr_of         # (tag, VR as number, private creator or None, explicit) -> VR as number
    cdef object values_of     # (tag, VR as number, raw) -> JSON array or None
    cdef object inline_of     # (VR as number, raw, big) -> Base64 of the little-endian bytes
    cdef char path[PATH]
    cdef int path_used

    cdef int dataset(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth,
                     bint delimited) except -1:
        """One object; `pos` ends behind it (and behind its delimiter)."""
        cdef Element e
        cdef int status
        cdef unsigned int last = 0
        cdef bint first = True, signed = False
        cdef Py_ssize_t begin = self.out.used, start = pos[0], mark
        cdef dict creators = None
        self.out.put_char(123)
        while True:
            status = self.next(pos, end, explicit, big, depth, delimited, &e)
            if status == AT_END:
                break
            if last and e.tag <= last:
                self.out.used = begin
                pos[0] = start
                return self.disordered(pos, end, explicit, big, depth, delimited)
            last = e.tag
            if is_creator(&e):
                if creators is None:
                    creators = {}
                creators[e.tag] = self.creator(&e)
            if e.tag == <unsigned int>PIXEL_REPRESENTATION:
                signed = self.is_signed(&e, big)
            mark = self.out.used
            if not first:
                self.out.put_char(44)
            if self.member(&e, pos, end, explicit, big, depth, creators, signed):
                first = False
            else:
                self.out.used = mark
        self.out.put_char(125)
        return 0

    cdef int next(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth, bint delimited,
                  Element* e) except? -99:
        """Reads the next element; `pos` goes behind a delimiter. What stands behind the pixel data is not looked at."""
        cdef int status
        if depth == 0 and is_over(self.buf, end, pos[0], big):
            return AT_END
        e.tag = 0
        status = read_element(self.buf, end, pos[0], explicit, big, e)
        if status == TRUNCATED and depth == 0 and e.tag == <unsigned int>PIXEL_DATA:
            status = OK  # of the pixel data the header is enough
        if status == AT_END and not delimited:
            return AT_END
        if status == OK and e.tag == <unsigned int>ITEM_END and delimited:
            pos[0] = e.value
            return AT_END
        if status != OK or is_delimiter(e.tag):
            raise DataSetError("the data set is damaged")
        return OK

    cdef int disordered(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth,
                        bint delimited) except -1:
        """Elements out of order or twice: sorted, the first of a tag counts."""
        cdef Element e
        cdef Py_ssize_t mark
        cdef bint signed = False, is_known = False, first = True
        cdef dict creators = {}, pieces = {}
        cdef Py_ssize_t scout = pos[0]
        while self.next(&scout, end, explicit, big, depth, delimited, &e) == OK:
            if is_creator(&e):  # they may stand behind what they explain
                creators.setdefault(e.tag, self.creator(&e))
            if e.tag == <unsigned int>PIXEL_REPRESENTATION and not is_known:
                signed, is_known = self.is_signed(&e, big), True
            self.skip(&scout, end, &e, explicit, big, depth)
        while self.next(pos, end, explicit, big, depth, delimited, &e) == OK:
            if e.tag in pieces:
                self.skip(pos, end, &e, explicit, big, depth)
                continue
            mark = self.out.used
            self.member(&e, pos, end, explicit, big, depth, creators, signed)
            pieces[e.tag] = PyBytes_FromStringAndSize(self.out.data + mark, self.out.used - mark)
            self.out.used = mark
        self.out.put_char(123)
        for tag in sorted(pieces):
            if not pieces[tag]:
                continue
            if not first:
                self.out.put_char(44)
            first = False
            self.out.put_bytes(pieces[tag])
        self.out.put_char(125)
        return 0

    cdef int skip(self, Py_ssize_t* pos, Py_ssize_t end, Element* e, bint explicit, bint big, int depth) except -1:
        pos[0] = e.value
        if depth == 0 and e.tag == <unsigned int>PIXEL_DATA:
            pos[0] = end
            return 0
        if e.length >= 0:
            pos[0] += e.length
            return 0
        if e.tag == <unsigned int>PIXEL_DATA:
            if skip_fragments(self.buf, end, pos, big) != OK:
                raise DataSetError("the pixel data are damaged")
        elif pass_items(self.buf, end, pos, -1, items_explicit(e, explicit), items_big(e, big), depth + 1) != OK:
            raise DataSetError("a sequence is damaged")
        return 0

    cdef bytes creator(self, Element* e):
        return PyBytes_FromStringAndSize(<const char*>self.buf + e.value, text_end(self.buf + e.value, e.length))

    cdef bint is_signed(self, Element* e, bint big) noexcept:
        cdef const unsigned char* p = self.buf + e.value
        if e.length >= 2:
            return u16(p, big) == 1
        return e.length == 1 and p[0] == 1 and not big

    cdef int open(self, unsigned int tag) except -1:
        self.out.put_char(34)
        self.out.put_tag(tag, UPPER)
        return self.out.put(b'":{', 3)

    cdef int close(self, unsigned int vr) except -1:
        cdef char* at
        self.out.need(10)
        at = self.out.data + self.out.used
        memcpy(at, b'"vr":"??"}', 10)
        at[6] = vr >> 8
        at[7] = vr & 0xFF
        self.out.used += 10
        return 0

    cdef int uri(self, unsigned int tag) except -1:
        self.out.put(b'"BulkDataURI":"', 15)
        self.out.put_bytes(self.prefix)
        self.out.put(self.path, self.path_used)
        self.out.put_tag(tag, LOWER)
        return self.out.put(b'",', 2)

    cdef bint member(self, Element* e, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth,
                     dict creators, bint signed) except? -1:
        """Writes one `"key":value` unless it is a group length; `pos` ends behind the element."""
        cdef unsigned int vr = e.vr
        cdef bint is_pixels = e.tag == <unsigned int>PIXEL_DATA
        cdef int form
        cdef object creator
        if e.tag & 0xFFFF == 0:
            self.skip(pos, end, e, explicit, big, depth)
            return False
        self.open(e.tag)
        if is_pixels and e.length == -1:
            self.skip(pos, end, e, explicit, big, depth)
            self.uri(e.tag)
            self.close(VR_OB)
            return True
        form = 0
        if explicit:
            form = vr_form(vr)
        if not explicit or vr == VR_UN or form <= 0:
            creator = None
            if creators is not None and e.tag & 0x10000 and e.tag & 0xFFFF >= 0x1000:
                creator = creators.get((e.tag & 0xFFFF0000u) | ((e.tag & 0xFFFF) >> 8))
            vr = self.vr_of(e.tag, vr, creator, explicit, signed)
        if e.length == -1 or vr == VR_SQ:
            self.sequence(e, pos, end, explicit, big, depth + 1)
            self.close(VR_SQ)
            return True
        self.skip(pos, end, e, explicit, big, depth)
        if e.length > 0:
            self.value(e, vr, big, is_pixels)
        self.close(vr)
        return True

    cdef int value(self, Element* e, unsigned int vr, bint big, bint is_pixels) except -1:
        cdef int kind = kind_of(vr)
        cdef Py_ssize_t mark = self.out.used
        cdef object found
        if kind == K_UNKNOWN or is_pixels or (kind >= K_OTHER and kind != K_TAGS and (
                self.mode == URI or e.tag == <unsigned int>FLOAT_PIXEL_DATA
                or e.tag == <unsigned int>DOUBLE_PIXEL_DATA)):
            return self.uri(e.tag)
        if kind == K_BYTES or (kind == K_OTHER and self.mode == INLINE):
            found = self.inline_of(vr, PyBytes_FromStringAndSize(<const char*>self.buf + e.value, e.length), big)
            self.out.put(b'"InlineBinary":"', 16)
            self.out.put_bytes(found)
            return self.out.put(b'",', 2)
        self.out.put(b'"Value":[', 9)
        if kind == K_NUMBERS or kind == K_OTHER or kind == K_TAGS:
            if self.numbers(e, vr, kind, big):
                return self.out.put(b'],', 2)
            self.out.used = mark
            return 0
        if self.texts(e, vr, kind):
            return self.out.put(b'],', 2)
        self.out.used = mark
        found = self.values_of(e.tag, vr, PyBytes_FromStringAndSize(<const char*>self.buf + e.value, e.length))
        if found is not None:
            self.out.put(b'"Value":', 8)
            self.out.put_bytes(found)
            self.out.put_char(44)
        return 0

    # Numbers

    cdef bint numbers(self, Element* e, unsigned int vr, int kind, bint big) except? -1:
        """False where there is no whole one; an odd length counts as completed by a zero byte."""
        cdef const unsigned char* p = self.buf + e.value
        cdef unsigned char padded[8]
        cdef int size = item_size(vr)
        cdef Py_ssize_t count = (e.length + (e.length & 1)) // size, i
        for i in range(count):
            if i:
                self.out.put_char(44)
            if (i + 1) * size > e.length:
                memcpy(padded, p + i * size, size - 1)
                padded[size - 1] = 0
                self.number(padded, vr, kind, big)
            else:
                self.number(p + i * size, vr, kind, big)
        return count > 0

    cdef int number(self, const unsigned char* p, unsigned int vr, int kind, bint big) except -1:
        cdef unsigned long long wide
        cdef unsigned int word
        cdef double number
        cdef float single
        cdef int size = item_size(vr), a = vr >> 8, b = vr & 0xFF
        cdef char* out
        self.out.need(32)
        out = self.out.data + self.out.used
        if kind == K_TAGS:
            self.out.put_char(34)
            self.out.put_tag(tag_at(p, big), UPPER)
            return self.out.put_char(34)
        if size == 2:
            word = u16(p, big)
            self.out.used += snprintf(out, 32, "%d", <int><short>word if a == 83 else <int>word)
            return 0
        if size == 4:
            word = u32(p, big)
            if b == 76 and a == 70 or b == 70:                # FL, OF
                memcpy(&single, &word, 4)
                return self.real(<double>single)
            if a == 83:
                self.out.used += snprintf(out, 32, "%d", <int>word)
            else:
                self.out.used += snprintf(out, 32, "%u", word)
            return 0
        if big:
            wide = (<unsigned long long>u32(p, True) << 32) | u32(p + 4, True)
        else:
            wide = (<unsigned long long>u32(p + 4, False) << 32) | u32(p, False)
        if b == 68:                                           # FD, OD
            memcpy(&number, &wide, 8)
            return self.real(number)
        if a == 83:
            self.out.used += snprintf(out, 32, "%lld", <long long>wide)
        else:
            self.out.used += snprintf(out, 32, "%llu", wide)
        return 0

    cdef int real(self, double number) except -1:
        cdef char* text
        if isnan(number) or isinf(number):
            return self.out.put(b"null", 4)  # JSON has no other word for it
        if floor(number) == number and -9007199254740992.0 <= number <= 9007199254740992.0:
            self.out.used += snprintf(self.out.data + self.out.used, 32, "%lld", <long long>number)
            return 0
        text = PyOS_double_to_string(number, 114, 0, 0, NULL)  # the shortest that is read as the same
        try:
            return self.out.put(text, strlen(text))
        finally:
            PyMem_Free(text)

    # Texts

    cdef bint texts(self, Element* e, unsigned int vr, int kind) except? -1:
        """Writes the values; False, having written anything, for what is not plain."""
        cdef const unsigned char* p = self.buf + e.value
        cdef Py_ssize_t size = text_end(p, e.length), i, start = 0
        if size == 0 or not self.plain or (e.tag == <unsigned int>CHARACTER_SET and p[0] == 92):
            return False
        for i in range(size):
            if p[i] >= 126 or p[i] < 32 or (p[i] == 32 and vr == VR_UI):
                return False
        if kind == K_SINGLE:
            self.out.put_ascii(p, size)
            return True
        for i in range(size + 1):
            if i == size or p[i] == 92:
                if start:
                    self.out.put_char(44)
                if not self.part(p + start, i - start, kind):
                    return False
                start = i + 1
        return True

    cdef bint part(self, const unsigned char* p, Py_ssize_t size, int kind) except? -1:
        """One of several values; False for a number that is not in the usual form."""
        if kind == K_NAME:
            return self.name(p, size)
        if kind == K_INTEGER or kind == K_DECIMAL:
            while size > 0 and p[0] == 32:
                p += 1
                size -= 1
            while size > 0 and p[size - 1] == 32:
                size -= 1
        if size == 0:
            self.out.put(b"null", 4)
            return True
        if kind == K_INTEGER:
            return self.integer(p, size)
        if kind == K_DECIMAL and not is_decimal(p, size):
            return False
        self.out.put_ascii(p, size)
        return True

    cdef bint integer(self, const unsigned char* p, Py_ssize_t size) except? -1:
        cdef bint negative = p[0] == 45
        cdef Py_ssize_t i = 1 if negative or p[0] == 43 else 0
        if size - i > 18 or size == i:
            return False
        while i + 1 < size and p[i] == 48:
            i += 1
        if negative and p[i] != 48:
            self.out.put_char(45)
        self.out.need(20)
        while i < size:
            if not is_digit(p[i]):
                return False
            self.out.data[self.out.used] = p[i]
            self.out.used += 1
            i += 1
        return True

    cdef bint name(self, const unsigned char* p, Py_ssize_t size) except? -1:
        cdef Py_ssize_t i, start = 0
        cdef int group = 0
        self.out.put_char(123)
        if size:
            for i in range(size + 1):
                if i == size or p[i] == 61:
                    if group == 0:
                        self.out.put(b'"Alphabetic":', 13)
                    elif group == 1:
                        self.out.put(b',"Ideographic":', 15)
                    else:
                        self.out.put(b',"Phonetic":', 12)
                    self.out.put_ascii(p + start, i - start)
                    start = i + 1
                    group += 1
                    if group == 3:
                        break
        self.out.put_char(125)
        return True

    # Sequences

    cdef int sequence(self, Element* e, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth) except -1:
        cdef bint inner_explicit = items_explicit(e, explicit), inner_big = items_big(e, big)
        cdef Py_ssize_t stop = end if e.length == -1 else e.value + e.length, before = self.out.used
        cdef unsigned int tag, length
        cdef int number = 0, path_used = self.path_used, i
        if depth > MAX_DEPTH:
            raise DataSetError("Too many levels of nested Sequences (max 64)")
        pos[0] = e.value
        self.out.put(b'"Value":[', 9)
        for i in range(8):
            self.path[path_used + i] = LOWER[(e.tag >> (28 - 4 * i)) & 15]
        while True:
            if e.length != -1 and stop - pos[0] < 8:
                break  # a rest that is no item
            if stop - pos[0] < 8:
                raise DataSetError("a sequence is damaged")
            tag = tag_at(self.buf + pos[0], inner_big)
            length = u32(self.buf + pos[0] + 4, inner_big)
            pos[0] += 8
            if tag == <unsigned int>SEQUENCE_END:
                break
            if tag != <unsigned int>ITEM:
                raise DataSetError("a sequence is damaged")
            if number:
                self.out.put_char(44)
            number += 1
            self.path_used = path_used + 8 + snprintf(self.path + path_used + 8, 12, "/%d/", number)
            if length == 0xFFFFFFFFu:
                self.dataset(pos, stop, inner_explicit, inner_big, depth, True)
            else:
                if <Py_ssize_t>length > stop - pos[0]:
                    raise DataSetError("a sequence is damaged")
                self.item(pos, <Py_ssize_t>length, inner_explicit, inner_big, depth)
        self.path_used = path_used
        if e.length >= 0:
            pos[0] = stop
        if number:
            return self.out.put(b"],", 2)
        self.out.used = before
        return 0

    cdef int item(self, Py_ssize_t* pos, Py_ssize_t length, bint explicit, bint big, int depth) except -1:
        cdef Py_ssize_t stop = pos[0] + length
        self.dataset(pos, stop, explicit, big, depth, False)
        pos[0] = stop
        return 0


cdef inline bint is_creator(Element* e) noexcept nogil:
    return (e.tag & 0x10000) != 0 and 0x10 <= (e.tag & 0xFFFF) <= 0xFF and e.length >= 0



cdef inline bint is_digit(unsigned char c) noexcept nogil:
    return 48 <= c <= 57


cdef bint is_decimal(const unsigned char* p, Py_ssize_t size) noexcept nogil:
    # A DS as JSON shows it: with digits behind the point, if there is one.
    cdef Py_ssize_t i = 0, digits = 0
    if p[0] == 43 or p[0] == 45:
        i = 1
    while i < size and is_digit(p[i]):
        i += 1
        digits += 1
    if i < size and p[i] == 46:
        i += 1
        if i == size:
            return False
        while i < size and is_digit(p[i]):
            i += 1
            digits += 1
    if digits == 0:
        return False
    if i == size:
        return True
    if p[i] != 69 and p[i] != 101:
        return False
    i += 1
    if i < size and (p[i] == 43 or p[i] == 45):
        i += 1
    if i == size:
        return False
    while i < size:
        if not is_digit(p[i]):
            return False
        i += 1
    return True


def data_set_json(data, Py_ssize_t start, bint explicit, bint big, int mode, bytes prefix not None, bint plain,
                  vr_of, values_of, inline_of):
    """The JSON object of the root data set that begins at `start`, as bytes.

    `data` may end behind the header of the pixel data. `mode`: 0 an address, 1 Base64, 2 numbers for the other binary
    VRs; `prefix` stands before the path in addresses. Raises DataSetError.
    """
    cdef Py_buffer view
    cdef Py_ssize_t pos = start
    cdef Writer writer
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if start < 0 or start > view.len:
            raise DataSetError("the data set begins behind the end of the data")
        writer = Writer()
        writer.out = Out()
        writer.buf = <const unsigned char*>view.buf
        writer.mode = mode
        writer.plain = plain
        writer.prefix = prefix
        writer.vr_of = vr_of
        writer.values_of = values_of
        writer.inline_of = inline_of
        writer.path_used = 0
        writer.dataset(&pos, view.len, explicit, big, 0, False)
        return writer.out.result()
    finally:
        PyBuffer_Release(&view)
