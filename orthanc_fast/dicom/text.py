"""DICOM's character sets as Orthanc reads them: text of one data set into Unicode.

The set comes from (0008,0005) of the root data set, its first non-empty term decides, and bytes
that are not valid in it are skipped. Code extensions beyond that term are followed, too: see
`iso_2022`. The tables are those of iconv, which Orthanc uses. Source: reference chapter 2, section
2; DICOM PS3.3 C.12.1.1.2.
"""

import re
from functools import lru_cache

import msgspec

from orthanc_fast.dicom import iso_2022


class CharacterSet(msgspec.Struct, frozen=True, gc=False):
    """The character set in force. `extended`: more than one term, so escape sequences switch to
    others."""

    name: str
    extended: bool = False


# By the number of the registration (ISO-IR) that a term names.
_REGISTRATIONS = {
    "6": "Ascii",
    "13": "Japanese",
    "100": "Latin1",
    "101": "Latin2",
    "109": "Latin3",
    "110": "Latin4",
    "126": "Greek",
    "127": "Arabic",
    "138": "Hebrew",
    "144": "Cyrillic",
    "148": "Latin5",
    "166": "Thai",
    "192": "Utf8",
    "203": "Latin9",
}
# Those that only code extensions may name: two bytes for each character.
_EXTENSIONS = {"58": "SimplifiedChinese", "87": "JapaneseKanji", "149": "Korean"}
_OTHER_TERMS = {"GB18030": "Chinese", "GBK": "Chinese"}

_TERMS_OF = {
    **{name: f"ISO_IR {number}" for number, name in _REGISTRATIONS.items() if number != "203"},
    **{name: f"ISO 2022 IR {number}" for number, name in _EXTENSIONS.items()},
    "Chinese": "GB18030",
}

_KNOWN_TERMS = {
    **{term: term for term in _TERMS_OF.values()},
    **{
        f"ISO 2022 IR {number}": f"ISO_IR {number}"
        for number in set(_REGISTRATIONS) - {"192", "203"}
    },
    "GBK": "GB18030",
}

# What writers make of a term, and the names that the rest of the world has for the same sets.
_TERM = re.compile(r"ISO[ _-]?(?:(2022)[ _-]?)?IR[ _-]?([0-9]+)")
_ISO_8859 = re.compile(r"ISO[ _-]?8859[ _-]([0-9]+)")
_PARTS = {
    "1": "Latin1",
    "2": "Latin2",
    "3": "Latin3",
    "4": "Latin4",
    "5": "Cyrillic",
    "6": "Arabic",
    "7": "Greek",
    "8": "Hebrew",
    "9": "Latin5",
    "11": "Thai",
    "15": "Latin9",
}
_ALIASES = {
    "ASCII": "Ascii",
    "US-ASCII": "Ascii",
    "UTF-8": "Utf8",
    "UTF8": "Utf8",
    "UTF_8": "Utf8",
    "LATIN1": "Latin1",
    "GB2312": "SimplifiedChinese",
    "EUC-KR": "Korean",
    "SHIFT_JIS": "Japanese",
    "SHIFT-JIS": "Japanese",
}

_CODECS = {
    "Latin1": "latin-1",
    "Latin2": "iso8859-2",
    "Latin3": "iso8859-3",
    "Latin4": "iso8859-4",
    "Latin5": "iso8859-9",
    "Latin9": "iso8859-15",
    "Cyrillic": "iso8859-5",
    "Windows1251": "cp1251",
    "Arabic": "iso8859-6",
    "Greek": "iso8859-7",
    "Hebrew": "iso8859-8",
    "Thai": "iso8859-11",
    "Japanese": "shift-jis",
    "Chinese": "gb18030",
    "Korean": "cp949",  # KS X 1001 and the syllables that it lacks
    "SimplifiedChinese": "gb2312",
}

# VRs whose text is one value: there the Japanese code of the backslash is a yen sign.
_SINGLE_VALUED = frozenset({"ST", "LT", "UT"})

WHITE_SPACE = b" \t\n\v\f\r"

_NOT_ASCII = re.compile(rb"[^\x20-\x7e\n]")
_ISO_2022_CONTROLS = re.compile(
    "[\x0e\x0f]|\x1b[nNoO|}~]|\x1b[\x20-\x2f]+[\x30-\x7f]|\x8e\x1bN|\x8f\x1bO"
)

# TIS-620 has none of these.
_NOT_THAI = bytes(range(0x80, 0xA1))

# GB 18030 of 2005 and iconv have characters for 25 codes that Python gives to private use.
_PRIVATE_USE = (
    "\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7\ue816\ue817"
    "\ue818\ue81e\ue826\ue82b\ue82c\ue831\ue832\ue83b\ue843\ue854\ue855\ue864"
)
_ASSIGNED = (
    "\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f\U00020087\U00020089"
    "\U000200cc\u9fb4\u9fb5\u9fb6\u9fb7\U000215d7\u9fb8\U0002298f\u9fb9\u9fba\U000241fe\u9fbb"
)
_ASSIGNED_CODES = str.maketrans(_PRIVATE_USE, _ASSIGNED)


@lru_cache(256)
def character_set_of(specific_character_set: bytes | None, default: str) -> CharacterSet:
    """The character set that a raw value of (0008,0005) announces; `default` where it says
    nothing, ASCII for a term that nobody knows."""
    if specific_character_set is None:
        return CharacterSet(default)
    text = specific_character_set.split(b"\0")[0].decode("latin-1")
    terms = [term.strip() for term in text.split("\\")]
    extended = len(terms) > 1
    first = next(filter(None, terms), None)
    return CharacterSet(default if first is None else _set_of_term(first.upper()), extended)


def term_of(character_set: str) -> str | None:
    """The defined term with which a data set announces a character set, None where there is none.
    Source: DICOM PS3.3 C.12.1.1.2."""
    return _TERMS_OF.get(character_set)


def known_term(text: str) -> str | None:
    """The same for a term: in upper case, without code extensions. None for a term that Orthanc
    does not know, and for several."""
    return _KNOWN_TERMS.get(text.strip().upper())


def _set_of_term(term: str) -> str:
    match = _TERM.fullmatch(term)
    if match is not None:
        found = _REGISTRATIONS.get(match[2])
        return found or (_EXTENSIONS.get(match[2], "Ascii") if match[1] else "Ascii")
    match = _ISO_8859.fullmatch(term)
    if match is not None:
        return _PARTS.get(match[1], "Ascii")
    return _OTHER_TERMS.get(term) or _ALIASES.get(term, "Ascii")


def trimmed(raw: bytes, vr: str) -> bytes:
    """A text value without its padding: blanks and NULs at the end, in a UI white space anywhere.
    As DCMTK 3.7 has it in memory, and Orthanc with it."""
    if vr == "UI":
        raw = raw.translate(None, WHITE_SPACE)
    return raw.rstrip(b" \0")


def without_padding(raw: bytes, vr: str) -> bytes:
    """The bytes of a text value that are shown: of what is left without padding a NUL ends it."""
    return trimmed(raw, vr).split(b"\0", 1)[0]


def ascii_text(raw: bytes, vr: str) -> str:
    """A value of one of the VRs for which no character set matters, without padding and without
    blanks before it."""
    return without_padding(raw, vr).decode("latin-1").strip(" ")


def decode(raw: bytes, character_set: CharacterSet, vr: str | None = None) -> str:
    """The text of a value; whatever is no valid text is left out."""
    name = character_set.name
    if name == "JapaneseKanji":
        return iso_2022.Decoder(iso_2022.JAPANESE, vr, _decode).decode(raw)
    if character_set.extended and name not in ("Utf8", "Chinese"):
        g0: iso_2022.G0 = "JIS X 0201 Roman" if name == "Japanese" else "ASCII"
        return iso_2022.Decoder(iso_2022.Sets(g0, name), vr, _decode).decode(raw)
    text = _decode(raw, name)
    if name == "Japanese":
        text = text.replace("~", "\u203e")
        return text.replace("\\", "\u00a5") if vr in _SINGLE_VALUED else text
    return _ISO_2022_CONTROLS.sub("", text) if character_set.extended else text


def encode(text: str, character_set: CharacterSet) -> bytes:
    """The bytes of a text; characters that the set does not have are left out. As Orthanc, in the
    first of several sets only."""
    name = character_set.name
    if name == "Utf8":
        return text.encode("utf-8", "ignore")
    if name == "JapaneseKanji":
        return text.encode("iso2022_jp_1", "ignore")
    return text.encode(_CODECS.get(name, "ascii"), "ignore")


def _decode(raw: bytes, name: str) -> str:
    """Bytes of one character set, of which those below 0x80 are ASCII."""
    if name == "Utf8":
        return _decode_utf8(raw)
    if name == "Ascii":
        return _NOT_ASCII.sub(b"", raw).decode("ascii")
    if name == "Thai":
        raw = raw.translate(None, _NOT_THAI)
    text = raw.decode(_CODECS[name], "ignore")
    return text.translate(_ASSIGNED_CODES) if name == "Chinese" else text


def _decode_utf8(raw: bytes) -> str:
    """Strict UTF-8; otherwise a lead byte without its continuation swallows the byte that
    follows."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(_lenient_utf8(raw))


def _lenient_utf8(raw: bytes) -> "list[str]":
    found: list[str] = []
    at, end = 0, len(raw)
    while at < end:
        lead = raw[at]
        if lead < 0x80:
            found.append(chr(lead))
            at += 1
            continue
        length = 2 if 0xC2 <= lead <= 0xDF else 3 if lead >> 4 == 0xE else 4
        if not 0xC2 <= lead <= 0xF4:
            at += 1
            continue
        if at + length > end and all(byte >> 6 == 2 for byte in raw[at + 1 :]):
            break  # an incomplete tail ends the string
        good = 1
        while good < length and at + good < end and raw[at + good] >> 6 == 2:
            good += 1
        if good < length:
            at += good + 1
            continue
        # Overlong forms and surrogates are dropped whole.
        found.append(raw[at : at + length].decode("utf-8", "ignore"))
        at += length
    return found
