# Walking the data elements of an encoded data set (DICOM PS3.5 section 7), without the GIL and without trusting a byte.
#
# Every function is given the whole buffer and its size, reads nothing beyond it, and moves forward at each step:
# no input makes it loop or recurse deeper than MAX_DEPTH.

from libc.string cimport memcmp

cdef enum:
    OK = 0
    AT_END = 1           # no element: the position is the end of what may be read
    TRUNCATED = -1       # an element or its value ends beyond the buffer
    BAD_VR = -2          # two bytes that cannot be a VR
    BAD_STRUCTURE = -3   # a delimiter, item or tag where it cannot stand
    TOO_DEEP = -4        # more nested sequences than MAX_DEPTH
    MAX_DEPTH = 63       # as many sequence levels as Orthanc takes (reference chapter 2, section 1.6)

cdef enum:
    ITEM = 0xFFFEE000
    ITEM_END = 0xFFFEE00D
    SEQUENCE_END = 0xFFFEE0DD
    PIXEL_REPRESENTATION = 0x00280103
    PIXEL_DATA = 0x7FE00010

cdef enum:
    # VRs as two characters in one number
    VR_NONE = 0
    VR_SQ = (83 << 8) | 81
    VR_UN = (85 << 8) | 78
    VR_OB = (79 << 8) | 66
    VR_OW = (79 << 8) | 87
    VR_ST = (83 << 8) | 84
    VR_LT = (76 << 8) | 84
    VR_UT = (85 << 8) | 84
    VR_UI = (85 << 8) | 73
    VR_US = (85 << 8) | 83
    VR_SS = (83 << 8) | 83


cdef struct Element:
    unsigned int tag
    unsigned int vr          # VR_NONE in implicit VR
    Py_ssize_t start         # of the tag
    Py_ssize_t value         # of the first byte of the value
    Py_ssize_t length        # of the value; -1 for an undefined length
    bint irregular           # an unknown VR of the short form, or reserved bytes that are not zero


cdef inline unsigned int u16(const unsigned char* p, bint big) noexcept nogil:
    if big:
        return (<unsigned int>p[0] << 8) | p[1]
    return (<unsigned int>p[1] << 8) | p[0]


cdef inline unsigned int u32(const unsigned char* p, bint big) noexcept nogil:
    if big:
        return (<unsigned int>p[0] << 24) | (<unsigned int>p[1] << 16) | (<unsigned int>p[2] << 8) | p[3]
    return (<unsigned int>p[3] << 24) | (<unsigned int>p[2] << 16) | (<unsigned int>p[1] << 8) | p[0]


cdef inline unsigned int tag_at(const unsigned char* p, bint big) noexcept nogil:
    return (u16(p, big) << 16) | u16(p + 2, big)


cdef inline bint is_delimiter(unsigned int tag) noexcept nogil:
    # An item or the end of one, or of a sequence: these have no VR in either encoding (PS3.5 section 7.5).
    return (tag >> 16) == 0xFFFE and (tag == <unsigned int>ITEM or tag == <unsigned int>ITEM_END
                                      or tag == <unsigned int>SEQUENCE_END)


cdef inline bint is_upper(unsigned char c) noexcept nogil:
    return 65 <= c <= 90


cdef inline int vr_form(unsigned int vr) noexcept nogil:
    # 2: length of 16 bits; 4: reserved bytes and 32 bits; 0: cannot be a VR. Negative: unknown, yet readable.
    cdef unsigned char a = vr >> 8, b = vr & 0xFF
    if a == 79:    # O.
        return 4 if b in (66, 68, 70, 76, 86, 87) else -4
    if a == 83:    # S.
        if b in (72, 76, 83, 84):
            return 2
        return 4 if b in (81, 86) else -4
    if a == 85:    # U.
        if b in (73, 76, 83):
            return 2
        return 4 if b in (67, 78, 82, 84, 86) else -4
    if a == 65 and b in (69, 83, 84):
        return 2
    if a == 67 and b == 83:
        return 2
    if a == 68 and b in (65, 83, 84):
        return 2
    if a == 70 and b in (68, 76):
        return 2
    if a == 73 and b == 83:
        return 2
    if a == 76 and b in (79, 84):
        return 2
    if a == 80 and b == 78:
        return 2
    if a == 84 and b == 77:
        return 2
    if is_upper(a) and is_upper(b):
        return -4            # a VR of a later edition (PS3.5 section 6.2)
    return -2 if (32 <= a <= 127 and 32 <= b <= 127) or vr == 0 else 0


cdef inline bint is_text(unsigned int vr) noexcept nogil:
    cdef int a = vr >> 8, b = vr & 0xFF
    if vr_form(vr) <= 0:
        return False
    if a == 65:
        return b != 84           # AE AS, not AT
    if a == 67 or a == 73 or a == 76 or a == 80 or a == 84:
        return True              # CS IS LO LT PN TM
    if a == 68:
        return True              # DA DS DT
    if a == 83:
        return b == 72 or b == 84    # SH ST
    if a == 85:
        return b in (67, 73, 82, 84)  # UC UI UR UT
    return False


cdef inline int read_element(const unsigned char* buf, Py_ssize_t size, Py_ssize_t pos,
                             bint explicit, bint big, Element* out) noexcept nogil:
    # Reads the element at `pos`.
    cdef int form
    cdef unsigned int length
    if pos == size:
        return AT_END
    if size - pos < 8:
        return TRUNCATED
    out.start = pos
    out.tag = tag_at(buf + pos, big)
    out.irregular = False
    out.vr = VR_NONE
    if explicit and not is_delimiter(out.tag):
        out.vr = (<unsigned int>buf[pos + 4] << 8) | buf[pos + 5]
        form = vr_form(out.vr)
        if form == 0:
            return BAD_VR
        if form == 2 or form == -2:
            out.irregular = form < 0
            out.length = u16(buf + pos + 6, big)
            out.value = pos + 8
            return OK if out.length <= size - out.value else TRUNCATED
        if size - pos < 12:
            return TRUNCATED
        out.irregular = (buf[pos + 6] | buf[pos + 7]) != 0
        length = u32(buf + pos + 8, big)
        out.value = pos + 12
    else:
        length = u32(buf + pos + 4, big)
        out.value = pos + 8
    if length == 0xFFFFFFFFu:
        out.length = -1
        return OK
    out.length = length
    return OK if out.length <= size - out.value else TRUNCATED


cdef inline bint is_over(const unsigned char* buf, Py_ssize_t size, Py_ssize_t pos, bint big) noexcept nogil:
    # Whether a data set that is no item ends at `pos`: Orthanc takes the end of an item for its end too, of whatever
    # length, and looks at nothing behind it.
    return pos == size or (size - pos >= 8 and tag_at(buf + pos, big) == <unsigned int>ITEM_END)


cdef inline bint has_part_of_item(Element* e) noexcept nogil:
    # A value of AT, OF, OL, OD or OV that is no whole number of items.
    cdef unsigned int a = e.vr >> 8, b = e.vr & 0xFF
    if e.length <= 0 or (a != 79 and a != 65):
        return False
    if (a == 65 and b == 84) or (a == 79 and (b == 70 or b == 76)):
        return (e.length & 3) != 0
    return a == 79 and (b == 68 or b == 86) and (e.length & 7) != 0


cdef inline Py_ssize_t text_end(const unsigned char* p, Py_ssize_t length) noexcept nogil:
    # Where a text ends: blanks and NULs at the end of the value go first, then a NUL ends what is left.
    cdef Py_ssize_t end = length, i
    while end > 0 and (p[end - 1] == 32 or p[end - 1] == 0):
        end -= 1
    for i in range(end):
        if p[i] == 0:
            return i
    return end


cdef inline int skip_fragments(const unsigned char* buf, Py_ssize_t size, Py_ssize_t* pos, bint big) noexcept nogil:
    # Moves `pos` from the first item of encapsulated pixel data behind the sequence delimiter.
    cdef unsigned int tag, length
    while True:
        if size - pos[0] < 8:
            return TRUNCATED
        tag = tag_at(buf + pos[0], big)
        length = u32(buf + pos[0] + 4, big)
        pos[0] += 8
        if tag == <unsigned int>SEQUENCE_END:
            return OK
        if tag != <unsigned int>ITEM or length == 0xFFFFFFFFu:
            return BAD_STRUCTURE
        if <Py_ssize_t>length > size - pos[0]:
            return TRUNCATED
        pos[0] += length


cdef inline bint holds_items(Element* e, bint explicit) noexcept nogil:
    # A sequence by its VR, or by an undefined length.
    if e.vr == VR_SQ:
        return True
    return e.length == -1 and e.tag != <unsigned int>PIXEL_DATA


cdef inline bint items_explicit(Element* e, bint explicit) noexcept nogil:
    # The items of UN with undefined length are implicit VR little endian (PS3.5 section 6.2.2, note 2).
    return explicit and e.vr != VR_UN


cdef inline bint items_big(Element* e, bint big) noexcept nogil:
    return big and e.vr != VR_UN


cdef inline int pass_value(const unsigned char* buf, Py_ssize_t end, Py_ssize_t* pos, Element* e, bint explicit,
                           bint big, int depth) noexcept nogil:
    # From the beginning of a value behind its end. What has a length is not looked into.
    if e.length >= 0:
        pos[0] = e.value + e.length
        return OK
    if e.tag == <unsigned int>PIXEL_DATA or (explicit and (e.vr == VR_OB or e.vr == VR_OW)):
        return skip_fragments(buf, end, pos, big)
    return pass_items(buf, end, pos, -1, items_explicit(e, explicit), items_big(e, big), depth + 1)


cdef inline int pass_items(const unsigned char* buf, Py_ssize_t end, Py_ssize_t* pos, Py_ssize_t length,
                           bint explicit, bint big, int depth) noexcept nogil:
    # From the first item behind the last one, `end` where the sequence has a length. What has a length is held against
    # it; of items the elements are walked.
    cdef Element e
    cdef Py_ssize_t item_end
    cdef unsigned int tag, size
    cdef int status
    cdef bint delimited
    if depth > MAX_DEPTH:
        return TOO_DEEP
    while True:
        if length != -1 and pos[0] == end:
            return OK
        if end - pos[0] < 8:
            return TRUNCATED
        tag = tag_at(buf + pos[0], big)
        size = u32(buf + pos[0] + 4, big)
        pos[0] += 8
        if tag == <unsigned int>SEQUENCE_END:
            return OK if length == -1 or pos[0] == end else BAD_STRUCTURE
        if tag != <unsigned int>ITEM:
            return BAD_STRUCTURE
        delimited = size == 0xFFFFFFFFu
        item_end = end if delimited else pos[0] + size
        if item_end > end:
            return TRUNCATED
        while True:
            status = read_element(buf, item_end, pos[0], explicit, big, &e)
            if status == AT_END and not delimited:
                break
            if status != OK:
                return TRUNCATED if status == AT_END else status
            pos[0] = e.value
            if is_delimiter(e.tag):
                if e.tag == <unsigned int>ITEM_END and delimited:
                    break
                return BAD_STRUCTURE
            status = pass_value(buf, item_end, pos, &e, explicit, big, depth)
            if status != OK:
                return status
