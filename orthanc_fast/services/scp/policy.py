"""What the SCP accepts: SOP classes and transfer syntaxes, by configuration and by REST.
Source: reference chapter 4, sections 1.4 and 1.5."""

from collections.abc import Sequence
from typing import Any

from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.scp import sop_classes as scp_classes
from orthanc_fast.services.scp import transfer_syntaxes as scp_syntaxes
from orthanc_fast.services.store.session import SessionOption


class ScpPolicy:
    """The configured policy; `raw` is `Settings.raw`.

    `storage_classes` are those that are accepted, `configured_classes` the same in the order of
    `AcceptedSopClasses`, None without this option.
    """

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
        wanted = _patterns(raw.get("AcceptedSopClasses") or ())
        classes = scp_classes.accepted(
            wanted, _patterns(raw.get("RejectedSopClasses") or raw.get("RejectSopClasses") or ())
        )
        self.storage_classes = frozenset(classes)
        self.configured_classes = classes if wanted else None

    def syntaxes(self) -> frozenset[str]:
        """The accepted transfer syntaxes, those that are never negotiated included."""
        return self._syntaxes

    def unknown_accepted(self) -> bool:
        """Whether classes that the standard does not know are taken for storage classes."""
        return self._unknown_accepted


class SessionPolicy(ScpPolicy):
    """The policy as REST has changed it, the same in all processes."""

    def __init__(self, raw: dict[str, Any], runtime: Runtime) -> None:
        super().__init__(raw)
        self._accepted = SessionOption(
            runtime, "accepted-transfer-syntaxes", frozenset[str], super().syntaxes()
        )
        self._unknown = SessionOption(
            runtime, "unknown-sop-class-accepted", bool, super().unknown_accepted()
        )

    def syntaxes(self) -> frozenset[str]:
        return self._accepted.get()

    def unknown_accepted(self) -> bool:
        return self._unknown.get()

    def accept(self, caller: Caller, patterns: Sequence[str]) -> None:
        """Accepts the known syntaxes that match, and no others."""
        self._accepted.set(caller, scp_syntaxes.expand(patterns))

    def accept_unknown(self, caller: Caller, accepted: bool) -> None:
        """Accepts or refuses classes that the standard does not know."""
        self._unknown.set(caller, accepted)


def _patterns(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(entry) for entry in value)
