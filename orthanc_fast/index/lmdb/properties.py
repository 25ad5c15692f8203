"""Properties of the server by name, a few at a time."""

from itertools import islice

import lmdb

from orthanc_fast.index.lmdb import keys


def some_properties(
    cursor: lmdb.Cursor, prefix: str, after: str | None, limit: int, descending: bool
) -> list[tuple[str, bytes]]:
    """See `Snapshot.some_properties`; `cursor` is one of `global`."""
    wanted = keys.property_key(prefix)
    begin = wanted if after is None else keys.property_key(after)
    if descending:
        # What follows all names that begin so: no name has the byte 255, which UTF-8 lacks.
        edge = wanted + b"\xff" if after is None else begin
        found = cursor.prev() if cursor.set_range(edge) else cursor.last()
        rows = cursor.iterprev() if found else iter(())
    else:
        found = cursor.set_range(begin)
        if found and after is not None and bytes(cursor.key()) == begin:
            found = cursor.next()
        rows = cursor.iternext() if found else iter(())
    answer: list[tuple[str, bytes]] = []
    for key, value in islice(rows, limit):
        if not bytes(key).startswith(wanted):
            break
        answer.append((keys.property_name(key), bytes(value)))
    return answer
