"""The C library's iconv, which knows every character set that DICOM has."""

import ctypes

_LIBC = ctypes.CDLL(None)
_LIBC.iconv_open.restype = ctypes.c_void_p
_LIBC.iconv_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
_LIBC.iconv.restype = ctypes.c_size_t
_LIBC.iconv.argtypes = [ctypes.c_void_p, *[ctypes.c_void_p] * 4]
_LIBC.iconv_close.argtypes = [ctypes.c_void_p]
_FAILED = 2 ** (8 * ctypes.sizeof(ctypes.c_size_t)) - 1


class Iconv:
    """From one character set into Unicode; use it in a `with` statement."""

    def __init__(self, name: str) -> None:
        handle = _LIBC.iconv_open(b"UTF-8", name.encode())
        assert handle not in (None, _FAILED), f"iconv does not know {name}"
        self._handle = ctypes.c_void_p(handle)

    def __enter__(self) -> "Iconv":
        return self

    def __exit__(self, *error: object) -> None:
        _LIBC.iconv_close(self._handle)

    def decode(self, raw: bytes) -> str | None:
        """The text, None if any byte of it is not valid."""
        _LIBC.iconv(self._handle, None, None, None, None)
        source = ctypes.create_string_buffer(raw, max(len(raw), 1))
        target = ctypes.create_string_buffer(6 * len(raw) + 16)
        source_at, target_at = (
            ctypes.c_void_p(ctypes.addressof(buffer)) for buffer in (source, target)
        )
        left, room = ctypes.c_size_t(len(raw)), ctypes.c_size_t(len(target))
        status = _LIBC.iconv(self._handle, *map(ctypes.byref, (source_at, left, target_at, room)))
        if status == _FAILED:
            return None
        _LIBC.iconv(self._handle, None, None, ctypes.byref(target_at), ctypes.byref(room))
        return target.raw[: len(target) - room.value].decode("utf-8")
