"""Bytes of scripts that belong to an attachment, by its UUID, and go with it. Source: reference
chapter 7, section 3."""

import uuid
from collections.abc import Iterable
from typing import Final

from orthanc_fast.errors import UnknownResource
from orthanc_fast.index.contract import Snapshot, Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes
from orthanc_fast.storage.contract import Storage

PREFIX: Final = "attachment-data/"


class CustomData:
    """Durable in the index."""

    def __init__(self, reads: Reads, writes: Writes, storage: Storage) -> None:
        self._read = reads
        self._write = writes
        self._storage = storage

    def get(self, caller: Caller, attachment: str) -> bytes:
        """Nothing where none was put. Raises UnknownResource where no resource has it."""
        if not self._is_there(caller, attachment):
            raise UnknownResource
        return self._read(caller, lambda view: view.property(PREFIX + attachment)) or b""

    async def put(self, caller: Caller, attachment: str, data: bytes) -> None:
        """No effect where no resource has it, as with Orthanc."""
        if self._is_there(caller, attachment):
            await self._write(caller, _Put(PREFIX + attachment, data or None))

    def _is_there(self, caller: Caller, attachment: str) -> bool:
        def is_doomed(view: Snapshot) -> bool:
            return attachment in view.doomed()

        if not _is_uuid(attachment) or not self._storage.exists(attachment):
            return False
        return not self._read(caller, is_doomed)


def forget_custom_data(transaction: Transaction, attachments: Iterable[str]) -> None:
    """The attachments have been deleted."""
    if transaction.some_properties(PREFIX, None, 1):
        for attachment in attachments:
            transaction.set_property(PREFIX + attachment, None)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


class _Put(Write[None]):
    def __init__(self, name: str, value: bytes | None) -> None:
        self._name = name
        self._value = value

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(self._name, self._value)
