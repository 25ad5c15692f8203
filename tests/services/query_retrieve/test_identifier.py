"""Identifiers of peers, whatever their bytes are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dicom_peer import EXPLICIT, IMPLICIT
from support.find_scu import BIG_ENDIAN, Element, encoded

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.errors import BadFileFormat, BadRequest, OrthancError, ParameterOutOfRange
from orthanc_fast.model import Level
from orthanc_fast.services.query_retrieve.identifier import (
    LARGEST_SEQUENCES,
    MOST_ELEMENTS,
    Identifier,
    read_identifier,
)

DICTIONARY = Dictionary()
SYNTAXES = (EXPLICIT, IMPLICIT, BIG_ENDIAN)
LEVEL, NAME, UID, ROWS = 0x00080052, 0x00100010, 0x0020000D, 0x00280010


def read(*elements: Element, syntax: str = EXPLICIT, default: str = "Latin1") -> Identifier:
    return read_identifier(encoded(elements, syntax), syntax, DICTIONARY, default)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_texts_and_numbers(syntax: str) -> None:
    many = "\\".join(f"1.2.{number}" for number in range(3000))
    steps: list[list[Element]] = [[(0x00400007, "LO", "x")], []]
    found = read(
        *((LEVEL, "CS", "STUDY"), (NAME, "PN", b"M\xfcller "), (UID, "UI", many)),
        (ROWS, "US", 512),
        (0x00400275, "SQ", steps),
        syntax=syntax,
    )
    assert found.level == Level.STUDY
    assert found.text(NAME) == "Müller"
    assert found.text(UID) == many
    assert found.text(ROWS) == "512"
    assert found.text(0x00100020) is None
    sequence = found.elements[0x00400275]
    assert (sequence.Type, len(sequence.Value), found.text(0x00400275)) == ("Sequence", 2, "")


def test_the_character_set_is_its_own() -> None:
    own: Element = (0x00080005, "CS", "ISO_IR 192")
    assert read(own, (NAME, "PN", "é".encode())).text(NAME) == "é"
    assert read((NAME, "PN", "é".encode()), default="Utf8").text(NAME) == "é"


@pytest.mark.parametrize("elements", [(), ((LEVEL, "CS", ""),), ((LEVEL, "CS", "FRAME"),)])
def test_without_a_level(elements: tuple[Element, ...]) -> None:
    with pytest.raises((BadRequest, ParameterOutOfRange)):
        _ = read(*elements).level


WHOLE = {
    syntax: encoded(
        [
            *((LEVEL, "CS", "STUDY"), (NAME, "PN", "a"), (UID, "UI", "1.2"), (ROWS, "US", 1)),
            (0x00400275, "SQ", [[(0x00400008, "SQ", [[(0x00080100, "SH", "c")]])]]),
        ],
        syntax,
    )
    for syntax in SYNTAXES
}


@given(st.sampled_from(SYNTAXES), st.data())
def test_damaged_ones_are_refused_or_read(syntax: str, data: st.DataObject) -> None:
    """Nothing else happens."""
    whole = bytearray(WHOLE[syntax])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = read_identifier(cut, syntax, DICTIONARY, "Latin1")
    except BadFileFormat:
        return
    for tag in found.elements:
        assert isinstance(found.text(tag), str)
    try:
        assert found.level in Level
    except OrthancError:
        return


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_more_elements_than_anybody_asks_for(syntax: str) -> None:
    """A million of them, eight bytes each, took 3 GB until the peer had its answers."""
    elements: list[Element] = [(LEVEL, "CS", "STUDY")]
    elements += [(0x00290000 + number, "LO", "") for number in range(0x1000, MOST_ELEMENTS + 0xFFF)]
    assert len(read(*elements, syntax=syntax).elements) == MOST_ELEMENTS
    with pytest.raises(BadFileFormat, match="more than 10000 elements"):
        read(*elements, (0x00310010, "LO", ""), syntax=syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("tag", [0x00400275, 0x00291010])
def test_sequences_that_would_fill_the_memory(syntax: str, tag: int) -> None:
    """Neither many items nor many elements within one; a private one announces its length in
    implicit VR, where nobody takes it for a sequence."""
    members: list[Element] = [(0x00310000 + n, "LO", "") for n in range(LARGEST_SEQUENCES // 8)]
    with_items: Element = (0x00400275, "SQ", [[]] * (LARGEST_SEQUENCES // 8))
    sequences: list[Element] = [with_items]
    if tag == 0x00400275 or syntax != IMPLICIT:
        sequences.append((tag, "SQ", [members]))
    for each in sequences:
        with pytest.raises(BadFileFormat, match="bytes of sequences"):
            read((LEVEL, "CS", "STUDY"), each, syntax=syntax)
