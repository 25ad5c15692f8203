"""What QIDO-RS asks of values beyond C-FIND: names as people type them, empty values, several
values, values in sequences. Source: PS3.4 sections C.2.2.2.1.1, C.2.2.2.6 to C.2.2.2.8; PS3.18
section 8.3.4.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from orthanc_fast.dicom.dictionary import tag_text
from orthanc_fast.index.contract import Search
from orthanc_fast.index.terms import HEAD_SIZE, MAX_KEY, Kind, fold, folded_of, value_of
from orthanc_fast.services.find.matching import Keys, Matcher, wildcard_expression

# Between the words of a name: blanks, components, groups, what joins double names.
_BREAK = "\\s^=,.'\u2019\\\\-"
# What the decomposed letters of names consist of beside the letters.
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]+"
)
# More words than a name has ask for no more.
_WORDS = 32


class Empty(Matcher):
    """The attribute is empty, or not there at all."""

    finds_absent = True

    def __init__(self) -> None:
        super().__init__(identifier=False, case_sensitive=False)

    def indexed(self, value: str) -> bool:
        return self.exact(value)

    def exact(self, value: str) -> bool:
        return not value.strip()


class AllOf(Matcher):
    """Each of the values is one of the attribute's, in any order."""

    walks = True

    def __init__(self, values: Sequence[str], case_sensitive: bool) -> None:
        super().__init__(identifier=False, case_sensitive=case_sensitive)
        self._wanted = {self._second(value) for value in values}

    def indexed(self, value: str) -> bool:
        return True

    def exact(self, value: str) -> bool:
        return self._wanted <= {self._second(item) for item in value.split("\\")}

    def _candidates(self, search: Search, kind: Kind, level: int, number: int) -> list[bytes]:
        return search.between(kind, level, number)


class FuzzyName(Matcher):
    """A person's name: each word asked for begins a word of the name, in any order and group,
    whatever the case and the accents; or the pattern as it stands covers the name. `*` and `?` are
    wildcards in both."""

    walks = True

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__(identifier=False, case_sensitive=False)
        expression = "|".join(map(_name_expression, patterns))
        # What a name must have anyway: few have it, and it is found faster.
        literals = [piece for word in _words(patterns[0]) for piece in re.split("[*?]", word)]
        self._needle = max(literals, key=len, default="") if len(patterns) == 1 else ""
        self._match = re.compile(expression, re.S).match
        self._key_match = re.compile(expression.encode("utf-8"), re.S).match

    def indexed(self, value: str) -> bool:
        return True

    def exact(self, value: str) -> bool:
        return self._match(plain(value)) is not None

    def keys(self, search: Search, kind: Kind, level: int, number: int) -> Keys:
        sure, cut, foreign = [], [], []
        match, needle = self._key_match, self._needle.encode()
        for key in search.between(kind, level, number):
            value = key[HEAD_SIZE:]
            if len(key) >= MAX_KEY:
                cut.append(key)
            elif not value.isascii():
                foreign.append(key)
            elif needle in value and match(value):
                # There are no accents to be removed. Behind the folded value the true one may
                # follow, of which nothing else can match.
                sure.append(key)
        return Keys(sure + self._foreign(foreign), cut)

    def _foreign(self, keys: list[bytes]) -> list[bytes]:
        """Those of keys beyond ASCII that match; the accents of all are removed at once."""
        joined = b"\n".join(map(folded_of, keys)).decode("utf-8", "replace")
        values = plain(joined).split("\n")
        if len(values) != len(keys):  # some have line feeds
            values = [plain(value_of(key) or "") for key in keys]
        match, needle = self._match, self._needle
        return [
            key for key, value in zip(keys, values, strict=True) if needle in value and match(value)
        ]


class InSequence(Matcher):
    """Some item of a sequence has a value that matches; `path` leads from the item down."""

    def __init__(self, path: Sequence[int], inner: Matcher) -> None:
        super().__init__(identifier=False, case_sensitive=False)
        self._path = tuple(map(tag_text, path))
        self._inner = inner

    def meets(self, sequence: Mapping[str, Any] | None) -> bool:
        """Whether it does in a sequence of the Full format, or None where there is none."""
        return self._meets(sequence, 0)

    def _meets(self, element: Mapping[str, Any] | None, depth: int) -> bool:
        if depth == len(self._path):
            value = None if element is None else element["Value"]
            if value is None:
                return self._inner.finds_absent
            return isinstance(value, str) and self._inner.exact(value)
        items = None if element is None else element["Value"]
        if not isinstance(items, list):
            return False
        name = self._path[depth]
        return any(self._meets(item.get(name), depth + 1) for item in items)


def plain(text: str) -> str:
    """In upper case without accents."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return fold(text)


def _words(pattern: str) -> list[str]:
    words = re.split(f"[{_BREAK}]+", plain(pattern))
    return list(dict.fromkeys(filter(None, words)))[:_WORDS]


def _name_expression(pattern: str) -> str:
    text, words = plain(pattern), _words(pattern)
    ahead = "".join(f"(?=(?:.*[{_BREAK}])?{wildcard_expression(word)})" for word in words)
    whole = wildcard_expression(text) + r"(?:\0|\Z)"
    return f"(?:{ahead}|{whole})" if words else whole
