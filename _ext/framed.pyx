# cython: language_level=3
"""Ranges of files as they are to be sent: read behind what stands before them, into the object that
is handed on, so that no byte is copied twice."""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, EOPNOTSUPP, errno
from libc.string cimport memcpy

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <sys/types.h>
    #include <sys/uio.h>
    #include <unistd.h>
    #ifdef __linux__
    #ifndef RWF_NOWAIT
    #define RWF_NOWAIT 0x00000008
    #endif
    static ssize_t read_cached(int fd, char* out, size_t size, long long start)
    {
        struct iovec part = {out, size};
        return preadv2(fd, &part, 1, (off_t)start, RWF_NOWAIT);
    }
    #else
    static ssize_t read_cached(int fd, char* out, size_t size, long long start)
    {
        errno = EOPNOTSUPP;
        return -1;
    }
    #endif
    """
    ssize_t read_cached(int fd, char* out, size_t size, long long start) nogil


def read_cached_between(int fd, long long start, Py_ssize_t size, bytes head not None, bytes tail not None):
    """`head`, `size` bytes of the file from `start` on, `tail`; None where not all of these bytes are in
    memory, or in the file. Raises OSError, ValueError for negative numbers."""
    if start < 0 or size < 0:
        raise ValueError("a range of a file begins, and has bytes, from 0 on")
    cdef Py_ssize_t before = len(head), behind = len(tail)
    cdef const char* first = head
    cdef const char* last = tail
    found = PyBytes_FromStringAndSize(NULL, before + size + behind)
    cdef char* out = PyBytes_AsString(found)
    cdef int error
    with nogil:
        error = fill(fd, start, size, out + before)
    if error > 0:
        raise OSError(error, "a file cannot be read")
    if error < 0:
        return None
    memcpy(out, first, before)
    memcpy(out + before + size, last, behind)
    return found


cdef int fill(int fd, long long start, Py_ssize_t size, char* out) noexcept nogil:
    """0 if all has been read, below 0 if that is not possible at once, else an errno."""
    cdef Py_ssize_t done = 0
    cdef ssize_t count
    while done < size:
        count = read_cached(fd, out + done, size - done, start + done)
        if count > 0:
            done += count
        elif count == 0 or errno == EAGAIN or errno == EOPNOTSUPP:
            return -1
        elif errno != EINTR:
            return errno
    return 0
