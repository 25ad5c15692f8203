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
from orthanc_fast.index.terms import MAX_KEY, Kind, fold, folded_of, value_of
from orthanc_fast.services.find.matching import Keys, Matcher, wildcard_expression

# Between the words of a name: blanks, components, groups, what joins double names.
_BREAK = "\\s^=,.'\u2019\\\\-"
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
        self._match = re.compile(expression, re.S).match
        self._key_match = re.compile(expression.encode("utf-8"), re.S).match

    def indexed(self, value: str) -> bool:
        return True

    def exact(self, value: str) -> bool:
        return self._match(plain(value)) is not None

    def keys(self, search: Search, kind: Kind, level: int, number: int) -> Keys:
        sure, cut = [], []
        for key in search.between(kind, level, number):
            folded = folded_of(key)
            if len(key) >= MAX_KEY:
                cut.append(key)
            elif folded.isascii():  # so is the value: there are no accents to be removed
                if self._key_match(folded):
                    sure.append(key)
            elif self.exact(value_of(key) or ""):
                sure.append(key)
        return Keys(sure, cut)


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
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c))
    return fold(text)


def _name_expression(pattern: str) -> str:
    text = plain(pattern)
    words = list(dict.fromkeys(filter(None, re.split(f"[{_BREAK}]+", text))))[:_WORDS]
    ahead = "".join(f"(?=(?:.*[{_BREAK}])?{wildcard_expression(word)})" for word in words)
    whole = wildcard_expression(text) + r"\Z"
    return f"(?:{ahead}|{whole})" if words else whole
