# cython: language_level=3
"""Data sets with the same elements and other texts, one after the other: the answers to a query (DICOM PS3.5 section
7.1). Each is measured first, then written in one piece."""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.string cimport memcpy

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    Py_ssize_t PyUnicode_GetLength(object text) except -1
    PyObject* PyDict_GetItemWithError(object mapping, object key) except? NULL


cdef struct Column:
    const char* head       # all before the length; of a fixed column the whole element
    Py_ssize_t head_size
    const char* empty      # the whole element without a value; NULL for a fixed column
    Py_ssize_t empty_size
    int width              # bytes of the length
    unsigned char pad
    bint text              # whether a text is the value as it is
    # of the answer at hand
    const char* data
    Py_ssize_t size
    bint whole             # `data` is the element, not its value


cdef class Answers:
    """Writes answers. `columns` are whole elements as bytes, or (tag, head, width of the length, padding, element
    without value, whether texts are written as they are), by ascending tag."""
    cdef list kept         # what the columns point into
    cdef list tags
    cdef Column* columns
    cdef Py_ssize_t count
    cdef bint big
    cdef object encode_text
    cdef object encode_element

    def __cinit__(self, list columns not None, bint big, encode_text, encode_element):
        """`encode_text` makes the bytes of a text that is not ASCII, `encode_element` a whole element of what is no
        text or does not fit: (number of the column, value)."""
        cdef Py_ssize_t i
        cdef bytes head, empty
        self.kept = columns
        self.tags = []
        self.count = len(columns)
        self.big = big
        self.encode_text = encode_text
        self.encode_element = encode_element
        self.columns = <Column*> PyMem_Malloc((self.count or 1) * sizeof(Column))
        if self.columns == NULL:
            raise MemoryError()
        for i in range(self.count):
            if isinstance(columns[i], bytes):
                head, empty = columns[i], None
                self.tags.append(None)
                self.columns[i].width = 0
                self.columns[i].empty = NULL
                self.columns[i].empty_size = 0
            else:
                tag, head, self.columns[i].width, self.columns[i].pad, empty, self.columns[i].text = columns[i]
                if self.columns[i].width not in (2, 4):
                    raise ValueError("a length has two or four bytes")
                self.tags.append(tag)
                self.columns[i].empty = PyBytes_AsString(empty)
                self.columns[i].empty_size = len(empty)
            self.columns[i].head = PyBytes_AsString(head)
            self.columns[i].head_size = len(head)

    def __dealloc__(self):
        PyMem_Free(self.columns)

    def encode(self, dict values not None):
        """One data set; what has no value in `values` by tag, or an empty one, is an empty element."""
        cdef Py_ssize_t i, size, total = 0
        cdef Column* column
        cdef PyObject* found
        cdef list alive = []
        cdef bytes made
        cdef object value
        for i in range(self.count):
            column = &self.columns[i]
            column.whole = True
            if column.empty == NULL:
                column.data, column.size = column.head, column.head_size
                total += column.size
                continue
            column.data, column.size = column.empty, column.empty_size
            found = PyDict_GetItemWithError(values, self.tags[i])
            if found != NULL:
                value = <object> found
                if value:
                    alive.append(value)
                    if not (column.text and self.place(column, value, alive)):
                        made = self.encode_element(i, value)
                        alive.append(made)
                        column.data, column.size = PyBytes_AsString(made), len(made)
            if column.whole:
                total += column.size
            else:
                total += column.head_size + column.width + column.size + (column.size & 1)
        made = PyBytes_FromStringAndSize(NULL, total)
        self.write(PyBytes_AsString(made))
        return made

    cdef bint place(self, Column* column, object value, list alive) except -1:
        # Whether the value is a text that the column takes.
        cdef Py_ssize_t size
        cdef const char* data
        cdef bytes made
        if type(value) is not str:
            return False
        try:
            data = PyUnicode_AsUTF8AndSize(value, &size)
        except UnicodeEncodeError:
            data = NULL            # half of a surrogate pair
            size = -1
        if size != PyUnicode_GetLength(value):
            made = self.encode_text(value)
            alive.append(made)
            data, size = PyBytes_AsString(made), len(made)
        if column.width == 2 and size > 0xFFFE or size > 0xFFFFFFFE:
            return False
        column.data, column.size, column.whole = data, size, False
        return True

    cdef void write(self, char* out) noexcept:
        cdef Py_ssize_t i, size
        cdef int shift
        cdef Column* column
        for i in range(self.count):
            column = &self.columns[i]
            if column.whole:
                memcpy(out, column.data, column.size)
                out += column.size
                continue
            memcpy(out, column.head, column.head_size)
            out += column.head_size
            size = column.size + (column.size & 1)
            for shift in range(column.width):
                out[column.width - 1 - shift if self.big else shift] = (size >> (8 * shift)) & 0xFF
            out += column.width
            memcpy(out, column.data, column.size)
            out += column.size
            if column.size & 1:
                out[0] = column.pad
                out += 1
