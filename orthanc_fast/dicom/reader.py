"""The DICOM reader: from the bytes of a file to what the index wants to know, in one compiled pass.

Source: reference chapter 2, sections 1.4, 2 and 9; chapter 1, sections 2.4, 4.3 and 5.
"""

from orthanc_fast._ext.scan import ScanError, has_vr, scan, texts
from orthanc_fast._ext.tagjson import sequence_json, value_text
from orthanc_fast.dicom.dictionary import TEXT_VRS, Dictionary
from orthanc_fast.dicom.main_tags import MainTags
from orthanc_fast.dicom.part10 import Buffer, DicomFile, open_dicom
from orthanc_fast.dicom.pixel_layout import Pixel, build_layout, first_integer, image_number
from orthanc_fast.dicom.text import CharacterSet, character_set_of, decode, without_padding
from orthanc_fast.errors import BadFileFormat, BadParameterType, LacksIdentifier
from orthanc_fast.model import Header, PixelLayout
from orthanc_fast.numerals import BLANKS
from orthanc_fast.transfer_syntaxes import SYNTAXES

MAX_VALUE = 256  # bytes of UTF-8: what a main tag or an identifier may have
_SHORT = MAX_VALUE // 4  # characters that cannot be too many

_CHARACTER_SET = 0x00080005
_SOP_CLASS = 0x00080016
_PATIENT_ID = 0x00100020
_STUDY_UID = 0x0020000D
_SERIES_UID = 0x0020000E
_SOP_UID = 0x00080018
_INSTANCE_NUMBER = 0x00200013
_IMAGE_INDEX = 0x00541330
_BITS_ALLOCATED = 0x00280100
_PIXEL_REPRESENTATION = 0x00280103

_NATIVE = frozenset(uid for uid, syntax in SYNTAXES.items() if syntax.is_native)
_OW = ord("O") << 8 | ord("W")
_OB = ord("O") << 8 | ord("B")
_SQ = ord("S") << 8 | ord("Q")
_US = ord("U") << 8 | ord("S")
_SS = ord("S") << 8 | ord("S")

Value = str | int | tuple[int, bytes]


def read_header(
    data: Buffer | DicomFile,
    tags: MainTags,
    dictionary: Dictionary,
    default_character_set: str = "Latin1",
) -> Header:
    """Reads one DICOM file: identifiers, main tags per level, character set, syntax, frame map.
    Who has opened it already, `inflated` where it has to be, may give that.

    Raises BadFileFormat for what is no DICOM file, LacksIdentifier where a UID is absent,
    BadParameterType where an identifier is longer than 256 bytes.
    """
    try:
        file = open_dicom(data)
        values, pixel, irregular = scan(
            file.data,
            file.start,
            file.explicit,
            file.big,
            tags.table,
            tags.implicit,
        )
        _check_pixel_data(file, pixel)
    except ScanError as error:
        raise BadFileFormat(
            f"Cannot parse an invalid DICOM file (size: {_size(data)} bytes): {error}"
        ) from error
    return _Reading(
        file, values, pixel, irregular, tags, dictionary, default_character_set
    ).header()


def _size(data: Buffer | DicomFile) -> int:
    return len(data.data if isinstance(data, DicomFile) else data)


def _check_pixel_data(file: DicomFile, pixel: Pixel | None) -> None:
    """A file that announces a compressed syntax must not hold native pixel data."""
    if pixel is None or file.syntax is None or pixel[0] != 0x7FE00010:
        return
    known = file.known_syntax
    if known is None or known in _NATIVE or file.inflated:
        return
    if pixel[3] >= 0:
        raise ScanError(f"native pixel data under the transfer syntax {file.syntax}")


class _Reading:
    """The values of one file on their way into a Header."""

    def __init__(
        self,
        file: DicomFile,
        values: dict[int, Value],
        pixel: Pixel | None,
        irregular: bool,
        tags: MainTags,
        dictionary: Dictionary,
        default_character_set: str,
    ) -> None:
        self._file = file
        self._values = values
        self._pixel = pixel
        self._irregular = irregular
        self._tags = tags
        self._dictionary = dictionary
        self._character_set = self._read_character_set(default_character_set)

    def _read_character_set(self, default: str) -> CharacterSet:
        value = self._values.get(_CHARACTER_SET)
        if value is None or isinstance(value, int):
            return CharacterSet(default)
        raw = value.encode("ascii") if isinstance(value, str) else value[1]
        return character_set_of(raw, default)

    def header(self) -> Header:
        study = self._identifier(_STUDY_UID)
        series = self._identifier(_SERIES_UID)
        sop = self._identifier(_SOP_UID)
        patient_id = self._identifier(_PATIENT_ID) if _PATIENT_ID in self._values else ""
        if not study or not series or not sop:
            raise BadFileFormat("missing StudyInstanceUID, SeriesInstanceUID or SOPInstanceUID")
        patient_tags, study_tags, series_tags, instance_tags = self._tags.ordered
        return Header(
            patient_id=patient_id,
            study_uid=study,
            series_uid=series,
            sop_uid=sop,
            sop_class=self._short_text(_SOP_CLASS),
            transfer_syntax=self._file.known_syntax,
            main_tags=(
                texts(self._values, patient_tags, _SHORT, self._short_text),
                texts(self._values, study_tags, _SHORT, self._short_text),
                texts(self._values, series_tags, _SHORT, self._short_text),
                texts(self._values, instance_tags, _SHORT, self._short_text),
            ),
            main_sequences=self._main_sequences(),
            index_in_series=self._index_in_series(),
            pixels=self._layout(),
            pixel_data_offset=self._offset(),
            pixel_data_vr=self._deviating_vr(),
        )

    def _identifier(self, tag: int) -> str:
        value = self._values.get(tag)
        if isinstance(value, str) and len(value) <= _SHORT:
            return value
        if value is None:
            raise LacksIdentifier(
                "the file lacks StudyInstanceUID, SeriesInstanceUID or SOPInstanceUID",
                self._short_text(_SOP_CLASS) or "",
                self._short_text(_SOP_UID) or "",
            )
        text = self._short_text(tag)
        if text is None:
            raise BadParameterType(
                f"{self._dictionary.name(tag)} is no text, or one of more than {MAX_VALUE} bytes"
            )
        return text

    def _index_in_series(self) -> str | None:
        present = _INSTANCE_NUMBER if _INSTANCE_NUMBER in self._values else _IMAGE_INDEX
        text = self._short_text(present)
        return None if text is None else text.strip(BLANKS)

    def _short_text(self, tag: int) -> str | None:
        """The text as the index keeps it: None also for what is too long."""
        value = self._values.get(tag)
        text = value if isinstance(value, str) else self._text(tag)
        if text is None or len(text) <= _SHORT:
            return text
        return None if _is_too_long(text) else text

    def _text(self, tag: int) -> str | None:
        """The value as text, None if the tag is absent or no text can be made of its value."""
        value = self._values.get(tag)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int):
            return str(value)
        vr, raw = value
        if vr == 0 and not self._file.explicit:
            vr = self._ambiguous_vr(tag)
        name = f"{vr >> 8:c}{vr & 255:c}"
        if name in TEXT_VRS:
            return decode(without_padding(raw, name), self._character_set, name)
        if name == "UN":
            return self._unknown_text(tag, raw)
        return value_text(raw, vr, self._file.big)

    def _ambiguous_vr(self, tag: int) -> int:
        """Of an attribute that is US or SS, in implicit VR: reference chapter 2, section 1.4, and
        PixelRepresentation where it decides."""
        representation = self._number(_PIXEL_REPRESENTATION)
        if representation is None or tag not in self._dictionary.signed:
            return 0
        return _SS if representation == 1 else _US

    def _unknown_text(self, tag: int, raw: bytes) -> str | None:
        """What is hidden in UN counts as a text only, of which nothing is trimmed but one NUL:
        reference chapter 2, section 1.4."""
        if self._dictionary.vr(tag) not in TEXT_VRS:
            return None
        return decode(raw if len(raw) % 2 else raw.removesuffix(b"\0"), self._character_set)

    def _main_sequences(
        self,
    ) -> tuple[dict[int, bytes], dict[int, bytes], dict[int, bytes], dict[int, bytes]]:
        """Few files have main tags that are sequences: the others are spared the search."""
        if not has_vr(self._values, _SQ):
            return {}, {}, {}, {}
        patient_tags, study_tags, series_tags, instance_tags = self._tags.ordered
        return (
            self._sequences(patient_tags),
            self._sequences(study_tags),
            self._sequences(series_tags),
            self._sequences(instance_tags),
        )

    def _sequences(self, tags: tuple[int, ...]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for tag in tags:
            value = self._values.get(tag)
            if isinstance(value, tuple) and value[0] == _SQ:
                found[tag] = sequence_json(
                    value[1],
                    self._file.explicit,
                    self._file.big,
                    self._dictionary,
                    self._character_set,
                    decode,
                )
        return found

    def _layout(self) -> PixelLayout | None:
        if self._pixel is None:
            return None
        return build_layout(self._pixel, self._number, self._text)

    def _number(self, tag: int) -> int | None:
        """The first value of an attribute of the image module as an integer, None where it is
        absent or no integer."""
        value = self._values.get(tag)
        if isinstance(value, int):
            return value
        if isinstance(value, str):
            return first_integer(value)
        return None if value is None else image_number(*value, self._file.big)

    def _offset(self) -> int | None:
        if self._pixel is None or self._pixel[0] != 0x7FE00010 or self._irregular:
            return None
        file = self._file
        usable = file.strict and not file.inflated and file.known_syntax is not None
        return self._pixel[1] if usable else None

    def _deviating_vr(self) -> str | None:
        """PixelDataVR, where it is not what the transfer syntax makes one expect."""
        if self._pixel is None or self._offset() is None or not self._file.explicit:
            return None
        vr = self._pixel[4]
        if self._file.syntax in _NATIVE:
            allocated = self._values.get(_BITS_ALLOCATED)
            if not isinstance(allocated, int):  # what UN hides does not count here
                allocated = first_integer(self._text(_BITS_ALLOCATED) or "") or 0
            is_expected = vr == (_OW if allocated > 8 else _OB)
        else:
            is_expected = vr in (_OB, _OW)
        return None if is_expected else f"{vr >> 8:c}{vr & 255:c}"


def _is_too_long(text: str) -> bool:
    return len(text) > _SHORT and len(text.encode()) > MAX_VALUE
