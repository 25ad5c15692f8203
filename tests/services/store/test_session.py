"""What REST changes until the server starts again, in the memory of this process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from orthanc_fast.config import Settings
from orthanc_fast.errors import ForbiddenAccess, InexistentItem, ParameterOutOfRange
from orthanc_fast.index.contract import Index, NoEffects
from orthanc_fast.index.lmdb.index import LmdbIndex
from orthanc_fast.model import SERVER
from orthanc_fast.runtime.memory import MemoryRuntime
from orthanc_fast.services.administration.default_character_set import DefaultCharacterSet
from orthanc_fast.services.exchange.modalities import Modality, parse_modality
from orthanc_fast.services.exchange.modality_registry import ModalityRegistry
from orthanc_fast.services.scp.policy import SessionPolicy
from orthanc_fast.services.store.reads import Reads
from orthanc_fast.services.store.session import SessionOption
from orthanc_fast.services.store.terms import terms
from orthanc_fast.services.store.writes import Writes

EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture
def runtime() -> MemoryRuntime:
    return MemoryRuntime()


def test_an_option_is_what_was_set_last_in_any_process(runtime: MemoryRuntime) -> None:
    ours = SessionOption(runtime, "x", bool, True)
    theirs = SessionOption(runtime, "x", bool, True)
    assert theirs.get() is True
    ours.set(SERVER, False)
    assert theirs.get() is False
    assert SessionOption(runtime, "y", bool, True).get() is True


def test_the_default_encoding(runtime: MemoryRuntime) -> None:
    encoding = DefaultCharacterSet(runtime, "Latin1")
    assert encoding() == "Latin1"
    assert encoding.set(SERVER, "latin2") == "Latin2"
    assert DefaultCharacterSet(runtime, "Latin1")() == "Latin2"
    with pytest.raises(ParameterOutOfRange):
        encoding.set(SERVER, "Klingon")
    assert encoding() == "Latin2"


def test_the_policy_of_the_scp(runtime: MemoryRuntime) -> None:
    policy, other = (SessionPolicy({"UnknownSopClassAccepted": True}, runtime) for _ in range(2))
    assert len(other.syntaxes()) == 48
    policy.accept(SERVER, ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.5?", "nonsense"])
    assert EXPLICIT in other.syntaxes()
    assert len(other.syntaxes()) == 11
    assert other.unknown_accepted()
    policy.accept_unknown(SERVER, False)
    assert not other.unknown_accepted()


def modality(aet: str) -> Modality:
    return parse_modality("x", [aet, "localhost", 104])


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    found = LmdbIndex(tmp_path, terms, 1 << 26)
    yield found
    found.close()


def test_modalities_of_a_session(runtime: MemoryRuntime, index: Index) -> None:
    settings = Settings(raw={"DicomModalities": {"b": ["B", "localhost", 104]}})

    async def run() -> None:
        loop = asyncio.get_running_loop()
        reads, writes = Reads(index), Writes(index.writer(NoEffects(), loop), loop)
        registry, other = (ModalityRegistry(settings, reads, writes, runtime) for _ in range(2))
        await registry.put(SERVER, "c", modality("C"))
        await registry.put(SERVER, "a", modality("A"))
        assert list(other.all(SERVER)) == ["a", "b", "c"]
        await other.delete(SERVER, "b")
        assert list(registry.all(SERVER)) == ["a", "c"]
        assert registry.get(SERVER, "a").aet == "A"
        with pytest.raises(InexistentItem):
            await registry.delete(SERVER, "b")
        fresh = ModalityRegistry(settings, reads, writes, MemoryRuntime())
        assert list(fresh.all(SERVER)) == ["b"]

    asyncio.run(run())


def test_modalities_that_the_database_keeps(runtime: MemoryRuntime, index: Index) -> None:
    settings = Settings(
        raw={
            "DicomModalities": {"b": ["B", "localhost", 104]},
            "DicomModalitiesInDatabase": True,
        }
    )

    async def run() -> None:
        loop = asyncio.get_running_loop()
        reads, writes = Reads(index), Writes(index.writer(NoEffects(), loop), loop)
        registry = ModalityRegistry(settings, reads, writes, runtime)
        assert registry.all(SERVER) == {}
        await registry.put(SERVER, "b", modality("B"))
        await registry.put(SERVER, "a", modality("A"))
        other = ModalityRegistry(settings, reads, writes, MemoryRuntime())
        assert list(other.all(SERVER)) == ["a", "b"]
        await other.delete(SERVER, "a")
        assert list(registry.all(SERVER)) == ["b"]
        with pytest.raises(InexistentItem):
            await other.delete(SERVER, "a")

    asyncio.run(run())


def test_what_is_of_the_server_is_not_for_callers_who_see_a_part(runtime: MemoryRuntime) -> None:
    option = SessionOption(runtime, "x", bool, True)
    with pytest.raises(ForbiddenAccess):
        option.set(msgspec.structs.replace(SERVER, labels=frozenset({"a"})), False)
    assert option.get() is True
