"""From the layout of an older program to today's, in one transaction at the start."""

import lmdb

from orthanc_fast.index.lmdb.environment import Environment, Migrations
from orthanc_fast.index.lmdb.records import resource_decoder
from orthanc_fast.index.lmdb.tables import LmdbTables
from orthanc_fast.index.rules.terms import TermWriter
from orthanc_fast.index.terms import Terms


def migrations(terms: Terms) -> Migrations:
    """By the version that they start from."""

    def terms_with_their_resources(env: Environment, txn: lmdb.Transaction) -> None:
        """1 to 2: terms as sorted duplicates in `value` instead of one key per resource."""
        old = env.lmdb.open_db(b"term", txn=txn)
        txn.drop(old)
        _build_terms(env, txn, terms)

    def with_a_journal(env: Environment, txn: lmdb.Transaction) -> None:
        """2 to 3: nothing in it changes, but a program without the journal must not open it."""

    return {1: terms_with_their_resources, 2: with_a_journal}


def _build_terms(env: Environment, txn: lmdb.Transaction, terms: Terms) -> None:
    """Writes the terms of all resources."""
    writer = TermWriter(LmdbTables(env, txn), terms)
    for record in txn.cursor(db=env.resource).iternext(keys=False, values=True):
        writer.add(resource_decoder.decode(record))
