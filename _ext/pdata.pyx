# The hot half of a DICOM association: PDUs from a socket, P-DATA reassembled, command sets parsed (PS3.8 section 9.3,
# PS3.7 section 6.3), without a Python object per PDU or fragment.

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from element cimport AT_END, ITEM_END, OK, SEQUENCE_END, Element, items_big, items_explicit, read_element, u16, u32

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    Py_ssize_t readv(int fd, const iovec* iov, int count)

cdef extern from "<poll.h>" nogil:
    cdef struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd* fds, unsigned long count, int timeout)
    short POLLIN

cdef extern from "<sys/socket.h>" nogil:
    int setsockopt(int fd, int level, int name, const void* value, unsigned int size)

cdef extern from "<netinet/in.h>" nogil:
    int IPPROTO_TCP

cdef extern from *:
    """
    #include <netinet/tcp.h>
    #ifndef TCP_QUICKACK
    #define TCP_QUICKACK (-1)
    #endif
    """
    int TCP_QUICKACK

cdef extern from "<time.h>" nogil:
    cdef struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec* time)

cdef extern from "Python.h":
    object PyMemoryView_FromMemory(char* memory, Py_ssize_t size, int flags)
    enum:
        PyBUF_WRITE

cdef enum:
    CAPACITY = 1 << 18         # of the buffer: a PDU that is not P-DATA must fit (an A-ASSOCIATE-RQ can have 160 KB)
    MAX_COMMAND = 1 << 14      # bytes of a command set; the largest legitimate one has some hundreds
    DIRECT = 1 << 12           # rest of a fragment from which on the kernel writes into the data set itself
    PDU_HEADER = 6
    PDV_HEADER = 6
    P_DATA_TF = 4

# What `next` and `wait` return.
cdef enum Event:
    ON_NEED_DATA = 0
    ON_PDU = 1
    ON_COMMAND = 2
    ON_ROOM = 3
    ON_DATA_SET = 4
    ON_CLOSED = 5
    ON_TIMEOUT = 6
    ON_WOKEN = 7

NEED_DATA = ON_NEED_DATA
PDU = ON_PDU
COMMAND = ON_COMMAND
ROOM = ON_ROOM
DATA_SET = ON_DATA_SET
CLOSED = ON_CLOSED
TIMEOUT = ON_TIMEOUT
WOKEN = ON_WOKEN

cdef enum Expect:
    EXPECT_COMMAND
    EXPECT_TARGET    # a command announced a data set and `accept` was not called yet
    EXPECT_DATA_SET


class PduError(Exception):
    """The peer broke the upper layer protocol; `args` is (text, reason of the A-P-ABORT)."""



cdef class PduReader:
    """Reads what arrives on one association, as events; nothing is copied that can be received in place.

    Not for several threads at once.
    """
    cdef unsigned char* buffer
    cdef Py_ssize_t start, end       # what of the buffer is not consumed yet
    cdef Py_ssize_t max_pdu          # largest P-DATA-TF that the peer may send; 0: none may come yet
    cdef Py_ssize_t pdu_left         # bytes of the current P-DATA-TF that are not consumed
    cdef Py_ssize_t fragment_left    # bytes of the current PDV that are not consumed
    cdef Py_ssize_t pdu_size         # of the complete PDU that `PDU` has announced
    cdef bint last                   # the current PDV is the last of its command or data set
    cdef bint in_fragment
    cdef bint in_command
    cdef bint complete               # the last message is: the next PDV begins a new one
    cdef Expect expect
    cdef unsigned char* command
    cdef Py_ssize_t command_size
    cdef Py_ssize_t target_size
    cdef readonly Py_ssize_t used
    cdef unsigned char[::1] target_view    # keeps the target from being resized or freed
    cdef unsigned char* target
    cdef readonly int context_id
    cdef readonly int command_field
    cdef readonly int message_id
    cdef readonly int responded_id
    cdef readonly int status         # of a response; -1: none
    cdef readonly int move_id        # message ID of the C-MOVE that a C-STORE-RQ belongs to; -1: of none
    cdef readonly bint has_data_set
    cdef Py_ssize_t class_at, class_size, instance_at, instance_size, move_at, move_size
    cdef unsigned char seen[256]     # presentation contexts that were accepted

    def __cinit__(self):
        self.buffer = <unsigned char*> malloc(CAPACITY)
        self.command = <unsigned char*> malloc(MAX_COMMAND)
        if self.buffer == NULL or self.command == NULL:
            raise MemoryError()
        self.expect = EXPECT_COMMAND
        self.complete = True

    def __dealloc__(self):
        free(self.buffer)
        free(self.command)

    def establish(self, Py_ssize_t max_pdu, contexts):
        """From here on P-DATA may come: PDUs up to `max_pdu` bytes for these presentation contexts."""
        self.max_pdu = max_pdu
        for i in range(256):
            self.seen[i] = 0
        for number in contexts:
            self.seen[<unsigned char> number] = 1

    # What the last event was about

    @property
    def pdu(self):
        """The complete PDU, header included, of the last `PDU` event; valid until the next call of `next`."""
        return self.buffer[self.start:self.start + self.pdu_size]

    @property
    def command_set(self):
        """The encoded command set of the last `COMMAND` event."""
        return self.command[:self.command_size]

    @property
    def sop_class(self):
        """Affected SOP Class UID of the command without padding, b"" if absent."""
        return self.command[self.class_at:self.class_at + self.class_size]

    @property
    def sop_instance(self):
        """Affected SOP Instance UID of the command without padding, b"" if absent."""
        return self.command[self.instance_at:self.instance_at + self.instance_size]

    @property
    def move_aet(self):
        """Move Originator AE Title of a C-STORE-RQ without padding at its end, b"" if absent."""
        return self.command[self.move_at:self.move_at + self.move_size]

    # Where the data set goes

    def accept(self, unsigned char[::1] target not None, Py_ssize_t used):
        """Gives the buffer that takes the data set from offset `used` on; ROOM asks for the next one.

        It is held until DATA_SET, the next `accept` or `release`.
        """
        if self.expect == EXPECT_COMMAND:
            raise ValueError("no data set is announced")
        if not 0 <= used < target.shape[0]:
            raise ValueError("no room in the target")
        self.target_view = target
        self.target = &target[0]
        self.target_size = target.shape[0]
        self.used = used
        self.expect = EXPECT_DATA_SET

    def release(self):
        """Lets go of the buffer given by `accept`."""
        self.target_view = None
        self.target = NULL
        self.target_size = 0

    # Receiving

    def window(self):
        """Where the next bytes of the stream belong, writable; `received` says how many came. For TLS."""
        cdef Py_ssize_t direct = self.direct_size()
        if direct:
            return PyMemoryView_FromMemory(<char*> self.target + self.used, direct, PyBUF_WRITE)
        self.compact()
        return PyMemoryView_FromMemory(<char*> self.buffer + self.end, CAPACITY - self.end, PyBUF_WRITE)

    def received(self, Py_ssize_t count):
        """`count` bytes were written into what `window` returned."""
        cdef Py_ssize_t direct = self.direct_size()
        if not 0 <= count <= (direct if direct else CAPACITY - self.end):
            raise ValueError("more bytes than the window has")
        self.take(count, direct)

    def feed(self, const unsigned char[::1] data not None):
        """Takes bytes as if they had been received; returns how many fit (for tests)."""
        cdef Py_ssize_t count, direct = self.direct_size()
        if direct:
            count = min(direct, data.shape[0])
            memcpy(self.target + self.used, &data[0], count)
            self.take(count, direct)
            return count
        self.compact()
        count = min(CAPACITY - self.end, data.shape[0])
        if count:
            memcpy(self.buffer + self.end, &data[0], count)
            self.end += count
        return count

    def wait(self, int fd, int timeout, int wake=-1, bint whole=False):
        """Receives from a non-blocking socket until something happened, and returns the event.

        `timeout` in milliseconds without a byte (-1: none) gives TIMEOUT, with `whole` that many since the call; `wake`
        is a descriptor whose readability gives WOKEN. Raises PduError, and OSError where the connection broke.
        """
        cdef int event
        cdef long long end = now() + timeout if whole and timeout >= 0 else -1
        while True:
            event = self.next()
            if event != ON_NEED_DATA:
                return event
            if end >= 0:
                timeout = <int> max(0, end - now())
            event = self.receive(fd, timeout, wake)
            if event != ON_NEED_DATA:
                return event

    cdef int receive(self, int fd, int timeout, int wake) except -1:
        cdef Py_ssize_t count, direct = self.direct_size()
        cdef int state, failure = 0
        cdef int one = 1
        cdef iovec parts[2]
        cdef int number = 0
        cdef pollfd polled[2]
        self.compact()
        if direct:
            parts[0].iov_base = self.target + self.used
            parts[0].iov_len = direct
            number = 1
        parts[number].iov_base = self.buffer + self.end
        parts[number].iov_len = CAPACITY - self.end
        number += 1
        with nogil:
            while True:
                count = readv(fd, parts, number)
                if count >= 0:
                    break
                failure = errno
                if failure == EINTR:
                    break
                if failure != EAGAIN:
                    break
                # Acknowledge at once what has come: a peer with Nagle's algorithm waits for it before it sends the rest
                # of a data set, and the kernel would wait up to 40 ms for company. The option does not stay set.
                setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one))
                polled[0].fd = fd
                polled[0].events = POLLIN
                polled[0].revents = 0
                polled[1].fd = wake
                polled[1].events = POLLIN
                polled[1].revents = 0
                state = poll(polled, 1 if wake < 0 else 2, timeout)
                if state < 0:
                    failure = errno
                    break
                if state == 0:
                    failure = -1
                    break
                if wake >= 0 and polled[1].revents:
                    failure = -2
                    break
        if count >= 0:
            if count == 0:
                return ON_CLOSED
            self.take(count, direct)
            return ON_NEED_DATA
        if failure == -1:
            return ON_TIMEOUT
        if failure == -2:
            return ON_WOKEN
        if failure == EINTR:
            return ON_NEED_DATA  # back in Python a signal handler gets its turn
        raise OSError(failure, "receiving failed")

    cdef Py_ssize_t direct_size(self) noexcept:
        # How many of the next bytes the kernel may write straight into the data set; 0: not worth it.
        cdef Py_ssize_t size
        if self.start != self.end or self.in_command or self.target == NULL:
            return 0
        size = min(self.fragment_left, self.target_size - self.used)
        return size if size >= DIRECT else 0

    cdef void take(self, Py_ssize_t count, Py_ssize_t direct) noexcept:
        cdef Py_ssize_t placed = min(count, direct)
        self.used += placed
        self.fragment_left -= placed
        self.pdu_left -= placed
        self.end += count - placed

    cdef void compact(self) noexcept:
        if self.start == self.end:
            self.start = self.end = 0
        elif self.end == CAPACITY and self.start:
            memmove(self.buffer, self.buffer + self.start, self.end - self.start)
            self.end -= self.start
            self.start = 0

    # Parsing

    cpdef int next(self) except -1:
        """The next event from what was received already; NEED_DATA if there is none. Raises PduError."""
        cdef int event
        if self.pdu_size:  # was looked at
            self.start += self.pdu_size
            self.pdu_size = 0
        while True:
            if self.in_fragment:
                event = self.fragment()
            elif self.pdu_left:
                event = self.pdv_header()
            else:
                event = self.pdu_header()
            if event >= 0:
                return event

    cdef int pdu_header(self) except -2:
        # Returns an event, or -1 to go on.
        cdef const unsigned char* p = self.buffer + self.start
        cdef Py_ssize_t length
        if self.end - self.start < PDU_HEADER:
            return ON_NEED_DATA
        if not 1 <= p[0] <= 7:
            raise PduError(f"unknown PDU type 0x{p[0]:02x}", 1)
        length = u32(p + 2, True)
        if p[0] == P_DATA_TF:
            if self.max_pdu == 0:
                raise PduError("P-DATA outside of an association", 2)
            if length > self.max_pdu:
                raise PduError(f"a P-DATA PDU of {length} bytes where {self.max_pdu} were agreed", 6)
            if length < PDV_HEADER:
                raise PduError(f"a P-DATA PDU of {length} bytes", 6)
            self.start += PDU_HEADER
            self.pdu_left = length
            return -1
        if length > CAPACITY - PDU_HEADER:
            raise PduError(f"a PDU of type {p[0]} and {length} bytes", 6)
        if self.end - self.start < PDU_HEADER + length:
            if self.start and CAPACITY - self.start < PDU_HEADER + length:
                memmove(self.buffer, p, self.end - self.start)
                self.end -= self.start
                self.start = 0
            return ON_NEED_DATA
        self.pdu_size = PDU_HEADER + length
        return ON_PDU

    cdef int pdv_header(self) except -2:
        cdef const unsigned char* p = self.buffer + self.start
        cdef Py_ssize_t length
        if self.expect == EXPECT_TARGET:
            raise ValueError("a data set is announced: accept() must come first")
        if self.end - self.start < PDV_HEADER and self.end - self.start < self.pdu_left:
            return ON_NEED_DATA
        if self.pdu_left < PDV_HEADER:
            raise PduError("a P-DATA PDU that does not end with a PDV", 6)
        length = u32(p, True)
        if length < 2 or length > self.pdu_left - 4:
            raise PduError(f"a PDV of {length} bytes in a PDU that has {self.pdu_left - 4} left", 6)
        if p[5] > 3:
            raise PduError(f"a PDV with the control header 0x{p[5]:02x}", 6)
        self.in_command = p[5] & 1
        self.last = p[5] >> 1
        if self.in_command != (self.expect == EXPECT_COMMAND):
            raise PduError("a command set where a data set is due" if self.in_command else "a data set without command", 2)
        if not self.seen[p[4]]:
            raise PduError(f"a PDV for the presentation context {p[4]}, which was not accepted", 6)
        if self.complete:
            self.complete = False
            self.command_size = 0
        elif self.context_id != p[4]:
            raise PduError(f"presentation context {p[4]} within a message of {self.context_id}", 6)
        self.context_id = p[4]
        self.start += PDV_HEADER
        self.pdu_left -= PDV_HEADER
        self.fragment_left = length - 2
        self.in_fragment = True
        return -1

    cdef int fragment(self) except -2:
        cdef Py_ssize_t count = min(self.fragment_left, self.end - self.start)
        if self.in_command:
            if self.fragment_left > MAX_COMMAND - self.command_size:
                raise PduError(f"a command set of more than {MAX_COMMAND} bytes", 6)
            memcpy(self.command + self.command_size, self.buffer + self.start, count)
            self.command_size += count
        else:
            if count > self.target_size - self.used:
                count = self.target_size - self.used
            if count:
                memcpy(self.target + self.used, self.buffer + self.start, count)
                self.used += count
        self.start += count
        self.pdu_left -= count
        self.fragment_left -= count
        if self.fragment_left:
            if not self.in_command and self.used == self.target_size:
                return ON_ROOM
            return ON_NEED_DATA
        self.in_fragment = False
        if not self.last:
            return -1
        self.last = False
        if self.in_command:
            self.parse_command()
            return ON_COMMAND
        self.release()
        self.expect = EXPECT_COMMAND
        self.complete = True
        return ON_DATA_SET

    cdef int parse_command(self) except -1:
        cdef const unsigned char* p = self.command
        cdef Py_ssize_t at = 0, size = self.command_size, length
        cdef unsigned int tag
        cdef int data_set_type = -1
        self.command_field = self.message_id = self.responded_id = self.status = self.move_id = -1
        self.class_at = self.class_size = self.instance_at = self.instance_size = self.move_at = self.move_size = 0
        while at < size:
            if size - at < 8:
                raise PduError("a command set that ends within an element", 6)
            tag = (u16(p + at, False) << 16) | u16(p + at + 2, False)
            length = u32(p + at + 4, False)
            at += 8
            if length > size - at:
                raise PduError("a command set with an element beyond its end", 6)
            if tag == 0x00000100 and length == 2:
                self.command_field = u16(p + at, False)
            elif tag == 0x00000110 and length == 2:
                self.message_id = u16(p + at, False)
            elif tag == 0x00000120 and length == 2:
                self.responded_id = u16(p + at, False)
            elif tag == 0x00000800 and length == 2:
                data_set_type = u16(p + at, False)
            elif tag == 0x00000900 and length == 2:
                self.status = u16(p + at, False)
            elif tag == 0x00000002:
                self.class_at = at
                self.class_size = unpadded(p + at, length)
            elif tag == 0x00001000:
                self.instance_at = at
                self.instance_size = unpadded(p + at, length)
            elif tag == 0x00001030:
                self.move_at = at
                self.move_size = unpadded(p + at, length)
            elif tag == 0x00001031 and length == 2:
                self.move_id = u16(p + at, False)
            at += length
        if self.command_field < 0 or data_set_type < 0:
            raise PduError("a command set without Command Field or Command Data Set Type", 6)
        self.has_data_set = data_set_type != 0x0101
        if self.has_data_set:
            self.expect = EXPECT_TARGET
            self.used = 0
        else:
            self.complete = True
        return 0


cdef long long now() noexcept nogil:
    # Milliseconds of a clock that only goes forward.
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <long long> time.tv_sec * 1000 + time.tv_nsec // 1000000


cdef Py_ssize_t unpadded(const unsigned char* p, Py_ssize_t length) noexcept:
    while length and (p[length - 1] == 0 or p[length - 1] == 32):
        length -= 1
    return length


cdef int skip_items(const unsigned char* buf, Py_ssize_t size, Py_ssize_t* at, bint explicit, bint big) noexcept nogil:
    # Moves `at` from the first item of a sequence of undefined length behind its delimiter.
    cdef Element e
    cdef int depth = 1, state
    while depth:
        state = read_element(buf, size, at[0], explicit, big, &e)
        if state != OK:
            return state if state != AT_END else -1
        if e.tag == <unsigned int>SEQUENCE_END:
            depth -= 1
            at[0] = e.value
        elif e.length == -1:
            at[0] = e.value
            if (e.tag >> 16) != 0xFFFE:
                depth += 1
                if depth > 64:
                    return -1
        elif (e.tag >> 16) == 0xFFFE:
            at[0] = e.value if e.tag == <unsigned int>ITEM_END else e.value + e.length
        else:
            at[0] = e.value + e.length
    return OK


def sop_uids(const unsigned char[::1] data not None, Py_ssize_t start, bint explicit, bint big):
    """SOP Class UID and SOP Instance UID of the data set from `start` on, as it is encoded: bytes without padding,
    None where absent or unreadable. Looks no further than they can stand."""
    cdef Py_ssize_t at = start, size = data.shape[0]
    cdef const unsigned char* p
    cdef Element e
    cdef int state
    sop_class = sop_instance = None
    if not 0 <= start < size:
        return None, None
    p = &data[0]
    while read_element(p, size, at, explicit, big, &e) == OK and e.tag <= 0x00080018:
        if e.length == -1:
            at = e.value
            state = skip_items(p, size, &at, items_explicit(&e, explicit), items_big(&e, big))
            if state != OK:
                break
            continue
        if e.tag == 0x00080016:
            sop_class = p[e.value:e.value + unpadded(p + e.value, e.length)]
        elif e.tag == 0x00080018:
            sop_instance = p[e.value:e.value + unpadded(p + e.value, e.length)]
        at = e.value + e.length
    return sop_class, sop_instance
