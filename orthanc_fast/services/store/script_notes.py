"""What scripts hear of beside the change log: jobs, and the registries of modalities and peers.

Notes lie in the runtime state, in the order in which they were made, until the scripts of each
language that listens have heard them: they outlive processes, but not the server. Without scripts
that listen there are none.
"""

import time
from typing import Final, Literal

import msgspec

from orthanc_fast.runtime.contract import Transaction

NoteKind = Literal["JobSubmitted", "JobSuccess", "JobFailure", "UpdatedModalities", "UpdatedPeers"]

LISTENING: Final = "script-notes-heard/"
"""Names of languages follow."""

NOTES: Final = "script-notes/"
"""The language, and a number that grows, follow."""


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One event; `attempts` is how often it was handed to a script."""

    kind: str
    resource: str
    attempts: int = 0


def note(transaction: Transaction, kind: NoteKind, resource: str = "") -> None:
    """Tells all who listen, together with what else the transaction changes."""
    listening = transaction.below(LISTENING)
    for name, _ in listening:
        language = name.removeprefix(LISTENING)
        number = time.time_ns()
        while transaction.get(f"{NOTES}{language}/{number:020}") is not None:
            number += 1
        value = msgspec.msgpack.encode(Note(kind, resource))
        transaction.set(f"{NOTES}{language}/{number:020}", value)
