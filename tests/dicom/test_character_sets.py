"""Every code of every character set that DICOM has, against iconv; code extensions; terms as
people write them."""

import itertools
import sys
from collections.abc import Iterable

import pytest
from support.iconv import Iconv

from orthanc_fast.dicom.text import CharacterSet, character_set_of, decode

# Term, iconv's name.
ONE_BYTE = [
    ("ISO_IR 100", "ISO-8859-1"),
    ("ISO_IR 101", "ISO-8859-2"),
    ("ISO_IR 109", "ISO-8859-3"),
    ("ISO_IR 110", "ISO-8859-4"),
    ("ISO_IR 144", "ISO-8859-5"),
    ("ISO_IR 127", "ISO-8859-6"),
    ("ISO_IR 126", "ISO-8859-7"),
    ("ISO_IR 138", "ISO-8859-8"),
    ("ISO_IR 148", "ISO-8859-9"),
    ("ISO_IR 203", "ISO-8859-15"),
    ("ISO_IR 166", "TIS-620"),
    ("ISO_IR 13", "SHIFT-JIS"),
]
TWO_BYTES = [
    ("ISO 2022 IR 149", "UHC"),
    ("ISO 2022 IR 58", "EUC-CN"),
    ("GB18030", "GB18030"),
    ("GBK", "GBK"),
    ("ISO_IR 13", "SHIFT-JIS"),
]
ROWS = range(0x21, 0x7F)
# JIS X 0208 as CP932 has it, with Orthanc; iconv's table of it has the characters of the standard.
WIDE = {
    "\u301c": "\uff5e",
    "\u2016": "\u2225",
    "\u2212": "\uff0d",
    "\xa2": "\uffe0",
    "\xa3": "\uffe1",
    "\xac": "\uffe2",
}
# In JIS X 0201 these stand for a yen sign and an overline; the former separates values.
ROMAN = (b"\\", b"~")


def term(text: str) -> CharacterSet:
    return character_set_of(text.encode(), "Latin1")


Difference = tuple[bytes, str, str | None]  # the code, how we read it, how iconv does


def differences(name: str, charset: CharacterSet, codes: Iterable[bytes]) -> list[Difference]:
    """Codes that iconv reads in another way, and those that it does not know but we do."""
    found: list[Difference] = []
    with Iconv(name) as iconv:
        for code in codes:
            ours, theirs = decode(code, charset, "LO"), iconv.decode(code)
            if ours != theirs if theirs is not None else not ours.isascii():
                found.append((code, ours, theirs))
    return found


@pytest.mark.parametrize(("text", "name"), ONE_BYTE)
def test_one_byte(text: str, name: str) -> None:
    codes = [bytes((code,)) for code in range(1, 256) if bytes((code,)) not in ROMAN]
    assert differences(name, term(text), codes) == []
    extended = CharacterSet(term(text).name, extended=True)
    assert differences(name, extended, [c for c in codes if c not in b"\x0e\x0f"]) == []


@pytest.mark.parametrize(("text", "name"), TWO_BYTES)
def test_two_bytes(text: str, name: str) -> None:
    pairs = itertools.product(range(0x81, 0xFF), range(0x40, 0xFF))
    codes = [bytes(pair) for pair in pairs if pair[1] not in (0x5C, 0x7E, 0x7F)]
    found = differences(name, term(text), codes)
    if name in ("GBK", "SHIFT-JIS"):  # Orthanc reads it as GB18030; a lead byte alone is left out
        found = [entry for entry in found if entry[2] is not None]
    assert found == []


@pytest.mark.parametrize(("text", "name"), [("ISO_IR 192", "UTF-8"), ("GB18030", "GB18030")])
def test_every_code_point(text: str, name: str) -> None:
    """Those of GB18030 as Python writes them: of two bytes in part, of four the others."""
    charset = term(text)
    unknown = 0
    with Iconv(name) as iconv:
        for start in range(0x80, sys.maxunicode + 1, 0x80):
            if 0xD800 <= start < 0xE000:
                continue
            characters = [chr(code).encode(name) for code in range(start, start + 0x80)]
            block = b"".join(characters)
            shown = decode(block, charset)
            if iconv.decode(block) == shown:
                continue
            for raw in characters:  # iconv does not know every code for private use
                known = iconv.decode(raw)
                unknown += known is None
                # That of four bytes was a letter in 2000 and is for private use since 2005.
                assert known in (None, "\ue7c7", decode(raw, charset)), raw
    assert unknown <= 0x100


@pytest.mark.parametrize("escape", [b"\x1b$B", b"\x1b$@"])
def test_jis_x_0208(escape: bytes) -> None:
    charset = term("\\ISO 2022 IR 87")
    with Iconv("ISO-2022-JP") as standard, Iconv("CP932") as extended:
        for row, cell in itertools.product(ROWS, ROWS):
            raw = escape + bytes((row, cell)) + b"\x1b(B"
            text = decode(raw, charset, "PN")
            known = standard.decode(raw)
            if known is not None:
                assert text == WIDE.get(known, known), raw
            lead = (row - 0x21) // 2 + (0x81 if row < 0x5F else 0xC1)
            trail = cell + (0x7E if row % 2 == 0 else 0x20 if cell >= 0x60 else 0x1F)
            assert text == (extended.decode(bytes((lead, trail))) or ""), raw


def test_jis_x_0212() -> None:
    raws = [b"\x1b$(D" + bytes(pair) + b"\x1b(B" for pair in itertools.product(ROWS, ROWS)]
    charset = term("\\ISO 2022 IR 87\\ISO 2022 IR 159")
    # A tilde in both of them: of ASCII in Orthanc, a wide one in iconv.
    assert [code for code, *_ in differences("ISO-2022-JP-2", charset, raws)] == [
        b'\x1b$(D"7\x1b(B'
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b)I\xd4\xcf\xc0\xde\x1b(B", "ﾔﾏﾀﾞ"),
        (b"\x1b(IVO\x1b(B", "ﾖﾏ"),
        (b"\x1b(J~\x1b(B~", "‾~"),
        (b"\x1b$B;3\x1b(Ba", "山a"),
        (b"\x1b$B;3\ra", "山\ra"),  # a line end brings the first set back
        (b"\x1b$B;3 ED\x1b(B", "山 田"),
        (b"\x1b$B;", ""),
        (b"\x1b$B;3E", "山"),
        (b"a\xb1b", "ab"),
    ],
)
def test_japanese_escape_sequences(raw: bytes, text: str) -> None:
    assert decode(raw, term("\\ISO 2022 IR 87"), "PN") == text


# PS3.5 annexes H, I, J, K and what they do not show. Character set, value, text.
EXTENSIONS = [
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"
        b"=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        "\\ISO 2022 IR 87\\ISO 2022 IR 159",
        b"Mori^Ogai=\x1b$B?9\x1b(B^\x1b$(Dl?\x1b$B30\x1b(B",
        "Mori^Ogai=森^鷗外",
    ),
    (
        "\\ISO 2022 IR 87",
        b"Takahashi^Ken=\x1b$B|b66\x1b(B^\x1b$B7r\x1b(B",
        "Takahashi^Ken=髙橋^健",
    ),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    ("\\ISO 2022 IR 149", b"\xfb\xf3^\x8c\x63", "洪^똠"),  # without escapes; UHC
    ("\\ISO 2022 IR 58", b"Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1", "Zhang=张^小"),
    ("ISO 2022 IR 100\\ISO 2022 IR 144", b"M\xfcller=\x1b-L\xbb\xee\xda^\xfc", "Müller=Люк^ü"),
    ("ISO 2022 IR 100\\ISO 2022 IR 126", b"\xe9\\\x1b-F\xe1\\\xe9", "é\\\u03b1\\é"),
    ("\\ISO 2022 IR 203", b"\xa4", "€"),
    ("ISO 2022 IR 6\\ISO 2022 IR 203", b"\x1b-b\xa4", "€"),
    ("\\ISO 2022 IR 87\\ISO 2022 IR 13", b"\x1b)I\xd4=\x1b$B;3\x1b(B", "ﾔ=山"),
    # What Python's codecs have in the place of other tables.
    ("GB18030", b"\xa6\xd9\xa8\xbc", "︐ḿ"),
    ("ISO_IR 166", b"\x80\xa0\xa1\xfb", "ก๛"),
]


@pytest.mark.parametrize(("text", "raw", "shown"), EXTENSIONS)
def test_code_extensions(text: str, raw: bytes, shown: str) -> None:
    assert decode(raw, term(text), "PN") == shown


def test_separators_are_none_in_texts_of_one_value() -> None:
    charset = term("ISO 2022 IR 100\\ISO 2022 IR 144")
    assert decode(b"\x1b-L\xbb\\^=\xbb\n\xfc", charset, "LT") == "Л\\^=Л\nü"
    assert decode(b"\x1b-L\xbb^\xbb\\\xfc", charset, "LO") == "Л^Л\\ü"
    assert decode(b"\\~", term("ISO 2022 IR 13\\ISO 2022 IR 87"), "LT") == "¥‾"
    assert decode(b"\\~", term("ISO 2022 IR 13\\ISO 2022 IR 87"), "LO") == "\\‾"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ISO_IR 100", "Latin1"),
        ("ISO IR 100", "Latin1"),
        ("ISO-IR 100", "Latin1"),
        ("ISO_IR100", "Latin1"),
        ("ISO IR-100", "Latin1"),
        ("iso_ir_100 ", "Latin1"),
        ("ISO-8859-1", "Latin1"),
        ("ISO_8859-15", "Latin9"),
        ("ISO 8859-5", "Cyrillic"),
        ("ISO2022IR87", "JapaneseKanji"),
        ("ISO-2022-IR-149", "Korean"),
        ("ISO_2022_IR_58", "SimplifiedChinese"),
        ("UTF-8", "Utf8"),
        ("utf8", "Utf8"),
        ("GB2312", "SimplifiedChinese"),
        ("\\ISO 2022 IR 87", "JapaneseKanji"),
        ("", "Hebrew"),
        ("\\", "Hebrew"),
        ("ISO_IR 87", "Ascii"),  # a code extension, and no set of its own
        ("ISO_IR 999", "Ascii"),
        ("ISO-8859-99", "Ascii"),
        ("KLINGON", "Ascii"),
    ],
)
def test_terms(text: str, name: str) -> None:
    assert character_set_of(text.encode(), "Hebrew").name == name


@pytest.mark.parametrize("terms", [b"ISO 2022 IR 13\\ISO 2022 IR 87", b"\\ISO 2022 IR 87"])
@pytest.mark.parametrize(("vr", "separator"), [("UT", "\r\n"), ("PN", "^"), ("LO", "\\")])
def test_texts_of_many_lines_values_and_parts(terms: bytes, vr: str, separator: str) -> None:
    """However many there are."""
    expected = separator.join(["\u5c71\u7530", *map(str, range(5000))])
    raw = expected.replace("\u5c71\u7530", "\x1b$B;3ED\x1b(B").encode("ascii")
    assert decode(raw, character_set_of(terms, "Latin1"), vr) == expected
