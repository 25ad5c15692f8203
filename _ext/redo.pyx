# cython: language_level=3
"""A write transaction of LMDB that notes what is done through it, so that it can be done again from the notes.

    one operation: kind:1 database:1 size of key:2 size of value:4 key value      (little endian)
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef enum:
    PUT = 1
    APPEND = 2
    DELETE = 3
    DROP = 4
    HEAD = 8
    FIRST_SIZE = 4096
    LONGEST_KEY = 0xFFFF
    LONGEST_VALUE = 0xFFFFFFFF


cdef class RecordedTransaction:
    """Passes everything on to `txn`; `notes` gives what was changed, in order. `numbers` names each database."""

    cdef readonly object get
    cdef readonly object cursor
    cdef object _put
    cdef object _delete
    cdef object _drop
    cdef dict _numbers
    cdef uint8_t* _notes
    cdef size_t _size
    cdef size_t _room

    def __cinit__(self, txn, dict numbers not None):
        self.get = txn.get
        self.cursor = txn.cursor
        self._put = txn.put
        self._delete = txn.delete
        self._drop = txn.drop
        self._numbers = numbers

    def __dealloc__(self):
        free(self._notes)

    def put(self, key, value, *, db, bint append=False):
        """As `lmdb.Transaction.put`."""
        # By position: names cost a dictionary each time. They are dupdata, overwrite, append and db.
        cdef bint done = self._put(key, value, True, True, append, db)
        self._note(APPEND if append else PUT, self._numbers[db], key, value)
        return done

    def delete(self, key, value=b"", *, db):
        """As `lmdb.Transaction.delete`."""
        cdef bint done = self._delete(key, value, db)
        if done:
            self._note(DELETE, self._numbers[db], key, value)
        return done

    def drop(self, db, *, bint delete):
        """As `lmdb.Transaction.drop`; only emptying is recorded, so `delete` must be False."""
        if delete:
            raise ValueError("the databases of the index are emptied, never removed")
        self._drop(db, delete=False)
        self._note(DROP, self._numbers[db], b"", b"")

    def notes(self):
        """What was changed so far, for `replay`."""
        return PyBytes_FromStringAndSize(<char*>self._notes, self._size)

    cdef int _note(self, uint8_t kind, uint8_t database, object key, object value) except -1:
        cdef Py_buffer keys, values
        if type(key) is bytes and type(value) is bytes:  # as nearly always
            return self._write(kind, database, PyBytes_AsString(key), len(<bytes>key),
                               PyBytes_AsString(value), len(<bytes>value))
        PyObject_GetBuffer(key, &keys, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(value, &values, PyBUF_SIMPLE)
            try:
                self._write(kind, database, keys.buf, keys.len, values.buf, values.len)
            finally:
                PyBuffer_Release(&values)
        finally:
            PyBuffer_Release(&keys)
        return 0

    cdef int _write(self, uint8_t kind, uint8_t database, const void* key, Py_ssize_t keys,
                    const void* value, Py_ssize_t values) except -1:
        cdef uint16_t key_size = <uint16_t>keys
        cdef uint32_t value_size = <uint32_t>values
        cdef uint8_t* at
        if keys > LONGEST_KEY or values > <Py_ssize_t>LONGEST_VALUE:
            raise ValueError("a key or a value of the index is too long")
        at = self._reserve(HEAD + keys + values)
        at[0] = kind
        at[1] = database
        memcpy(at + 2, &key_size, 2)
        memcpy(at + 4, &value_size, 4)
        memcpy(at + HEAD, key, keys)
        memcpy(at + HEAD + keys, value, values)
        return 0

    cdef uint8_t* _reserve(self, size_t size) except NULL:
        cdef size_t room = self._room or FIRST_SIZE
        cdef uint8_t* grown
        while room < self._size + size:
            room *= 2
        if room != self._room:
            grown = <uint8_t*>realloc(self._notes, room)
            if grown == NULL:
                raise MemoryError()
            self._notes = grown
            self._room = room
        self._size += size
        return self._notes + self._size - size


def replay(bytes notes not None, txn, list databases not None, int watched=-1):
    """Does in `txn` what the notes say; `databases` are those that the numbers stand for.

    Returns the keys that it deletes in database number `watched`. Raises ValueError for notes that cannot be read, and what LMDB raises.
    """
    cdef const uint8_t* at = notes
    cdef list deleted = []
    cdef size_t left = len(notes)
    cdef uint16_t keys
    cdef uint32_t values
    while left:
        if left < HEAD:
            raise ValueError("an operation is cut off")
        memcpy(&keys, at + 2, 2)
        memcpy(&values, at + 4, 4)
        if left - HEAD < <size_t>keys + values or at[1] >= <size_t>len(databases):
            raise ValueError("an operation is cut off, or of an unknown database")
        db = databases[at[1]]
        key = at[HEAD:HEAD + <size_t>keys]
        value = at[HEAD + <size_t>keys:HEAD + <size_t>keys + values]
        if at[0] == PUT or at[0] == APPEND:
            txn.put(key, value, db=db, append=at[0] == APPEND)
        elif at[0] == DELETE:
            txn.delete(key, value, db=db)
            if at[1] == watched:
                deleted.append(key)
        elif at[0] == DROP:
            txn.drop(db, delete=False)
        else:
            raise ValueError("an unknown operation")
        at += HEAD + <size_t>keys + values
        left -= HEAD + <size_t>keys + values
    return deleted
