"""multipart/related split while it arrives: the same parts, however the bytes are cut."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import multipart_target
from support.multipart_target import SEEDS, Parsed, Part, cut, target

from orthanc_fast.multipart import (
    MAXIMUM_HEADER,
    MAXIMUM_PADDING,
    MAXIMUM_PREAMBLE,
    RelatedParser,
)


def parsed(pieces: list[bytes], boundary: bytes = b"BB") -> Parsed:
    return multipart_target.parsed(RelatedParser(boundary), pieces, boundary)


# Bytes of which bodies are made that are nearly right.
TOKENS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b" \r\n", b" ", b"\t", b"-", b"B", b"A: b"]
)
BOUNDARIES = st.sampled_from(
    [b"--BB", b"--BB--", b"--BB\r\n", b"\r\n--BB", b"\n--BB\n", b"--BBx", b"\r\n--BB\r\n"]
)
BODIES = st.lists(st.one_of(TOKENS, BOUNDARIES), max_size=30).map(b"".join)


@given(
    st.lists(st.one_of(TOKENS, BOUNDARIES), max_size=30).map(b"".join),
    st.lists(st.integers(0, 200), max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_any_body_is_the_same_however_it_is_cut(body: bytes, places: list[int]) -> None:
    whole = parsed([body])
    assert parsed(cut(body, places)) == whole
    assert parsed([body[at : at + 1] for at in range(len(body))]) == whole


CONTENT = st.lists(
    st.one_of(st.binary(max_size=20), st.sampled_from([b"\r\n--B", b"\r\n", b"--BB", b"\r\n--BBx"]))
).map(b"".join)


@given(
    st.lists(CONTENT, max_size=5),
    st.lists(st.integers(0, 500), max_size=8),
    st.sampled_from([b"", b"preamble", b"\r\n", b"--B\r\n", b"--BBno\r\n"]),
    st.sampled_from([b"", b"\r\n", b"\r\nepilogue\r\n--BB\r\n"]),
)
@settings(max_examples=150, deadline=None)
def test_what_was_joined_is_split_again(
    contents: list[bytes], places: list[int], preamble: bytes, epilogue: bytes
) -> None:
    contents = [each for each in contents if not is_delimited(each)]
    start = preamble + b"\r\n" if preamble else b""
    parts = b"".join(b"--BB\r\nA: b\r\n\r\n" + each + b"\r\n" for each in contents)
    body = start + parts + b"--BB--" + epilogue
    expected = [([(b"a", b"b")], each) for each in contents]
    assert parsed(cut(body, places)) == (expected, "")


def is_delimited(content: bytes) -> bool:
    """Whether a boundary is in it: those of the strategy are none but by chance."""
    text = b"\r\n" + content + b"\r\n"
    return any(b"\r\n--BB" + end in text for end in (b"--", b" ", b"\t", b"\r\n", b"\n"))


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"--BB--", []),
        (b"\r\n--BB--\r\n", []),
        (b"--BB\r\n\r\n--BB--", [([], b"")]),
        (b"--BB\r\n\r\nabc\r\n--BB--", [([], b"abc")]),
        (b"--BB\r\n\r\n\r\n--BB--", [([], b"")]),
        (b"--BB\n\nabc\n--BB\nX:y\n\nd\r\n--BB--", [([], b"abc"), ([(b"x", b"y")], b"d\r")]),
        (b"--BB\r\nX:y\n\nabc\n--BB--\r\n--BB--", [([(b"x", b"y")], b"abc\n--BB--")]),
        (b"--BB\r\nX: a\r\n\tb\r\nno field\r\n\r\nc\r\n--BB--", [([(b"x", b"a b")], b"c")]),
        (b"x--BB\r\n\r\nabc\r\n--BB  \r\n\r\n\r\n\r\n--BB--", [([], b"\r\n")]),
    ],
)
def test_bodies(body: bytes, parts: list[Part]) -> None:
    assert parsed([body]) == (parts, "")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "no boundary"),
        (b"abc\r\n--B\r\n", "no boundary"),
        (b"--BB", "no boundary"),
        (b"--BB\r\n\r\nabc", "cut off"),
        (b"--BB\r\n\r\nabc\r\n--BB", "cut off"),
        (b"--BB\r\n\r\nabc\r\n--BB-", "cut off"),
        (b"--BB\r\nX: y\r\n", "cut off"),
        (b"--BB\r\nX: y\r\n--BB--", "no end"),
        (b"--BB\r\n--BB--", "no end"),
        (b"--BB\r\n" + b"h" * (MAXIMUM_HEADER + 10), "too long"),
        (b"--BB\r\n" + b"h" * (MAXIMUM_HEADER + 10) + b"\r\n\r\n", "too long"),
        (b"--BB" + b" " * (MAXIMUM_PADDING + 10), "blanks"),
        (b"p" * (MAXIMUM_PREAMBLE + 10), "64 KB"),
        (b"p" * (MAXIMUM_PREAMBLE + 10) + b"\r\n--BB\r\n\r\nabc\r\n--BB--", "64 KB"),
    ],
)
def test_bodies_that_are_wrong(body: bytes, error: str) -> None:
    for pieces in ([body], [body[at : at + 100] for at in range(0, len(body), 100)]):
        assert error in parsed(pieces)[1]


def test_nothing_is_held_but_a_header_and_a_boundary() -> None:
    parser = RelatedParser(b"b" * 70)
    assert not list(parser.feed(b"preamble" * 8_000))
    list(parser.feed(b"\r\n--" + b"b" * 70 + b"\r\nA: b\r\n\r\n"))
    size = 0
    for _ in range(100):
        size += sum(len(event or b"") for event in parser.feed(b"\r\n--bbb" * 10_000))
    assert 7_000_000 - 100 <= size <= 7_000_000


@pytest.mark.parametrize(
    "piece",
    [b"\r\n--" + b"b" * 69 + b"c", b"\r\n--" + b"b" * 70 + b"c", b"\r\n", b"-", b"\r\n--"],
    ids=["near", "continued", "line ends", "dashes", "starts"],
)
@pytest.mark.parametrize("size", [70, 10_000])
def test_time_grows_with_the_body_only(piece: bytes, size: int) -> None:
    """Contents that are as near to the boundary as can be."""
    piece = piece.replace(b"b" * 69, b"b" * (size - 1))
    boundary = b"b" * size

    def seconds(total: int) -> float:
        parser = RelatedParser(boundary)
        list(parser.feed(b"--" + boundary + b"\r\n\r\n"))
        chunk = piece * (100_000 // len(piece))
        began = time.process_time()
        for _ in range(total // len(chunk)):
            for _ in parser.feed(chunk):
                pass
        return time.process_time() - began

    assert seconds(20_000_000) < 5.0  # a quadratic search takes minutes


def test_large_contents_in_pieces_of_any_size() -> None:
    source = random.Random(7)
    contents = [
        bytes(source.choices(b"\r\n-B", k=5000)).replace(b"\r\n--BB", b"") for _ in range(20)
    ]
    body = b"".join(b"--BB\r\n\r\n" + each + b"\r\n" for each in contents) + b"--BB--\r\n"
    places = [source.randrange(len(body)) for _ in range(60)]
    assert parsed(cut(body, places)) == ([([], each) for each in contents], "")


def test_a_preamble_of_any_length_below_the_bound() -> None:
    for length in (MAXIMUM_PREAMBLE - 300, MAXIMUM_PREAMBLE - 20):
        body = b"p" * length + b"\r\n--BB\r\n\r\nabc\r\n--BB--"
        for pieces in ([body], [body[at : at + 777] for at in range(0, len(body), 777)]):
            assert parsed(pieces) == ([([], b"abc")], "")


def test_the_seeds_of_the_fuzzer() -> None:
    for seed in SEEDS:
        target(seed)
        for at in range(8, len(seed)):
            target(seed[:at] + seed[at + 1 :])
