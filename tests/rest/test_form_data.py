"""Forms split while they arrive: the same parts, however the bytes are cut."""

import random

import pytest

from orthanc_fast.errors import BadRequest
from orthanc_fast.multipart import MAXIMUM_HEADER, Event
from orthanc_fast.rest.form_data import FormParser, boundary
from orthanc_fast.rest.response import HeaderField

Part = tuple[list[HeaderField], bytes]


def parsed(pieces: list[bytes], separator: bytes = b"BB") -> list[Part]:
    """The complete parts."""
    parser = FormParser(separator)
    events: list[Event] = [event for piece in pieces for event in parser.feed(piece)]
    found: list[Part] = []
    headers: list[HeaderField] = []
    content = b""
    for event in events:
        if isinstance(event, bytes | memoryview):
            content += event
        elif event is None:
            found.append((headers, content))
        else:
            headers, content = event, b""
    return found


LATIN = [(b"content-disposition", b'form-data; name="x"'), (b"content-type", b"a/b")]
HEAD = b'Content-Disposition: form-data; name="x"\r\nContent-Type: a/b\r\n\r\n'

CASES: list[tuple[bytes, list[bytes]]] = [
    (b"", []),
    (b"--BB--\r\n", []),
    (b"--BB\r\n" + HEAD + b"abc\r\n--BB--\r\n", [b"abc"]),
    (b"preamble\r\n--BB\r\n" + HEAD + b"abc\r\n--BB--", [b"abc"]),
    (
        b"--BB\r\n" + HEAD + b"a\r\n--B\r\nb\r\n--BB\r\n" + HEAD + b"\r\n--BB--",
        [b"a\r\n--B\r\nb", b""],
    ),
    (b"--BB\r\n" + HEAD + b"\r\n\r\n\r\n--BB--epilogue --BB\r\n" + HEAD, [b"\r\n\r\n"]),
    (b"--BB\r\n" + HEAD + b"whole\r\n--BB\r\n" + HEAD + b"cut off", [b"whole"]),
    (b"--BB\r\nno header\r\n--BB\r\n" + HEAD + b"x\r\n--BB--", [b"x"]),
    (b"--BB  \r\n" + HEAD + b"x\r\n--BB--", [b"x"]),
]


@pytest.mark.parametrize(("body", "contents"), CASES)
def test_parts_do_not_depend_on_the_cuts(body: bytes, contents: list[bytes]) -> None:
    expected = [(LATIN, content) for content in contents]
    assert parsed([body]) == expected
    assert parsed([body[at : at + 1] for at in range(len(body))]) == expected
    for at in range(len(body)):
        assert parsed([body[:at], body[at:]]) == expected


def test_large_contents_with_near_boundaries() -> None:
    source = random.Random(7)
    contents = [
        bytes(source.choices(b"\r\n-B", k=5000)).replace(b"\r\n--BB", b"") for _ in range(20)
    ]
    body = b"".join(b"--BB\r\n" + HEAD + each + b"\r\n" for each in contents) + b"--BB--\r\n"
    pieces, at = [], 0
    while at < len(body):
        size = source.randint(1, 4000)
        pieces.append(body[at : at + size])
        at += size
    assert [content for _, content in parsed(pieces)] == contents


def test_a_part_without_any_header_does_not_count() -> None:
    assert parsed([b"--BB\r\n\r\nabc\r\n--BB--"]) == []
    assert parsed([b"--BB\r\n\r\n--BB--"]) == []
    assert parsed([b"--BB\r\nno field\r\n\r\nabc\r\n--BB--"]) == [([], b"abc")]


def test_blanks_around_the_signs_of_header_fields() -> None:
    disposition = b'form-data ; name = "x"'
    head = b"Content-Disposition : " + disposition + b"\r\nContent-Type :a/b\r\n\r\n"
    ((headers, content),) = parsed([b"--BB\r\n" + head + b"c\r\n--BB--"])
    assert headers == [(b"content-disposition", disposition), (b"content-type", b"a/b")]
    assert content == b"c"


def test_nothing_is_held_but_a_header_and_a_boundary() -> None:
    parser = FormParser(b"BB")
    list(parser.feed(b"--BB\r\n" + HEAD))
    given = sum(len(event) for _ in range(100) for event in parser.feed(b"x" * 100_000) if event)
    assert 10_000_000 - 10 <= given <= 10_000_000
    with pytest.raises(BadRequest):
        list(FormParser(b"BB").feed(b"--BB\r\n" + b"h" * (MAXIMUM_HEADER + 1)))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"multipart/form-data; boundary=BB", b"BB"),
        (b'Multipart/Form-Data;boundary="B B"', b"B B"),
        (b"multipart/form-data ; charset=x ; boundary = BB", b"BB"),
        (b"multipart/form-data", None),
        (b"multipart/form-dataset; boundary=BB", None),
        (b"multipart/related; boundary=BB", None),
        (None, None),
    ],
)
def test_boundaries(header: bytes | None, expected: bytes | None) -> None:
    assert boundary(header) == expected
