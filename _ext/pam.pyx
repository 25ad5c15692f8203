# cython: language_level=3
"""Samples of 16 bits in the byte order of the network, which PAM has and PNG too."""

from libc.stdint cimport uint16_t


cdef void swap(const uint16_t* source, uint16_t* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = <uint16_t> (source[i] << 8 | source[i] >> 8)


def swap_bytes(const unsigned char[::1] samples not None, unsigned char[::1] out not None):
    """Fills `out` with the samples, the two bytes of each exchanged. Raises ValueError where sizes do not fit."""
    cdef Py_ssize_t count = samples.shape[0] // 2
    if samples.shape[0] % 2 or out.shape[0] != samples.shape[0]:
        raise ValueError(f"{samples.shape[0]} and {out.shape[0]} bytes are not the same number of 16-bit samples")
    if count:
        with nogil:
            swap(<const uint16_t*> &samples[0], <uint16_t*> &out[0], count)
