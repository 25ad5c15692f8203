"""Answers as data sets, read back by pydicom."""

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.dicom_peer import EXPLICIT, IMPLICIT
from support.find_scu import BIG_ENDIAN, decoded

from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.services.query_retrieve.answer_encoding import AnswerEncoder
from orthanc_fast.transfer_syntaxes import SYNTAXES

DICTIONARY = Dictionary()
NAME, COMMENTS, ROWS, POINTER, RATE = 0x00100010, 0x00104000, 0x00280010, 0x00280009, 0x00089459
LEVEL, UID, STEPS, PRIVATE = 0x00080052, 0x0020000D, 0x00400275, 0x00111001


def encoder(*tags: int, syntax: str = EXPLICIT, character_set: str = "Utf8") -> AnswerEncoder:
    fixed = {LEVEL: "STUDY"}
    return AnswerEncoder(tags, fixed, SYNTAXES[syntax], character_set, DICTIONARY)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@given(
    st.dictionaries(
        st.sampled_from([NAME, COMMENTS, UID]),
        st.text(st.characters(min_codepoint=0x20, exclude_characters="\\")),
    ),
    st.sets(st.sampled_from([NAME, COMMENTS, UID])),
)
def test_texts(syntax: str, values: dict[int, str], shown: set[int]) -> None:
    data = encoder(*values, *shown, syntax=syntax).encode(values)
    assert len(data) % 2 == 0
    found = decoded(data, syntax)
    assert sorted(found.keys()) == sorted({LEVEL, *values, *shown})
    for tag in {*values, *shown}:
        raw = found.get_item(tag)
        assert raw is not None
        expected = values.get(tag, "").encode("utf-8", "ignore")
        padding = b"" if len(expected) % 2 == 0 else b"\0" if tag == UID else b" "
        assert (raw.value or b"") == expected + padding


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_numbers_tags_and_sequences(syntax: str) -> None:
    def text(name: str, value: str) -> dict[str, Any]:
        return {"Name": name, "Type": "String", "Value": value}

    inner = {"0008,0100": text("CodeValue", "c")}
    codes = {"Name": "", "Type": "Sequence", "Value": [inner, {}]}
    step = {"0040,0007": text("", "chest"), "0028,0010": text("Rows", "64"), "0040,0008": codes}
    empty = {"0040,0007": {"Name": "", "Type": "Null", "Value": None}}
    values = {
        ROWS: "512",
        POINTER: "0018,1063\\0054,0010",
        RATE: "1.5",
        STEPS: {"Name": "", "Type": "Sequence", "Value": [step, empty]},
    }
    found = decoded(encoder(*values, syntax=syntax).encode(values), syntax)
    assert (found.Rows, found[RATE].value) == (512, 1.5)
    assert [int(each) for each in found[POINTER].value] == [0x00181063, 0x00540010]
    first, second = found[STEPS].value
    assert (first[0x00400007].value, first.Rows) == ("chest", 64)
    assert [item.get("CodeValue") for item in first[0x00400008].value] == ["c", None]
    assert not second[0x00400007].value


@pytest.mark.parametrize("value", ["", "x", "70000", "-1", "1.5"])
def test_what_is_no_number_is_empty(value: str) -> None:
    found = decoded(encoder(ROWS).encode({ROWS: value}))
    assert found[ROWS].value is None


def test_a_text_too_long_for_its_vr_is_unknown() -> None:
    """PS3.5 section 6.2.2: the length of a UN has 32 bits."""
    for size in (65533, 65534, 65535, 70001):
        found = encoder(NAME, UID).encode({NAME: "x" * size, UID: "1.2"})
        element = decoded(found).get_item(NAME)
        assert element is not None
        assert (str(element.VR), len(element.value or b"")) == (
            "PN" if size < 65535 else "UN",
            size + size % 2,
        )
        assert decoded(found).StudyInstanceUID == "1.2"


def test_characters_that_the_set_lacks_are_left_out() -> None:
    for name, expected in (("Latin1", b"M\xfcX"), ("Ascii", b"MX"), ("Japanese", b"MX")):
        found = decoded(encoder(NAME, character_set=name).encode({NAME: "MüX山"[:3]}))
        element = found.get_item(NAME)
        assert element is not None
        assert (element.value or b"").rstrip() == expected
    half = decoded(encoder(NAME).encode({NAME: "a\ud800b"})).get_item(NAME)
    assert half is not None
    assert half.value == b"ab"


def test_private_elements_have_the_text_as_value() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        element = decoded(encoder(PRIVATE).encode({PRIVATE: "abc"})).get_item(PRIVATE)
    assert element is not None
    assert (element.VR, element.value) == ("UN", b"abc\0")
