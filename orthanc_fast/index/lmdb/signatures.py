"""The main tags signatures in use: few texts, which records name by number."""

from orthanc_fast.index.lmdb.environment import Environment, WriteTransaction


class Signatures:
    """The texts within one write transaction."""

    def __init__(self, env: Environment, txn: WriteTransaction) -> None:
        self._db = env.signature
        self._txn = txn
        self._known: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text, a new one if need be."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._find_or_add(text.encode())
        return found

    def _find_or_add(self, wanted: bytes) -> int:
        number = 0
        for key, value in self._txn.cursor(db=self._db).iternext():
            number = int.from_bytes(key, "big")
            if value == wanted:
                return number
        number += 1
        self._txn.put(number.to_bytes(4, "big"), wanted, db=self._db)
        return number
