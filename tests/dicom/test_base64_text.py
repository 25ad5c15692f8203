"""Base64 beside Python's own."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_fast._ext.base64_text import decode

HEAD = "data:;base64,"


@given(st.binary())
def test_decodes(data: bytes) -> None:
    text = HEAD + base64.b64encode(data).decode()
    assert decode(text, len(HEAD)) == data
    assert decode(text.rstrip("="), len(HEAD)) == data  # as Orthanc takes it


def test_every_character() -> None:
    good = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for code in range(1, 256):
        for text in (f"AAA{chr(code)}", f"{chr(code)}AAAAAA=", f"AAAAA{chr(code)}=="):
            if chr(code) in good or (chr(code) == "=" and text == "AAA="):
                assert decode(text, 0) == base64.b64decode(text)
            else:
                with pytest.raises(ValueError, match="base64"):
                    decode(text, 0)


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "A===", "A=", "AA===", "AA=", "====", "=", "AA==AA==", "AAAA=", "é", " "]
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode(text, 0)


@pytest.mark.parametrize("start", [-1, 5, 1 << 62])
def test_refuses_what_is_not_inside(start: int) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode("AAAA", start)


def test_nothing() -> None:
    assert decode("", 0) == decode("AAAA", 4) == b""
