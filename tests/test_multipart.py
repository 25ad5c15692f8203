"""Bodies of multipart/related that are taken apart while they come: RFC 2046, section 5.1."""

import random

import pytest

from orthanc_fast.errors import BadFileFormat
from orthanc_fast.multipart import LONGEST_BOUNDARY, LONGEST_HEADER, MultipartReader, related

Parts = list[tuple[dict[str, str], bytes]]

WHOLE: dict[bytes, Parts] = {
    b"--B\r\nA: b\r\n\r\nhello\r\n--B--\r\n": [({"a": "b"}, b"hello")],
    b"before\r\n--B\r\nA: b\r\n\r\n\r\n--B \t\r\nC:d\r\n\r\nx\r\n--B--after": [
        ({"a": "b"}, b""),
        ({"c": "d"}, b"x"),
    ],
    b"\r\n--B\r\nA: b\r\n\r\n--B\r\n\r\n\r\n--B--": [({"a": "b"}, b""), ({}, b"")],
    # What only begins like a boundary.
    b"--B\r\n\r\n\r\n--Bx\r\n--B-\r\n\r\n--\r\n--B--": [({}, b"\r\n--Bx\r\n--B-\r\n\r\n--")],
    b"--B--": [],
}


def read(body: bytes, cuts: list[int]) -> tuple[Parts, bool]:
    """What a body is that comes in pieces: its complete parts, and whether it is whole."""
    reader, parts, headers, content = MultipartReader(b"B"), [], {}, b""
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        for event in reader.feed(body[start:end]):
            if isinstance(event, dict):
                headers, content = event, b""
            elif event is None:
                parts.append((headers, content))
            else:
                content += event
    return parts, reader.is_whole


@pytest.mark.parametrize("body", WHOLE)
def test_however_it_is_cut(body: bytes) -> None:
    expected = WHOLE[body], True
    assert read(body, list(range(len(body)))) == expected
    source = random.Random(5)
    for _ in range(200):
        cuts = sorted(source.choices(range(len(body) + 1), k=source.randrange(6)))
        assert read(body, cuts) == expected


@pytest.mark.parametrize("body", WHOLE)
def test_what_breaks_off_is_not_whole(body: bytes) -> None:
    end = body.rindex(b"--")
    for length in range(end):
        parts, is_whole = read(body[:length], [])
        assert not is_whole
        assert parts == WHOLE[body][: len(parts)]


def test_bad_headers() -> None:
    for body in (b"--B\r\nno header\r\n\r\n", b"--B\r\nA: " + b"x" * LONGEST_HEADER):
        with pytest.raises(BadFileFormat):
            read(body + b"\r\n\r\n", [])


def test_nothing_is_held_of_a_content() -> None:
    reader = MultipartReader(b"B")
    list(reader.feed(b"--B\r\n\r\n"))
    for _ in range(100):
        [piece] = [each for each in reader.feed(b"\r\n-" * 50_000) if isinstance(each, bytes)]
        assert len(piece) > 149_000


def test_types() -> None:
    kinds = {
        'multipart/related; type="application/dicom"; boundary=B': ("B", "application/dicom"),
        'Multipart/Related;boundary="a b";TYPE=Application/DICOM': ("a b", "application/dicom"),
        'multipart/related; boundary="a\\"b"': ('a"b', ""),
    }
    for text, (boundary, kind) in kinds.items():
        assert related(text) == (boundary.encode(), kind)
    assert related("application/dicom") is None
    assert related("") is None
    for text in ("", "; boundary=", f"; boundary={'x' * (LONGEST_BOUNDARY + 1)}"):
        with pytest.raises(BadFileFormat):
            related(f"multipart/related{text}")
