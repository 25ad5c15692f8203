"""The modalities as they are now, the same in all processes. Source: reference chapter 4,
section 5.2.

They start as the option `DicomModalities`. What REST changes is kept in the index, from where the
DICOM workers read it: with `DicomModalitiesInDatabase` for good (the option is then ignored), else
until the server starts again.
"""

from collections.abc import Mapping

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import InexistentItem
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.services.exchange.modalities import Modality, parse_modality
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.session import MODALITIES
from orthanc_fast.services.store.writes import Writes

_PERSISTENT = "modalities"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Modality]).decode


class ModalityRegistry:
    """The modalities by their symbolic names."""

    def __init__(self, settings: Settings, reads: Reads, writes: Writes) -> None:
        self._read = reads
        self._write = writes
        raw = settings.raw
        self._property = _PERSISTENT if raw.get("DicomModalitiesInDatabase") else MODALITIES
        self._configured: dict[str, Modality] = {}
        if self._property == MODALITIES:
            entries = raw.get("DicomModalities") or {}
            self._configured = {name: parse_modality(name, entries[name]) for name in entries}

    def all(self, caller: Caller) -> Mapping[str, Modality]:
        """Every modality, in the order of the names."""
        return self._decoded(self._read(caller, lambda view: view.property(self._property)))

    def get(self, caller: Caller, name: str) -> Modality:
        """Raises InexistentItem, with Orthanc's words."""
        found = self.all(caller).get(name)
        if found is None:
            raise _unknown(name)
        return found

    async def put(self, caller: Caller, name: str, modality: Modality) -> None:
        """Adds or replaces a modality."""
        await self._write(caller, _Change(self, name, modality))

    async def delete(self, caller: Caller, name: str) -> None:
        """Removes a modality. Raises InexistentItem."""
        await self._write(caller, _Change(self, name, None))

    def _decoded(self, stored: bytes | None) -> dict[str, Modality]:
        found = self._configured if stored is None else _decode(stored)
        return dict(sorted(found.items()))

    def _change(self, transaction: Transaction, name: str, modality: Modality | None) -> None:
        known = self._decoded(transaction.property(self._property))
        if modality is not None:
            known[name] = modality
        elif known.pop(name, None) is None:
            raise _unknown(name)
        transaction.set_property(self._property, _encode(known))


class _Change(Write[None]):
    def __init__(self, registry: ModalityRegistry, name: str, modality: Modality | None) -> None:
        self._registry = registry
        self._name = name
        self._modality = modality

    def apply(self, transaction: Transaction) -> None:
        self._registry._change(transaction, self._name, self._modality)


def _unknown(name: str) -> InexistentItem:
    return InexistentItem(f"No modality with symbolic name: {name}")
