"""What the storage area tells of its work, for who counts it."""


class StorageMeters:
    """Counts nothing. Times are in seconds; the methods are called from any thread."""

    def created(self, size: int, seconds: float) -> None:
        """Files of `size` bytes together have been written."""

    def read(self, size: int, seconds: float) -> None:
        """So many bytes have been read, of one file."""

    def removed(self, seconds: float) -> None:
        """Files have been removed."""
