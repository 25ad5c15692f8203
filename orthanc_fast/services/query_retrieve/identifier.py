"""The identifier of a query or retrieval: what a peer asks for, as texts by tag. Source: PS3.4
annex C.2.2; reference chapter 4, sections 3.1 and 3.2."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from orthanc_fast._ext.scan import ScanError, elements
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.dicom.main_tags import level_named
from orthanc_fast.dicom.part10 import DicomFile
from orthanc_fast.dicom.tag_json import tags_json
from orthanc_fast.errors import BadFileFormat, BadRequest
from orthanc_fast.model import Level
from orthanc_fast.services.find.facts import FileElement
from orthanc_fast.transfer_syntaxes import SYNTAXES

QUERY_RETRIEVE_LEVEL = 0x00080052

# What a client may ask for together: twice what the dictionary has. Each element takes a hundred
# times its eight bytes when it is read, and again in each answer of a page.
MOST_ELEMENTS: Final = 10_000
LARGEST_SEQUENCES: Final = 1 << 18  # bytes of all sequences, which are returned and not matched

_SEQUENCE: Final = int.from_bytes(b"SQ")  # as the reader numbers VRs

_decode = msgspec.json.Decoder(dict[str, FileElement]).decode


class Identifier(msgspec.Struct, frozen=True):
    """The root elements of one, by tag; texts are decoded and without padding."""

    elements: Mapping[int, FileElement]

    def text(self, tag: int) -> str | None:
        """None where the element is absent, "" where it has no text."""
        element = self.elements.get(tag)
        return None if element is None else element.text or ""

    @property
    def level(self) -> Level:
        """Raises BadRequest where there is none, ParameterOutOfRange for one that is unknown."""
        text = self.text(QUERY_RETRIEVE_LEVEL)
        if not text:
            raise BadRequest("Missing QueryRetrieveLevel (0008,0052) in the identifier")
        return level_named(text)


def read_identifier(
    data: bytes, transfer_syntax: str, dictionary: Dictionary, default_character_set: str
) -> Identifier:
    """Reads an encoded data set; `default_character_set` is of one that names none. Raises
    BadFileFormat for what is no data set, or has more in it than anybody asks for."""
    syntax = SYNTAXES[transfer_syntax]
    explicit, big = not syntax.is_implicit, syntax.is_big_endian
    try:
        rows = elements(data, 0, len(data), explicit, big, MOST_ELEMENTS + 1)
    except ScanError as error:
        raise BadFileFormat(f"the identifier cannot be read: {error}") from error
    _check_amount(rows, dictionary)
    tags = frozenset(row[0] for row in rows)
    content = tags_json(
        DicomFile(data, 0, explicit, big, [], transfer_syntax, False),
        "full",
        dictionary,
        default_character_set,
        whole=True,
        ignore_length=tags,
    )
    return Identifier(
        {int(text[:4] + text[5:], 16): each for text, each in _decode(content).items()}
    )


def _check_amount(
    rows: Sequence[tuple[int, int, int, int, int, int]], dictionary: Dictionary
) -> None:
    """Raises BadFileFormat for an identifier that would take too much memory."""
    if len(rows) > MOST_ELEMENTS:
        raise BadFileFormat(f"the identifier has more than {MOST_ELEMENTS} elements")
    nested = sum(
        behind - start
        for tag, vr, start, _, length, behind in rows
        if vr == _SEQUENCE or length < 0 or dictionary.vr(tag) == "SQ"
    )
    if nested > LARGEST_SEQUENCES:
        raise BadFileFormat(f"the identifier has more than {LARGEST_SEQUENCES} bytes of sequences")
