"""Where the data set of a DICOM file begins and how it is encoded. Source: reference chapter 2,
section 9."""

import msgspec

from orthanc_fast._ext.scan import ScanError, meta_header, start_of
from orthanc_fast.dicom.inflating import Buffer as Buffer
from orthanc_fast.dicom.inflating import inflate, inflated_head
from orthanc_fast.transfer_syntaxes import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    SYNTAXES,
)

_PIXEL_DATA = 0x7FE00010

_SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US OB OD OF OL OV OW SQ SV UC UN "
    b"UR UT UV".split()
)


class DicomFile(msgspec.Struct, frozen=True, gc=False):
    """A DICOM file in memory, and how to read it. `data` is the file itself, or its inflated form
    for a deflated one.

    `syntax` is the UID of the meta header, None without one; `strict` tells of a regular Part 10
    header (preamble, group length first and right), which PixelDataOffset asks for.
    """

    data: Buffer
    start: int
    explicit: bool
    big: bool
    meta: list[tuple[int, int, bytes]]
    syntax: str | None
    strict: bool
    inflated: bool = False

    @property
    def known_syntax(self) -> str | None:
        """The transfer syntax as metadata: what the header says if anybody knows it, the encoding
        found where there is no usable header."""
        if self.syntax:
            return self.syntax if self.syntax in SYNTAXES else None
        if self.syntax is None:
            return (
                EXPLICIT_BIG
                if self.big
                else (EXPLICIT_LITTLE if self.explicit else IMPLICIT_LITTLE)
            )
        return None


def open_dicom(data: Buffer | DicomFile) -> DicomFile:
    """A file that is open already is given back.

    Raises ScanError if there is no data set that could be read. One that is deflated is inflated,
    which takes its time and may wait for memory: raises BadFileFormat where it would be too large,
    OrthancError (NotEnoughMemory, 503) where no room is found for it.
    """
    if isinstance(data, DicomFile):
        return data
    file = open_meta(data)
    if file.syntax != DEFLATED:
        return file
    inflated = inflate(data, file.start)
    return msgspec.structs.replace(file, data=inflated, inflated=True)


def open_until_pixel_data(data: Buffer | DicomFile) -> tuple[DicomFile, bool]:
    """As `open_dicom`, and False; of a deflated file with pixel data no more than what stands
    before them, and True, where that is found without inflating much. Raises the same."""
    if not isinstance(data, DicomFile):
        file = open_meta(data)
        if file.syntax == DEFLATED:
            head = inflated_head(data, file.start)
            end = start_of(_PIXEL_DATA, head, file.start, file.explicit, file.big)
            if end is not None:
                return msgspec.structs.replace(file, data=head[:end], inflated=True), True
    return open_dicom(data), False


def opened_at_once(data: Buffer) -> Buffer | DicomFile | None:
    """What functions that read a file are given by who must not wait: the opened file, or `data`
    where there is nothing to open, so that they say what is wrong. None for a deflated file, which
    takes its time."""
    try:
        file = open_meta(data)
    except ScanError:
        return data
    return None if file.syntax == DEFLATED else file


def open_meta(data: Buffer) -> DicomFile:
    """As `open_dicom`, for the file meta information only: a deflated data set stays as it
    is."""
    size = len(data)
    preamble = size >= 132 and bytes(data[128:132]) == b"DICM"
    start = 132 if preamble else 0
    if bytes(data[0:4]) == b"DICM":
        raise ScanError("the preamble is missing before DICM")
    if not preamble and bytes(data[0:2]) != b"\x02\x00":
        explicit, big = guess(data, 0)
        return DicomFile(data, 0, explicit, big, [], None, False)
    meta, end = meta_header(data, start, preamble or guess(data, 0)[0])
    syntax = _transfer_syntax(meta)
    if preamble and not meta and not guess(data, start)[0]:
        raise ScanError("Unsupported value representation encountered after the preamble")
    if syntax == DEFLATED:
        return DicomFile(data, end, True, False, meta, syntax, False)
    strict = preamble and _is_strict(meta, end)
    if syntax == IMPLICIT_LITTLE:
        return DicomFile(data, end, False, False, meta, syntax, strict)
    if syntax == EXPLICIT_BIG:
        return DicomFile(data, end, True, True, meta, syntax, strict)
    if syntax in SYNTAXES:
        return DicomFile(data, end, True, False, meta, syntax, strict)
    explicit, big = guess(data, end)
    return DicomFile(data, end, explicit, big, meta, syntax, False)


def guess(data: Buffer, start: int) -> tuple[bool, bool]:
    """(explicit VR, big endian) of the data set at `start`, from its first element."""
    head = bytes(data[start : start + 8])
    if len(head) < 8:
        return False, False
    if head[4:6] in _SHORT_VRS:
        little, big = head[0] | head[1] << 8, head[0] << 8 | head[1]
        return True, big < little
    return False, False


def _transfer_syntax(meta: list[tuple[int, int, bytes]]) -> str | None:
    for tag, _, raw in meta:
        if tag == 0x00020010:
            return raw.split(b"\0")[0].decode("latin-1").strip()
    return None


def _is_strict(meta: list[tuple[int, int, bytes]], end: int) -> bool:
    if not meta or meta[0][0] != 0x00020000 or len(meta[0][2]) != 4:
        return False
    return int.from_bytes(meta[0][2], "little") == end - 132 - 12
