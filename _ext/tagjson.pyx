# cython: language_level=3
"""A DICOM data set as Orthanc's JSON (reference chapter 2, section 1), written in one pass into one growing buffer.

The three formats are 0 Full, 1 Short, 2 Simplified. Text that is not plain ASCII is decoded by the function that the
caller gives; names and VRs come from the caller's dictionary object.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.math cimport isinf, isnan
from libc.stdio cimport snprintf
from libc.string cimport memcpy, strlen

from element cimport *

include "growing.pxi"

cdef enum:
    FULL = 0
    SHORT = 1
    SIMPLIFIED = 2

cdef enum:
    MAX_TEXT = 256      # bytes of UTF-8 beyond which a value is TooLong
    MAX_NUMBERS = 256   # values of AT, OF, OD, OL, OV that are shown at all

cdef enum:
    # kinds of VR
    K_NULL = 0
    K_TEXT = 1
    K_INTEGERS = 2      # US SS UL SL UV SV
    K_FLOATS = 3        # FL FD
    K_OTHER_FLOATS = 4  # OF OD
    K_OTHER_INTS = 5    # OL OV
    K_TAGS = 6          # AT
    K_UNKNOWN_TEXT = 7  # UN that the dictionary calls a text

cdef const char* HEX = b"0123456789abcdef"


class TagError(ValueError):
    """The data set cannot be shown: it is damaged, or its sequences are nested too deeply."""


cdef class Out(Growing):
    """What is written."""

    cdef int put_escaped(self, const unsigned char* text, Py_ssize_t size) except -1:
        # The inside of a JSON string; `text` is valid UTF-8.
        cdef Py_ssize_t i
        cdef unsigned char c
        cdef char* out
        self.need(size * 6)
        out = self.data + self.used
        for i in range(size):
            c = text[i]
            if c == 34 or c == 92:
                out[0] = 92
                out[1] = c
                out += 2
            elif c < 32:
                memcpy(out, b"\\u00", 4)
                out[4] = HEX[c >> 4]
                out[5] = HEX[c & 15]
                out += 6
            else:
                out[0] = c
                out += 1
        self.used = out - self.data
        return 0

    cdef int put_tag(self, unsigned int tag) except -1:
        cdef int i
        cdef int at = 0
        self.need(9)
        for i in range(8):
            if i == 4:
                self.data[self.used + at] = 44
                at += 1
            self.data[self.used + at] = HEX[(tag >> (28 - 4 * i)) & 15]
            at += 1
        self.used += 9
        return 0


cdef int kind_of(unsigned int vr) noexcept nogil:
    cdef int a = vr >> 8, b = vr & 0xFF
    if a == 79:       # OB OD OF OL OV OW
        if b == 68 or b == 70:
            return K_OTHER_FLOATS
        if b == 76 or b == 86:
            return K_OTHER_INTS
        return K_NULL
    if a == 70:       # FL FD
        return K_FLOATS if b == 68 or b == 76 else K_NULL
    if a == 65 and b == 84:
        return K_TAGS
    if a == 85 and b in (76, 83, 86):   # UL US UV
        return K_INTEGERS
    if a == 83 and b in (76, 83, 86):   # SL SS SV
        return K_INTEGERS
    if vr == VR_UN or vr == VR_SQ:
        return K_NULL
    if vr_form(vr) > 0:
        return K_TEXT
    return K_NULL


cdef int item_size(unsigned int vr) noexcept nogil:
    cdef int a = vr >> 8, b = vr & 0xFF
    if b == 83:                          # US SS
        return 2
    if b == 86 or b == 68:               # UV SV OV OD FD
        return 8
    return 4                             # UL SL FL OF OL AT


cdef unsigned int vr_number(bytes vr):
    # 0 for an ambiguous VR such as "US or SS".
    if len(vr) != 2:
        return 0
    return (<unsigned int>vr[0] << 8) | <unsigned int>vr[1]


cdef int write_number(char* out, const unsigned char* p, unsigned int vr, bint big) noexcept nogil:
    # The decimal form of one item, as many bytes as returned.
    cdef unsigned long long wide
    cdef unsigned int word
    cdef double number
    cdef float single
    cdef int a = vr >> 8, b = vr & 0xFF
    cdef int size = item_size(vr)
    if size == 2:
        word = u16(p, big)
        if a == 83:
            return snprintf(out, 40, "%d", <int><short>word)
        return snprintf(out, 40, "%u", word)
    if a == 65:                                          # AT
        return snprintf(out, 40, "%04x,%04x", u16(p, big), u16(p + 2, big))
    if size == 4:
        word = u32(p, big)
        if a == 70 or (a == 79 and b == 70):             # FL, OF
            memcpy(&single, &word, 4)
            return write_float(out, <double>single, a == 79)
        if a == 83:
            return snprintf(out, 40, "%d", <int>word)
        return snprintf(out, 40, "%u", word)
    if big:
        wide = (<unsigned long long>u32(p, True) << 32) | u32(p + 4, True)
    else:
        wide = (<unsigned long long>u32(p + 4, False) << 32) | u32(p, False)
    if b == 68:                                          # FD, OD
        memcpy(&number, &wide, 8)
        return write_float(out, number, False)
    if a == 83:
        return snprintf(out, 40, "%lld", <long long>wide)
    return snprintf(out, 40, "%llu", wide)


cdef int write_item(char* out, const unsigned char* value, Py_ssize_t length, Py_ssize_t index, unsigned int vr,
                    bint big) noexcept nogil:
    # The item at `index` of a value whose odd length counts as completed by a zero byte.
    cdef unsigned char padded[8]
    cdef int size = item_size(vr)
    if (index + 1) * size <= length:
        return write_number(out, value + index * size, vr, big)
    memcpy(padded, value + index * size, size - 1)
    padded[size - 1] = 0
    return write_number(out, padded, vr, big)


cdef bint is_strict(int kind) noexcept nogil:
    # Of AT, OF, OD, OL and OV only whole items are shown; ingest refuses others.
    return kind == K_TAGS or kind == K_OTHER_FLOATS or kind == K_OTHER_INTS


cdef Py_ssize_t item_count(Py_ssize_t length, unsigned int vr, int kind) noexcept nogil:
    # How many items of a value are shown: of those that are no whole number of them the first one.
    cdef int size = item_size(vr)
    if is_strict(kind):
        return length // size
    length += length & 1
    return length // size if length % size == 0 or length < size else 1


cdef int write_float(char* out, double number, bint short_form) noexcept nogil:
    if isnan(number):
        return snprintf(out, 40, "%s", b"nan")
    if isinf(number):
        return snprintf(out, 40, "%s", <const char*>b"inf" if number > 0 else <const char*>b"-inf")
    if short_form:
        return snprintf(out, 40, "%.9g", number)
    return snprintf(out, 40, "%.17g", number)


cdef class Writer:
    """Writes the data sets of one file."""
    cdef Out out
    cdef const unsigned char* buf
    cdef Py_ssize_t size
    cdef int form
    cdef bint whole
    cdef object standard      # tag -> (name, vr)
    cdef object private       # creator -> {key: (name, vr)}
    cdef frozenset signed     # tags that PixelRepresentation makes US or SS
    cdef object charset
    cdef object decode
    cdef object unlimited     # tags without the limit of 256 bytes
    cdef bint plain           # the character set takes ASCII bytes as they are

    cdef int dataset(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth,
                     bint delimited, bint inject) except -1:
        """One object; `pos` ends behind it (and behind its delimiter)."""
        cdef Element e
        cdef int status
        cdef unsigned int last = 0, sign = VR_NONE
        cdef bint first = True, in_order = True
        cdef Py_ssize_t begin = self.out.used, mark
        cdef Py_ssize_t start = pos[0]
        cdef dict creators = None
        cdef dict pieces = None
        cdef object key
        self.out.put_char(123)
        while True:
            if depth == 0 and is_over(self.buf, end, pos[0], big):
                break
            status = read_element(self.buf, end, pos[0], explicit, big, &e)
            if status == AT_END:
                break
            if status != OK:
                raise TagError("the data set is damaged")
            if e.tag == <unsigned int>ITEM_END and delimited:
                pos[0] = e.value
                break
            if (e.tag & 0x10000) and 0x10 <= (e.tag & 0xFFFF) <= 0xFF and e.length >= 0:
                if creators is None:
                    creators = {}
                creators.setdefault(((e.tag >> 16) << 8) | (e.tag & 0xFF),
                                    trimmed(self.buf + e.value, e.length))
            if depth == 0 and e.tag > <unsigned int>PIXEL_DATA and not self.whole:
                # What follows the pixel data is not shown, but an earlier tag may still come.
                self.skip(pos, end, &e, explicit, big)
                continue
            if last and e.tag <= last:
                in_order = False
            last = e.tag
            if pieces is None and (not in_order or self.form == SIMPLIFIED):
                pieces = {}
            mark = self.out.used
            if not first:
                self.out.put_char(44)
            if not explicit and e.tag == <unsigned int>PIXEL_REPRESENTATION and e.length >= 2:
                sign = VR_SS if u16(self.buf + e.value, big) == 1 else VR_US
            key = self.member(&e, pos, end, explicit, big, depth, creators, sign)
            if key is None:
                first = False
                continue
            # A name that others may share: kept aside, the last tag wins.
            pieces[(e.tag, key)] = PyBytes_FromStringAndSize(self.out.data + mark + (0 if first else 1),
                                                             self.out.used - mark - (0 if first else 1))
            self.out.used = mark
        if not in_order:
            self.out.used = begin
            pos[0] = start
            return self.disordered(pos, end, explicit, big, depth, delimited, inject)
        if inject:
            if not first:
                self.out.put_char(44)
            self.leaf_null(<unsigned int>PIXEL_DATA, b"PixelData")
            first = False
        if pieces:
            self.put_aside(pieces, first)
        self.out.put_char(125)
        return 0

    cdef int put_aside(self, dict pieces, bint first) except -1:
        cdef dict winners = {}
        for entry in sorted(pieces):
            winners[entry[1]] = pieces[entry]
        for piece in winners.values():
            if not first:
                self.out.put_char(44)
            first = False
            self.out.put_bytes(piece)
        return 0

    cdef int disordered(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth,
                        bint delimited, bint inject) except -1:
        """Elements out of order or twice: sorted, the first of a tag counts."""
        cdef Element e
        cdef int status
        cdef Py_ssize_t mark
        cdef unsigned int sign = VR_NONE
        cdef dict creators = {}, pieces = {}
        cdef object key, name
        cdef Py_ssize_t scout = pos[0]
        while True:  # the creators first: they may stand behind what they explain
            status = read_element(self.buf, end, scout, explicit, big, &e)
            if status != OK or (e.tag == <unsigned int>ITEM_END and (delimited or depth == 0)):
                break
            if (e.tag & 0x10000) and 0x10 <= (e.tag & 0xFFFF) <= 0xFF and e.length >= 0:
                creators.setdefault(((e.tag >> 16) << 8) | (e.tag & 0xFF),
                                    trimmed(self.buf + e.value, e.length))
            scout = e.value
            self.skip(&scout, end, &e, explicit, big)
        while True:
            if depth == 0 and is_over(self.buf, end, pos[0], big):
                break
            status = read_element(self.buf, end, pos[0], explicit, big, &e)
            if status == AT_END:
                break
            if status != OK:
                raise TagError("the data set is damaged")
            if e.tag == <unsigned int>ITEM_END and delimited:
                pos[0] = e.value
                break
            if e.tag in pieces or (depth == 0 and e.tag > <unsigned int>PIXEL_DATA and not self.whole):
                self.skip(pos, end, &e, explicit, big)
                continue
            mark = self.out.used
            if not explicit and e.tag == <unsigned int>PIXEL_REPRESENTATION and e.length >= 2:
                sign = VR_SS if u16(self.buf + e.value, big) == 1 else VR_US
            key = self.member(&e, pos, end, explicit, big, depth, creators, sign)
            pieces[e.tag] = (key, PyBytes_FromStringAndSize(self.out.data + mark, self.out.used - mark))
            self.out.used = mark
        if inject and <unsigned int>PIXEL_DATA not in pieces:
            mark = self.out.used
            self.leaf_null(<unsigned int>PIXEL_DATA, b"PixelData")
            pieces[<unsigned int>PIXEL_DATA] = (None, PyBytes_FromStringAndSize(
                self.out.data + mark, self.out.used - mark))
            self.out.used = mark
        winners = {}
        for tag in sorted(pieces):
            key, piece = pieces[tag]
            name = tag if key is None else key
            winners[name] = piece
        self.out.put_char(123)
        first = True
        for piece in winners.values():
            if not first:
                self.out.put_char(44)
            first = False
            self.out.put_bytes(piece)
        self.out.put_char(125)
        return 0

    cdef int skip(self, Py_ssize_t* pos, Py_ssize_t end, Element* e, bint explicit, bint big) except -1:
        cdef Py_ssize_t inner
        cdef unsigned int tag, length
        cdef int status
        pos[0] = e.value
        if e.length >= 0:
            pos[0] = e.value + e.length
            return 0
        if not holds_items(e, explicit):
            if skip_fragments(self.buf, end, pos, big) != OK:
                raise TagError("the data set is damaged")
            return 0
        # An undefined length: write it and forget what was written.
        inner = self.out.used
        self.sequence(e, pos, end, explicit, big, 1)
        self.out.used = inner
        return 0

    cdef object member(self, Element* e, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big,
                       int depth, dict creators, unsigned int sign):
        """Writes one `"key":value`; `pos` ends behind the element. Returns the key if others may share it.

        `sign` is the VR that PixelRepresentation gives to pixel values, 0 where the data set does not have it."""
        cdef object entry = None
        cdef bytes name = None
        cdef bytes creator = None
        cdef unsigned int vr = e.vr, known = 0
        cdef unsigned int group = e.tag >> 16, element = e.tag & 0xFFFF
        cdef object shared = None
        cdef int kind
        if group & 1 and element >= 0x1000 and creators is not None:
            creator = creators.get((group << 8) | (element >> 8))
            if creator is not None:
                rows = self.private.get(creator)
                if rows is not None:
                    entry = rows.get((1 << 32) | e.tag)
                    if entry is None:
                        entry = rows.get((group << 8) | (element & 0xFF))
        if creator is None:
            entry = self.standard.get(e.tag)
        if entry is not None:
            name = entry[0]
            known = vr_number(entry[1])
        else:
            name = generic(group, element)
            if element == 0:
                known = (85 << 8) | 76
            elif name == b"PrivateCreator" or name == b"IllegalPrivateCreator":
                known = (76 << 8) | 79
            elif creator is not None:
                # A tag that is registered without a creator lends its VR, not its name.
                entry = self.standard.get(e.tag)
                if entry is not None:
                    known = vr_number(entry[1])
                    entry = None
        if self.form == SIMPLIFIED and (entry is None or group & 1 or (group & 0xFF00) in (0x5000, 0x6000)):
            shared = name
        if vr == VR_NONE and not explicit:
            vr = known
            if vr == VR_NONE and sign and e.tag in self.signed:
                vr = sign
        self.key(e.tag, name)
        if e.vr == VR_SQ or (e.length == -1 and e.tag != <unsigned int>PIXEL_DATA) or (
                not explicit and vr == VR_SQ):
            pos[0] = e.value
            self.open_value(name, None, b"Sequence")
            self.sequence(e, pos, end, explicit, big, depth + 1)
            self.close_value()
            return shared
        pos[0] = e.value
        if e.length == -1:
            if skip_fragments(self.buf, end, pos, big) != OK:
                raise TagError("the pixel data are damaged")
            self.null(name, creator, b"Null")
            return shared
        pos[0] += e.length
        kind = kind_of(vr)
        if explicit and e.vr == VR_UN:
            kind = K_UNKNOWN_TEXT if known and kind_of(known) == K_TEXT else K_NULL
        if kind == K_TEXT:
            self.text(e, vr, name, creator)
        elif kind == K_UNKNOWN_TEXT:
            self.unknown_text(e, known, name, creator, group & 1)
        elif kind == K_NULL:
            self.null(name, creator, b"Null")
        else:
            self.numbers(e, vr, kind, name, creator, big)
        return shared

    cdef int key(self, unsigned int tag, bytes name) except -1:
        self.out.put_char(34)
        if self.form == SIMPLIFIED:
            self.out.put_escaped(<const unsigned char*>PyBytes_AsString(name), len(name))
        else:
            self.out.put_tag(tag)
        return self.out.put(b'":', 2)

    cdef int open_value(self, bytes name, bytes creator, bytes kind) except -1:
        if self.form == FULL:
            self.out.put(b'{"Name":"', 9)
            self.out.put_escaped(<const unsigned char*>PyBytes_AsString(name), len(name))
            if creator is not None:
                self.out.put(b'","PrivateCreator":"', 20)
                self.put_any(creator)
            self.out.put(b'","Type":"', 10)
            self.out.put_bytes(kind)
            self.out.put(b'","Value":', 10)
        return 0

    cdef int put_any(self, bytes raw) except -1:
        cdef bytes valid
        valid = raw.decode("utf-8", "replace").encode("utf-8")
        return self.out.put_escaped(<const unsigned char*>PyBytes_AsString(valid), len(valid))

    cdef int close_value(self) except -1:
        if self.form == FULL:
            self.out.put_char(125)
        return 0

    cdef int null(self, bytes name, bytes creator, bytes kind) except -1:
        self.open_value(name, creator, kind)
        self.out.put(b"null", 4)
        return self.close_value()

    cdef int leaf_null(self, unsigned int tag, bytes name) except -1:
        self.key(tag, name)
        return self.null(name, None, b"Null")

    cdef int string(self, unsigned int tag, bytes name, bytes creator, const unsigned char* text,
                    Py_ssize_t size) except -1:
        if size > MAX_TEXT and tag not in self.unlimited:
            return self.null(name, creator, b"TooLong")
        self.open_value(name, creator, b"String")
        self.out.put_char(34)
        self.out.put_escaped(text, size)
        self.out.put_char(34)
        return self.close_value()

    cdef int text(self, Element* e, unsigned int vr, bytes name, bytes creator) except -1:
        cdef const unsigned char* p = self.buf + e.value
        cdef Py_ssize_t size = text_end(p, e.length), i
        cdef bint ascii = self.plain
        cdef bytes raw, utf8
        for i in range(size):
            if p[i] >= 126 or p[i] < 32 or (p[i] == 32 and vr == VR_UI):
                ascii = False
        if not ascii:
            raw = PyBytes_FromStringAndSize(<const char*>p, size)
            if vr == VR_UI:
                raw = raw.translate(None, b" \t\n\v\f\r")  # as DCMTK
            utf8 = self.decode(raw, self.charset, chr(vr >> 8) + chr(vr & 0xFF)).encode("utf-8")
            p = <const unsigned char*>PyBytes_AsString(utf8)
            size = len(utf8)
        return self.string(e.tag, name, creator, p, size)

    cdef int unknown_text(self, Element* e, unsigned int vr, bytes name, bytes creator, bint private) except -1:
        """UN that the dictionary knows as a text: nothing is trimmed but one trailing NUL."""
        cdef const unsigned char* p = self.buf + e.value
        cdef Py_ssize_t size = e.length, i
        cdef bytes utf8
        if size > 0 and size % 2 == 0 and p[size - 1] == 0:
            size -= 1
        if private:
            for i in range(size):
                if (p[i] < 32 and p[i] != 10) or p[i] > 126:
                    return self.null(name, creator, b"Null")
            return self.string(e.tag, name, creator, p, size)
        utf8 = self.decode(PyBytes_FromStringAndSize(<const char*>p, size), self.charset,
                           chr(vr >> 8) + chr(vr & 0xFF)).encode("utf-8")
        return self.string(e.tag, name, creator, <const unsigned char*>PyBytes_AsString(utf8), len(utf8))

    cdef int numbers(self, Element* e, unsigned int vr, int kind, bytes name, bytes creator, bint big) except -1:
        cdef int size = item_size(vr)
        cdef Py_ssize_t count = item_count(e.length, vr, kind), i, shown = 0
        cdef Py_ssize_t begin, length
        cdef const unsigned char* p = self.buf + e.value
        cdef char number[40]
        cdef bint strict = is_strict(kind)
        if count == 0:
            if strict:
                return self.string(e.tag, name, creator, p, 0)
            return self.null(name, creator, b"Null")
        if strict and count > MAX_NUMBERS:
            count = MAX_NUMBERS
        # Written first, measured afterwards: the backslashes count once in the limit, twice in JSON.
        begin = self.out.used
        self.open_value(name, creator, b"String")
        self.out.put_char(34)
        for i in range(count):
            if i:
                self.out.put(b"\\\\", 2)
                shown += 1
            length = write_item(number, p, e.length, i, vr, big)
            self.out.put(number, length)
            shown += length
            if shown > MAX_TEXT and e.tag not in self.unlimited:
                self.out.used = begin
                return self.null(name, creator, b"TooLong")
        self.out.put_char(34)
        return self.close_value()

    cdef int sequence(self, Element* e, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big,
                      int depth) except -1:
        cdef bint inner_explicit = items_explicit(e, explicit), inner_big = items_big(e, big)
        cdef Py_ssize_t stop = end if e.length == -1 else e.value + e.length
        cdef unsigned int tag, length
        cdef bint first = True
        if depth > MAX_DEPTH:
            raise TagError("Too many levels of nested Sequences (max 64)")
        self.out.put_char(91)
        while True:
            if e.length != -1 and pos[0] == stop:
                break
            if stop - pos[0] < 8:
                raise TagError("a sequence is damaged")
            tag = tag_at(self.buf + pos[0], inner_big)
            length = u32(self.buf + pos[0] + 4, inner_big)
            pos[0] += 8
            if tag == <unsigned int>SEQUENCE_END:
                break
            if tag != <unsigned int>ITEM:
                raise TagError("a sequence is damaged")
            if not first:
                self.out.put_char(44)
            first = False
            if length == 0xFFFFFFFFu:
                self.dataset(pos, stop, inner_explicit, inner_big, depth, True, False)
            else:
                if <Py_ssize_t>length > stop - pos[0]:
                    raise TagError("a sequence is damaged")
                self.dataset(pos, pos[0] + length, inner_explicit, inner_big, depth, False, False)
        self.out.put_char(93)
        return 0


cdef bytes trimmed(const unsigned char* p, Py_ssize_t length):
    return PyBytes_FromStringAndSize(<const char*>p, text_end(p, length))


cdef bytes generic(unsigned int group, unsigned int element):
    if group & 1:
        if group < 9:
            if element == 0:
                return b"IllegalGroupLength"
            if 0x10 <= element <= 0xFF:
                return b"IllegalPrivateCreator"
        elif element == 0:
            return b"PrivateGroupLength"
        elif 0x10 <= element <= 0xFF:
            return b"PrivateCreator"
    elif element == 0:
        return b"GenericGroupLength"
    return b"Unknown Tag & Data"


cdef Writer new_writer(const unsigned char* buf, Py_ssize_t size, int form, bint whole, dictionary,
                       charset, decode, unlimited):
    cdef Writer writer = Writer()
    writer.out = Out()
    writer.buf = buf
    writer.size = size
    writer.form = form
    writer.whole = whole
    writer.standard = dictionary.standard
    writer.private = dictionary.private
    writer.signed = dictionary.signed
    writer.charset = charset
    writer.decode = decode
    writer.unlimited = unlimited
    writer.plain = charset.name != "Japanese"  # whose backslash and tilde are other signs
    return writer


def dataset_json(data, Py_ssize_t start, Py_ssize_t end, bint explicit, bint big, int form, bint whole,
                 bint inject, dictionary, charset, decode, unlimited):
    """The JSON object of the data set between `start` and `end`, as bytes.

    `whole` shows what follows the pixel data; `inject` adds the PixelData member that the range does
    not contain; `unlimited` holds the tags whose values may be longer than 256 bytes. Raises TagError.
    """
    cdef Py_buffer view
    cdef Py_ssize_t pos = start
    cdef Writer writer
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if start < 0 or end > view.len or start > end:
            raise TagError("the range is not inside the data")
        writer = new_writer(<const unsigned char*>view.buf, view.len, form, whole, dictionary, charset,
                            decode, unlimited)
        writer.dataset(&pos, end, explicit, big, 0, False, inject)
        return writer.out.result()
    finally:
        PyBuffer_Release(&view)


def sequence_json(element, bint explicit, bint big, dictionary, charset, decode):
    """The Full JSON of one sequence element (its tag and header included), as a main sequence is kept:
    an object with Name, Type and Value. Raises TagError."""
    cdef Py_buffer view
    cdef Element e
    cdef Py_ssize_t pos
    cdef Writer writer
    PyObject_GetBuffer(element, &view, PyBUF_SIMPLE)
    try:
        writer = new_writer(<const unsigned char*>view.buf, view.len, FULL, True, dictionary, charset,
                            decode, frozenset())
        if read_element(<const unsigned char*>view.buf, view.len, 0, explicit, big, &e) != OK:
            raise TagError("a sequence is damaged")
        entry = dictionary.standard.get(e.tag)
        name = entry[0] if entry is not None else generic(e.tag >> 16, e.tag & 0xFFFF)
        pos = e.value
        writer.open_value(name, None, b"Sequence")
        writer.sequence(&e, &pos, view.len, explicit, big, 1)
        writer.close_value()
        return writer.out.result()
    finally:
        PyBuffer_Release(&view)


def value_text(bytes raw not None, unsigned int vr, bint big):
    """The numbers of a binary VR joined by backslashes, as the JSON shows them whatever their length; None where it
    shows null, and for a VR that is none of numbers."""
    cdef int kind = kind_of(vr)
    cdef int length
    cdef Py_ssize_t i, count
    cdef char number[40]
    cdef list found
    cdef const unsigned char* p
    if kind not in (K_INTEGERS, K_FLOATS, K_OTHER_FLOATS, K_OTHER_INTS, K_TAGS):
        return None
    p = <const unsigned char*>PyBytes_AsString(raw)
    count = item_count(len(raw), vr, kind)
    if count == 0:
        return "" if is_strict(kind) else None
    found = []
    for i in range(count):
        length = write_item(number, p, len(raw), i, vr, big)
        found.append(number[:length].decode("ascii"))
    return "\\".join(found)
