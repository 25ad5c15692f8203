"""From the layout of an older program to today's, at the start, in parts that are durable one by
one: who is interrupted goes on."""

from typing import Final

import lmdb

from orthanc_fast.index.lmdb.environment import Environment, Migrations
from orthanc_fast.index.lmdb.records import resource_decoder
from orthanc_fast.index.lmdb.tables import LmdbTables
from orthanc_fast.index.rules.terms import TermWriter
from orthanc_fast.index.terms import Terms

AT_ONCE: Final = 20_000  # resources of one part


def migrations(terms: Terms, at_once: int = AT_ONCE) -> Migrations:
    """By the version that they start from."""

    def terms_with_their_resources(
        env: Environment, txn: lmdb.Transaction, place: bytes
    ) -> bytes | None:
        """1 to 2: terms as sorted duplicates in `value` instead of one key per resource."""
        reached = _build_terms(env, txn, terms, place, at_once)
        if reached is None:
            old = env.lmdb.open_db(b"term", txn=txn)
            txn.drop(old)
        return reached

    def with_a_journal(env: Environment, txn: lmdb.Transaction, place: bytes) -> bytes | None:
        """2 to 3: nothing in it changes, but a program without the journal must not open it."""
        return None

    return {1: terms_with_their_resources, 2: with_a_journal}


def _build_terms(
    env: Environment, txn: lmdb.Transaction, terms: Terms, place: bytes, at_once: int
) -> bytes | None:
    """Writes the terms of some resources, from that with the id `place` on; the id that is next,
    None if these were the last ones."""
    writer = TermWriter(LmdbTables(env, txn), terms)
    cursor = txn.cursor(db=env.resource)
    if not (cursor.set_range(place) if place else cursor.first()):
        return None
    for _ in range(at_once):
        writer.add(resource_decoder.decode(cursor.value()))
        if not cursor.next():
            return None
    return bytes(cursor.key())
