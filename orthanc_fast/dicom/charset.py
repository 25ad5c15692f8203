"""DICOM's character sets as Orthanc reads them: text of one data set into Unicode.

The set comes from (0008,0005) of the root data set, its first non-empty component decides, and
bytes that are not valid in it are skipped. Source: reference chapter 2, section 2.
"""

import re

import msgspec


class Charset(msgspec.Struct, frozen=True, gc=False):
    """The character set in force. `extended`: more than one component, so ISO 2022 controls are
    removed from the decoded text."""

    name: str
    extended: bool = False


_TERMS = {
    "ISO_IR 6": "Ascii",
    "ISO_IR 192": "Utf8",
    "ISO_IR 100": "Latin1",
    "ISO_IR 101": "Latin2",
    "ISO_IR 109": "Latin3",
    "ISO_IR 110": "Latin4",
    "ISO_IR 148": "Latin5",
    "ISO_IR 144": "Cyrillic",
    "ISO_IR 127": "Arabic",
    "ISO_IR 126": "Greek",
    "ISO_IR 138": "Hebrew",
    "ISO_IR 166": "Thai",
    "ISO_IR 13": "Japanese",
    "GB18030": "Chinese",
    "GBK": "Chinese",
    "ISO 2022 IR 149": "Korean",
    "ISO 2022 IR 87": "JapaneseKanji",
    "ISO 2022 IR 58": "SimplifiedChinese",
}
_TERMS |= {
    "ISO 2022 IR" + term.removeprefix("ISO_IR"): name
    for term, name in list(_TERMS.items())
    if term.startswith("ISO_IR")
}

_CODECS = {
    "Latin1": "latin-1",
    "Latin2": "iso8859-2",
    "Latin3": "iso8859-3",
    "Latin4": "iso8859-4",
    "Latin5": "iso8859-9",
    "Cyrillic": "iso8859-5",
    "Windows1251": "cp1251",
    "Arabic": "iso8859-6",
    "Greek": "iso8859-7",
    "Hebrew": "iso8859-8",
    "Thai": "tis-620",
    "Japanese": "shift-jis",
    "Chinese": "gb18030",
    "Korean": "euc-kr",
    "JapaneseKanji": "iso2022-jp",
    "SimplifiedChinese": "gb2312",
}

# VRs whose text is one value: there the Japanese code of the backslash is a yen sign.
_SINGLE_VALUED = frozenset({"ST", "LT", "UT"})

WHITE_SPACE = b" \t\n\v\f\r"

_NOT_ASCII = re.compile(rb"[^\x20-\x7e\n]")
_ISO_2022_CONTROLS = re.compile(
    "[\x0e\x0f]|\x1b[nNoO|}~]|\x1b[\x20-\x2f]+[\x30-\x7f]|\x8e\x1bN|\x8f\x1bO"
)


def charset_of(specific_character_set: bytes | None, default: str) -> Charset:
    """The character set that a raw value of (0008,0005) announces; `default` where it says
    nothing."""
    if specific_character_set is None:
        return Charset(default)
    text = specific_character_set.split(b"\0")[0].decode("latin-1")
    components = [component.strip() for component in text.split("\\")]
    extended = len(components) > 1
    for component in components:
        if component:
            term = component.upper()
            term = term.replace("ISO_2022_IR_", "ISO 2022 IR ").replace("ISO_IR_", "ISO_IR ")
            return Charset(_TERMS.get(term, "Ascii"), extended)
    return Charset(default, extended)


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


def decode(raw: bytes, charset: Charset, vr: str | None = None) -> str:
    """The text of a value; whatever is no valid text is left out."""
    name = charset.name
    if name == "Ascii":
        text = _NOT_ASCII.sub(b"", raw).decode("ascii")
        return text
    if name == "Utf8":
        text = _decode_utf8(raw)
    elif name == "Japanese":
        text = raw.decode("shift-jis", "ignore").replace("~", "\u203e")
        if vr in _SINGLE_VALUED:
            text = text.replace("\\", "\u00a5")
    else:
        text = raw.decode(_CODECS[name], "ignore")
    if charset.extended:
        text = _ISO_2022_CONTROLS.sub("", text)
    return text


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
