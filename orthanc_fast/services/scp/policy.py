"""What the SCP accepts: SOP classes and transfer syntaxes, by configuration and by REST.
Source: reference chapter 4, sections 1.4 and 1.5."""

from collections.abc import Sequence
from typing import Any

import msgspec

from orthanc_fast.index.contract import Transaction, Write
from orthanc_fast.model import SERVER, Caller
from orthanc_fast.services.scp import sop_classes as scp_classes
from orthanc_fast.services.scp import transfer_syntaxes as scp_syntaxes
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.session import ACCEPTED_SYNTAXES, UNKNOWN_CLASSES
from orthanc_fast.services.store.writes import Writes

_decode = msgspec.json.Decoder(list[str]).decode


class ScpPolicy:
    """The configured policy; `raw` is `Settings.raw`."""

    def __init__(self, raw: dict[str, Any]) -> None:
        accepted = raw.get("AcceptedTransferSyntaxes")
        groups = {
            group: raw[option]
            for group in scp_syntaxes.GROUPS
            if raw.get(option := f"{group}TransferSyntaxAccepted") is not None
        }
        self._syntaxes = scp_syntaxes.accepted(
            None if accepted is None else _patterns(accepted), groups
        )
        self._unknown_accepted = bool(raw.get("UnknownSopClassAccepted"))
        self.storage_classes = scp_classes.accepted(
            _patterns(raw.get("AcceptedSopClasses") or ()),
            _patterns(raw.get("RejectedSopClasses") or raw.get("RejectSopClasses") or ()),
        )

    def syntaxes(self) -> frozenset[str]:
        """The accepted transfer syntaxes, those that are never negotiated included."""
        return self._syntaxes

    def unknown_accepted(self) -> bool:
        """Whether classes that the standard does not know are taken for storage classes."""
        return self._unknown_accepted


class SessionPolicy(ScpPolicy):
    """The policy as REST has changed it, the same in all processes."""

    def __init__(self, raw: dict[str, Any], reads: Reads, writes: Writes) -> None:
        super().__init__(raw)
        self._read = reads
        self._write = writes

    def syntaxes(self) -> frozenset[str]:
        stored = self._read(SERVER, lambda view: view.property(ACCEPTED_SYNTAXES))
        return super().syntaxes() if stored is None else frozenset(_decode(stored))

    def unknown_accepted(self) -> bool:
        stored = self._read(SERVER, lambda view: view.property(UNKNOWN_CLASSES))
        return super().unknown_accepted() if stored is None else stored == b"1"

    async def accept(self, caller: Caller, patterns: Sequence[str]) -> None:
        """Accepts the known syntaxes that match, and no others."""
        uids = sorted(scp_syntaxes.expand(patterns))
        await self._write(caller, _SetProperty(ACCEPTED_SYNTAXES, msgspec.json.encode(uids)))

    async def accept_unknown(self, caller: Caller, accepted: bool) -> None:
        """Accepts or refuses classes that the standard does not know."""
        await self._write(caller, _SetProperty(UNKNOWN_CLASSES, b"1" if accepted else b"0"))


class _SetProperty(Write[None]):
    def __init__(self, name: str, value: bytes) -> None:
        self._name = name
        self._value = value

    def apply(self, transaction: Transaction) -> None:
        transaction.set_property(self._name, self._value)


def _patterns(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(entry) for entry in value)
