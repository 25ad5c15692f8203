"""What the supervisor lets its workers know at any time: whether each kind of worker is there."""

import mmap
import os


class Presence:
    """One word in memory that all processes of a server share by its `descriptor`."""

    def __init__(self, descriptor: int | None = None) -> None:
        """Makes the memory, or joins the one of this descriptor."""
        self.descriptor = os.memfd_create("presence") if descriptor is None else descriptor
        if descriptor is None:
            os.ftruncate(self.descriptor, mmap.PAGESIZE)
        self._page = mmap.mmap(self.descriptor, mmap.PAGESIZE)

    def set(self, all_serve: bool) -> None:
        self._page[0] = all_serve

    def all_serve(self) -> bool:
        return bool(self._page[0])

    def close(self) -> None:
        self._page.close()
        os.close(self.descriptor)
