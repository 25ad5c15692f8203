"""One instance in the metadata of DICOMweb: its data set in the DICOM JSON model, with addresses
of bulk data. As `attributes` and `data_set_models` have it, by compiled code.

Source: PS3.18 annex F; reference chapter 5, sections 4.3 and 12.
"""

from binascii import b2a_base64
from functools import partial
from typing import Final

import msgspec

from orthanc_fast._ext.dicom_json import DataSetError, data_set_json
from orthanc_fast._ext.scan import ScanError, start_of
from orthanc_fast.dicom.attributes import OtherBinary, little_endian, metadata_vr_of, text_values
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.inflating import inflated_head
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom, open_meta
from orthanc_fast.dicom.tag_json import character_set_in
from orthanc_fast.dicom.text import CharacterSet
from orthanc_fast.errors import BadFileFormat
from orthanc_fast.transfer_syntaxes import DEFLATED

PIXEL_HEADER: Final = 12  # bytes: tag, VR and length
_PIXEL_DATA: Final = 0x7FE00010
_MODES: Final = {"BulkDataURI": 0, "InlineBinary": 1, "ArrayOfValues": 2}
_MOST_KNOWN = 20_000  # VRs that are remembered

_encode = msgspec.json.Encoder().encode


class MetadataWriter:
    """Writes instances; a process needs one for each form of binary values."""

    def __init__(self, dictionary: Dictionary, mode: OtherBinary) -> None:
        self._dictionary = dictionary
        self._mode = _MODES[mode]
        self._known: dict[tuple[int, int, bytes | None, bool, bool], int] = {}

    def json(
        self,
        data: Buffer | DicomFile,
        default_character_set: str,
        prefix: bytes,
    ) -> bytes:
        """The data set of a DICOM file up to its pixel data as one JSON object. `data` may end
        behind the header of the pixel data. `prefix` stands before the path in addresses, as JSON
        writes it. Raises BadFileFormat."""
        try:
            file = _opened(data)
            character_set = character_set_in(file, default_character_set)
            return data_set_json(
                file.data,
                file.start,
                file.explicit,
                file.big,
                self._mode,
                prefix,
                # The codes of backslash and tilde are other signs there.
                character_set.name != "Japanese",
                self._vr_of,
                partial(_values_of, character_set),
                _inline_of,
            )
        except (ScanError, DataSetError) as error:
            raise BadFileFormat(str(error)) from error

    def _vr_of(
        self, tag: int, code: int, creator: bytes | None, explicit: bool, signed: bool
    ) -> int:
        key = (tag, code, creator, explicit, signed)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            vr = metadata_vr_of(self._dictionary, tag, code, creator, explicit, signed)
            found = self._known[key] = _number(vr)
        return found


def _opened(data: Buffer | DicomFile) -> DicomFile:
    """The file; of a deflated one no more than up to the header of its pixel data, where that is
    found without inflating much."""
    if isinstance(data, DicomFile):
        return data
    file = open_meta(data)
    if file.syntax != DEFLATED:
        return file
    head = inflated_head(data, file.start)
    end = start_of(_PIXEL_DATA, head, file.start, file.explicit, file.big)
    if end is None or len(head) < end + PIXEL_HEADER:
        return open_dicom(data)
    return msgspec.structs.replace(file, data=head[: end + PIXEL_HEADER], inflated=True)


def _values_of(character_set: CharacterSet, tag: int, vr: int, raw: bytes) -> bytes | None:
    values = text_values(tag, f"{vr >> 8:c}{vr & 255:c}", raw, character_set)
    return None if values is None else _encode(values)


def _inline_of(vr: int, raw: bytes, big: bool) -> bytes:
    return b2a_base64(little_endian(raw, f"{vr >> 8:c}{vr & 255:c}", big), newline=False)


def _number(vr: str) -> int:
    return ord(vr[0]) << 8 | ord(vr[1])
