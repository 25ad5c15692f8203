"""Modalities: their formats, and what becomes of them when REST changes them."""

from typing import Any

import msgspec
import pytest
from support.small_store import SmallStore

from orthanc_fast.config import Settings
from orthanc_fast.errors import (
    BadFileFormat,
    BadParameterType,
    ForbiddenAccess,
    InexistentItem,
    OrthancError,
    ParameterOutOfRange,
)
from orthanc_fast.model import Caller
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.exchange.modalities import Modality, parse_modality
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry

SHORT = ["STORESCP", "127.0.0.1", 104]
OBJECT = {"AET": "STORESCP", "Host": "127.0.0.1", "Port": 104}
PLAIN = Modality(aet="STORESCP", host="127.0.0.1", port=104)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SHORT, {}),
        ([*SHORT[:2], "104"], {}),
        ([*SHORT, "GE"], {"manufacturer": "GE"}),
        ([*SHORT, "SyngoVia"], {"manufacturer": "GenericNoWildcardInDates"}),
        (OBJECT, {}),
        ({**OBJECT, "Port": "104", "Whatever": 1}, {}),
        ({**OBJECT, "Timeout": 7, "LocalAet": "ME"}, {"timeout": 7, "local_aet": "ME"}),
        ({**OBJECT, "RetrieveMethod": "C-GET"}, {"retrieve_method": "C-GET"}),
        ({**OBJECT, "AllowMove": False}, {"allow_move": False}),
        (
            {**OBJECT, "AllowStorageCommitment": False},
            {"allow_n_action": False, "allow_event_report": False},
        ),
        (
            {**OBJECT, "AllowStorageCommitment": False, "AllowEventReport": True},
            {"allow_n_action": False, "allow_event_report": False},
        ),
    ],
)
def test_both_formats(value: Any, expected: dict[str, Any]) -> None:
    parsed = parse_modality("x", value)
    assert parsed == msgspec.structs.replace(PLAIN, **expected)
    assert parse_modality("x", msgspec.to_builtins(parsed)) == parsed, "as REST shows it"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, BadFileFormat),
        ("STORESCP", BadFileFormat),
        (SHORT[:2], BadFileFormat),
        ([*SHORT, "GE", "more"], BadFileFormat),
        ([1, *SHORT[1:]], BadFileFormat),
        ([*SHORT[:2], 0], ParameterOutOfRange),
        ([*SHORT[:2], 65535], ParameterOutOfRange),
        ([*SHORT[:2], True], BadFileFormat),
        ([*SHORT[:2], "many"], BadFileFormat),
        ([*SHORT, "Unknown"], ParameterOutOfRange),
        ([*SHORT, ["GE"]], BadFileFormat),
        ({"AET": "STORESCP", "Port": 104}, BadFileFormat),
        ({**OBJECT, "AllowMove": "true"}, BadFileFormat),
        ({**OBJECT, "RetrieveMethod": "C-STORE"}, ParameterOutOfRange),
        ({**OBJECT, "Timeout": -1}, BadParameterType),
        ({**OBJECT, "Timeout": 1.5}, BadFileFormat),
        ({**OBJECT, "Timeout": True}, BadFileFormat),
    ],
)
def test_what_is_no_modality(value: Any, error: type[OrthancError]) -> None:
    with pytest.raises(error):
        parse_modality("x", value)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "é", "a\n"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(BadFileFormat):
        parse_modality(name, SHORT)


def registry(
    store: SmallStore, runtime: MemoryRuntime, modalities: Any, kept: bool = False
) -> ModalityRegistry:
    raw = {"DicomModalities": modalities, "DicomModalitiesInDatabase": kept}
    return ModalityRegistry(Settings(raw=raw), store.reads, store.writes, runtime)


@pytest.mark.parametrize("kept", [False, True])
def test_every_process_sees_changes(small_store: SmallStore, caller: Caller, kept: bool) -> None:
    runtime = MemoryRuntime()
    here, there = (registry(small_store, runtime, {"b": SHORT}, kept) for _ in range(2))
    configured = [] if kept else ["b"]
    assert list(here.all(caller)) == configured
    small_store.run(here.put(caller, "c", PLAIN))
    small_store.run(there.put(caller, "a", PLAIN))
    other = msgspec.structs.replace(PLAIN, port=1)
    small_store.run(there.put(caller, "a", other))
    assert list(here.all(caller)) == ["a", *configured, "c"]
    assert here.get(caller, "a") == other
    small_store.run(here.delete(caller, "c"))
    with pytest.raises(InexistentItem, match="No modality with symbolic name: c"):
        there.get(caller, "c")
    with pytest.raises(InexistentItem, match="No modality with symbolic name: c"):
        small_store.run(there.delete(caller, "c"))
    assert list(there.all(caller)) == ["a", *configured]
    # The next start: what is kept in the index is there, and the option does not count.
    restarted = registry(small_store, MemoryRuntime(), {"b": SHORT}, kept)
    assert list(restarted.all(caller)) == (["a"] if kept else ["b"])


@pytest.mark.parametrize("kept", [False, True])
def test_a_caller_of_some_labels_changes_nothing(
    small_store: SmallStore, caller: Caller, kept: bool
) -> None:
    guest = Caller(origin="RestApi", labels=frozenset({"public"}))
    modalities = registry(small_store, MemoryRuntime(), {}, kept)
    with pytest.raises(ForbiddenAccess):
        small_store.run(modalities.put(guest, "a", PLAIN))
    assert list(modalities.all(caller)) == []


def test_an_option_that_holds_no_modality_is_refused(small_store: SmallStore) -> None:
    with pytest.raises(BadFileFormat):
        registry(small_store, MemoryRuntime(), {"a b": SHORT})
    with pytest.raises(BadFileFormat):
        registry(small_store, MemoryRuntime(), {"a": "STORESCP"})
    assert registry(small_store, MemoryRuntime(), None).all(Caller(origin="RestApi")) == {}
