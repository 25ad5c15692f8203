# Counters in memory that processes share, and waiting for one of them to change: Linux futexes, without the GIL.

from libc.errno cimport EAGAIN, EINTR, ETIMEDOUT, errno

cdef extern from *:
    """
    #include <limits.h>
    #include <linux/futex.h>
    #include <stdint.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>

    static uint32_t futex_load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

    static void futex_add(uint32_t *word) { __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST); }

    /* Not FUTEX_PRIVATE_FLAG: other processes wait as well. */
    static long futex_wake_all(uint32_t *word) { return syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

    static long futex_wait(uint32_t *word, uint32_t seen, double seconds) {
        struct timespec limit;
        limit.tv_sec = (time_t) seconds;
        limit.tv_nsec = (long) ((seconds - (double) limit.tv_sec) * 1e9);
        return syscall(SYS_futex, word, FUTEX_WAIT, seen, &limit, NULL, 0);
    }
    """
    unsigned int futex_load(const unsigned int* word) nogil
    void futex_add(unsigned int* word) nogil
    long futex_wake_all(unsigned int* word) nogil
    long futex_wait(unsigned int* word, unsigned int seen, double seconds) nogil


cdef class Counters:
    """Counters of 32 bits, which wrap around, in a writable buffer that is aligned to 4 bytes, as memory maps are. What one
    process adds all see at once. As long as this object lives the buffer cannot be closed."""
    cdef unsigned char[::1] view
    cdef unsigned int* words
    cdef readonly Py_ssize_t count

    def __init__(self, unsigned char[::1] buffer not None):
        if buffer.shape[0] < 4 or <size_t> &buffer[0] % 4:
            raise ValueError("counters need a buffer that is aligned to 4 bytes")
        self.view = buffer
        self.words = <unsigned int*> &buffer[0]
        self.count = buffer.shape[0] // 4

    cdef unsigned int* word(self, Py_ssize_t number) except NULL:
        if not 0 <= number < self.count:
            raise IndexError(f"there are {self.count} counters, no number {number}")
        return self.words + number

    def value(self, Py_ssize_t number) -> int:
        return futex_load(self.word(number))

    def add(self, Py_ssize_t number) -> None:
        """Adds one, and wakes all who wait for this counter."""
        cdef unsigned int* word = self.word(number)
        futex_add(word)
        futex_wake_all(word)

    def wait(self, Py_ssize_t number, unsigned int seen, double seconds) -> None:
        """Returns when the counter is not `seen` any more, after `seconds`, or for no reason. Raises OSError."""
        cdef unsigned int* word = self.word(number)
        cdef long result
        cdef int failure
        if seconds <= 0:
            return
        with nogil:
            result = futex_wait(word, seen, seconds)
            failure = errno
        if result < 0 and failure not in (EAGAIN, EINTR, ETIMEDOUT):
            raise OSError(failure, "futex")
