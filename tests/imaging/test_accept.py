"""The choice of a format by the `Accept` header. Source: reference chapter 2, section 5.5."""

import pytest

from orthanc_fast.imaging.accept import BadQualityFactor, PictureFormat, negotiate

PNG, JPEG, PAM = PictureFormat.PNG, PictureFormat.JPEG, PictureFormat.PAM


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, PNG),
        (b"*/*", PNG),
        (b"image/*", PNG),
        (b"image/png", PNG),
        (b"image/jpeg", JPEG),
        (b"image/x-portable-arbitrarymap", PAM),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", PNG),
        # The most specific one counts before the factors.
        (b"*/*,image/jpeg", JPEG),
        (b"image/*;q=1,image/jpeg;q=0.1", JPEG),
        (b"image/jpeg;q=0.5,image/png;q=0.4", JPEG),
        (b"image/png;q=0.4,image/jpeg;q=0.5", JPEG),
        (b"image/jpeg,image/png", JPEG),
        (b"image/jpeg;q=0", JPEG),
        (b" image/jpeg ; foo=1 ; q = 0.5 , image/png;q=0.4", JPEG),
        (b"image/jpeg;Q=0.1,image/png;q=0.9", JPEG),
        (b"image/gif;q=abc,image/png", PNG),
        (b"", None),
        (b"*", None),
        (b"image/gif", None),
        (b"image/jpg", None),
        (b"IMAGE/PNG", None),
        (b"text/html", None),
        (b"*/png", None),
    ],
)
def test_choice(accept: bytes | None, expected: PictureFormat | None) -> None:
    assert negotiate(accept) is expected


@pytest.mark.parametrize("factor", [b"2", b"abc", b"-1", b"", b"nan", b"1.1", b"0x1", b"0_1"])
def test_bad_factors(factor: bytes) -> None:
    with pytest.raises(BadQualityFactor):
        negotiate(b"image/jpeg;q=" + factor)
