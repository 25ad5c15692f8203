"""Memory for frames: kept by the process between requests instead of given back and fetched anew.

By default glibc returns what is free at the end of an arena above a limit that follows the largest
block so far. A frame or two exceed it, so that every request fetched its buffers from the kernel
page by page: 150 page faults and a quarter of the CPU time of a 16-bit PNG (docs/imaging.md).
"""

import ctypes
from functools import cache

# Of malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_KEPT = 32 << 20  # per arena, hence about per thread, at most
_LARGE = 16 << 20  # blocks from here on are never kept


@cache
def keep_freed_memory() -> None:
    """Tells the allocator of this process; does nothing where it is not glibc's."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
