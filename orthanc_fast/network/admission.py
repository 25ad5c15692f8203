"""Who may associate and who may ask for what. Source: reference chapter 4, sections 1.1 and 1.3."""

from collections.abc import Callable, Mapping

from orthanc_fast.network.options import RIGHTS, DicomOptions, Right
from orthanc_fast.services.exchange.modalities import Modality, comparable_aet

_FLAG: dict[Right, str] = {
    "Echo": "allow_echo",
    "Find": "allow_find",
    "FindWorklist": "allow_find_worklist",
    "Get": "allow_get",
    "Move": "allow_move",
    "Store": "allow_store",
}


class Admission:
    """The rules about application entity titles, addresses and rights."""

    def __init__(self, options: DicomOptions, known: Callable[[], Mapping[str, Modality]]) -> None:
        """`known` gives the modalities as they are now, in the order of their names."""
        self._options = options
        self._known = known
        self._own = self._key(options.aet)
        self._open = any(right in options.always_allowed for right in RIGHTS)

    def of(self, options: DicomOptions) -> "Admission":
        """That of another server, which knows the same modalities."""
        return Admission(options, self._known)

    def calls_us(self, called: str) -> bool:
        """Whether the called title is one we answer to."""
        return not self._options.check_called_aet or self._key(called) == self._own

    def may_associate(self, calling: str, ip: str) -> bool:
        """At this point Orthanc looks only at the first modality (by name) with the title."""
        if self._open:
            return True
        matches = self._matches(calling)
        return bool(matches) and self._host_fits(matches[0], ip)

    def may(self, right: Right, calling: str, ip: str) -> bool:
        """Whether one request is allowed; a refusal ends in an A-ABORT."""
        if right in self._options.always_allowed:
            return True
        return self._granted(_FLAG[right], calling, ip)

    def may_commit(self, flag: str, calling: str, ip: str) -> bool:
        """Storage commitment (`allow_n_action`, `allow_event_report`): known modalities only."""
        return self._granted(flag, calling, ip)

    def _granted(self, flag: str, calling: str, ip: str) -> bool:
        matches = self._matches(calling)
        if len(matches) <= 1 or self._options.check_modality_host:
            return any(getattr(m, flag) for m in matches if self._host_fits(m, ip))
        return all(getattr(m, flag) for m in matches)

    def _matches(self, calling: str) -> list[Modality]:
        key = self._key(calling)
        return [m for m in self._known().values() if self._key(m.aet) == key]

    def _host_fits(self, modality: Modality, ip: str) -> bool:
        return not self._options.check_modality_host or modality.host == ip

    def _key(self, aet: str) -> str:
        return comparable_aet(aet, self._options.strict_aet)
