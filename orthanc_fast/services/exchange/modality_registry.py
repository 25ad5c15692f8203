"""The modalities as they are now. Source: reference chapter 4, section 5.2."""

from typing import Any

from orthanc_fast.services.exchange.modalities import Modality, parse_modality
from orthanc_fast.services.exchange.server_registry import ServerRegistry


class ModalityRegistry(ServerRegistry[Modality]):
    """The modalities by their symbolic names."""

    noun = "modality"
    plural = "modalities"
    option = "DicomModalities"
    table = dict[str, Modality]

    def parsed(self, name: str, value: Any) -> Modality:
        return parse_modality(name, value)
