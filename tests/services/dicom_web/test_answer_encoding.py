"""The compiled writer of answers against the model of an element in Python, which also makes what
is not plain."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orthanc_fast._ext.json_answers import JsonAnswers, pick
from orthanc_fast.dicom.dictionary import Dictionary
from orthanc_fast.services.dicom_web.answer_elements import element

FIXED = b'"00080005":{"vr":"CS","Value":["ISO_IR 192"]}'
NUMBERS = ("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV")
OTHERS = ("AE", "AS", "AT", "CS", "DA", "LT", "PN", "SH", "SQ", "ST", "TM", "UC", "UI", "UR", "UT")
VRS = NUMBERS + OTHERS
COLUMNS = [(0x00090000 + number, vr) for number, vr in enumerate(VRS, 0x1000)]
DICTIONARY = Dictionary()

TEXTS = st.text(alphabet='ab09 .-+^=\\"\0\x01\n\x7fé山\U0001f600', max_size=10)
NUMERALS = st.text(alphabet="0123456789-. \\", max_size=24)
SEQUENCE = {
    "Name": "",
    "Type": "Sequence",
    "Value": [{"0010,0010": {"Name": "PatientName", "Type": "String", "Value": "A^B"}}],
}
VALUES: st.SearchStrategy[Any] = st.one_of(TEXTS, NUMERALS, st.none(), st.just(SEQUENCE))


def _in_python(tag: int, vr: str, value: Any) -> bytes:
    found = element(tag, vr, value, DICTIONARY)
    return b"" if found is None else b'"%08X":' % tag + msgspec.json.encode(found)


@given(st.dictionaries(st.sampled_from([tag for tag, _ in COLUMNS] + [1]), VALUES, max_size=8))
def test_it_writes_what_the_model_says(values: dict[int, Any]) -> None:
    parts = [_in_python(tag, vr, values[tag]) for tag, vr in COLUMNS if tag in values]
    expected = b"{" + b",".join([FIXED, *filter(None, parts)]) + b"}"
    answers = JsonAnswers(FIXED, COLUMNS, _in_python)
    assert answers.encode(values) == expected
    assert answers.encode(values) == expected  # nothing is left in the buffer


def test_what_is_plain_is_not_left_to_the_caller() -> None:
    plain = {
        "PN": "Müller^Zoë=山田^太郎=\\=x\\^ ",
        "DA": "20240115",
        "IS": "12\\-7\\0\\",
        "DS": "1.50\\-3",
        "LT": "some text ",
        "CS": "A\\ \\B ",
        "UI": "",
    }
    columns = [(each, vr) for each, vr in COLUMNS if vr in plain]
    values: dict[int, Any] = {each: plain[vr] for each, vr in columns}

    def refuse(tag: int, vr: str, value: Any) -> bytes:
        raise AssertionError(f"{vr} {value!r}")

    expected = b",".join([FIXED, *(_in_python(each, vr, values[each]) for each, vr in columns)])
    assert JsonAnswers(FIXED, columns, refuse).encode(values) == b"{" + expected + b"}"


def test_an_answer_may_be_longer_than_the_buffer() -> None:
    tag = next(each for each, vr in COLUMNS if vr == "UT")
    made = JsonAnswers(FIXED, COLUMNS, _in_python).encode({tag: "x" * 100_000})
    assert msgspec.json.decode(made)[f"{tag:08X}"]["Value"] == ["x" * 100_000]


def test_pick_takes_the_first_mapping_that_has_the_tag() -> None:
    found: dict[int, Any] = {9: "kept"}
    assert pick({1: "a", 2: "b"}, {2: "c", 3: "d"}, (1, 2, 3), found) is None
    assert found == {9: "kept", 1: "a", 2: "b", 3: "d"}
    assert pick({1: "a"}, {}, (1, 2, 4), found) == [2, 4]
