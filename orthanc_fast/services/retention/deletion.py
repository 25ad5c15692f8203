"""Deleting resources: the index first, then the files."""

import time

from orthanc_fast.index.lmdb.commit import Promise, Write
from orthanc_fast.index.lmdb.transaction import Transaction
from orthanc_fast.index.lmdb.writer import Writer
from orthanc_fast.model import Level, Outcome


class Deletion:
    """Removes resources with everything below them and the parents that they leave empty."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def submit(self, level: Level, public: bytes, promise: Promise) -> None:
        """`promise` gets the `Outcome` once the deletion is durable and the files are unlinked;
        `Outcome.found` is False where there is nothing to delete."""
        self._writer.submit(_DeleteWrite([(level, public)]), promise)

    def submit_all(self, resources: list[tuple[Level, bytes]], promise: Promise) -> None:
        """The same for several resources in one transaction; those that do not exist are
        ignored."""
        self._writer.submit(_DeleteWrite(resources), promise)


class _DeleteWrite(Write[Outcome]):
    __slots__ = ("_resources",)

    def __init__(self, resources: list[tuple[Level, bytes]]) -> None:
        self._resources = resources

    def apply(self, transaction: Transaction) -> Outcome:
        now = int(time.time())
        total = Outcome()
        for level, public in self._resources:
            outcome = transaction.delete(level, public, now)
            total.found |= outcome.found
            total.doomed += outcome.doomed
            total.remaining = outcome.remaining
        return total


class ClearChanges(Write[None]):
    """`DELETE /changes`."""

    def apply(self, transaction: Transaction) -> None:
        transaction.clear_changes()
