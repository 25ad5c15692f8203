class Pattern:
    """Takes the texts between the stars, as UTF-8 in which a zero byte stands for `?`; one of them
    where there is no star. `head` is how many bytes of a key are not looked at."""

    def __init__(self, pieces: list[bytes], head: int) -> None: ...
    def matching(self, keys: list[bytes], longest: int) -> list[bytes]:
        """Those of the keys that match, and those of `longest` bytes or more, of which nobody
        knows."""
    def members(self, rows: bytes, longest: int, cut: list[bytes]) -> bytes:
        """The identifiers of those packed rows (`pack`) whose key matches, joined; the keys of
        `longest` bytes or more are added to `cut`, for each row."""

def pack(rows: list[tuple[bytes, bytes]]) -> bytes:
    """Pairs of a key and an identifier as bytes: the length of the key in two bytes, the key, the
    identifier."""

def counts(rows: bytes) -> tuple[int, int]:
    """How many packed rows these are, and how many keys they have; rows of one key stand
    together."""
