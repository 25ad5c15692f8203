"""The options of the DICOM door as one struct. Source: reference chapter 4, sections 0 and 7."""

from typing import Any, Literal

import msgspec

from orthanc_fast.config import ConfigError, Settings
from orthanc_fast.config_options import Values
from orthanc_fast.errors import OrthancError
from orthanc_fast.registries import AE_TITLE
from orthanc_fast.services.exchange.dicom_tls import TlsOptions, tls_options
from orthanc_fast.services.exchange.modalities import Modality, parse_modality

Right = Literal["Echo", "Find", "FindWorklist", "Get", "Move", "Store"]
RIGHTS: tuple[Right, ...] = ("Echo", "Find", "FindWorklist", "Get", "Move", "Store")


class DicomOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the DICOM door asks of the configuration."""

    aet: str
    check_called_aet: bool
    check_modality_host: bool
    strict_aet: bool
    always_allowed: frozenset[Right]
    modalities: dict[str, Modality]
    timeout: int  # seconds of silence, 0: none
    maximum_pdu: int
    maximum_associations: int  # of all workers together, 0: no limit
    memory: int  # bytes of a data set from which on it goes to a spool
    memory_of_all: int  # bytes of all data sets together from which on they go there
    tls: TlsOptions | None


def dicom_options(settings: Settings) -> DicomOptions:
    """Raises ConfigError for values that stop the start."""
    get = Values(settings.raw)
    # Orthanc's default is 16384; ours is the largest value its option allows, because each PDU
    # costs both sides a header and often a system call (525 KB: 5 PDUs instead of 33).
    maximum_pdu = get("MaximumPduLength")
    if not 4096 <= maximum_pdu <= 131072:
        raise ConfigError("MaximumPduLength: must be from 4096 to 131072")
    return DicomOptions(
        aet=_aet(settings.dicom_aet),
        check_called_aet=get("DicomCheckCalledAet"),
        check_modality_host=get("DicomCheckModalityHost"),
        strict_aet=get("StrictAetComparison"),
        always_allowed=frozenset(right for right in RIGHTS if get(f"DicomAlwaysAllow{right}")),
        modalities=_modalities(get("DicomModalities")),
        timeout=get("DicomScpTimeout"),
        maximum_pdu=maximum_pdu,
        maximum_associations=get("DicomMaximumAssociations"),
        memory=max(1, settings.maximum_upload_memory_mb) << 20,
        memory_of_all=settings.maximum_uploads_memory_mb << 20,
        tls=tls_options(get) if get("DicomTlsEnabled") else None,
    )


def _aet(value: str) -> str:
    if AE_TITLE.match(value) is None:
        raise ConfigError(
            f"DicomAet: {value!r} is no application entity title: 1 to 16 characters, "
            "no backslash, no control character"
        )
    return value


def _modalities(entries: dict[str, Any]) -> dict[str, Modality]:
    found = {}
    for name, entry in sorted(entries.items()):
        try:
            found[name] = parse_modality(name, entry)
        except OrthancError as error:
            raise ConfigError(f"DicomModalities: {name}: {error.details}") from error
    return found
