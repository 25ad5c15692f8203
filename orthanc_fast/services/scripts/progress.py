"""How far the scripts of a language have come in the change log."""

from typing import Final

import msgspec

from orthanc_fast.index.contract import (
    DELETIONS,
    DELETIONS_HEARD,
    Index,
    Snapshot,
    Transaction,
    Write,
)
from orthanc_fast.model import SERVER, Level
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.runtime.contract import Transaction as RuntimeTransaction
from orthanc_fast.services.scripts.options import Language
from orthanc_fast.services.store.file_effects import CHANGES
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.script_notes import LISTENING, NOTES, Note

PROPERTY: Final = "scripts"
_AT_ONCE: Final = 500


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """The event that was handed over last, by its sequence number, and how often it was; with the
    number of the last one that was done with then."""

    sequence: int
    number: int
    settled: int = 0


class Progress:
    """What is kept of it: the event in work in the runtime state, which outlives the process, the
    last one that is done with in the index, which outlives the server."""

    topic = CHANGES
    """Rings when the log has grown."""

    def __init__(self, language: Language, runtime: Runtime, reads: Reads) -> None:
        self._language: Language = language
        self._name = f"script-events/{language}"
        self._property = f"{PROPERTY}/{language}"
        self._runtime = runtime
        self._read = reads

    def begin(self) -> tuple[int, Attempt]:
        """The sequence number that is done with, and the last attempt. Who begins for the first
        time has seen all that is there."""
        kept, last = self._read(SERVER, self._state)
        position = last if kept is None else int(kept)
        value = self._runtime.get(self._name)
        if value is None:
            return position, Attempt(0, 0)
        attempt = msgspec.msgpack.decode(value, type=Attempt)
        return max(position, attempt.settled), attempt

    def attempt(self, attempt: Attempt) -> None:
        """An event is about to be handed over."""
        value = msgspec.msgpack.encode(attempt)
        self._runtime.write(lambda transaction: transaction.set(self._name, value))

    def keep(self, position: int) -> Write[None]:
        """What makes the position durable."""
        return _Keep(self._language, position)

    def listen(self, wants_deletions: bool) -> Write[None]:
        """What makes deletions be noted for this language, or not any longer."""
        return _Listen(self._language, wants_deletions)

    def deletions(self, since: int, limit: int) -> list[tuple[int, Level, bytes]]:
        """Resources that were deleted after this number of the change log: their numbers, levels
        and identifiers."""
        after = f"{DELETIONS}{since:016x}"
        found = self._read(SERVER, lambda view: view.some_properties(DELETIONS, after, limit))
        return [
            (int(name.removeprefix(DELETIONS), 16), Level(value[0]), value[1:])
            for name, value in found
        ]

    def listen_to_notes(self, is_listening: bool) -> None:
        """Whether notes are kept for this language from now on."""
        name = f"{LISTENING}{self._language}"

        def work(transaction: RuntimeTransaction) -> None:
            if is_listening:
                transaction.set(name, b"")
            else:
                transaction.delete(name)

        self._runtime.write(work)

    def next_note(self) -> tuple[str, Note] | None:
        """The oldest note with its name, whose attempts are one more now."""
        prefix = f"{NOTES}{self._language}/"
        if self._runtime.read(lambda view: view.first_below(prefix)) is None:
            return None

        def work(transaction: RuntimeTransaction) -> tuple[str, Note] | None:
            found = transaction.first_below(prefix)
            if found is None:
                return None
            name, value = found
            note = msgspec.msgpack.decode(value, type=Note)
            note = msgspec.structs.replace(note, attempts=note.attempts + 1)
            transaction.set(name, msgspec.msgpack.encode(note))
            return name, note

        return self._runtime.write(work)

    def forget_note(self, name: str) -> None:
        """It has been heard."""
        self._runtime.write(lambda transaction: transaction.delete(name))

    def _state(self, view: Snapshot) -> tuple[bytes | None, int]:
        return view.property(self._property), view.totals().next_change - 1


def forget_scripts(index: Index) -> None:
    """There are no scripts any longer: nothing is noted for them. For who has the index alone."""
    if index.read(lambda view: view.property(DELETIONS_HEARD)) is None:
        return

    def work(transaction: Transaction) -> None:
        transaction.set_property(DELETIONS_HEARD, None)
        _forget_deletions(transaction, None)

    index.write(work)


class _Keep(Write[None]):
    def __init__(self, language: Language, position: int) -> None:
        self._language = language
        self._position = position

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(f"{PROPERTY}/{self._language}", str(self._position).encode())
        heard = transaction.property(DELETIONS_HEARD)
        if heard is not None:
            positions = [
                int(transaction.property(f"{PROPERTY}/{language}") or b"0")
                for language in heard.decode().split()
            ]
            _forget_deletions(transaction, min(positions))


class _Listen(Write[None]):
    def __init__(self, language: Language, is_listening: bool) -> None:
        self._language = language
        self._is_listening = is_listening

    def apply(self, transaction: Transaction) -> None:
        before = (transaction.property(DELETIONS_HEARD) or b"").decode().split()
        now = {*before} - {self._language} | ({self._language} if self._is_listening else set())
        transaction.set_property(DELETIONS_HEARD, " ".join(sorted(now)).encode() if now else None)
        if not now:
            _forget_deletions(transaction, None)


def _forget_deletions(transaction: Transaction, up_to: int | None) -> None:
    """Those up to this number, or all, have been heard."""
    while found := transaction.some_properties(DELETIONS, None, _AT_ONCE):
        for name, _ in found:
            if up_to is not None and int(name.removeprefix(DELETIONS), 16) > up_to:
                return
            transaction.set_property(name, None)
