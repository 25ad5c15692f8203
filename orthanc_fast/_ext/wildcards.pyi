class Pattern:
    """Takes the texts between the stars, as UTF-8 in which a zero byte stands for `?`; one of them
    where there is no star. `head` is how many bytes of a key are not looked at."""

    def __init__(self, pieces: list[bytes], head: int) -> None: ...
    def matching(self, keys: list[bytes], longest: int) -> list[bytes]:
        """Those of the keys that match, and those of `longest` bytes or more, of which nobody
        knows."""
    def members(self, rows: list[tuple[bytes, bytes]], longest: int, cut: list[bytes]) -> bytes:
        """The identifiers of those rows, pairs of a key and an identifier, whose key matches,
        joined; the keys of `longest` bytes or more are added to `cut`, for each row."""
