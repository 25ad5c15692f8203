"""What is in an index of ours, row by row."""

from pathlib import Path

import lmdb


def content_of(index: Path) -> dict[bytes, list[tuple[bytes, bytes]]]:
    """All of it, but the moment at which it was made."""
    with lmdb.open(str(index), max_dbs=20, readonly=True, lock=False) as env, env.begin() as txn:
        names = [bytes(name) for name, _ in txn.cursor()]
        found = {}
        for name in names:
            database = env.open_db(name, txn, create=False)
            rows = [(bytes(key), bytes(value)) for key, value in txn.cursor(database)]
            found[name] = [row for row in rows if row[0] != b"property:adopted"]
    return found
