"""What clients accept. RFC 9110, section 12.5.1."""

import pytest

from orthanc_fast.errors import BadRequest
from orthanc_fast.media_types import MediaRange, accepted, chosen

OHIF = (
    b"application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*"
)


def types(header: bytes | None, argument: str | None = None) -> list[str]:
    return [each.type for each in accepted(header, argument)]


def test_no_header_is_anything() -> None:
    assert types(None) == ["*/*"]


def test_an_empty_header_is_nothing() -> None:
    assert types(b"") == []


def test_parameters() -> None:
    first, second = accepted(OHIF)
    assert first == MediaRange(
        "multipart/related", {"type": "application/octet-stream", "transfer-syntax": "*"}
    )
    assert second == MediaRange("application/dicom+json", {})


@pytest.mark.parametrize(
    "text",
    [
        'Multipart/Related; TYPE="Image/JPEG; a=b"; Transfer-Syntax=1.2.840.10008.1.2.4.50',
        'multipart/related;type="image/jpeg";transfer-syntax="1.2.840.10008.1.2.4.50"',
        "multipart/related ; type = image/jpeg ; transfer-syntax = 1.2.840.10008.1.2.4.50",
    ],
)
def test_case_quotes_and_spaces_do_not_count(text: str) -> None:
    (found,) = accepted(text.encode())
    assert found.type == "multipart/related"
    assert found.part_type == "image/jpeg"
    assert found.parameters["transfer-syntax"] == "1.2.840.10008.1.2.4.50"


def test_commas_in_quotes_separate_nothing() -> None:
    (found,) = accepted(b'multipart/related; type="a,b;c\\"d"')
    assert found.parameters == {"type": 'a,b;c"d'}


def test_by_quality_then_by_how_specific_they_are() -> None:
    header = b"*/*, text/html;q=0.5, image/*, image/png;q=0.7, image/jpeg"
    assert types(header) == ["image/jpeg", "image/*", "*/*", "image/png", "text/html"]


def test_quality_zero_is_not_accepted() -> None:
    assert types(b"image/png;q=0, image/jpeg;q=0.000") == []


@pytest.mark.parametrize("quality", ["2", "-1", "1.1", "a", "", "nan", "1e0", '"'])
def test_bad_quality(quality: str) -> None:
    with pytest.raises(BadRequest):
        accepted(f"image/png;q={quality}".encode())


def test_the_argument_comes_first() -> None:
    assert types(b"image/png", "image/jpeg") == ["image/jpeg", "image/png"]
    assert types(None, "application/dicom json") == ["application/dicom+json"]


@pytest.mark.parametrize("text", [b",,,", b";;;", b'"', b'a/b;c="d', b"\xff\xfe", b"=,;="])
def test_what_cannot_be_read(text: bytes) -> None:
    accepted(text)


def test_very_long() -> None:
    assert len(accepted(b"a/b;c=d," * 8192)) == 8192


def test_chosen() -> None:
    ranges = accepted(b"image/png;q=0.9, image/gif")
    assert chosen(ranges, lambda each: {"image/png": 1}.get(each.type), "PNG") == 1
    with pytest.raises(BadRequest, match="ask for GIF") as caught:
        chosen(ranges, lambda each: None, "GIF")
    assert caught.value.http_status == 406
