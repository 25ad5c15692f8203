"""The modalities as they are now. Source: reference chapter 4, section 5.2."""

from typing import Any

from orthanc_fast.config import Settings
from orthanc_fast.config_options import Values
from orthanc_fast.model import Caller
from orthanc_fast.runtime.contract import Runtime
from orthanc_fast.services.exchange.modalities import Modality, comparable_aet, parse_modality
from orthanc_fast.services.exchange.server_registry import ServerRegistry
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.writes import Writes


class ModalityRegistry(ServerRegistry[Modality]):
    """The modalities by their symbolic names."""

    noun = "modality"
    change_kind = "UpdatedModalities"
    plural = "modalities"
    option = "DicomModalities"
    table = dict[str, Modality]

    def __init__(self, settings: Settings, reads: Reads, writes: Writes, runtime: Runtime) -> None:
        """Raises as `parse_modality` for what the option holds."""
        super().__init__(settings, reads, writes, runtime)
        self._is_strict: bool = Values(settings.raw)("StrictAetComparison")

    def parsed(self, name: str, value: Any) -> Modality:
        return parse_modality(name, value)

    def with_title(self, caller: Caller, aet: str) -> Modality | None:
        """The first modality, by symbolic name, with this AE title; None where there is none."""
        wanted = self._folded(aet)
        known = self.all(caller).values()
        return next((each for each in known if self._folded(each.aet) == wanted), None)

    def _folded(self, aet: str) -> str:
        return comparable_aet(aet, self._is_strict)
