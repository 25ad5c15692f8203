# cython: language_level=3
"""Data sets from one encoding into another (DICOM PS3.5 section 7): VR implicit or explicit, either byte order.

Values keep their bytes, numbers their value. Sequences and items get explicit lengths, group lengths that exist are
recomputed, values of odd length padded. UN keeps its bytes: they are little endian in every transfer syntax.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from element cimport *

cdef enum:
    VR_UL = (85 << 8) | 76
    VR_LO = (76 << 8) | 79
    LONGEST_SHORT = 0xFFFE


class RewriteError(ValueError):
    """The bytes are no data set, or one that the target cannot hold; the text says why."""


class NestedPixels(RewriteError):
    """Compressed pixel data inside a sequence, which only the transfer syntax that they have may hold."""


cdef int value_size(unsigned int vr) noexcept nogil:
    # Bytes of what changes with the byte order.
    cdef int a = vr >> 8, b = vr & 0xFF
    if vr == VR_US or vr == VR_SS or vr == VR_OW or (a == 65 and b == 84):     # AT is two numbers
        return 2
    if vr == VR_UL or (a == 83 and b == 76) or (a == 70 and b == 76) or (a == 79 and (b == 70 or b == 76)):
        return 4                                                               # UL SL FL OF OL
    if (a == 70 and b == 68) or (a == 79 and (b == 68 or b == 86)):
        return 8                                                               # FD OD OV
    if b == 86 and (a == 83 or a == 85):
        return 8                                                               # SV UV
    return 1


cdef unsigned char padding(unsigned int vr) noexcept nogil:
    # Texts end with a space, UIDs and bytes with a zero.
    cdef int a = vr >> 8
    if vr == VR_UI or vr == VR_UN or a == 79 or value_size(vr) > 1:
        return 0
    return 32


cdef unsigned int number_of(bytes vr) noexcept:
    return (<unsigned int>vr[0] << 8) | <unsigned int>vr[1]


cdef class Rewriter:
    cdef unsigned char* out
    cdef Py_ssize_t used, room
    cdef const unsigned char* buf
    cdef bint explicit, big             # of the target
    cdef bint nested_pixels             # whether compressed pixel data may stay inside sequences
    cdef dict standard, private

    def __dealloc__(self):
        free(self.out)

    cdef int need(self, Py_ssize_t count) except -1:
        cdef Py_ssize_t room
        cdef void* larger
        if self.used + count <= self.room:
            return 0
        room = (self.used + count) * 3 // 2 + 1024
        larger = realloc(self.out, room)
        if larger == NULL:
            raise MemoryError
        self.out = <unsigned char*>larger
        self.room = room
        return 0

    cdef void store16(self, Py_ssize_t at, unsigned int value) noexcept:
        if self.big:
            self.out[at], self.out[at + 1] = value >> 8, value & 0xFF
        else:
            self.out[at], self.out[at + 1] = value & 0xFF, value >> 8

    cdef void store32(self, Py_ssize_t at, unsigned int value) noexcept:
        if self.big:
            self.store16(at, value >> 16)
            self.store16(at + 2, value & 0xFFFF)
        else:
            self.store16(at, value & 0xFFFF)
            self.store16(at + 2, value >> 16)

    cdef int put_tag(self, unsigned int tag) except -1:
        self.need(4)
        self.store16(self.used, tag >> 16)
        self.store16(self.used + 2, tag & 0xFFFF)
        self.used += 4
        return 0

    cdef int put_header(self, unsigned int tag, unsigned int vr, Py_ssize_t length) except -1:
        # Tag, VR and length; the caller patches the last four bytes of a sequence.
        cdef int form = vr_form(vr)
        self.put_tag(tag)
        self.need(8)
        if not self.explicit:
            self.store32(self.used, <unsigned int>length)
            self.used += 4
            return 0
        self.out[self.used] = vr >> 8
        self.out[self.used + 1] = vr & 0xFF
        if form == 2:
            self.store16(self.used + 2, <unsigned int>length)
            self.used += 4
            return 0
        self.store16(self.used + 2, 0)
        self.store32(self.used + 4, <unsigned int>length)
        self.used += 8
        return 0

    cdef int patch_length(self, Py_ssize_t at) except -1:
        # The length that stands in the four bytes before `at`, of all that was written since.
        if self.used - at > 0xFFFFFFFE:
            raise RewriteError("a sequence exceeds 4 GiB")
        self.store32(at - 4, <unsigned int>(self.used - at))
        return 0

    cdef int put_value(self, Element* e, unsigned int vr, bint from_big) except -1:
        cdef Py_ssize_t length = e.length, whole, i
        cdef int size = value_size(vr), k
        cdef const unsigned char* source = self.buf + e.value
        cdef unsigned char* target
        cdef bint to_big = self.big
        if self.explicit and length > LONGEST_SHORT and vr_form(vr) == 2:
            vr, to_big = VR_UN, False                 # PS3.5 section 6.2.2
        self.put_header(e.tag, vr, length + (length & 1))
        self.need(length + 1)
        target = self.out + self.used
        memcpy(target, source, length)
        if size > 1 and from_big != to_big:
            whole = length - length % size
            for i in range(0, whole, size):
                for k in range(size):
                    target[i + k] = source[i + size - 1 - k]
        if length & 1:
            target[length] = padding(vr)
            length += 1
        self.used += length
        return 0

    cdef unsigned int implicit_vr(self, Element* e, int sign, dict creators) except? 0:
        # What an element of implicit VR is. PS3.5 section 5, Annex A.1
        cdef object row, creator, rows
        cdef bytes vr
        cdef unsigned int group = e.tag >> 16, low = e.tag & 0xFFFF
        if low == 0:
            return VR_UL
        if group & 1:
            if 0x10 <= low <= 0xFF:
                return VR_LO
            row = None
            creator = None if creators is None else creators.get((group << 8) | (low >> 8))
            rows = None if creator is None else self.private.get(creator)
            if rows is not None:
                row = rows.get((1 << 32) | e.tag)
                if row is None:
                    row = rows.get((group << 8) | (low & 0xFF))
        else:
            row = self.standard.get(e.tag)
        if row is None:
            return VR_SQ if e.length == -1 else VR_UN
        vr = row[1]
        if e.length == -1:
            return VR_SQ
        if len(vr) == 2:
            return number_of(vr)
        if vr == b"OB or OW":
            return VR_OW
        if vr.endswith(b"OW") and e.length > 6:
            return VR_OW
        if vr.startswith(b"US"):
            return VR_SS if sign == 1 and b"SS" in vr else VR_US
        return VR_UN

    cdef int dataset(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth,
                     bint delimited, int sign, list edits) except -1:
        """All elements up to `end` or the delimiter of the item. `edits`, of the root only: (tag, its
        new element or b"" to leave it out), ascending."""
        cdef Element e
        cdef int status
        cdef unsigned int vr
        cdef Py_ssize_t group_mark = -1, done = 0, count = 0 if edits is None else len(edits)
        cdef unsigned int group = 0
        cdef unsigned int next_edit = edits[0][0] if count else 0xFFFFFFFFu
        cdef bint replaced
        cdef dict creators = None
        cdef set edited = {edit[0] for edit in edits} if count else None
        while True:
            if depth == 0 and is_over(self.buf, end, pos[0], big):
                break
            status = read_element(self.buf, end, pos[0], explicit, big, &e)
            if status == AT_END:
                if delimited:
                    raise RewriteError("an item has no end")
                break
            if status != OK:
                raise RewriteError(f"the data set is damaged at byte {pos[0]}")
            if is_delimiter(e.tag):
                if e.tag == <unsigned int>ITEM_END and delimited:
                    pos[0] = e.value
                    break
                raise RewriteError(f"an item or delimiter stands where it cannot at byte {pos[0]}")
            while next_edit <= e.tag and done < count:
                group_mark = self.put_edit(edits[done], group_mark, group)
                done += 1
                next_edit = edits[done][0] if done < count else 0xFFFFFFFFu
            if group_mark >= 0 and (e.tag >> 16) != group:
                self.patch_length(group_mark)
                group_mark = -1
            group = e.tag >> 16
            replaced = edited is not None and e.tag in edited
            vr = e.vr
            if not explicit:
                vr = self.implicit_vr(&e, sign, creators)
            elif vr_form(vr) == -2:
                vr = VR_UN
            if e.tag == <unsigned int>PIXEL_REPRESENTATION and e.length == 2:
                sign = u16(self.buf + e.value, big)
            if (group & 1) and 0x10 <= (e.tag & 0xFFFF) <= 0xFF and e.length >= 0:
                if creators is None:
                    creators = {}
                creators.setdefault((group << 8) | (e.tag & 0xFF), self.trimmed(&e))
            if replaced:
                pos[0] = e.value
                self.skip(pos, end, &e, explicit, big)
                continue
            if (e.tag & 0xFFFF) == 0 and e.length == 4:
                if group_mark >= 0:                   # a second one of the same group ends what the first counts
                    self.patch_length(group_mark)
                self.put_header(e.tag, VR_UL, 4)
                self.need(4)
                self.used += 4
                group_mark = self.used
                pos[0] = e.value + 4
                continue
            self.element(&e, vr, pos, end, explicit, big, depth, sign)
        while done < count:
            group_mark = self.put_edit(edits[done], group_mark, group)
            done += 1
        if group_mark >= 0:
            self.patch_length(group_mark)
        return 0

    cdef bytes trimmed(self, Element* e):
        return PyBytes_FromStringAndSize(<const char*>self.buf + e.value, e.length).rstrip(b" \0")

    cdef Py_ssize_t put_edit(self, edit, Py_ssize_t group_mark, unsigned int group) except -2:
        # Returns the mark of the group, -1 once the element lies behind it.
        cdef unsigned int tag = edit[0]
        cdef bytes element = edit[1]
        if group_mark >= 0 and (tag >> 16) != group:
            self.patch_length(group_mark)
            group_mark = -1
        self.put_bytes(element, len(element))
        return group_mark

    cdef int put_bytes(self, const unsigned char* data, Py_ssize_t size) except -1:
        self.need(size)
        memcpy(self.out + self.used, data, size)
        self.used += size
        return 0

    cdef int element(self, Element* e, unsigned int vr, Py_ssize_t* pos, Py_ssize_t end, bint explicit,
                     bint big, int depth, int sign) except -1:
        cdef Py_ssize_t size
        pos[0] = e.value
        if vr == VR_SQ:
            self.put_header(e.tag, VR_SQ, 0)
            self.sequence(pos, end, e.length, explicit, big, depth + 1, sign)
            return 0
        if e.length >= 0:
            self.put_value(e, vr, big)
            pos[0] = e.value + e.length
            return 0
        # An undefined length: UN with items in implicit VR little endian, or pixel data.
        if vr != VR_UN and not (explicit and (vr == VR_OB or vr == VR_OW) and depth > 0 and self.nested_pixels):
            if vr == VR_OB or vr == VR_OW:
                raise NestedPixels("compressed pixel data inside a sequence")
            self.put_header(e.tag, VR_SQ, 0)
            self.sequence(pos, end, -1, explicit, big, depth + 1, sign)
            return 0
        self.skip(pos, end, e, explicit, big)
        size = pos[0] - e.value
        self.put_header(e.tag, vr, 0)
        self.store32(self.used - 4, 0xFFFFFFFFu)
        self.put_bytes(self.buf + e.value, size)
        return 0

    cdef int sequence(self, Py_ssize_t* pos, Py_ssize_t limit, Py_ssize_t length, bint explicit, bint big,
                      int depth, int sign) except -1:
        cdef Py_ssize_t end = limit if length == -1 else pos[0] + length
        cdef Py_ssize_t mark = self.used, item_mark, item_end
        cdef unsigned int tag, size
        if depth > MAX_DEPTH:
            raise RewriteError("too many levels of nested sequences")
        while True:
            if length != -1 and pos[0] == end:
                break
            if end - pos[0] < 8:
                raise RewriteError("a sequence has no end")
            tag = tag_at(self.buf + pos[0], big)
            size = u32(self.buf + pos[0] + 4, big)
            pos[0] += 8
            if tag == <unsigned int>SEQUENCE_END and (length == -1 or pos[0] == end):
                break
            if tag != <unsigned int>ITEM:
                raise RewriteError(f"no item where one must be, at byte {pos[0] - 8}")
            self.put_tag(<unsigned int>ITEM)
            self.need(4)
            self.used += 4
            item_mark = self.used
            if size == 0xFFFFFFFFu:
                self.dataset(pos, end, explicit, big, depth, True, sign, None)
            else:
                item_end = pos[0] + size
                if item_end > end:
                    raise RewriteError("an item is longer than its sequence")
                self.dataset(pos, item_end, explicit, big, depth, False, sign, None)
            self.patch_length(item_mark)
        self.patch_length(mark)
        return 0

    cdef int skip(self, Py_ssize_t* pos, Py_ssize_t end, Element* e, bint explicit, bint big) except -1:
        """Behind the value that begins at `pos`."""
        if pass_value(self.buf, end, pos, e, explicit, big, 0) != OK:
            raise RewriteError(f"the value at byte {e.value} is damaged")
        return 0


def rewrite(data, Py_ssize_t start, Py_ssize_t end, bint explicit, bint big, bint to_explicit, bint to_big,
            dictionary, list edits, bint nested_pixels):
    """The elements that lie between `start` and `end` of `data`, in another encoding.

    `edits` are pairs (tag, complete element in the target's encoding, or b"" to leave the tag out),
    ascending. `nested_pixels` lets compressed pixel data inside sequences pass, otherwise they raise
    NestedPixels. Raises RewriteError.
    """
    cdef Py_buffer view
    cdef Rewriter rewriter = Rewriter()
    cdef Py_ssize_t pos = start
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if start < 0 or start > end or end > view.len:
            raise RewriteError("the range is not inside the data")
        rewriter.buf = <const unsigned char*>view.buf
        rewriter.explicit, rewriter.big = to_explicit, to_big
        rewriter.nested_pixels = nested_pixels
        rewriter.standard, rewriter.private = dictionary.standard, dictionary.private
        rewriter.need(end - start + 1024)
        rewriter.dataset(&pos, end, explicit, big, 0, False, 0, edits)
    finally:
        PyBuffer_Release(&view)
    return PyBytes_FromStringAndSize(<const char*>rewriter.out, rewriter.used)
