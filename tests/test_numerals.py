"""Numbers that stand as text: a number of bounded size, or None, whatever the text."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_fast.numerals import decimal, integer, leading_decimal, leading_integer, unsigned

# More digits than Python's int() takes.
MANY = "9" * 4301


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0", 0),
        ("+5", 5),
        ("-12", -12),
        ("007", 7),
        ("0" * 5000 + "7", 7),
        ("9223372036854775807", (1 << 63) - 1),
        ("-9223372036854775808", -(1 << 63)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("99999999999999999999", None),
        (MANY, None),
        ("-" + MANY, None),
        ("--8", None),
        ("+-8", None),
        ("1_0", None),
        (" 1", None),
        ("1 ", None),
        ("1.0", None),
        ("", None),
        ("-", None),
        ("\u0661", None),  # a digit of another script
        ("\u00b2", None),
    ],
)
def test_integer(text: str, number: int | None) -> None:
    assert integer(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("4294967295", (1 << 32) - 1), ("4294967296", None), ("-0", None), ("+1", 1), (MANY, None)],
)
def test_unsigned(text: str, number: int | None) -> None:
    assert unsigned(text) == number


def test_unsigned_has_the_limit_asked_for() -> None:
    assert unsigned("100", 100) == 100
    assert unsigned("101", 100) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+1e3", 1000.0),
        (MANY, None),
        ("1e999", None),
        ("inf", None),
        ("nan", None),
        ("1_0", None),
        ("1,5", None),
        (".", None),
        ("", None),
        (" 1", None),
    ],
)
def test_decimal(text: str, number: float | None) -> None:
    assert decimal(text) == number


@given(st.text(alphabet=" +-0123456789.eE\tx", max_size=30) | st.just(MANY) | st.just("-" + MANY))
def test_the_leading_numbers_are_those_of_sqlite(text: str) -> None:
    with sqlite3.connect(":memory:") as database:
        whole, real = database.execute(
            "SELECT CAST(? AS INTEGER), CAST(? AS REAL)", (text, text)
        ).fetchone()
    assert leading_integer(text) == whole
    assert leading_decimal(text) == pytest.approx(real, nan_ok=True)
