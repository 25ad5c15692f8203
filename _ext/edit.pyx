# cython: language_level=3
"""Edits of encoded data sets (DICOM PS3.5 section 7): elements removed, emptied, replaced, inserted or remapped at
any depth, in one walk, without the GIL.

What is not touched is copied as it stands, and never decoded: runs of many bytes are handed back as parts of the
source, so that pixel data cost nothing. Lengths of sequences, items and groups follow what changes inside them.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

from element cimport *

cdef enum:
    # what is done with an element; the numbers are those of `dicom/edits.py`
    NOTHING = 0
    KEEP = 1             # with all that is in it
    REMOVE = 2
    CLEAR = 3            # below the root only texts, other elements go; the argument tells of implicit VR
    REPLACE = 4          # by the value of that number
    MAP = 5              # by what the callback makes of it; the argument is handed on
    ADD = 6              # at the root, where it is absent: the value of that number

cdef enum:
    # in the place of an item's number
    ELEMENT = -2         # the step is the last one of its path
    EVERY = -1
    NO_NODE = -1

cdef enum:
    # of what the dictionary says of a tag
    SEQUENCES = 1
    TEXTS = 2            # that somebody may have written freely
    DATES = 3            # with or without a time

cdef enum:
    CREATOR_SIZE = 64    # of a private creator in the table of safe ones

cdef enum:
    NO_SEQUENCE = 0
    IS_SEQUENCE = 1
    DAMAGED_SEQUENCE = 2  # which ought to be one, and does not consist of items

cdef Py_ssize_t LONGEST = 0xFFFFFFFEu
cdef Py_ssize_t LONGEST_SHORT = 0xFFFE

cdef enum:
    NO_MEMORY = -10
    CALLBACK_FAILED = -11
    TOO_LONG = -12
    LARGE_RUN = 32768    # bytes from which on a run is not copied
    PIXEL_GROUP = 0x7FE00000


class EditError(ValueError):
    """The bytes are no data set, or the result would be none; the text says why."""


cdef struct Rule:
    unsigned int tag
    int action
    int argument


cdef struct Span:        # of tags that share some bits, with one action
    unsigned int mask
    unsigned int value
    int action


cdef struct Step:        # of a path: a tag with an item, or the element itself
    unsigned int tag
    int item
    int action
    int argument         # of the action; for an item the node below


cdef struct Node:        # the steps that begin at one place, sorted by tag and item
    int begin
    int end


cdef struct Known:       # of the dictionary
    unsigned int tag
    unsigned int kind


cdef struct Safe:        # a private element that may stay: the number of its creator, and group << 8 | element of its block
    unsigned int creator
    unsigned int key


cdef struct Value:       # an element, encoded as the file is and in implicit VR little endian
    const unsigned char* plain
    Py_ssize_t plain_size
    const unsigned char* implicit
    Py_ssize_t implicit_size


cdef struct Run:         # of the result: bytes of the output or of the source
    bint of_source
    Py_ssize_t begin
    Py_ssize_t end


cdef struct Group:       # whose length is to be corrected
    unsigned int number
    Py_ssize_t place     # in the output; -1 for none
    Py_ssize_t size      # of the whole result up to there


cdef bint is_free_text_vr(unsigned int vr) noexcept nogil:
    # LO LT PN SH ST UC UR UT
    cdef int a = vr >> 8, b = vr & 0xFF
    if a == 76:
        return b == 79 or b == 84
    if a == 80:
        return b == 78
    if a == 83:
        return b == 72 or b == 84
    return a == 85 and (b == 67 or b == 82 or b == 84)


cdef class Rules:
    """What an edit does, in tables of native 32-bit numbers, sorted by tag.

    `root` and `nested` are (tag, action, argument) for the elements of the root and of all items, `spans` (mask, value,
    action) for both where no rule is found, `steps` (tag, item, action, argument) and `nodes` (begin, end) the paths
    from node 0 on. `known` are (tag, kind) of the dictionary. `private_root` and `private_nested` tell that private
    elements go, but for those of `safe`, (creator, group << 8 | element of the block) with the creators, each of 64
    bytes, in `creators`. Rules and steps are looked up in the order: paths, rules, private, spans. Texts and dates on which
    nothing acts are mapped with the arguments `texts` and `dates`, unless these are negative.
    """

    cdef bytes _root, _nested, _spans, _steps, _nodes, _known, _safe, _creators
    cdef const Rule* root
    cdef const Rule* nested
    cdef const Span* spans
    cdef const Step* steps
    cdef const Node* nodes
    cdef const Known* known
    cdef const Safe* safe
    cdef const unsigned char* creators
    cdef Py_ssize_t root_count, nested_count, span_count, step_count, node_count, known_count, safe_count, creator_count
    cdef int texts, dates
    cdef Py_ssize_t values       # how many values are asked for
    cdef bint private_root, private_nested, is_walked

    def __init__(self, bytes root, bytes nested, bytes spans, bytes steps, bytes nodes, bytes known,
                 bint private_root, bint private_nested, bytes safe=b"", bytes creators=b"", int texts=-1,
                 int dates=-1):
        cdef Py_ssize_t i
        self._safe, self._creators, self.texts, self.dates = safe, creators, texts, dates
        self.safe = <const Safe*><const char*>safe
        self.creators = <const unsigned char*><const char*>creators
        self.safe_count = len(safe) // sizeof(Safe)
        self.creator_count = len(creators) // CREATOR_SIZE
        self._root, self._nested, self._spans = root, nested, spans
        self._steps, self._nodes, self._known = steps, nodes, known
        self.root = <const Rule*><const char*>root
        self.nested = <const Rule*><const char*>nested
        self.spans = <const Span*><const char*>spans
        self.steps = <const Step*><const char*>steps
        self.nodes = <const Node*><const char*>nodes
        self.known = <const Known*><const char*>known
        self.root_count = len(root) // sizeof(Rule)
        self.nested_count = len(nested) // sizeof(Rule)
        self.span_count = len(spans) // sizeof(Span)
        self.step_count = len(steps) // sizeof(Step)
        self.node_count = len(nodes) // sizeof(Node)
        self.known_count = len(known) // sizeof(Known)
        self.private_root, self.private_nested = private_root, private_nested
        # Without rules for items only the sequences on a path are entered.
        self.is_walked = self.nested_count > 0 or self.span_count > 0 or private_nested or texts >= 0 or dates >= 0
        self.values = 0
        for i in range(self.root_count):
            self.count_value(self.root[i].action, self.root[i].argument)
        for i in range(self.nested_count):
            self.count_value(self.nested[i].action, self.nested[i].argument)
        for i in range(self.step_count):
            if self.steps[i].item == ELEMENT:
                self.count_value(self.steps[i].action, self.steps[i].argument)
            elif self.steps[i].argument < 0 or self.steps[i].argument >= self.node_count:
                raise ValueError("a step leads to no node")
        for i in range(self.node_count):
            if not 0 <= self.nodes[i].begin <= self.nodes[i].end <= self.step_count:
                raise ValueError("a node has steps that there are not")

    cdef int count_value(self, int action, int argument) except -1:
        if action == REPLACE or action == ADD:
            if argument < 0:
                raise ValueError("a value has no number")
            self.values = max(self.values, argument + 1)
        return 0


cdef const Rule* find_rule(const Rule* rules, Py_ssize_t count, unsigned int tag) noexcept nogil:
    cdef Py_ssize_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) >> 1
        if rules[middle].tag < tag:
            low = middle + 1
        else:
            high = middle
    return rules + low if low < count and rules[low].tag == tag else NULL


cdef int first_step(Rules rules, int node, unsigned int tag) noexcept nogil:
    # The first step with this tag, or the one behind where it would stand.
    cdef int low = rules.nodes[node].begin, high = rules.nodes[node].end, middle
    while low < high:
        middle = (low + high) >> 1
        if rules.steps[middle].tag < tag:
            low = middle + 1
        else:
            high = middle
    return low


cdef const Step* last_step(Rules rules, int node, unsigned int tag) noexcept nogil:
    # What the paths say of the element itself.
    cdef int at
    if node == NO_NODE:
        return NULL
    at = first_step(rules, node, tag)
    if at < rules.nodes[node].end and rules.steps[at].tag == tag and rules.steps[at].item == ELEMENT:
        return rules.steps + at
    return NULL


cdef int step_into(Rules rules, int node, unsigned int tag, int item) noexcept nogil:
    # The node below an item; an item of its own stands before every item.
    cdef int at, found = NO_NODE
    if node == NO_NODE:
        return NO_NODE
    at = first_step(rules, node, tag)
    while at < rules.nodes[node].end and rules.steps[at].tag == tag:
        if rules.steps[at].item == item:
            return rules.steps[at].argument
        if rules.steps[at].item == EVERY:
            found = rules.steps[at].argument
        at += 1
    return found


cdef bint leads_on(Rules rules, int node, unsigned int tag) noexcept nogil:
    # Whether a path enters this sequence.
    cdef int at
    if node == NO_NODE:
        return False
    at = first_step(rules, node, tag)
    while at < rules.nodes[node].end and rules.steps[at].tag == tag:
        if rules.steps[at].item != ELEMENT:
            return True
        at += 1
    return False


cdef const Known* find_known(Rules rules, unsigned int tag) noexcept nogil:
    cdef Py_ssize_t low = 0, high = rules.known_count, middle
    while low < high:
        middle = (low + high) >> 1
        if rules.known[middle].tag < tag:
            low = middle + 1
        else:
            high = middle
    return rules.known + low if low < rules.known_count and rules.known[low].tag == tag else NULL


cdef Py_ssize_t first_safe(Rules rules, unsigned int creator, unsigned int key) noexcept nogil:
    # Where such a row stands, or would stand.
    cdef Py_ssize_t low = 0, high = rules.safe_count, middle
    while low < high:
        middle = (low + high) >> 1
        if rules.safe[middle].creator < creator or (rules.safe[middle].creator == creator and rules.safe[middle].key < key):
            low = middle + 1
        else:
            high = middle
    return low


cdef bint is_safe(Rules rules, unsigned int creator, unsigned int key) noexcept nogil:
    cdef Py_ssize_t at = first_safe(rules, creator, key)
    return at < rules.safe_count and rules.safe[at].creator == creator and rules.safe[at].key == key


cdef bint has_safe(Rules rules, unsigned int creator, unsigned int group) noexcept nogil:
    # Whether the creator has safe elements in this group.
    cdef Py_ssize_t at = first_safe(rules, creator, group << 8)
    return at < rules.safe_count and rules.safe[at].creator == creator and rules.safe[at].key >> 8 == group


cdef struct Blocks:      # of one private group in one data set: 1 + the number of the safe creator, 0 for any other
    unsigned int group
    unsigned short creators[256]


cdef class Editor:
    cdef unsigned char* out
    cdef Py_ssize_t used, room
    cdef Run* runs
    cdef Py_ssize_t run_count, run_room
    cdef Py_ssize_t head_runs      # of the elements before the pixel data's group; -1 as long as it has not come
    cdef Py_ssize_t out_begun      # of the output that is no run yet
    cdef Py_ssize_t of_source      # bytes of the result that stay in the source
    cdef Py_ssize_t copied         # of the source: all before it is in the result, or left out
    cdef const unsigned char* buf
    cdef Py_ssize_t size_of_source
    cdef Value* values
    cdef Rules rules
    cdef bint big, explicit        # of the file
    cdef object remap, fault
    cdef list trace                # of what was done; None where nobody asks
    cdef unsigned int path_tags[MAX_DEPTH + 1]
    cdef int path_items[MAX_DEPTH + 1]

    def __dealloc__(self):
        free(self.out)
        free(self.runs)
        free(self.values)

    # The result

    cdef int need(self, Py_ssize_t count) noexcept nogil:
        cdef Py_ssize_t room
        cdef void* larger
        if self.used + count <= self.room:
            return OK
        room = (self.used + count) * 3 // 2 + 1024
        larger = realloc(self.out, room)
        if larger == NULL:
            return NO_MEMORY
        self.out = <unsigned char*>larger
        self.room = room
        return OK

    cdef int put(self, const unsigned char* data, Py_ssize_t size) noexcept nogil:
        if self.need(size) != OK:
            return NO_MEMORY
        memcpy(self.out + self.used, data, size)
        self.used += size
        return OK

    cdef int add_run(self, bint of_source, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
        cdef void* larger
        if begin == end:
            return OK
        if self.run_count == self.run_room:
            larger = realloc(self.runs, (2 * self.run_room + 8) * sizeof(Run))
            if larger == NULL:
                return NO_MEMORY
            self.runs = <Run*>larger
            self.run_room = 2 * self.run_room + 8
        self.runs[self.run_count] = Run(of_source, begin, end)
        self.run_count += 1
        return OK

    cdef int flush(self, Py_ssize_t end) noexcept nogil:
        # What stands before `end` and has not been copied yet belongs to the result.
        cdef Py_ssize_t size = end - self.copied
        cdef int status = OK
        if size <= 0:
            return OK
        if size < LARGE_RUN:
            status = self.put(self.buf + self.copied, size)
        else:
            status = self.add_run(False, self.out_begun, self.used)
            if status == OK:
                status = self.add_run(True, self.copied, end)
            self.out_begun = self.used
            self.of_source += size
        self.copied = end
        return status

    cdef int leave_out(self, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
        cdef int status = self.flush(begin)
        self.copied = end
        return status

    cdef int end_head(self, Py_ssize_t end) noexcept nogil:
        cdef int status = self.flush(end)
        if status == OK:
            status = self.add_run(False, self.out_begun, self.used)
        self.out_begun = self.used
        self.head_runs = self.run_count
        return status

    cdef int copy_header(self, Py_ssize_t begin, Py_ssize_t value) noexcept nogil:
        # In the output itself, where its length can be corrected.
        if self.flush(begin) != OK or self.put(self.buf + begin, value - begin) != OK:
            return NO_MEMORY
        self.copied = value
        return OK

    cdef Py_ssize_t size(self) noexcept nogil:
        return self.used + self.of_source

    cdef void store(self, Py_ssize_t at, Py_ssize_t value, int width, bint big) noexcept nogil:
        cdef int i
        for i in range(width):
            self.out[at + (width - 1 - i if big else i)] = (value >> (8 * i)) & 0xFF

    cdef int end_group(self, Group* group, bint big) noexcept nogil:
        if group.place >= 0:
            if self.size() - group.size > LONGEST:
                return TOO_LONG
            self.store(group.place, self.size() - group.size, 4, big)
            group.place = -1
        return OK

    # Elements

    cdef int put_value(self, Py_ssize_t at, int number, bint explicit, bint big, Group* group) noexcept nogil:
        # At byte `at` of the source. What UN hides is implicit and little endian whatever the file is.
        cdef const Value* value = self.values + number
        cdef bint plain = explicit == self.explicit and big == self.big
        cdef const unsigned char* data = value.plain if plain else value.implicit
        cdef Py_ssize_t size = value.plain_size if plain else value.implicit_size
        cdef int status = self.flush(at)
        if status == OK and size >= 4 and group.place >= 0 and (tag_at(data, big) >> 16) != group.number:
            status = self.end_group(group, big)
        return self.put(data, size) if status == OK else status

    cdef int clear(self, Element* e, bint explicit) noexcept nogil:
        cdef int width = 2 if e.value - e.start == 8 and explicit else 4
        cdef int status = self.copy_header(e.start, e.value)
        if status == OK:
            memset(self.out + self.used - width, 0, width)
        return status

    cdef int map_value(self, Element* e, int kind, bint explicit, bint big) noexcept nogil:
        cdef int width = 2 if e.value - e.start == 8 and explicit else 4
        cdef Py_ssize_t place, size
        cdef int status = self.copy_header(e.start, e.value)
        if status != OK:
            return status
        place = self.used
        status = self.put_mapped(e, kind)
        if status != OK:
            return status
        size = self.used - place
        if size > (LONGEST_SHORT if width == 2 else LONGEST):
            return TOO_LONG
        self.store(place - width, size, width, big)
        return OK

    cdef int put_mapped(self, Element* e, int kind) noexcept with gil:
        cdef bytes old, new
        try:
            old = PyBytes_FromStringAndSize(<const char*>self.buf + e.value, e.length)
            new = self.remap(kind, old)
            if self.trace is not None:
                self.trace[len(self.trace) - 1][7] = new
            if len(new) & 1:
                new += b" " if e.tag >> 16 == 0x10 else b"\0"
            return self.put(<const unsigned char*><const char*>new, len(new))
        except BaseException as error:
            self.fault = error
            return CALLBACK_FAILED

    # Data sets

    cdef int sequence_kind(self, Element* e, bint explicit) noexcept nogil:
        """Whether the element holds items. Where the VR does not say so, what begins with an item and consists of
        items is a sequence, unless the dictionary knows better; and what it knows as a sequence is damaged where it has
        another VR than SQ or UN, or no items."""
        cdef const Known* known
        cdef Py_ssize_t pos = e.value
        if holds_items(e, explicit):
            return IS_SEQUENCE
        if e.length == 0:
            return NO_SEQUENCE
        known = find_known(self.rules, e.tag)
        if known != NULL and known.kind != SEQUENCES:
            return NO_SEQUENCE
        if explicit and e.vr != VR_UN:
            return DAMAGED_SEQUENCE if known != NULL else NO_SEQUENCE
        if e.length < 8 or tag_at(self.buf + e.value, False) != <unsigned int>ITEM:
            return DAMAGED_SEQUENCE if known != NULL else NO_SEQUENCE
        if pass_items(self.buf, e.value + e.length, &pos, e.length, False, False, 0) == OK:
            return IS_SEQUENCE
        return DAMAGED_SEQUENCE

    cdef bint is_free_text(self, Element* e, bint explicit) noexcept nogil:
        """Whether somebody may have written anything into it. Nobody knows of UN, nor of what the dictionary does not
        have; private bytes may be text."""
        cdef const Known* known
        if e.length <= 0:
            return False
        if explicit and e.vr != VR_UN:
            return is_free_text_vr(e.vr) or (e.vr == VR_OB and e.tag & 0x10000)
        known = find_known(self.rules, e.tag)
        return known == NULL or known.kind == TEXTS

    cdef bint is_date(self, Element* e, bint explicit) noexcept nogil:
        cdef const Known* known
        if e.length <= 0:
            return False
        if explicit and e.vr != VR_UN:
            return e.vr == ((68 << 8) | 65) or e.vr == ((68 << 8) | 84)    # DA DT
        known = find_known(self.rules, e.tag)
        return known != NULL and known.kind == DATES

    cdef int note(self, unsigned int tag, unsigned int vr, int action, int argument, Py_ssize_t begin, Py_ssize_t end,
                  int depth, bint explicit, bint big) noexcept with gil:
        """What is done with an element; -1 for `begin` where there was none."""
        cdef int i
        try:
            parents = tuple([(self.path_tags[i], self.path_items[i]) for i in range(depth)])
            self.trace.append([parents, tag, vr if explicit else 0, action, argument, begin, end, None, big])
            return OK
        except BaseException as error:
            self.fault = error
            return CALLBACK_FAILED

    cdef bint may_stay(self, Element* e, Blocks* blocks) noexcept nogil:
        """Whether a private element, or the reservation of a block, is one of the safe ones."""
        cdef unsigned int element = e.tag & 0xFFFF, number
        cdef Py_ssize_t size
        if self.rules.safe_count == 0:
            return False
        if blocks.group != e.tag >> 16:
            blocks.group = e.tag >> 16
            memset(blocks.creators, 0, sizeof(blocks.creators))
        if element >= 0x1000:
            number = blocks.creators[element >> 8]
            return number > 0 and is_safe(self.rules, number - 1, (e.tag >> 16) << 8 | (element & 0xFF))
        if element < 0x10 or element > 0xFF or e.length < 0 or e.value + e.length > self.size_of_source:
            return False
        size = e.length
        while size > 0 and (self.buf[e.value + size - 1] == 32 or self.buf[e.value + size - 1] == 0):
            size -= 1
        if size == 0 or size >= CREATOR_SIZE:
            return False
        for number in range(self.rules.creator_count):
            if (memcmp(self.rules.creators + number * CREATOR_SIZE, self.buf + e.value, size) == 0
                    and self.rules.creators[number * CREATOR_SIZE + size] == 0
                    and has_safe(self.rules, number, e.tag >> 16)):
                blocks.creators[element] = number + 1
                return True
        return False

    cdef int dataset(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth, bint delimited,
                     int node) noexcept nogil:
        """All elements up to `end` or the delimiter of the item. What paths and rules insert stands at its place."""
        cdef const Rule* rules = self.rules.root
        cdef Py_ssize_t count = self.rules.root_count
        cdef int begin = 0, final = 0, status
        cdef unsigned char* done = NULL
        if depth > 0:
            rules, count = self.rules.nested, self.rules.nested_count
        if node != NO_NODE:
            begin, final = self.rules.nodes[node].begin, self.rules.nodes[node].end
        # One mark for each rule of the root and each step of the node that inserts something.
        done = <unsigned char*>calloc((count if depth == 0 else 0) + final - begin + 1, 1)
        if done == NULL:
            return NO_MEMORY
        status = self.walk(pos, end, explicit, big, depth, delimited, node, rules, count, begin, final, done)
        free(done)
        return status

    cdef int walk(self, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big, int depth, bint delimited, int node,
                  const Rule* rules, Py_ssize_t count, int begin, int final, unsigned char* done) noexcept nogil:
        cdef Element e
        cdef Group group = Group(0, -1, 0)
        cdef Blocks blocks
        cdef Py_ssize_t next_rule = 0 if depth == 0 else count, rule_at
        cdef int next_step = begin, status, action, argument
        cdef const Rule* rule
        cdef const Step* step
        cdef unsigned char* steps_done = done + (count if depth == 0 else 0)
        blocks.group = 0
        while True:
            status = read_element(self.buf, end, pos[0], explicit, big, &e)
            if status == AT_END:
                if delimited:
                    return TRUNCATED
                e.tag = 0xFFFFFFFFu
                e.start = pos[0]
            elif status != OK:
                return status
            elif is_delimiter(e.tag):
                if e.tag != <unsigned int>ITEM_END or not (delimited or depth == 0):
                    return BAD_STRUCTURE
                e.tag = 0xFFFFFFFFu
            # What is missing before this element, or at all.
            while next_rule < count and rules[next_rule].tag < e.tag:
                action = rules[next_rule].action
                if (action == REPLACE or action == ADD) and not done[next_rule]:
                    done[next_rule] = 1
                    status = self.put_value(e.start, rules[next_rule].argument, explicit, big, &group)
                    if status == OK and self.trace is not None:
                        status = self.note(rules[next_rule].tag, 0, REPLACE, rules[next_rule].argument, -1, -1, depth,
                                           explicit, big)
                    if status < 0:
                        return status
                next_rule += 1
            while next_step < final and self.rules.steps[next_step].tag < e.tag:
                step = self.rules.steps + next_step
                if step.item == ELEMENT and step.action == REPLACE and not steps_done[next_step - begin]:
                    steps_done[next_step - begin] = 1
                    status = self.put_value(e.start, step.argument, explicit, big, &group)
                    if status == OK and self.trace is not None:
                        status = self.note(step.tag, 0, REPLACE, step.argument, -1, -1, depth, explicit, big)
                    if status < 0:
                        return status
                next_step += 1
            if e.tag == 0xFFFFFFFFu:
                if group.place >= 0:
                    status = self.flush(e.start)
                    if status == OK:
                        status = self.end_group(&group, big)
                    if status != OK:
                        return status
                if delimited:
                    pos[0] = e.value
                return OK
            if group.place >= 0 and (e.tag >> 16) != group.number:
                status = self.flush(e.start)
                if status == OK:
                    status = self.end_group(&group, big)
                if status != OK:
                    return status
            if depth == 0 and self.head_runs < 0 and e.tag >= <unsigned int>PIXEL_GROUP:
                status = self.end_head(e.start)
                if status != OK:
                    return status
            # What is to be done with it.
            action, argument = NOTHING, 0
            step = last_step(self.rules, node, e.tag)
            rule = find_rule(rules, count, e.tag) if step == NULL else NULL
            if step != NULL:
                action, argument = step.action, step.argument
                if action == REPLACE:
                    rule_at = step - self.rules.steps - begin
                    if steps_done[rule_at]:
                        action = REMOVE      # one was inserted: the file repeats it
                    steps_done[rule_at] = 1
            elif rule != NULL:
                action, argument = rule.action, rule.argument
                if action == REPLACE and depth == 0:
                    if done[rule - rules]:
                        action = REMOVE
                    done[rule - rules] = 1
                elif action == ADD:
                    action = NOTHING         # it is there
                    if depth == 0:
                        if done[rule - rules]:
                            action = REMOVE  # as above
                        done[rule - rules] = 1
            elif e.tag & 0x10000:
                if self.rules.private_root if depth == 0 else self.rules.private_nested:
                    if not self.may_stay(&e, &blocks):
                        action = REMOVE
            elif self.rules.span_count:
                action = self.span(e.tag)
            status = self.act(&e, action, argument, pos, end, explicit, big, depth, node, &group)
            if status != OK:
                return status

    cdef int span(self, unsigned int tag) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self.rules.span_count):
            if tag & self.rules.spans[i].mask == self.rules.spans[i].value:
                return self.rules.spans[i].action
        return NOTHING

    cdef int act(self, Element* e, int action, int argument, Py_ssize_t* pos, Py_ssize_t end, bint explicit, bint big,
                 int depth, int node, Group* group) noexcept nogil:
        """Does it to one element, and moves `pos` behind it."""
        cdef int status
        cdef bint text
        pos[0] = e.value
        if action == CLEAR and depth > 0:
            text = is_text(e.vr) if explicit else argument != 0
            if not text:
                action = REMOVE
        if action == MAP and (e.length < 0 or e.vr == VR_SQ):
            action = REMOVE
        if action == NOTHING:
            if self.rules.is_walked or self.trace is not None or leads_on(self.rules, node, e.tag):
                status = self.sequence_kind(e, explicit)
                if status == IS_SEQUENCE:
                    return self.sequence(e, pos, end, explicit, big, depth + 1, node)
                if status == DAMAGED_SEQUENCE and self.rules.is_walked:
                    action = REMOVE          # nobody can tell what is in it
        if action == NOTHING and self.rules.texts >= 0 and self.is_free_text(e, explicit):
            action, argument = MAP, self.rules.texts
        if action == NOTHING and self.rules.dates >= 0 and self.is_date(e, explicit):
            action, argument = MAP, self.rules.dates
        if action == NOTHING:
            if (e.tag & 0xFFFF) == 0 and e.length == 4:
                status = self.flush(e.start)
                if status == OK:
                    status = self.end_group(group, big)       # a second one ends what the first counts
                if status == OK:
                    status = self.copy_header(e.start, e.value + 4)
                group[0] = Group(e.tag >> 16, self.used - 4, self.size())
                pos[0] = e.value + 4
                return status
        status = pass_value(self.buf, end, pos, e, explicit, big, depth)
        if status == OK and self.trace is not None:
            status = self.note(e.tag, e.vr, action, argument, e.value, pos[0], depth, explicit, big)
        if status != OK or action == NOTHING or action == KEEP:
            return status
        if action == CLEAR:
            status = self.clear(e, explicit)
        elif action == MAP:
            status = self.map_value(e, argument, explicit, big)
        elif action == REPLACE:
            status = self.put_value(e.start, argument, explicit, big, group)
        return self.leave_out(self.copied if self.copied > e.start else e.start, pos[0]) if status == OK else status

    cdef int sequence(self, Element* e, Py_ssize_t* pos, Py_ssize_t limit, bint explicit, bint big, int depth,
                      int node) noexcept nogil:
        cdef Py_ssize_t end = limit if e.length == -1 else e.value + e.length
        cdef bint in_explicit = items_explicit(e, explicit), in_big = items_big(e, big)
        cdef Py_ssize_t place, began, item_place, item_began
        cdef unsigned int tag, size
        cdef int status, item = 0
        if depth > MAX_DEPTH:
            return TOO_DEEP
        status = self.copy_header(e.start, e.value)
        if status != OK:
            return status
        place, began = self.used - 4, self.size()
        while True:
            if e.length != -1 and pos[0] == end:
                break
            if end - pos[0] < 8:
                return TRUNCATED
            tag = tag_at(self.buf + pos[0], in_big)
            size = u32(self.buf + pos[0] + 4, in_big)
            if tag == <unsigned int>SEQUENCE_END:
                pos[0] += 8
                if e.length != -1 and pos[0] != end:
                    return BAD_STRUCTURE
                break
            if tag != <unsigned int>ITEM:
                return BAD_STRUCTURE
            status = self.copy_header(pos[0], pos[0] + 8)
            if status != OK:
                return status
            pos[0] += 8
            item_place, item_began = self.used - 4, self.size()
            self.path_tags[depth - 1], self.path_items[depth - 1] = e.tag, item
            if size == 0xFFFFFFFFu:
                status = self.dataset(pos, end, in_explicit, in_big, depth, True,
                                      step_into(self.rules, node, e.tag, item))
            elif size > end - pos[0]:
                return TRUNCATED
            else:
                status = self.dataset(pos, pos[0] + size, in_explicit, in_big, depth, False,
                                      step_into(self.rules, node, e.tag, item))
                if status == OK:
                    status = self.flush(pos[0])
                if status == OK:
                    status = self.correct(item_place, item_began, in_big)
            if status != OK:
                return status
            item += 1
        if e.length == -1:
            return OK
        status = self.flush(pos[0])
        return self.correct(place, began, big) if status == OK else status

    cdef int correct(self, Py_ssize_t place, Py_ssize_t began, bint big) noexcept nogil:
        # The length at `place` of what was written since.
        if self.size() - began > LONGEST:
            return TOO_LONG
        self.store(place, self.size() - began, 4, big)
        return OK

    cdef list parts(self, view, Py_ssize_t begin, Py_ssize_t end):
        cdef list found = []
        cdef Py_ssize_t i
        for i in range(begin, end):
            if self.runs[i].of_source:
                found.append(view[self.runs[i].begin:self.runs[i].end])
            else:
                found.append(PyBytes_FromStringAndSize(<const char*>self.out + self.runs[i].begin,
                                                       self.runs[i].end - self.runs[i].begin))
        return found


cdef raise_for(int status, Py_ssize_t pos):
    if status == NO_MEMORY:
        raise MemoryError
    if status == TOO_LONG:
        raise EditError("a value or sequence exceeds what its length can say")
    if status == TOO_DEEP:
        raise EditError("too many levels of nested sequences")
    raise EditError(f"the data set is damaged at byte {pos}")


def edit(data, Py_ssize_t start, Py_ssize_t end, bint explicit, bint big, Rules rules not None, list values, remap,
         list trace=None):
    """The data set that lies between `start` and `end` of `data`, edited: two lists of bytes and of parts of `data`, what
    stands before the pixel data's group and the rest.

    `values` are pairs of the elements that replace others: encoded as the data set is, and in implicit VR little endian.
    `remap(argument, old value)` gives the new value of what is mapped. To `trace` is added what is done with each
    element: [parents as (sequence, item), tag, VR as two letters in one number or 0, action, argument, begin and end of
    the old value in `data` or -1, the new value of what is mapped, whether the old one is big endian].

    Raises EditError, and what `remap` raises.
    """
    cdef Py_buffer view
    cdef Editor editor = Editor()
    cdef Py_ssize_t pos = start, i
    cdef int status
    cdef bytes plain, implicit
    cdef Py_ssize_t head
    if len(values) < rules.values:
        raise ValueError("fewer values than the rules ask for")
    editor.values = <Value*>calloc(len(values) + 1, sizeof(Value))
    if editor.values == NULL:
        raise MemoryError
    for i in range(len(values)):
        plain, implicit = values[i]
        editor.values[i] = Value(<const unsigned char*><const char*>plain, len(plain),
                                 <const unsigned char*><const char*>implicit, len(implicit))
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if start < 0 or start > end or end > view.len:
            raise EditError("the range is not inside the data")
        editor.buf = <const unsigned char*>view.buf
        editor.rules, editor.remap, editor.trace = rules, remap, trace
        editor.size_of_source = end
        editor.explicit, editor.big = explicit, big
        editor.copied = start
        editor.head_runs = -1
        with nogil:
            status = editor.dataset(&pos, end, explicit, big, 0, False, 0 if rules.node_count else NO_NODE)
            if status == OK:
                status = editor.flush(pos)
            if status == OK:
                status = editor.add_run(False, editor.out_begun, editor.used)
        if status == CALLBACK_FAILED:
            raise editor.fault
        if status != OK:
            raise_for(status, pos)
        whole = memoryview(data)
        head = editor.head_runs if editor.head_runs >= 0 else editor.run_count
        return editor.parts(whole, 0, head), editor.parts(whole, head, editor.run_count)
    finally:
        PyBuffer_Release(&view)
