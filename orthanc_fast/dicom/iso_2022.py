"""Texts with code extensions: escape sequences that switch between character sets within a value.

Source: DICOM PS3.5 section 6.1.2.5, PS3.3 C.12.1.1.2; ISO/IEC 2022. A set is designated to G0
(bytes 0x21 to 0x7E) or to G1 (from 0xA1). Those of G1 are named as in `character_sets`.
"""

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

# ASCII, the Japanese variant of it and katakana have one byte for each character, the others two.
G0 = Literal["ASCII", "JIS X 0201 Roman", "JIS X 0201 katakana", "JIS X 0208", "JIS X 0212"]

_TO_G0: Final[dict[bytes, G0]] = {
    b"(B": "ASCII",
    b"(J": "JIS X 0201 Roman",
    b"(I": "JIS X 0201 katakana",
    b"$@": "JIS X 0208",
    b"$B": "JIS X 0208",
    b"$(D": "JIS X 0212",
}
_TO_G1: Final = {
    b"-A": "Latin1",
    b"-B": "Latin2",
    b"-C": "Latin3",
    b"-D": "Latin4",
    b"-F": "Greek",
    b"-G": "Arabic",
    b"-H": "Hebrew",
    b"-L": "Cyrillic",
    b"-M": "Latin5",
    b"-T": "Thai",
    b"-b": "Latin9",
    b")I": "Japanese",
    b"$)A": "SimplifiedChinese",
    b"$)C": "Korean",
}

# Escape sequences, known or not, and the controls that shift: none of them is text.
_CONTROLS = re.compile(
    rb"\x1b(\$[@B]|[\x20-\x2f]+[\x30-\x7f]|[nNoO|}~])|[\x0e\x0f]|\x8e\x1bN|\x8f\x1bO"
)
# What brings the initial sets back: line ends in every VR, separators of values and of names.
_LINE_ENDS = re.compile(rb"[\t\n\f\r]")
_IN_VALUES = re.compile(rb"[\t\n\f\r\\]")
_IN_NAMES = re.compile(rb"[\t\n\f\r\\^=]")
_RESETS: Final = {"PN": _IN_NAMES, "ST": _LINE_ENDS, "LT": _LINE_ENDS, "UT": _LINE_ENDS}

_ROMAN = str.maketrans({"~": "\u203e", "\\": "\u00a5"})
# What a codec of Python's reads in the same way, and faster.
_PLAIN_JAPANESE = re.compile(rb"(?:[^\x0e\x0f\x1b]|\x1b(?:\$[@B]|\$\(D|\(B))*+")
# Six characters of JIS X 0208 that CP932, and Orthanc, have in their wide form.
_AS_CP932 = str.maketrans("\u301c\u2016\u2212\xa2\xa3\xac", "\uff5e\u2225\uff0d\uffe0\uffe1\uffe2")
_TO_UPPER_HALF = bytes(byte | 0x80 if 0x21 <= byte <= 0x5F else byte for byte in range(256))


class Sets(NamedTuple):
    """What is designated; None: bytes from 0x80 are no text."""

    g0: G0
    g1: str | None


# What is in force before the first escape sequence of ISO 2022 IR 87.
JAPANESE: Final = Sets("ASCII", None)


class Decoder:
    """Decodes one value. `decode_g1` is given bytes of which those below 0x80 are ASCII, and the
    name of the set of the others; it leaves out what is not valid."""

    def __init__(
        self, initial: Sets, vr: str | None, decode_g1: Callable[[bytes, str], str]
    ) -> None:
        self._initial = initial
        self._resets = _RESETS.get(vr or "", _IN_VALUES)
        self._decode_g1 = decode_g1
        self._parts: list[str] = []

    def decode(self, raw: bytes) -> str:
        """The text, without escape sequences and without what is not valid."""
        sets = self._initial
        if sets == JAPANESE and _PLAIN_JAPANESE.fullmatch(raw):
            try:
                return raw.decode("iso2022_jp_1").translate(_AS_CP932)
            except UnicodeDecodeError:  # characters of NEC or IBM, or something not valid
                pass
        if sets.g0 == "ASCII" and sets.g1 is not None and not _switches(raw, sets):
            return self._decode_g1(_CONTROLS.sub(b"", raw), sets.g1)
        at = 0
        for control in _CONTROLS.finditer(raw):
            sets = self._run(raw[at : control.start()], sets)
            sets = _designated(control[1] or b"", sets)
            at = control.end()
        self._run(raw[at:], sets)
        return "".join(self._parts)

    def _run(self, raw: bytes, sets: Sets) -> Sets:
        """Bytes without escape sequences; returns what is designated behind them."""
        initial = self._initial
        # Where nothing was in G1 at first, nothing speaks against what is there now.
        anew = Sets(initial.g0, initial.g1 or sets.g1)
        at = 0
        while True:
            is_double = sets.g0 in ("JIS X 0208", "JIS X 0212")
            # A separator of values or names may be half a character there; a line end cannot.
            separator = (_LINE_ENDS if is_double else self._resets).search(raw, at)
            end = len(raw) if separator is None else separator.start()
            self._parts.append(self._text(raw[at:end], sets))
            if separator is None:
                return sets
            self._parts.append(separator[0].decode("ascii"))
            at, sets = separator.end(), anew

    def _text(self, raw: bytes, sets: Sets) -> str:
        if sets.g0 == "JIS X 0208":
            return _jis_x_0208(raw)
        if sets.g0 == "JIS X 0212":
            return (b"\x1b$(D" + raw).decode("iso2022_jp_2", "ignore")
        if sets.g0 == "JIS X 0201 katakana":
            return self._decode_g1(raw.translate(_TO_UPPER_HALF), "Japanese")
        g1 = sets.g1
        text = raw.decode("ascii", "ignore") if g1 is None else self._decode_g1(raw, g1)
        return text.translate(_ROMAN) if sets.g0 == "JIS X 0201 Roman" else text


def _switches(raw: bytes, sets: Sets) -> bool:
    """Whether any escape sequence designates what is not there already; most do not."""
    return any(_designated(each, sets) != sets for each in set(_CONTROLS.findall(raw)))


def _designated(sequence: bytes, sets: Sets) -> Sets:
    """After an escape sequence, of which the first byte is left out."""
    return Sets(_TO_G0.get(sequence, sets.g0), _TO_G1.get(sequence, sets.g1))


def _jis_x_0208(raw: bytes) -> str:
    """Pairs of 7-bit codes, among them the characters of NEC and IBM that CP932 has; blanks and
    controls stand alone."""
    found = []
    at = 0
    while at < len(raw):
        pair = raw[at : at + 2]
        if len(pair) == 2 and all(0x21 <= byte <= 0x7E for byte in pair):
            found.append(_shift_jis(*pair).decode("cp932", "replace"))
            at += 2
        else:
            if pair[0] <= 0x20:
                found.append(chr(pair[0]))
            at += 1
    return "".join(text for text in found if text[0] != "\ufffd")


def _shift_jis(row: int, cell: int) -> bytes:
    """The code of a character of JIS X 0208 in Shift JIS."""
    lead = (row - 0x21 >> 1) + (0x81 if row < 0x5F else 0xC1)
    if row & 1:
        return bytes((lead, cell + (0x20 if cell >= 0x60 else 0x1F)))
    return bytes((lead, cell + 0x7E))
