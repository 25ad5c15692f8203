"""Bytes looked for by compiled code: what `bytes.find` finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthanc_fast._ext.buffers import find

LETTERS = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"B"]), max_size=200).map(b"".join)
SOUGHT = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"B"]), min_size=1, max_size=40).map(
    b"".join
)


@given(LETTERS, SOUGHT, st.integers(0, 250))
@settings(max_examples=500, deadline=None)
def test_finds_what_is_there_by_chance(data: bytes, sought: bytes, start: int) -> None:
    assert find(data, sought, start) == data.find(sought, start)


@given(LETTERS, SOUGHT, LETTERS, st.integers(0, 3))
@settings(max_examples=500, deadline=None)
def test_finds_what_was_put_there(before: bytes, sought: bytes, after: bytes, place: int) -> None:
    """At any place, also at the very end, in a buffer that begins and ends anywhere in memory."""
    data = before + sought + after
    found = find(memoryview(data)[place:], sought)
    assert found == data[place:].find(sought)
    assert find(bytearray(data), sought) == data.find(sought)


def test_nothing_is_not_looked_for() -> None:
    with pytest.raises(ValueError, match="from a place"):
        find(b"abc", b"")
    with pytest.raises(ValueError, match="from a place"):
        find(b"abc", b"a", -1)
