"""The character set of files that name none."""

import pytest

from orthanc_fast.errors import ForbiddenAccess, ParameterOutOfRange
from orthanc_fast.model import Caller
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.administration.default_character_set import DefaultCharacterSet


def test_every_process_sees_the_one_that_is_set(caller: Caller) -> None:
    runtime = MemoryRuntime()
    here, there = (DefaultCharacterSet(runtime, "Latin1") for _ in range(2))
    assert here() == "Latin1"
    assert here.set(caller, "Utf8") == "Utf8"
    assert there() == "Utf8"
    assert DefaultCharacterSet(MemoryRuntime(), "Latin1")() == "Latin1"


def test_what_is_unknown_or_not_allowed_changes_nothing(caller: Caller) -> None:
    encoding = DefaultCharacterSet(MemoryRuntime(), "Latin1")
    for name in ("", "Klingon", "utf-1"):
        with pytest.raises(ParameterOutOfRange):
            encoding.set(caller, name)
    with pytest.raises(ForbiddenAccess):
        encoding.set(Caller(origin="RestApi", labels=frozenset({"public"})), "Utf8")
    assert encoding() == "Latin1"
