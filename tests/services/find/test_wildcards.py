"""Patterns with `*` and `?`, against the plain definition of what they mean."""

import time
from functools import cache
from itertools import groupby
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_fast._ext.wildcards import counts, pack
from orthanc_fast.errors import ParameterOutOfRange
from orthanc_fast.index.terms import HEAD_SIZE, MAX_KEY
from orthanc_fast.services.find.matching import Wildcard

PATTERNS = st.text("AB.\\[*?É", max_size=8)
VALUES = st.text("AB.\\[É", max_size=10)


def matches(pattern: str, value: str) -> bool:
    @cache
    def at(i: int, j: int) -> bool:
        if i == len(pattern):
            return j == len(value)
        if pattern[i] == "*":
            return at(i + 1, j) or (j < len(value) and at(i, j + 1))
        return j < len(value) and pattern[i] in ("?", value[j]) and at(i + 1, j + 1)

    return at(0, 0)


@given(PATTERNS, VALUES)
def test_values(pattern: str, value: str) -> None:
    wildcard = Wildcard(pattern, identifier=False, case_sensitive=True)
    assert wildcard.indexed(value) == matches(pattern, value)
    assert wildcard.exact(value) == matches(pattern, value)


@given(PATTERNS, VALUES, st.sampled_from([b"", b"\0other spelling"]))
def test_keys_of_the_index(pattern: str, value: str, spelling: bytes) -> None:
    wildcard = Wildcard(pattern, identifier=False, case_sensitive=False)
    key = bytes(HEAD_SIZE) + value.encode() + spelling
    cut = bytes(MAX_KEY)
    found = wildcard._pattern.matching([key, cut], MAX_KEY)
    assert found == ([key, cut] if matches(pattern, value) else [cut])


@given(PATTERNS, st.lists(st.tuples(VALUES, st.sampled_from([b"", b"\0other spelling"]))))
def test_rows_of_the_index(pattern: str, values: list[tuple[str, bytes]]) -> None:
    wildcard = Wildcard(pattern, identifier=False, case_sensitive=False)
    cut = (bytes(MAX_KEY), b"c" * 20)
    rows = [cut] + [
        (bytes(HEAD_SIZE) + value.encode() + spelling, number.to_bytes(20, "big"))
        for number, (value, spelling) in enumerate(values)
    ]
    unknown: list[bytes] = []
    found = wildcard._pattern.members(pack(rows), MAX_KEY, unknown)
    expected = [
        number.to_bytes(20, "big")
        for number, (value, _) in enumerate(values)
        if matches(pattern, value)
    ]
    assert found == b"".join(expected)
    assert unknown == [cut[0]]
    assert counts(pack(rows)) == (len(rows), len(list(groupby(rows, key=itemgetter(0)))))


def test_neighbours_of_one_key_are_counted_once() -> None:
    a, b = b"a" * 20, b"b" * 20
    assert counts(pack([(b"x", a), (b"x", b), (b"xy", a), (b"x", b)])) == (4, 3)
    assert counts(b"") == (0, 0)


@pytest.mark.parametrize("rows", [b"\0", b"\0\1", b"\0\1x" + bytes(19), b"\xff\xff" + bytes(40)])
def test_rows_that_end_early(rows: bytes) -> None:
    with pytest.raises(ValueError, match="in its middle"):
        counts(rows)
    with pytest.raises(ValueError, match="in its middle"):
        Wildcard("A*", identifier=False, case_sensitive=False)._pattern.members(rows, MAX_KEY, [])


def test_many_stars_cost_no_power_of_the_length() -> None:
    wildcard = Wildcard("*A" * 30 + "*B", identifier=False, case_sensitive=True)
    began = time.process_time()
    assert not wildcard.exact("A" * 250)
    assert time.process_time() - began < 60, "the naive expression takes years"


@pytest.mark.parametrize("pattern", ["*?" * 129, "*A" * 257, "?" * 257])
def test_too_many_wildcards(pattern: str) -> None:
    """A pattern of 40 KB took seconds to compile, while nothing else went on."""
    with pytest.raises(ParameterOutOfRange, match="256 wildcards at most"):
        Wildcard(pattern, identifier=False, case_sensitive=False)
    assert Wildcard(pattern[:256], identifier=False, case_sensitive=False)
