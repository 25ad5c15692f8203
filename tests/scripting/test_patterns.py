"""The regular expressions of scripts."""

import pytest

from orthanc_fast.errors import BadRequest
from orthanc_fast.services.scripts.patterns import PatternError, compiled, literal_beginning

BEGINNINGS = {
    "/mine": "/mine",
    "/mine/(.*)": "/mine/",
    "/mine/?": "/mine",
    "/mines*": "/mine",
    "/mines{0}": "/mine",
    "/mines+": "/mines",
    "/a|/b": "",
    "/mine/(?i)x": "",
    "^/mine": "",
    "": "",
    "*": "",
}


@pytest.mark.parametrize("pattern", BEGINNINGS)
def test_what_all_that_matches_begins_with(pattern: str) -> None:
    assert literal_beginning(pattern) == BEGINNINGS[pattern]


def test_a_match() -> None:
    match = compiled("/(x)?([[:digit:]]+).").fullmatch("/12\n")
    assert match is not None
    assert tuple(match.groups()) == (None, "12")
    assert compiled("/x").fullmatch("/xx") is None


def test_one_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(BadRequest, match="takes too long"):
        compiled("(a|aa)+(b|c)").fullmatch("a" * 200)


@pytest.mark.parametrize("pattern", ["(", "[a", "(?P<x", "a{2,1}"])
def test_what_is_none(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)
