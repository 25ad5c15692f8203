# The other half of `pdata`: one message (command set and data set) as P-DATA-TF PDUs (PS3.8 section 9.3.5), none of whose
# bytes are copied on their way to a plain socket: headers made here and slices of the buffers go to the kernel together.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void* iov_base
        size_t iov_len

cdef extern from "<sys/socket.h>" nogil:
    cdef struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    Py_ssize_t sendmsg(int fd, const msghdr* message, int flags)

cdef extern from *:
    """
    #include <sys/socket.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    """
    int MSG_NOSIGNAL

cdef extern from "<poll.h>" nogil:
    cdef struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd* fds, unsigned long count, int timeout)
    short POLLOUT

cdef enum:
    QUEUE = 1024      # slices for one call: what Linux takes at most
    HEADERS = 512
    HEADER = 12       # of a PDU and of its only PDV
    P_DATA_TF = 4
    IN_COMMAND = 1
    IS_LAST = 2


cdef class MessageWriter:
    """Writes messages of one association, one after the other. Not for several threads at once."""
    cdef Py_ssize_t fragment         # most bytes of a message in one PDV
    cdef Py_buffer* buffers          # the command set, then the parts of the data set
    cdef Py_ssize_t count            # of the buffers
    cdef Py_ssize_t data_size
    cdef unsigned char context
    # What has a place in the queue already
    cdef bint in_command
    cdef Py_ssize_t left             # bytes of the command set or data set that have no header yet
    cdef Py_ssize_t fragment_left    # bytes of the last header that are not in the queue
    cdef Py_ssize_t buffer, at       # the next byte
    # What the kernel is to get next
    cdef iovec queue[QUEUE]
    cdef int first, end
    cdef unsigned char headers[HEADERS * HEADER]

    def __cinit__(self, Py_ssize_t fragment):
        """`fragment` is the most bytes of a message that a PDV may hold."""
        if not 0 < fragment <= 0x7FFFFFFF - HEADER:
            raise ValueError("a fragment has some bytes")
        self.fragment = fragment

    def __dealloc__(self):
        self.release()

    def begin(self, unsigned char context, command not None, parts not None):
        """The next message: an encoded command set, and a data set that is the `parts` one after the other. They are held
        until all is written or `release` is called."""
        self.release()
        contents = [command, *parts]
        self.buffers = <Py_buffer*> calloc(len(contents), sizeof(Py_buffer))
        if self.buffers == NULL:
            raise MemoryError()
        try:
            for content in contents:
                PyObject_GetBuffer(content, &self.buffers[self.count], PyBUF_SIMPLE)
                self.count += 1
                self.data_size += self.buffers[self.count - 1].len
            self.data_size -= self.buffers[0].len
            if self.buffers[0].len == 0 or (parts and self.data_size == 0):
                raise ValueError("a command set or a data set without bytes")
        except BaseException:
            self.release()
            raise
        self.context = context
        self.in_command = True
        self.left = self.buffers[0].len

    cpdef release(self):
        """Forgets what is not written yet."""
        for i in range(self.count):
            PyBuffer_Release(&self.buffers[i])
        free(self.buffers)
        self.buffers = NULL
        self.count = self.data_size = self.left = self.fragment_left = self.buffer = self.at = 0
        self.first = self.end = 0

    def write(self, int fd, int timeout):
        """Sends all of the message to a non-blocking socket.

        Raises TimeoutError after `timeout` milliseconds (-1: never) in which the peer took nothing, and OSError.
        """
        cdef int failure
        while True:
            with nogil:
                failure = self.send(fd, timeout)
            if failure == 0:
                self.release()
                return
            if failure == -1:
                raise TimeoutError("the peer does not take data")
            if failure != EINTR:  # back in Python a signal handler gets its turn
                raise OSError(failure, "sending failed")

    cdef int send(self, int fd, int timeout) noexcept nogil:
        # 0 when all is sent, -1 after the timeout, else an errno.
        cdef msghdr message
        cdef pollfd polled
        cdef Py_ssize_t done
        cdef int state
        memset(&message, 0, sizeof(message))
        while True:
            if self.first == self.end:
                self.refill()
                if self.end == 0:
                    return 0
            message.msg_iov = &self.queue[self.first]
            message.msg_iovlen = self.end - self.first
            done = sendmsg(fd, &message, MSG_NOSIGNAL)
            if done >= 0:
                self.advance(done)
                continue
            if errno != EAGAIN:
                return errno
            polled.fd = fd
            polled.events = POLLOUT
            polled.revents = 0
            state = poll(&polled, 1, timeout)
            if state < 0:
                return errno
            if state == 0:
                return -1

    cdef void advance(self, Py_ssize_t done) noexcept nogil:
        # `done` bytes of the queue are sent.
        cdef iovec* slice
        while done:
            slice = &self.queue[self.first]
            if <Py_ssize_t> slice.iov_len > done:
                slice.iov_base = <char*> slice.iov_base + done
                slice.iov_len -= done
                return
            done -= slice.iov_len
            self.first += 1

    def fill(self, unsigned char[::1] target not None):
        """Copies the next bytes of the stream into `target`, for TLS; returns how many, 0 after the last."""
        cdef Py_ssize_t used = 0, size
        with nogil:
            while used < target.shape[0]:
                if self.first == self.end:
                    self.refill()
                    if self.end == 0:
                        break
                size = min(<Py_ssize_t> self.queue[self.first].iov_len, target.shape[0] - used)
                memcpy(&target[used], self.queue[self.first].iov_base, size)
                used += size
                self.advance(size)
        if used == 0:
            self.release()
        return used

    cdef void refill(self) noexcept nogil:
        # The queue is empty: as much of the message as it takes.
        cdef Py_ssize_t size
        cdef int headers = 0
        self.first = self.end = 0
        while self.end < QUEUE:
            if self.fragment_left == 0:
                if self.left == 0:
                    if not self.in_command or self.data_size == 0:
                        return
                    self.in_command = False
                    self.left = self.data_size
                if headers == HEADERS:
                    return
                self.put_header(&self.headers[headers * HEADER])
                headers += 1
                continue
            size = min(self.buffers[self.buffer].len - self.at, self.fragment_left)
            if size == 0:
                self.buffer += 1
                self.at = 0
                continue
            self.put(<char*> self.buffers[self.buffer].buf + self.at, size)
            self.at += size
            self.fragment_left -= size

    cdef void put_header(self, unsigned char* header) noexcept nogil:
        cdef Py_ssize_t size = min(self.fragment, self.left)
        self.left -= size
        self.fragment_left = size
        header[0] = P_DATA_TF
        header[1] = 0
        put32(header + 2, size + 6)
        put32(header + 6, size + 2)
        header[10] = self.context
        header[11] = (IN_COMMAND if self.in_command else 0) | (IS_LAST if self.left == 0 else 0)
        self.put(header, HEADER)

    cdef void put(self, void* data, Py_ssize_t size) noexcept nogil:
        self.queue[self.end].iov_base = data
        self.queue[self.end].iov_len = size
        self.end += 1


cdef void put32(unsigned char* p, Py_ssize_t value) noexcept nogil:
    p[0] = (value >> 24) & 0xFF
    p[1] = (value >> 16) & 0xFF
    p[2] = (value >> 8) & 0xFF
    p[3] = value & 0xFF

