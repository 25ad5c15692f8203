"""What every worker does twice a second: stable resources, and files that the index has let go.

Each worker does it, and the transaction makes it happen once: no worker is special, so none is
missed when it dies.
"""

import threading
import time
from collections.abc import Callable, Sequence

from orthanc_fast.index.contract import Index, Transaction
from orthanc_fast.log import Category, logger
from orthanc_fast.model import Resource
from orthanc_fast.services.store.custom_data import forget_custom_data
from orthanc_fast.storage.contract import Storage

PERIOD = 0.5  # seconds, as Orthanc's
# Resources that become stable in one transaction.
STABLE_AT_ONCE = 1000
# Files that a live worker is about to unlink itself are left to it for this many rounds.
DOOMED_ROUNDS = 20


class Housekeeping:
    """A thread; `stop` ends it within a moment."""

    def __init__(
        self,
        index: Index,
        storage: Storage,
        stable_age: int,
        announce: Callable[[], None] = lambda: None,
        announce_resources: Callable[[Sequence[Resource]], None] = lambda _: None,
    ) -> None:
        """`announce` is called when the change log may have grown, `announce_resources` with what
        this process has made stable."""
        self._announce = announce
        self._announce_resources = announce_resources
        self._index = index
        self._storage = storage
        self._stable_age = stable_age
        self._stopping = threading.Event()
        self._rounds = 0
        self._swept: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD):
            try:
                self.announce_stable(int(time.time()))
                self._rounds += 1
                if self._rounds % DOOMED_ROUNDS == 0:
                    self.sweep()
            except Exception as error:  # must not end the thread: the next round tries again
                logger.error(Category.GENERIC, f"Housekeeping failed: {error}")

    def announce_stable(self, now: int) -> None:
        """Makes stable what got its last instance more than StableAge whole seconds ago."""
        before = now - self._stable_age
        while not self._stopping.is_set():
            first = self._index.read(lambda snapshot: snapshot.first_unstable())
            if first is None or first >= before:
                return
            found = self._index.write(
                lambda transaction: transaction.stabilise(before, now, STABLE_AT_ONCE)
            )
            self._announce()
            self._announce_resources(found)

    def sweep(self) -> None:
        """Unlinks the doomed files that are still there, and forgets those of the last sweep.

        Not at once, because another process may be about to publish what has just been doomed:
        then the next sweep finds it.
        """
        doomed = self._index.read(lambda snapshot: snapshot.doomed())
        if not self._storage.delete(doomed):
            self._swept = set()  # a backup is being made: they are seen again
            return
        done = [uuid for uuid in doomed if uuid in self._swept]
        self._swept = set(doomed)
        if done:
            forget_files(self._index, self._storage, done)


def forget_files(index: Index, storage: Storage, uuids: list[str]) -> None:
    """Takes files that were unlinked off the list of the doomed ones. Where the index does not
    repeat their unlinking after a power cut, only once that is durable."""
    if not index.carries_cargo:
        storage.sync()

    def forget(transaction: Transaction) -> None:
        transaction.forget_doomed(uuids)
        forget_custom_data(transaction, uuids)

    index.write(forget)
