"""What a fuzzer does with a multipart body: it is split by both parsers, as a whole and in pieces,
and must come out the same; what is held is bounded, and what is joined again is split again."""

from itertools import pairwise

from orthanc_fast.errors import BadRequest
from orthanc_fast.multipart import (
    MAXIMUM_HEADER,
    HeaderField,
    MultipartParser,
    RelatedParser,
)
from orthanc_fast.rest.form_data import FormParser

Part = tuple[list[HeaderField], bytes]
Parsed = tuple[list[Part], str]

# Bytes that a parser may hold beside a chunk and a boundary.
_HELD = MAXIMUM_HEADER + 16


def parsed(parser: MultipartParser, pieces: list[bytes], boundary: bytes = b"BB") -> Parsed:
    """The complete parts, and what is wrong with the body."""
    found: list[Part] = []
    headers: list[HeaderField] | None = None
    content = b""
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                if isinstance(event, bytes | memoryview):
                    assert event and headers is not None
                    content += event
                elif event is None:
                    assert headers is not None
                    found.append((headers, content))
                    headers = None
                else:
                    assert headers is None
                    headers, content = event, b""
            assert len(parser._held) - parser._at <= len(piece) + _HELD + len(boundary)
        if isinstance(parser, RelatedParser):
            parser.close()
    except BadRequest as error:
        return found, str(error.details)
    return found, ""


def cut(body: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(ends)]


def joined(parts: list[Part], boundary: bytes) -> bytes:
    """A body with these parts."""
    texts = []
    for headers, content in parts:
        head = b"".join(b"%b:%b\r\n" % field for field in headers)
        texts.append(b"--" + boundary + b"\r\n" + head + b"\r\n" + content + b"\r\n")
    return b"".join(texts) + b"--" + boundary + b"--\r\n"


def target(data: bytes) -> None:
    """The first bytes choose the boundary and the places of cuts, the rest is the body."""
    if len(data) < 9:
        return
    boundary = b"B" * (1 + data[0] % 8) + (b"-" if data[0] & 128 else b"")
    places, body = [each * 7 for each in data[1:8]], data[8:]
    kinds: tuple[type[RelatedParser] | type[FormParser], ...] = (RelatedParser, FormParser)
    for kind in kinds:
        whole = parsed(kind(boundary), [body], boundary)
        assert parsed(kind(boundary), cut(body, places), boundary) == whole
        if len(body) < 2000:
            single = [body[at : at + 1] for at in range(len(body))]
            assert parsed(kind(boundary), single, boundary) == whole
    parts, error = parsed(RelatedParser(boundary), [body], boundary)
    # Bodies of bare LF may hold boundaries behind CR LF: joined with these they would count.
    if not error and all(b"\n--" + boundary not in b"\n" + content for _, content in parts):
        fields = [field for headers, _ in parts for field in headers]
        if all(b"\r" not in name + value and name for name, value in fields):
            again = parsed(RelatedParser(boundary), [joined(parts, boundary)], boundary)
            assert again == (parts, "")


SEEDS = [
    bytes([1, 3, 9, 27, 40, 50, 70, 100]) + body
    for body in (
        b"",
        b"--BB\r\nContent-Type: application/dicom\r\n\r\nabc\r\n--BB--\r\n",
        b"--BB\nA: b\n\nabc\n--BB\nX:y\n\nd\r\n--BB--",
        b"pre\r\n--BB  \r\nX: a\r\n\tb\r\nno field\r\n\r\nc\r\n--BB\r\n\r\n\r\n--BB\r\n--BB--",
        b"--BB\r\n\r\n" + b"x" * 300 + b"\r\n--B\r\n--BBx\r\n--BB \t\r\n\r\n\r\n--BB--epilogue",
        b"\r\n--BB\r\nA: " + b"y" * 200 + b"\r\n",
        b'--BB\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--BB\r\n\r\n--BB--',
    )
]
