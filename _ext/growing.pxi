# A buffer that grows while something is written into it. Included, not imported: a class is shared without a module.

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy


cdef class Growing:
    cdef char* data
    cdef Py_ssize_t used
    cdef Py_ssize_t room

    def __cinit__(self):
        self.room = 16384
        self.used = 0
        self.data = <char*>malloc(self.room)
        if self.data == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.data)

    cdef int need(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self.room
        cdef char* data
        if self.used + more <= room:
            return 0
        while room < self.used + more:
            room *= 2
        data = <char*>realloc(self.data, room)
        if data == NULL:
            raise MemoryError()
        self.data = data
        self.room = room
        return 0

    cdef int put(self, const char* text, Py_ssize_t size) except -1:
        self.need(size)
        memcpy(self.data + self.used, text, size)
        self.used += size
        return 0

    cdef int put_bytes(self, bytes text) except -1:
        return self.put(PyBytes_AsString(text), len(text))

    cdef int put_char(self, char c) except -1:
        self.need(1)
        self.data[self.used] = c
        self.used += 1
        return 0

    cdef bytes result(self):
        return PyBytes_FromStringAndSize(self.data, self.used)
