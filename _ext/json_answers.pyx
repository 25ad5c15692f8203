# cython: language_level=3
"""Answers to a search in the DICOM JSON model (PS3.18 annex F): the same attributes with other texts, one object after
the other. What is not plain is left to a function of the caller: sequences, real numbers, characters to be escaped."""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.string cimport memcpy

include "growing.pxi"

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    PyObject* PyDict_GetItemWithError(object mapping, object key) except? NULL

cdef enum:
    TEXTS = 0           # how the texts of a VR are written: with backslashes between them,
    ONE_TEXT = 1        # with none,
    NAMES = 2           # as objects of three groups,
    INTEGERS = 3        # as numbers,
    DECIMALS = 4        # as texts that are numbers,
    OTHER = 5           # by the function
    DIGITS = 18         # of any number of 64 bits


cdef struct Column:
    const char* head       # the member up to its VR
    Py_ssize_t head_size
    int form


cdef int form_of(bytes vr) noexcept:
    if vr in (b"AE", b"AS", b"CS", b"DA", b"DT", b"LO", b"SH", b"TM", b"UC", b"UI"):
        return TEXTS
    if vr in (b"LT", b"ST", b"UR", b"UT"):
        return ONE_TEXT
    if vr == b"PN":
        return NAMES
    if vr in (b"IS", b"SL", b"SS", b"SV", b"UL", b"US", b"UV"):
        return INTEGERS
    return DECIMALS if vr == b"DS" else OTHER


cdef bint plain_integer(const char* text, Py_ssize_t size) noexcept nogil:
    """Whether it is written as JSON writes it."""
    cdef Py_ssize_t i, start = size > 0 and text[0] == 45
    if size == start or size - start > DIGITS or (text[start] == 48 and size > 1):
        return False
    for i in range(start, size):
        if not 48 <= text[i] <= 57:
            return False
    return True


cdef bint plain_decimal(const char* text, Py_ssize_t size) noexcept nogil:
    """Digits, with one point between them or none."""
    cdef Py_ssize_t i, start = size > 0 and text[0] == 45, points = 0
    if size == start or size > 64 or text[start] == 46 or text[size - 1] == 46:
        return False
    for i in range(start, size):
        if text[i] == 46:
            points += 1
        elif not 48 <= text[i] <= 57:
            return False
    return points <= 1


cdef class JsonAnswers(Growing):
    """Writes answers. `fixed` is the member that all begin with, `columns` are (tag, VR) in their order."""
    cdef bytes fixed
    cdef list kept         # what the columns point into
    cdef list tags
    cdef list vrs
    cdef Column* columns
    cdef Py_ssize_t count
    cdef object encode_element

    def __init__(self, bytes fixed not None, list columns not None, encode_element):
        """`encode_element` makes a whole member of what is not plain, of (tag, VR, value); none where it is empty."""
        cdef Py_ssize_t i
        cdef bytes head
        if self.columns != NULL:
            raise ValueError("made already")
        self.fixed = fixed
        self.kept, self.tags, self.vrs = [], [], []
        self.columns = <Column*> PyMem_Malloc((len(columns) or 1) * sizeof(Column))
        if self.columns == NULL:
            raise MemoryError()
        for tag, vr in columns:
            head = b'"%08X":{"vr":"%b"' % (tag, vr.encode())
            i = len(self.tags)
            self.kept.append(head)
            self.tags.append(tag)
            self.vrs.append(vr)
            self.columns[i].head = PyBytes_AsString(head)
            self.columns[i].head_size = len(head)
            self.columns[i].form = form_of(vr.encode())
        self.count = len(self.tags)
        self.encode_element = encode_element

    def __dealloc__(self):
        PyMem_Free(self.columns)

    def encode(self, dict values not None):
        """One object; what has no value in `values` by tag is left out."""
        cdef Py_ssize_t i, mark
        cdef PyObject* found
        cdef object value
        cdef bytes made
        self.used = 0
        self.put_char(123)
        self.put_bytes(self.fixed)
        for i in range(self.count):
            found = PyDict_GetItemWithError(values, self.tags[i])
            if found == NULL:
                continue
            value = <object> found
            mark = self.used
            self.put_char(44)
            if not self.member(&self.columns[i], value):
                self.used = mark
                made = self.encode_element(self.tags[i], self.vrs[i], value)
                if made:
                    self.put_char(44)
                    self.put_bytes(made)
        self.put_char(125)
        return self.result()

    cdef bint member(self, Column* column, object value) except -1:
        """False, having written anything, for what is not plain."""
        cdef Py_ssize_t size = 0
        cdef const char* text = NULL
        if value is not None:
            if type(value) is not str or column.form == OTHER:
                return False
            try:
                text = PyUnicode_AsUTF8AndSize(value, &size)
            except UnicodeEncodeError:
                return False           # half of a surrogate pair
        self.put(column.head, column.head_size)
        if size == 0:
            self.put_char(125)
            return True
        self.put(b',"Value":[', 10)
        if not self.values(text, size, column.form):
            return False
        self.put(b']}', 2)
        return True

    cdef bint values(self, const char* text, Py_ssize_t size, int form) except -1:
        cdef Py_ssize_t i, start = 0, end
        for i in range(size):
            if 0 <= text[i] < 32 or text[i] == 34 or (text[i] == 92 and form == ONE_TEXT):
                return False           # to be escaped
        if form == ONE_TEXT:
            return self.text(text, stripped(text, size))
        for i in range(size + 1):
            if i < size and text[i] != 92:
                continue
            if start:
                self.put_char(44)
            end = stripped(text + start, i - start)
            if end == 0:
                self.put(b'null', 4)
            elif not self.value(text + start, end, form):
                return False
            start = i + 1
        return True

    cdef bint value(self, const char* text, Py_ssize_t size, int form) except -1:
        if form == TEXTS:
            return self.text(text, size)
        if form == NAMES:
            return self.name(text, size)
        if form == DECIMALS:
            return plain_decimal(text, size) and self.text(text, size)
        if not plain_integer(text, size):
            return False
        self.put(text, size)
        return True

    cdef bint text(self, const char* text, Py_ssize_t size) except -1:
        self.put_char(34)
        self.put(text, size)
        self.put_char(34)
        return True

    cdef bint name(self, const char* text, Py_ssize_t size) except -1:
        cdef Py_ssize_t i, start = 0
        cdef int group = 0
        cdef bint first = True
        self.put_char(123)
        for i in range(size + 1):
            if i < size and text[i] != 61:
                continue
            if i > start:
                if not first:
                    self.put_char(44)
                first = False
                self.group(group)
                self.put(text + start, i - start)
                self.put_char(34)
            start = i + 1
            group += 1
            if group == 3:
                break
        self.put_char(125)
        return True

    cdef int group(self, int number) except -1:
        if number == 0:
            return self.put(b'"Alphabetic":"', 14)
        if number == 1:
            return self.put(b'"Ideographic":"', 15)
        return self.put(b'"Phonetic":"', 12)


cdef Py_ssize_t stripped(const char* text, Py_ssize_t size) noexcept nogil:
    """The size without spaces at the end."""
    while size > 0 and text[size - 1] == 32:
        size -= 1
    return size


def pick(dict own not None, dict others not None, tuple tags not None, dict found not None):
    """Puts the values of the tags into `found`, from the first mapping that has one. Returns the tags for which there
    is none, or None where there are all."""
    cdef list lacking = None
    cdef PyObject* value
    cdef object tag
    for tag in tags:
        value = PyDict_GetItemWithError(own, tag)
        if value == NULL or <object> value is None:
            value = PyDict_GetItemWithError(others, tag)
        if value == NULL or <object> value is None:
            if lacking is None:
                lacking = []
            lacking.append(tag)
        else:
            found[tag] = <object> value
    return lacking
