"""The modalities as they are now, the same in all processes. Source: reference chapter 4,
section 5.2.

They start as the option `DicomModalities`. What REST changes holds in all processes until the
server starts again; with `DicomModalitiesInDatabase` it is kept in the index for good, and the
option is ignored.
"""

from collections.abc import Callable, Mapping

import msgspec

from orthanc_fast.config import Settings
from orthanc_fast.errors import InexistentItem
from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.exchange.modalities import Modality, parse_modality
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.session import SessionOption
from orthanc_fast.services.store.writes import Writes

_PROPERTY = "modalities"

Modalities = dict[str, Modality]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Modality]).decode


class ModalityRegistry:
    """The modalities by their symbolic names."""

    def __init__(self, settings: Settings, reads: Reads, writes: Writes, runtime: Runtime) -> None:
        """Raises BadFileFormat for what the option holds."""
        self._read = reads
        self._write = writes
        self._is_persistent = bool(settings.raw.get("DicomModalitiesInDatabase"))
        entries = {} if self._is_persistent else settings.raw.get("DicomModalities") or {}
        configured = {name: parse_modality(name, entries[name]) for name in entries}
        self._session = SessionOption(runtime, "modalities", dict[str, Modality], configured)

    def all(self, caller: Caller) -> Mapping[str, Modality]:
        """Every modality, in the order of the names."""
        found = (
            self._read(caller, lambda view: _stored(view.property(_PROPERTY)))
            if self._is_persistent
            else self._session.get()
        )
        return dict(sorted(found.items()))

    def get(self, caller: Caller, name: str) -> Modality:
        """Raises InexistentItem, with Orthanc's words."""
        found = self.all(caller).get(name)
        if found is None:
            raise _unknown(name)
        return found

    async def put(self, caller: Caller, name: str, modality: Modality) -> None:
        """Adds or replaces a modality."""
        await self._change(caller, lambda known: {**known, name: modality})

    async def delete(self, caller: Caller, name: str) -> None:
        """Removes a modality. Raises InexistentItem."""

        def without(known: Modalities) -> Modalities:
            if name not in known:
                raise _unknown(name)
            return {each: modality for each, modality in known.items() if each != name}

        await self._change(caller, without)

    async def _change(self, caller: Caller, changed: Callable[[Modalities], Modalities]) -> None:
        if self._is_persistent:
            await self._write(caller, _Change(changed))
        else:
            self._session.change(caller, changed)


class _Change(Write[None]):
    def __init__(self, changed: Callable[[Modalities], Modalities]) -> None:
        self._changed = changed

    def apply(self, transaction: Transaction) -> None:
        known = _stored(transaction.property(_PROPERTY))
        transaction.set_property(_PROPERTY, _encode(self._changed(known)))


def _stored(value: bytes | None) -> Modalities:
    return {} if value is None else _decode(value)


def _unknown(name: str) -> InexistentItem:
    return InexistentItem(f"No modality with symbolic name: {name}")
