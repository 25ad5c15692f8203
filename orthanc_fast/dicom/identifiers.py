"""Orthanc's identifiers and the normal form in which identifiers are searched.

Sources: reference chapter 1, sections 3 and 5.2.
"""

from hashlib import sha1

from orthanc_fast._ext.ids import from_text, ids_json, to_text
from orthanc_fast.model import Header

__all__ = ["from_text", "identify", "ids_json", "normalise", "patient_identifier", "to_text"]


def identify(header: Header) -> tuple[bytes, bytes, bytes, bytes]:
    """The 20-byte identifiers of the patient, study, series and instance of a file."""
    patient = sha1(header.patient_id.encode("utf-8"), usedforsecurity=False)
    study = patient.copy()
    study.update(f"|{header.study_uid}".encode())
    series = study.copy()
    series.update(f"|{header.series_uid}".encode())
    instance = series.copy()
    instance.update(f"|{header.sop_uid}".encode())
    return patient.digest(), study.digest(), series.digest(), instance.digest()


def patient_identifier(patient_id: str) -> bytes:
    """The 20-byte identifier of the patient with this PatientID."""
    return sha1(patient_id.encode("utf-8"), usedforsecurity=False).digest()


_CONTROLS = bytes([*range(0x20), 0x7F])
_SPACES = bytes.maketrans(b"%_", b"  ")


def normalise(text: str) -> str:
    """Upper case, trimmed; without non-ASCII characters, controls, `%` and `_` become spaces."""
    if text.isascii() and text.isprintable():
        return text.replace("%", " ").replace("_", " ").upper().strip()
    kept = text.encode("ascii", "ignore").translate(_SPACES, _CONTROLS)
    return kept.decode().upper().strip()
